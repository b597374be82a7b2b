"""One request and its answer: what is learnt of it on the way, kept in the ASGI scope's `state`."""

from dataclasses import dataclass, field

from litestar.types import Scope

from postroad.model.project import Caller
from postroad.store.messages import Idempotency

_NAME = "postroad.exchange"


@dataclass(slots=True)
class Exchange:
    """What is known of the request in hand."""

    request_id: str = ""
    route: str = ""
    """Template of the path, such as `/v1/messages/{message_id}`; empty when nothing is there."""
    address: str = ""
    """Address of the client, behind trusted proxies."""
    caller: Caller | None = None
    actor: str | None = None
    """Who calls when it is nobody of a project."""
    idempotency: Idempotency | None = None
    """The request's Idempotency-Key, for handlers that keep their answer in their own transaction (`keeps`)."""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Headers that every answer to this request gets, such as RateLimit."""


def exchange_of(scope: Scope) -> Exchange:
    """Return the exchange of an ASGI scope; the first to ask begins it."""
    state = scope.setdefault("state", {})
    found = state.get(_NAME)
    if not isinstance(found, Exchange):
        found = state[_NAME] = Exchange()
    return found
