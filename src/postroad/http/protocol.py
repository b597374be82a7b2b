"""HTTP/1.1 on a connection: uvicorn's, with a short way for small requests to the routes that must be fast.

A request to such a route whose body came with its head needs nothing of ASGI: it goes from the parser to the door, and
its answer back in one write. Everything else goes the long way, among it what is still on its way when its head has
been read, what waits for `100 Continue`, and what was sent behind another request before that was answered.
"""

import asyncio
from functools import partial
from typing import cast

import uvicorn
from litestar.types import HTTPScope
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from postroad.config.tree import Http
from postroad.http.body import READ_TIMEOUT_S
from postroad.http.door import Door, WholeRoute

_KEEP_ALIVE_S = 75
_BACKLOG = 2048
_SENTENCE = b"The head of the request is too large."
_TOO_LARGE = b"%scontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (
    STATUS_LINE[431],
    len(_SENTENCE),
    _SENTENCE,
)


class Protocol(HttpToolsProtocol):
    """A connection to the door."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        settings: Http,
    ) -> None:
        """Take what uvicorn gives to each connection, and the settings."""
        super().__init__(config, server_state, app_state, _loop)
        self._door = config.loaded_app if isinstance(config.loaded_app, Door) else None
        self._feeding = False
        self._held: tuple[RequestResponseCycle, WholeRoute] | None = None
        self._settings = settings
        self._in_body = False
        self._got_on = False
        """Whether the latest read ended a head or a request, or brought a piece of a body."""
        self._unended = 0
        """Octets of the reads since then."""
        self._until: float | None = None
        """When a client that is not being answered is let go, by the loop's clock."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give a client time to begin."""
        super().connection_made(cast("asyncio.Transport", transport))  # a stream's is one
        self._allow_time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection's timer, however it ended."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Read what came, and let a request whose body is not all there go the long way."""
        self._feeding, self._got_on = True, False
        super().data_received(data)
        self._feeding = False
        if self._held is not None:
            (cycle, _), self._held = self._held, None
            super()._start_asgi_task(cycle, self.app)
        self._unended = 0 if self._got_on else self._unended + len(data)
        if not self.transport.is_closing():
            self._hold_to_limits()

    def _hold_to_limits(self) -> None:
        """Hold a client to a size for all that is no body, and to a time as long as nobody is at work for it.

        The parser has no limits of its own. Bodies have theirs where they are read.
        """
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None until the first request
        answered = cycle is None or cycle.response_complete
        if self._unended > self._settings.head_octets:
            if answered and not self._in_body:
                self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif answered:
            self._allow_time()

    def _allow_time(self) -> None:
        """Let the client go when neither a head nor the rest of a request that was answered already ends in time."""
        if self._until is None:
            self._until = self.loop.time() + (READ_TIMEOUT_S if self._in_body else self._settings.head_s)
        self.timeout_keep_alive_task = self.loop.call_at(self._until, self.timeout_keep_alive_handler)

    def on_headers_complete(self) -> None:
        """Note that the head is complete; what may follow a body in chunks is no header (RFC 9110 §6.5.1)."""
        self._got_on = self._in_body = True
        self._until = None
        super().on_headers_complete()
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._got_on = True
        super().on_body(body)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Hold a request back, if it is one of those, until its body is there."""
        if self._feeding and self._door is not None and app is self.app and not cycle.waiting_for_100_continue:
            route = self._door.whole(cast("HTTPScope", cycle.scope))
            if route is not None:
                self._held = (cycle, route)
                return
        super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        """Answer a request that is whole."""
        self._got_on, self._in_body = True, False
        self._until = None
        super().on_message_complete()
        if self._held is None or self._held[0] is not self.cycle:
            return
        (cycle, route), self._held = self._held, None
        task = self.loop.create_task(self._answer(cycle, route))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _answer(self, cycle: RequestResponseCycle, route: WholeRoute) -> None:
        assert self._door is not None
        octets, cycle.body = bytes(cycle.body), bytearray()  # a connection that idles afterwards holds no mail
        try:
            response = await self._door.answer(cast("HTTPScope", cycle.scope), octets, route)
            if self.flow.write_paused and not cycle.disconnected:
                await self.flow.drain()
            if not cycle.disconnected:
                self._respond(cycle, *response)
        except BaseException:
            self.transport.close()
            raise
        finally:
            cycle.on_response = _nothing  # the way back to this connection would keep both until cycles are collected

    def _respond(self, cycle: RequestResponseCycle, status: int, lines: bytes, body: bytes) -> None:
        """Write an answer, and let the next request begin."""
        head = [STATUS_LINE[status]]
        head += [b"%s: %s\r\n" % header for header in cycle.default_headers]
        if not cycle.keep_alive:
            head.append(b"connection: close\r\n")
        self.transport.write(b"".join((*head, lines, b"\r\n", body)))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()


def _nothing() -> None:
    """Be told of a response, and do nothing."""


def server_of(door: Door, settings: Http, *, drain_s: int | None = None) -> uvicorn.Server:
    """Return a server of the door, which runs on the loop that starts it; stopping, it waits so long for answers."""
    protocol = cast("type[asyncio.Protocol]", partial(Protocol, settings=settings))  # it is only called
    config = uvicorn.Config(
        door,
        http=protocol,
        ws="none",
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=drain_s,
        backlog=_BACKLOG,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    return server
