"""Admission: before a handler runs, who calls is known, may do it, is not too fast, and has sent a whole body.

`Doorkeeper` holds the pieces, which the fast routes use one by one; `Admission` is the middleware that puts them before
every handler of Litestar, and answers a repeated Idempotency-Key without running the handler again.
"""

import asyncio
import contextlib
import hashlib
import ipaddress
from collections.abc import Mapping, Set
from typing import Any
from urllib.parse import parse_qsl

from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from postroad.http.auth import ADMIN_ACTOR, AdminKey, bearer, check_scope
from postroad.http.body import read_body, whole_body
from postroad.http.documented import queries_of
from postroad.http.exchange import Exchange, exchange_of
from postroad.http.limits import Buckets
from postroad.http.problems import escape, failure
from postroad.http.services import Services
from postroad.model.errors import Flaw, Refused, Unavailable
from postroad.model.ids import ProjectId
from postroad.model.project import Caller
from postroad.store import idempotency as kept_answers
from postroad.store.messages import Answer, Idempotency

MUTATING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_KEY_CHARACTERS = 255
_QUERY_FIELDS = 100
_FORWARDED = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"})
"""Headers by which proxies tell that they speak for somebody else."""
_READ_TIMEOUT_S = 30.0
"""Time allowed for an answer that changes nothing; a change is never given up, as it may be durable already."""
_KEPT_OCTETS = 1 << 20
"""Answers larger than this are not kept; ours are some kilobytes."""


class Doorkeeper:
    """Knows callers, their rates and their addresses."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._keys = services.keys
        self._admin_key = AdminKey(settings.http.admin_key)
        self._buckets = Buckets(per_second=settings.rates.requests_per_second, burst=settings.rates.burst)
        self._max_body = settings.http.max_body_octets
        self._proxies = tuple(ipaddress.ip_network(text) for text in settings.http.trusted_proxies)

    async def admit(
        self, scope: Scope, exchange: Exchange, needed: str, headers: dict[bytes, bytes] | None = None
    ) -> Caller:
        """Return who calls, if that key may do what is `needed`, and not too often.

        `headers` are those of the scope, where somebody has looked them up already.

        Raises:
            Refused: `unauthorized` or `forbidden`.
            Unavailable: `rate_limited`.
        """
        if headers is None:
            headers = dict(scope["headers"])
        secret = bearer(headers.get(b"authorization", b"").decode("latin-1"))
        exchange.address = self.address(scope, headers)
        caller = await self._keys.authenticate(secret, exchange.address)
        exchange.caller = caller
        self._buckets.charge(caller.key.id, exchange.headers)
        check_scope(caller, needed)
        return caller

    def admit_admin(self, scope: Scope, exchange: Exchange) -> None:
        """Let whoever runs the installation through, if not too often.

        Raises:
            Refused: `unauthorized`, or `forbidden` where there is no admin key.
            Unavailable: `rate_limited`.
        """
        headers = dict(scope["headers"])
        exchange.address = self.address(scope, headers)
        self._admin_key.check(headers.get(b"authorization", b"").decode("latin-1"))
        exchange.actor = ADMIN_ACTOR
        self._buckets.charge(ADMIN_ACTOR, exchange.headers)

    async def body(self, scope: Scope, receive: Receive) -> bytes:
        """Return the whole body."""
        return await read_body(scope, receive, self._max_body)

    async def unpacked(self, headers: dict[bytes, bytes], octets: bytes) -> bytes:
        """Return a body that is here already, if it is one that is taken."""
        return await whole_body(headers, octets, self._max_body)

    def address(self, scope: Scope, headers: dict[bytes, bytes]) -> str:
        """Return the address of the client; a trusted proxy is believed about whom it speaks for."""
        peer = scope.get("client")
        address = peer[0] if peer else ""
        if not self._proxies or not self._is_proxy(address):
            return address
        for hop in reversed(headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")):
            hop = hop.strip()
            if not _is_address(hop):
                break
            address = hop
            if not self._is_proxy(hop):
                break
        return address

    def is_local(self, scope: Scope, exchange: Exchange) -> bool:
        """Whether a request comes from this machine, and not through a proxy on it that nobody told us to believe."""
        headers = dict(scope["headers"])
        exchange.address = self.address(scope, headers)
        peer = scope.get("client")
        forwarded = not headers.keys().isdisjoint(_FORWARDED) and not self._is_proxy(peer[0] if peer else "")
        return _is_loopback(exchange.address) and not forwarded

    def _is_proxy(self, address: str) -> bool:
        return _is_address(address) and any(ipaddress.ip_address(address) in network for network in self._proxies)


def check_query(query: bytes, known: Mapping[str, bool]) -> None:
    """Refuse parameters that a route does not know: a misspelt filter must not find everything.

    Raises:
        Refused: `invalid_request`.
    """
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_QUERY_FIELDS)
    except ValueError as error:
        raise Refused("invalid_request", f"A query has {_QUERY_FIELDS} parameters at the most.") from error
    flaws: list[Flaw] = []
    seen: set[str] = set()
    for name, value in pairs:
        if sentence := _query_flaw(name, value, known, seen):
            flaws.append(Flaw(f"#/query/{escape(name)}", sentence, "invalid_request"))
        seen.add(name)
    if flaws:
        raise Refused("invalid_request", flaws[0].detail, flaws=flaws)


def _query_flaw(name: str, value: str, known: Mapping[str, bool], seen: Set[str]) -> str | None:
    bracket = name.find("[") + 1
    is_text = known.get(name[:bracket] if bracket else name)
    if is_text is None:
        return "This parameter is not known here."
    if name in seen and not bracket:
        return "This parameter is given more than once."
    if "\0" in name or "\0" in value:
        return "A parameter holds no NUL."
    if not is_text and value.lower() == "null":
        return "Leave the parameter out instead."  # the framework would take it for a parameter that is not given
    return None


def idempotency_of(scope: HTTPScope, route: str, body: bytes) -> Idempotency | None:
    """Return the Idempotency-Key of a request with the digest of everything it asks for.

    Raises:
        Refused: the key is malformed.
    """
    found = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if not found:
        return None
    key = found[0].decode("latin-1").strip().removeprefix('"').removesuffix('"')
    if len(found) > 1 or not 1 <= len(key) <= _KEY_CHARACTERS or not key.isascii() or not key.isprintable():
        raise Refused.field("#/header/Idempotency-Key", "An Idempotency-Key is one of 1 to 255 printable characters.")
    asked = hashlib.sha256(b"\n".join((scope["method"].encode(), scope["path"].encode(), scope["query_string"], body)))
    return Idempotency(route, key, asked.digest())


class Admission:
    """Middleware that lets a request through to its handler, or raises what is wrong with it."""

    def __init__(self, app: ASGIApp, services: Services, doorkeeper: Doorkeeper) -> None:
        self._app = app
        self._services = services
        self._doorkeeper = doorkeeper
        self._known: dict[BaseRouteHandler, dict[str, bool]] = {}
        self._methods: dict[str, str] = {}
        self._in_flight: set[tuple[str, str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit one request."""
        if scope["type"] != ScopeType.HTTP:
            raise Refused("bad_request", "There are no web sockets here.")
        handler = scope["route_handler"]
        opt = handler.opt
        exchange = exchange_of(scope)
        exchange.route = scope["path_template"]
        if opt.get("scope") == "local":
            if not self._doorkeeper.is_local(scope, exchange):
                await self._doorkeeper.admit(scope, exchange, "read")
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await self._tell_methods(scope, send)
            return
        if opt.get("scope") == "public":
            await self._app(scope, receive, send)
            return
        if opt.get("scope") == "admin":
            self._doorkeeper.admit_admin(scope, exchange)
        else:
            await self._doorkeeper.admit(scope, exchange, str(opt.get("scope", "full")))
        if scope["query_string"]:
            check_query(scope["query_string"], self._queries(handler))
        if scope["method"] not in MUTATING:
            async with asyncio.timeout(None if opt.get("endless") else _READ_TIMEOUT_S):
                await self._app(scope, receive, send)
            return
        body = await self._doorkeeper.body(scope, receive)
        again = _Replay(body, receive)
        exchange.idempotency = idempotency_of(scope, f"{scope['method']} {exchange.route}", body)
        if exchange.idempotency is None or opt.get("keeps") or opt.get("unkept"):
            await self._app(scope, again, send)
        else:
            await self._once(scope, again, send, await self._owner(scope, exchange), exchange.idempotency)

    def _queries(self, handler: BaseRouteHandler) -> dict[str, bool]:
        known = self._known.get(handler)
        if known is None:
            known = self._known[handler] = queries_of(handler)
        return known

    async def _owner(self, scope: HTTPScope, exchange: Exchange) -> ProjectId:
        """Return the project that an Idempotency-Key belongs to: the caller's, or the one that the admin's path names.

        Raises:
            Refused: there is no such project (`not_found`).
        """
        if exchange.caller is not None:
            return exchange.caller.project.id
        return (await self._services.projects.get(ProjectId(scope["path_params"]["project_id"]))).id

    async def _tell_methods(self, scope: HTTPScope, send: Send) -> None:
        """Answer OPTIONS: the methods of this path, and nothing about other origins."""
        if not self._methods:
            for route in scope["litestar_app"].routes:
                self._methods[route.path_format] = ", ".join(sorted({"OPTIONS", *getattr(route, "methods", ())}))
        allow = self._methods[scope["path_template"]]
        await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", allow.encode())]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _once(self, scope: HTTPScope, receive: Receive, send: Send, project: ProjectId, key: Idempotency) -> None:
        """Run a handler unless its answer is kept; keep its answer, and only then give it.

        Whoever has the answer may ask again at once, and is given the same.
        """
        database = self._services.database
        place = (project, key.route, key.key)
        if place in self._in_flight:
            raise Refused("idempotency_in_flight", "Wait for the answer to the first request with this key.")
        self._in_flight.add(place)
        try:
            before = await database.read(lambda connection: kept_answers.find(connection, project, key))
            if before is not None:
                await send_answer(before, send)
                return
            capture = _Capture()
            await self._app(scope, receive, capture)
            answer = capture.answer(secret=bool(scope["route_handler"].opt.get("secret")))
            if answer is not None:
                at = self._services.clock.now()
                with contextlib.suppress(Unavailable):  # it was done: that is told even where it cannot be noted
                    await database.write(lambda connection: kept_answers.keep(connection, project, key, at, answer))
        finally:
            self._in_flight.discard(place)
        await capture.give(send)


def headers_of(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell of an answer."""
    problem = answer.status >= 400 and b'"type":"urn:' in answer.body[:20]
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", b"application/problem+json" if problem else b"application/json"),
        (b"content-length", b"%d" % len(answer.body)),
    ]
    if answer.replayed:
        headers.append((b"idempotency-replayed", b"true"))
    return headers


async def send_answer(answer: Answer, send: Send) -> None:
    """Send an answer whose body is ready."""
    await send({"type": "http.response.start", "status": answer.status, "headers": headers_of(answer)})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


class _Replay:
    """Gives a body that was read already to whoever reads it next, and then what the connection says."""

    __slots__ = ("_body", "_receive")

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Any:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class _Capture:
    """Holds an answer back until it is kept."""

    __slots__ = ("_messages", "_pieces", "_status")

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._status = 0
        self._pieces: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body":
            self._pieces.append(message["body"])
        self._messages.append(message)

    async def give(self, send: Send) -> None:
        """Send what was held back."""
        for message in self._messages:
            await send(message)

    def answer(self, *, secret: bool) -> Answer | None:
        """Return what to keep: nothing of what may go better next time, and no secrets."""
        body = b"".join(self._pieces)
        if self._status >= 500 or self._status in (401, 403, 408, 409, 413, 429) or len(body) > _KEPT_OCTETS:
            return None
        if secret and self._status < 300:
            shown = failure(Refused("shown_once", "This was done before; its secret was shown then, and is not kept."))
            return Answer(shown.status, shown.body())
        return Answer(self._status, body)


def _is_loopback(text: str) -> bool:
    return _is_address(text) and ipaddress.ip_address(text).is_loopback


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
