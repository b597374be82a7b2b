"""A proxy for TCP that can be a cable that was cut: what is sent vanishes, and nobody is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from peers.process import LOOPBACK, free_port

_PIECE = 1 << 16


class Cable:
    """Carries connections from `port` to another port, while it is whole."""

    def __init__(self, target: int, loop: asyncio.AbstractEventLoop) -> None:
        self.port = free_port()
        self._target, self._loop = target, loop
        self._whole = asyncio.Event()

    def cut(self) -> None:
        """Let everything vanish from now on; connections stay, as they do when a cable is cut."""
        self._loop.call_soon_threadsafe(self._whole.clear)

    def heal(self) -> None:
        """Carry again; what was sent meanwhile arrives late, as TCP sees to."""
        self._loop.call_soon_threadsafe(self._whole.set)

    async def start(self) -> None:
        """Listen."""
        self._whole.set()
        await asyncio.start_server(self._carry, LOOPBACK, self.port)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._whole.wait()
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._target)
            await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                await self._whole.wait()
                writer.write(piece)
                await writer.drain()
        writer.close()


@contextmanager
def cable(target: int) -> Iterator[Cable]:
    """Run a cable on a thread."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    thread = threading.Thread(target=loop.run_forever, name="cable", daemon=True)
    thread.start()
    try:
        made = Cable(target, loop)
        asyncio.run_coroutine_threadsafe(made.start(), loop).result(10)
        yield made
    finally:
        loop.call_soon_threadsafe(_finish, loop)
        thread.join(10)
        loop.close()


def _finish(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.call_later(0.05, loop.stop)
