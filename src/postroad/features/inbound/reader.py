"""Reading in a process of its own: it may die of a mail, or be ended because it hangs; the server goes on."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from typing import Final

import msgspec
import structlog

from postroad.features.inbound import reading
from postroad.model.errors import Unavailable
from postroad.model.returned import Returned

_log = structlog.get_logger("postroad.inbound")
_ENTRY: Final = "from postroad.features.inbound.reading import main; main({limit_s})"
_START_S: Final = 20.0
"""Time for the process to come up, beside that for the mail."""


class Unreadable(Exception):  # noqa: N818 - named for what it is
    """Reading a mail took the process down, or took too long."""


class Reader:
    """A process that reads mail, one after the other; started when there is some, and again when it has died."""

    def __init__(self, timeout_s: float, *, entry: str = _ENTRY) -> None:
        """Take how long one mail may take; `entry` is what the process runs."""
        self._timeout_s = timeout_s
        self._entry = entry.format(limit_s=int(timeout_s + _START_S) + 1)
        self._process: Process | None = None
        self._fresh = False
        self._turn = asyncio.Lock()

    async def read(self, octets: bytes) -> Returned:
        """Return what a mail says.

        Raises:
            Unreadable: the process did not survive it.
            Unavailable: no process can be started now.
        """
        async with self._turn:
            process = await self._running()
            limit_s = self._timeout_s + (_START_S if self._fresh else 0)
            try:
                async with asyncio.timeout(limit_s):
                    answer = await _asked(process, octets)
                found = reading.decode(answer)
            except (TimeoutError, OSError, asyncio.IncompleteReadError, msgspec.DecodeError) as error:
                await self._end()
                raise Unreadable(type(error).__name__) from error
            except BaseException:
                await self._end()  # an answer that nobody waits for must not be taken for the next one's
                raise
            self._fresh = False
            return found

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            await self._end()

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", self._entry, stdin=PIPE, stdout=PIPE
                )
            except OSError as error:
                raise Unavailable("busy", "No process can be started to read mail.", retry_after_s=5) from error
            self._fresh = True
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _asked(process: Process, octets: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(reading.LENGTH.pack(len(octets)) + octets)
    await process.stdin.drain()
    (length,) = reading.LENGTH.unpack(await process.stdout.readexactly(reading.LENGTH.size))
    return await process.stdout.readexactly(length)
