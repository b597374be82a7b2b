"""Sockets and clocks around the server machine: one task a connection, bounded in number, time and memory."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import structlog

from postroad.wire.smtp import server_events as events
from postroad.wire.smtp.replies import Reply
from postroad.wire.smtp.server import Server
from postroad.wire.smtp.server_settings import ServerSettings

_log = structlog.get_logger("postroad.smtp")
_READ_OCTETS = 1 << 16
_IDLE_S = 300.0  # RFC 5321 §4.5.3.2.7
_FAILED = b"421 4.3.0 The server failed; try again later\r\n"
_BUSY = b"421 4.3.2 Too many connections, try again later\r\n"


class Session(Protocol):
    """Answers the questions of one connection."""

    async def answer(self, machine: Server, event: events.ServerEvent) -> list[events.ServerEvent]:
        """Take an event; where it is a question, answer it through the machine and return what follows."""
        ...


class Listener:
    """Takes SMTP connections on one socket."""

    def __init__(
        self, settings: ServerSettings, session: Callable[[str], Session], *, most: int = 200, idle_s: float = _IDLE_S
    ) -> None:
        """Build the listener.

        Args:
            settings: of the server machine.
            session: makes the session of a connection from the peer's address.
            most: connections at a time; one more is answered 421.
            idle_s: how long a client may be silent.
        """
        self._settings = settings
        self._session = session
        self._most = most
        self._idle_s = idle_s
        self._open: dict[asyncio.Task[None], Server] = {}

    @contextlib.asynccontextmanager
    async def listening(self, listener: socket.socket) -> AsyncIterator[None]:
        """Take connections while the body runs; then say 421 to those that are between commands, and close."""
        server = await asyncio.start_server(self._connected, sock=listener)
        try:
            yield
        finally:
            server.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        machine = Server(self._settings)
        self._open[task] = machine
        try:
            if len(self._open) > self._most:
                writer.write(_BUSY)
            else:
                await self._converse(reader, writer, machine)
        except (ConnectionError, TimeoutError):
            pass
        except asyncio.CancelledError:
            if not machine.in_content and not machine.waiting:
                machine.shut_down()
                writer.write(machine.outgoing())
        except Exception:  # noqa: BLE001 - one connection's failure is not the listener's
            _log.exception("smtp_session_failed")
            writer.write(_FAILED)
        finally:
            del self._open[task]
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(5):
                    await writer.drain()
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, machine: Server) -> None:
        peer = writer.get_extra_info("peername")
        session = self._session(str(peer[0]) if peer else "")
        writer.write(machine.outgoing())
        while True:
            try:
                async with asyncio.timeout(self._idle_s):
                    await writer.drain()
                    data = await reader.read(_READ_OCTETS)
            except TimeoutError:
                writer.write(b"421 4.4.2 Idle for too long\r\n")
                return
            if not data:
                return
            finished = await _take(machine, session, data)
            writer.write(machine.outgoing())
            if finished:
                return


async def _take(machine: Server, session: Session, data: bytes) -> bool:
    """Feed the machine, answer what it asks, and tell whether the conversation is over."""
    waiting = machine.receive(data)
    while waiting:
        event = waiting.pop(0)
        if isinstance(event, events.Finished):
            return True
        waiting += await session.answer(machine, event)
    return False


def refusal(code: int, enhanced: str, text: str) -> Reply:
    """Return a refusal whose text is one line of printable ASCII."""
    clean = "".join(c if " " <= c <= "~" else "?" for c in text)[:400]
    return Reply(code, (f"{enhanced} {clean}",))
