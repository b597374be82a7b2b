"""Who calls: an API key as `Authorization: Bearer pr_…`, and whether its scope covers the route.

A route says what it needs in its `opt`: `read` for looking, `send` for sending and changing messages, `full` for the
rest. Nothing said means `full`, so that a forgotten declaration locks out instead of letting in. `PUBLIC` needs no key.
`ADMIN` is for whoever runs the installation, who is of no project: it takes the key in `http.admin_key` and no other,
and that key opens nothing else.
"""

import hmac
from typing import Any, TypeAlias

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from postroad.config import Secret
from postroad.features.accounts.secret import digest
from postroad.http.exchange import Exchange, exchange_of
from postroad.http.services import Services
from postroad.model.errors import Refused
from postroad.model.project import Caller, KeyScope

READ: dict[str, object] = {"scope": "read"}
SEND: dict[str, object] = {"scope": "send"}
FULL: dict[str, object] = {"scope": "full"}
PUBLIC: dict[str, object] = {"scope": "public"}
LOCAL: dict[str, object] = {"scope": "local"}
"""Clients on this machine need no key, others one that may read."""
ADMIN: dict[str, object] = {"scope": "admin"}
"""Only the admin key; handlers have no caller. A path parameter `project_id` names whose Idempotency-Keys are used."""
KEEPS: dict[str, object] = {"keeps": True}
"""Beside a scope (`SEND | KEEPS`): the handler keeps its answer under the Idempotency-Key in its own transaction."""
SECRET: dict[str, object] = {"secret": True}
"""Beside a scope (`FULL | SECRET`): the answer shows a secret once, so it is not kept under an Idempotency-Key."""
UNKEPT: dict[str, object] = {"unkept": True}
"""Beside a scope (`ADMIN | UNKEPT`): no Idempotency-Key is looked at, as a repetition is refused for what it asks."""

ADMIN_ACTOR = "admin"
"""Who did it, in the audit and the log, when the admin key was used."""

GivenServices: TypeAlias = SkipValidation[NamedDependency[Services]]
"""The type of a handler's parameter `services`."""
GivenCaller: TypeAlias = SkipValidation[NamedDependency[Caller]]
"""The type of a handler's parameter `caller`."""
GivenExchange: TypeAlias = SkipValidation[NamedDependency[Exchange]]
"""The type of a handler's parameter `exchange`."""

_COVERS: dict[KeyScope, frozenset[str]] = {
    KeyScope.FULL: frozenset({"read", "send", "full"}),
    KeyScope.SEND: frozenset({"send"}),
    KeyScope.READ: frozenset({"read"}),
}


def bearer(header: str | None) -> str:
    """Return the secret in an `Authorization` header (RFC 6750 §2.1).

    Raises:
        Refused: `unauthorized`, there is none.
    """
    scheme, _, secret = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Refused("unauthorized", "Give an API key as `Authorization: Bearer pr_…`.")
    return secret.strip()


class AdminKey:
    """The key of whoever runs the installation, of which only the digest is held here."""

    def __init__(self, key: Secret | None) -> None:
        self._digest = None if key is None else digest(key.reveal())

    def check(self, header: str | None) -> None:
        """Refuse a request whose `Authorization` header does not bear the admin key.

        Raises:
            Refused: `forbidden` where no admin key is set; `unauthorized`.
        """
        if self._digest is None:
            raise Refused(
                "forbidden",
                "This server has no admin key. Set http.admin_key (POSTROAD_HTTP_ADMIN_KEY) and restart it, or use "
                "`postroad project` and `postroad key` beside it.",
            )
        if not hmac.compare_digest(digest(bearer(header)), self._digest):
            raise Refused("unauthorized", "This is not the admin key (http.admin_key); no API key serves here.")


def check_scope(caller: Caller, needed: str) -> None:
    """Refuse a key whose scope does not cover what a route needs.

    Raises:
        Refused: `forbidden`.
    """
    if needed not in _COVERS[caller.key.scope]:
        raise Refused("forbidden", f"This API key has the scope {caller.key.scope.value}; this needs {needed}.")


# Each provider asks for the one before it only to be resolved after it: Litestar starts a task group for dependencies
# that could be resolved side by side, which costs more than all of them.


def provide_exchange(request: Request[Any, Any, Any], services: GivenServices) -> Exchange:
    """Return what is known of the request."""
    return exchange_of(request.scope)


def provide_caller(exchange: GivenExchange) -> Caller:
    """Return who calls, as the admission found out."""
    assert exchange.caller is not None, "a public route has no caller"
    return exchange.caller


def dependencies(services: Services | None) -> dict[str, Provide]:
    """Return what handlers may ask for by name; without services only their signatures can be read."""
    return {
        "services": Provide(lambda: services, sync_to_thread=False),
        "exchange": Provide(provide_exchange, sync_to_thread=False),
        "caller": Provide(provide_caller, sync_to_thread=False),
    }
