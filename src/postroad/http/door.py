"""The outermost layer, plain ASGI: identifier, capacity, security headers, metrics and log of every request.

The few routes that must be fast are answered here (`fast`), everything else goes on to Litestar.
"""

import itertools
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from postroad.http.admission import headers_of
from postroad.http.exchange import Exchange, exchange_of
from postroad.http.problems import MEDIA_TYPE, Failure, failure
from postroad.model.errors import Refused, Unavailable
from postroad.model.ids import Mint
from postroad.store.messages import Answer

_log = structlog.get_logger("postroad.http")

FastRoute = Callable[[HTTPScope, Receive, Send, Exchange], Awaitable[None]]
"""A handler without Litestar; what it raises before it answers becomes problem details."""

WholeRoute = Callable[[HTTPScope, bytes, Exchange], Awaitable[Answer]]
"""The same for a request whose body is here already."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_DEFAULTS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_ALWAYS = frozenset({"/healthz", "/metrics"})
"""Answered under overload too: a server that is busy is alive, and is to be looked at."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """What the door counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "postroad_http_requests_total", "Requests answered.", ("route", "method", "status"), registry=registry
        )
        self._duration = Histogram(
            "postroad_http_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ("route", "method"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.in_flight = Gauge("postroad_http_requests_in_flight", "Requests being worked on.", registry=registry)

    def answered(self, route: str, method: str, status: int, took_s: float) -> None:
        """Count one request; finding the children by their labels costs more than counting, so they are kept."""
        found = self._children.get((route, method, status))
        if found is None:
            method_name = method if method in _METHODS else "other"
            found = (
                self._requests.labels(route, method_name, status),
                self._duration.labels(route, method_name),
            )
            if method in _METHODS:
                self._children[route, method, status] = found
        counter, histogram = found
        counter.inc()
        histogram.observe(took_s)


class Door:
    """The ASGI application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        mint: Mint,
        max_requests: int,
        https: bool,
        metrics: Metrics,
        fast: Mapping[tuple[str, str], FastRoute],
        whole: Mapping[tuple[str, str], WholeRoute],
        prefixes: Mapping[str, FastRoute],
    ) -> None:
        """Build the door.

        Args:
            app: what stands behind it.
            mint: makes the identifier of this run, under which requests are numbered.
            max_requests: requests at the same time.
            https: whether others reach the server by https only.
            metrics: to count in.
            fast: handlers by method and exact path.
            whole: those of them that can answer without ASGI, for servers that know of it.
            prefixes: handlers of everything below a path that ends with a slash.
        """
        self._app = app
        self._max_requests = max_requests
        self._metrics = metrics
        self._fast = fast
        self._whole = whole
        self._prefixes = tuple(prefixes.items())
        self._headers = _HEADERS + (((b"strict-transport-security", b"max-age=31536000"),) if https else ())
        self._fixed = b"".join([b"%s: %s\r\n" % header for header in (*self._headers, *_DEFAULTS)])
        self._in_flight = 0
        metrics.in_flight.set_function(lambda: self._in_flight)
        self._boot = mint("req")
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass the life of the server on."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        exchange = exchange_of(scope)
        exchange.request_id = self._request_id(scope)
        response = _Response(send, exchange, self._headers)
        self._in_flight += 1
        try:
            if self._in_flight > self._max_requests and scope["path"] not in _ALWAYS:
                raise _overloaded()
            await self._answer(scope, receive, response, exchange)
        except Exception as error:  # noqa: BLE001 - the last resort of every request: answered, logged and counted
            await self._fail(error, response, exchange)
        finally:
            self._in_flight -= 1
            self._tell(scope, exchange, response.status, time.perf_counter() - began)

    def whole(self, scope: HTTPScope) -> WholeRoute | None:
        """Return what answers a request in one piece, if something does."""
        return self._whole.get((scope["method"], scope["path"]))

    async def answer(self, scope: HTTPScope, body: bytes, route: WholeRoute) -> tuple[int, bytes, bytes]:
        """Answer a request whose body is here: the status, the header lines, and the body of the response."""
        began = time.perf_counter()
        exchange = Exchange(request_id=self._request_id(scope), route=scope["path"])
        self._in_flight += 1
        status = 500
        try:
            if self._in_flight > self._max_requests:
                raise _overloaded()
            answer = await route(scope, body, exchange)
            status = answer.status
            return status, self._lines(headers_of(answer), exchange), answer.body
        except Exception as error:  # noqa: BLE001 - the last resort of every request: answered, logged and counted
            shown = _shown(error, exchange)
            status, content = shown.status, shown.body(exchange.request_id)
            return status, self._lines(_headers_of_failure(shown, content), exchange), content
        finally:
            self._in_flight -= 1
            self._tell(scope, exchange, status, time.perf_counter() - began)

    def _lines(self, headers: list[tuple[bytes, bytes]], exchange: Exchange) -> bytes:
        """Return header lines with what every answer gets; no value of a client's is among them unchecked."""
        headers += exchange.headers
        lines = [b"%s: %s\r\n" % header for header in headers]
        return b"%sx-request-id: %s\r\n%s" % (b"".join(lines), exchange.request_id.encode(), self._fixed)

    @property
    def in_flight(self) -> int:
        """How many requests are being worked on."""
        return self._in_flight

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send, exchange: Exchange) -> None:
        path = scope["path"]
        if "\0" in path:
            raise Refused("not_found", "There is nothing at this path.")
        handler = self._fast.get((scope["method"], path))
        if handler is None:
            for prefix, candidate in self._prefixes:
                if path.startswith(prefix):
                    handler = candidate
                    path = f"{prefix}…"
        if handler is None:
            await self._app(scope, receive, send)
            return
        exchange.route = path
        await handler(scope, receive, send, exchange)

    def _request_id(self, scope: HTTPScope) -> str:
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                return value.decode()
        return f"{self._boot}-{next(self._numbers)}"

    async def _fail(self, error: Exception, response: "_Response", exchange: Exchange) -> None:
        shown = _shown(error, exchange)
        if response.status:
            raise error
        await send_failure(shown, exchange, response)

    def _tell(self, scope: HTTPScope, exchange: Exchange, status: int, took_s: float) -> None:
        route, method = exchange.route or "none", scope["method"]
        self._metrics.answered(route, method, status, took_s)
        good = 200 <= status < 400
        if good and not _log.is_enabled_for(logging.DEBUG):
            return
        log = _log.debug if good else _log.info
        caller = exchange.caller
        log(
            "request",
            method=method,
            route=route,
            status=status,
            ms=round(took_s * 1000, 2),
            request_id=exchange.request_id,
            project=None if caller is None else caller.project.id,
            key=exchange.actor if caller is None else caller.key.id,
        )


def _overloaded() -> Unavailable:
    return Unavailable("overloaded", "Too many requests at the same time.", retry_after_s=1)


def _shown(error: Exception, exchange: Exchange) -> Failure:
    """Return what is said of an error, and log it when it is ours."""
    shown = failure(error)
    if shown.status == 500:
        _log.error("request_failed", request_id=exchange.request_id, route=exchange.route, exc_info=error)
    return shown


def _headers_of_failure(shown: Failure, body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        *((name.encode(), value.encode()) for name, value in shown.headers.items()),
    ]


async def send_failure(shown: Failure, exchange: Exchange, send: Send) -> None:
    """Send problem details."""
    body = shown.body(exchange.request_id)
    headers = _headers_of_failure(shown, body)
    await send({"type": "http.response.start", "status": shown.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class _Response:
    """The way out: every answer gets its identifier, the limits and the security headers."""

    __slots__ = ("_exchange", "_headers", "_send", "status")

    def __init__(self, send: Send, exchange: Exchange, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._send = send
        self._exchange = exchange
        self._headers = headers
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._dress(message)
        await self._send(message)

    def _dress(self, message: HTTPResponseStartEvent) -> None:
        self.status = message["status"]
        headers = [
            *message["headers"],
            (b"x-request-id", self._exchange.request_id.encode()),
            *self._exchange.headers,
            *self._headers,
        ]
        given = {name for name, _ in message["headers"]}
        headers += [default for default in _DEFAULTS if default[0] not in given]
        message["headers"] = headers
