"""Sending over HTTP: the hot route, and why it stands beside Litestar.

`POST /v1/messages` is what this server does most. The functions here read, decode and answer it; they are called by the
door directly, and the handlers in `api.messages` that document the routes call the same ones.
"""

from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

import msgspec
from litestar.types import HTTPScope, Receive, Send

from postroad.http.admission import Doorkeeper, idempotency_of, send_answer
from postroad.http.exchange import Exchange
from postroad.http.problems import invalid, not_utf8
from postroad.http.services import Services
from postroad.model.errors import Refused
from postroad.model.project import Caller
from postroad.pipeline.intake import Draft
from postroad.store.messages import Answer, Idempotency

ONE = "/v1/messages"
BATCH = "/v1/messages/batch"


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Many messages in one request; each item is decoded by itself, so that a bad one need not spoil the rest."""

    messages: list[msgspec.Raw]
    mode: Literal["each", "all"] = "each"


Accept: TypeAlias = Callable[[Services, Caller, bytes, Idempotency | None], Awaitable[Answer]]

_draft = msgspec.json.Decoder(Draft)
_batch = msgspec.json.Decoder(Batch)


def decode_draft(octets: bytes | msgspec.Raw) -> Draft:
    """Return the draft that a body holds.

    Raises:
        Refused: it is no draft.
        msgspec.DecodeError: it is not JSON.
    """
    try:
        return _draft.decode(octets)
    except UnicodeDecodeError as error:
        raise not_utf8() from error
    except msgspec.ValidationError as error:
        raise invalid(error) from error


async def accept_one(services: Services, caller: Caller, body: bytes, idempotency: Idempotency | None) -> Answer:
    """Take one message."""
    return await services.intake.accept(caller, decode_draft(body), idempotency)


async def accept_batch(services: Services, caller: Caller, body: bytes, idempotency: Idempotency | None) -> Answer:
    """Take a batch."""
    try:
        batch = _batch.decode(body)
    except UnicodeDecodeError as error:
        raise not_utf8() from error
    except msgspec.ValidationError as error:
        raise invalid(error, kind=Batch) from error
    return await services.intake.accept_batch(
        caller,
        [_item(raw) for raw in batch.messages],
        all_or_nothing=batch.mode == "all",
        idempotency=idempotency,
    )


def _item(raw: msgspec.Raw) -> Draft | Refused:
    try:
        return decode_draft(raw)
    except Refused as refusal:
        if refusal.code == "malformed_json":
            raise  # octets that are no text spoil the whole body, wherever they stand
        return refusal
    except msgspec.DecodeError as error:
        return Refused("malformed_json", f"The item is not valid JSON: {error}.")


class SendRoute:
    """A route that takes mail; it is called by the door, in one of two ways."""

    def __init__(self, services: Services, doorkeeper: Doorkeeper, path: str, accept: Accept) -> None:
        """Take what stands behind the route."""
        self._services = services
        self._doorkeeper = doorkeeper
        self._name = f"POST {path}"
        self._accept = accept

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send, exchange: Exchange) -> None:
        """Answer a request over ASGI; its body is read once it is known who calls."""
        caller = await self._doorkeeper.admit(scope, exchange, "send")
        body = await self._doorkeeper.body(scope, receive)
        idempotency = idempotency_of(scope, self._name, body)
        await send_answer(await self._accept(self._services, caller, body, idempotency), send)

    async def whole(self, scope: HTTPScope, octets: bytes, exchange: Exchange) -> Answer:
        """Answer a request whose body is here already."""
        headers = dict(scope["headers"])
        caller = await self._doorkeeper.admit(scope, exchange, "send", headers)
        body = await self._doorkeeper.unpacked(headers, octets)
        idempotency = idempotency_of(scope, self._name, body) if b"idempotency-key" in headers else None
        return await self._accept(self._services, caller, body, idempotency)


def fast_routes(services: Services, doorkeeper: Doorkeeper) -> dict[tuple[str, str], SendRoute]:
    """Return the routes that the door answers itself."""
    return {
        ("POST", path): SendRoute(services, doorkeeper, path, accept)
        for path, accept in ((ONE, accept_one), (BATCH, accept_batch))
    }
