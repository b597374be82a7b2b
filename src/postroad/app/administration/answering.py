"""The server's side: a Unix socket in the data directory that only its owner can open."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from postroad.app.administration.lines import MOST_OCTETS, Reply, Request, failed, line, reachable, too_large
from postroad.app.administration.operations import find
from postroad.model.errors import Refused, Unavailable

if TYPE_CHECKING:
    from postroad.app.house import House

_log = structlog.get_logger("postroad.administration")
_AT_ONCE: Final = 8
_TRANSFER_S: Final = 30.0
_OPERATION_S: Final = 120.0
_GRACE_S: Final = 5.0


@contextlib.asynccontextmanager
async def serve(house: "House") -> AsyncIterator[None]:
    """Answer the command line while the body runs; at its end let what was begun finish, for a few seconds."""
    desk = _Desk(house)
    with _listening(house.settings.administration_socket) as listener:
        server = await asyncio.start_unix_server(desk.serve, sock=listener, limit=MOST_OCTETS)
        try:
            yield
        finally:
            server.close()
            await desk.close()


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """Yield a socket bound to `path`.

    Whoever has the data directory is alone in it, so that a file that is there already was left by a dead server. What
    is bound cannot be connected to before it listens, and by then only the owner may.
    """
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        with reachable(path) as name:
            listener.bind(name)
        try:
            path.chmod(0o600)
            listener.setblocking(False)
            yield listener
        finally:
            path.unlink(missing_ok=True)


class _Desk:
    """Where requests are read, carried out and answered, a bounded number at once."""

    def __init__(self, house: "House") -> None:
        self._house = house
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection: one request, one reply."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Let what was begun finish, and end what does not."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=_GRACE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._room:
                async with asyncio.timeout(_TRANSFER_S):
                    request = await _read(reader)
                octets = line(failed(request) if isinstance(request, Refused) else await self._answer(request))
                async with asyncio.timeout(_TRANSFER_S):
                    writer.write(octets)
                    await writer.drain()
        except (OSError, EOFError):
            return  # whoever asked has gone away, or takes too long; what was asked for is done all the same
        finally:
            writer.close()

    async def _answer(self, request: Request) -> Reply:
        try:
            async with asyncio.timeout(_OPERATION_S):
                prepared = find(request.operation).prepare(request.arguments)
                reply = Reply(answer=await prepared(self._house))
            line(reply)
        except (Refused, Unavailable) as problem:
            return failed(problem)
        except TimeoutError:
            return failed(Unavailable("timeout", "This took too long and was given up.", retry_after_s=5))
        except Exception:  # noqa: BLE001 - a bug in one operation does not end the server
            _log.exception("operation_failed", operation=request.operation)
            return failed(Refused("internal_error", "This failed inside the server; its log says why."))
        return reply


async def _read(reader: asyncio.StreamReader) -> Request | Refused:
    """Return the request that a connection brings, or the refusal that it earned.

    Raises:
        EOFError: it ended before its line did.
    """
    try:
        return msgspec.json.decode(await reader.readuntil(b"\n"), type=Request)
    except asyncio.LimitOverrunError:
        return too_large()
    except msgspec.DecodeError as problem:
        return Refused("malformed_json", f"This is no request: {problem}.")
