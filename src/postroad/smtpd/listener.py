"""Sockets and clocks around the server machine: one task a connection, bounded in number, time and memory."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import structlog

from postroad.smtpd.visitors import Visitors
from postroad.wire.smtp import server_events as events
from postroad.wire.smtp.replies import Reply
from postroad.wire.smtp.server import Server
from postroad.wire.smtp.server_settings import ServerSettings

_log = structlog.get_logger("postroad.smtp")
_READ_OCTETS = 1 << 16
_IDLE_S = 300.0  # RFC 5321 §4.5.3.2.7
_HANDSHAKE_S = 60.0
_FAILED = b"421 4.3.0 The server failed; try again later\r\n"
_BUSY = b"421 4.3.2 Too many connections, try again later\r\n"
_OFTEN = b"421 4.7.0 Too many connections from your address, try again later\r\n"
_EARLY = b"554 5.5.1 You spoke before the greeting\r\n"
_IDLE = b"421 4.4.2 Idle for too long\r\n"
_LONG = b"421 4.4.2 This conversation took too long\r\n"


class Session(Protocol):
    """Answers the questions of one connection."""

    async def answer(self, machine: Server, event: events.ServerEvent) -> list[events.ServerEvent]:
        """Take an event; where it is a question, answer it through the machine and return what follows."""
        ...


class _Over(Exception):  # noqa: N818 - an inner signal
    """The conversation ends here, with these last words."""

    def __init__(self, words: bytes = b"") -> None:
        self.words = words


class Listener:
    """Takes SMTP connections on one socket."""

    def __init__(
        self,
        settings: ServerSettings,
        session: Callable[[str], Session],
        *,
        most: int = 200,
        idle_s: float = _IDLE_S,
        visitors: Visitors | None = None,
        greeting_delay_s: float = 0.0,
        conversation_s: float | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        """Build the listener.

        Args:
            settings: of the server machine; with `starttls`, `tls` has to be given.
            session: makes the session of a connection from the peer's address.
            most: connections at a time; one more is answered 421.
            idle_s: how long a client may be silent.
            visitors: limits for each client; None: none.
            greeting_delay_s: how long the greeting waits; who speaks before it is turned away.
            conversation_s: how long a connection may last; None: for ever.
            tls: gives the context for a handshake.
        """
        self._settings = settings
        self._session = session
        self._most = most
        self._idle_s = idle_s
        self._visitors = visitors
        self._greeting_delay_s = greeting_delay_s
        self._conversation_s = conversation_s
        self._tls = tls
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
            await self._served(reader, writer, machine)
        except _Over as over:
            writer.write(over.words)
        except (ConnectionError, TimeoutError, ssl.SSLError):
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
            with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError):
                async with asyncio.timeout(5):
                    await writer.drain()
            writer.close()

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, machine: Server) -> None:
        """Let a client in, if there is room for it, and converse with it for as long as it may stay."""
        if len(self._open) > self._most:
            raise _Over(_BUSY)
        peer = writer.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        visitor = None if self._visitors is None else self._visitors.arrive(address)
        if self._visitors is not None and visitor is None:
            raise _Over(_OFTEN)
        limit = asyncio.timeout(self._conversation_s)
        try:
            async with limit:
                await self._await_silence(reader)
                await self._converse(reader, writer, machine, self._session(address))
        except TimeoutError:
            if limit.expired():
                raise _Over(_LONG) from None
            raise
        finally:
            if self._visitors is not None and visitor is not None:
                self._visitors.leave(visitor)

    async def _await_silence(self, reader: asyncio.StreamReader) -> None:
        """Let the time before the greeting pass, and turn away who uses it (RFC 5321 §4.3.1)."""
        if self._greeting_delay_s and await _heard(reader, self._greeting_delay_s):
            raise _Over(_EARLY)

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, machine: Server, session: Session
    ) -> None:
        writer.write(machine.outgoing())
        while True:
            limit = asyncio.timeout(self._idle_s)
            try:
                async with limit:
                    await writer.drain()
                    data = await reader.read(_READ_OCTETS)
            except TimeoutError:
                if limit.expired():
                    raise _Over(_IDLE) from None
                raise
            if not data:
                return
            waiting = machine.receive(data)
            while waiting:
                event = waiting.pop(0)
                if isinstance(event, events.Finished):
                    raise _Over(machine.outgoing())
                if isinstance(event, events.HandshakeAsked):
                    waiting += await self._shake_hands(reader, writer, machine)
                else:
                    waiting += await session.answer(machine, event)
            writer.write(machine.outgoing())

    async def _shake_hands(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, machine: Server
    ) -> list[events.ServerEvent]:
        """Begin TLS. What the client said in plain text behind STARTTLS ends the conversation (CVE-2011-0411)."""
        assert self._tls is not None, "STARTTLS is offered with a certificate only"
        await writer.drain()
        if await _heard(reader, 0):
            raise _Over
        # From here to the handshake nothing is awaited, so that no plain text can come in between.
        writer.write(machine.outgoing())
        await writer.start_tls(self._tls(), ssl_handshake_timeout=_HANDSHAKE_S)
        return machine.tls_started()


async def _heard(reader: asyncio.StreamReader, within_s: float) -> bool:
    """Tell whether the client says anything within a time; its end is no word."""
    try:
        async with asyncio.timeout(within_s):
            return bool(await reader.read(1))
    except TimeoutError:
        return False


def refusal(code: int, enhanced: str, text: str) -> Reply:
    """Return a refusal whose text is one line of printable ASCII."""
    clean = "".join(c if " " <= c <= "~" else "?" for c in text)[:400]
    return Reply(code, (f"{enhanced} {clean}",))
