"""A proxy for TCP that can be a cable that was cut: what is sent vanishes, and nobody is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from faults.network import Cut
from peers.process import LOOPBACK, free_port

_PIECE = 1 << 16


class Cable:
    """Carries connections from `port` to another one, while it is whole."""

    def __init__(self, target: int, host: str, loop: asyncio.AbstractEventLoop) -> None:
        self.port = free_port()
        self._target, self._host, self._loop = target, host, loop
        self._there, self._back = asyncio.Event(), asyncio.Event()

    def cut(self, what: Cut = Cut.ALL) -> None:
        """Let everything vanish from now on, or one direction; connections stay, as they do when a cable is cut."""
        for event in self._ways(what):
            self._loop.call_soon_threadsafe(event.clear)

    def heal(self, what: Cut = Cut.ALL) -> None:
        """Carry again; what was sent meanwhile arrives late, as TCP sees to."""
        for event in self._ways(what):
            self._loop.call_soon_threadsafe(event.set)

    async def start(self) -> None:
        """Listen."""
        self._there.set()
        self._back.set()
        self._server = await asyncio.start_server(self._carry, LOOPBACK, self.port)

    def end(self) -> None:
        """Listen no more, and let all connections go; on the loop's own thread."""
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.call_later(0.05, self._loop.stop)

    def _ways(self, what: Cut) -> list[asyncio.Event]:
        ways = {Cut.REQUESTS: [self._there], Cut.ANSWERS: [self._back]}
        return ways.get(what, [self._there, self._back])

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._there.wait()
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection(self._host, self._target)
                await asyncio.gather(
                    self._pass(reader, far_writer, self._there), self._pass(far_reader, writer, self._back)
                )
        finally:
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, whole: asyncio.Event) -> None:
        try:
            with suppress(OSError):
                while piece := await reader.read(_PIECE):
                    await whole.wait()
                    writer.write(piece)
                    await writer.drain()
        finally:
            writer.close()


@contextmanager
def cable(target: int, host: str = LOOPBACK) -> Iterator[Cable]:
    """Run a cable to a port of `host` on a thread."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    thread = threading.Thread(target=loop.run_forever, name="cable", daemon=True)
    thread.start()
    made = Cable(target, host, loop)
    asyncio.run_coroutine_threadsafe(made.start(), loop).result(10)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(made.end)
        thread.join(10)
        loop.close()
