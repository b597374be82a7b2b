"""Mail servers that follow a script: friendly ones that write down what they take, each with a way to go wrong.

They run on one thread of the experiment, each on a loopback address of its own, so that one DNS zone has many of them.
What is in `entries` was there before the 250 was sent; the process that keeps it is the experiment's own and is never
killed, so memory serves as the ledger.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from peers.ledger import Entry
from peers.process import free_port

_MESSAGE_ID = re.compile(rb"^message-id:[ \t\r\n]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_PATH = re.compile(rb"<([^>]*)>")
_EXTENSIONS = ("PIPELINING", "SIZE 67108864", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
PHASES = ("banner", "ehlo", "starttls", "mail", "rcpt", "data", "body", "dot", "after")
ENDINGS = ("fin", "rst", "timeout")
_BUFFER = 1 << 16
_HEARD_S = 0.3
"""A reset may overtake what was said before it; the client is given time to hear that first."""


class Ended(Exception):  # noqa: N818 - no error: it takes the conversation out of a script, wherever that stands
    """The script ended the conversation."""


@dataclass(slots=True, eq=False)
class Talk:
    """One connection, and what it has said so far."""

    receiver: Receiver
    number: int
    """Counts the connections of its receiver from 0."""
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    recipients: list[str] = field(default_factory=list)
    sender: str = ""

    async def say(self, *lines: str) -> None:
        """Send a reply."""
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    async def end(self, how: str) -> None:
        """End the conversation: `fin`, `rst`, or `timeout`, which is silence until the client goes.

        Raises:
            Ended: always.
        """
        if how == "rst":
            await asyncio.sleep(_HEARD_S)
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        elif how == "timeout":
            with suppress(OSError):
                while await self.reader.read(_BUFFER):
                    pass
        self.writer.close()
        raise Ended


Script = Callable[[Talk, str], Awaitable[None]]
"""Called at each phase before the friendly answer; it may wait, answer something else, or end the conversation."""


class Answered(Exception):  # noqa: N818 - no error: it tells the conversation that a phase is over
    """The script gave the reply of this phase itself, and it was a refusal."""


async def friendly(_: Talk, __: str) -> None:
    """The script of a server that takes everything."""


class Receiver:
    """A server at `host:port`."""

    def __init__(self, host: str, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.host, self.script, self.tls = host, script, tls
        self.entries: list[Entry] = []
        self.connections = 0
        self.open = 0
        self.writers: set[asyncio.StreamWriter] = set()
        self.most_open = 0
        self.began: list[float] = []
        """When each connection was made (monotonic)."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry on one conversation."""
        talk = Talk(self, self.connections, reader, writer)
        self.connections += 1
        self.began.append(time.monotonic())
        self.open += 1
        self.writers.add(writer)
        self.most_open = max(self.open, self.most_open)
        with suppress(Ended, OSError, asyncio.IncompleteReadError, ssl.SSLError):
            await self._converse(talk)
        self.open -= 1
        self.writers.discard(writer)
        writer.close()

    async def _converse(self, talk: Talk) -> None:
        await self._answer(talk, "banner", f"220 {self.host} ESMTP")
        while line := await talk.reader.readline():
            verb = line[:4].upper().strip()
            if verb == b"QUIT":
                await self._answer(talk, "quit", "221 2.0.0 bye")
                return
            await self._command(talk, verb, line.decode("utf-8", "replace"))

    async def _command(self, talk: Talk, verb: bytes, line: str) -> None:
        found = _PATH.search(line.encode())
        path = found.group(1).decode("utf-8", "replace") if found else ""
        if verb in (b"EHLO", b"HELO"):
            names = [self.host, *_EXTENSIONS, *(("STARTTLS",) if self.tls else ())]
            last = len(names) - 1
            lines = [f"250{' ' if at == last else '-'}{name}" for at, name in enumerate(names)]
            await self._answer(talk, "ehlo", *lines)
        elif verb == b"STAR" and self.tls is not None:
            await self._answer(talk, "starttls", "220 2.0.0 go ahead")
            await talk.writer.start_tls(self.tls)
        elif verb == b"MAIL":
            talk.sender, talk.recipients = path, []
            await self._answer(talk, "mail", "250 2.1.0 ok")
        elif verb == b"RCPT":
            if await self._answer(talk, "rcpt", "250 2.1.5 ok", recipient=path):
                talk.recipients.append(path)
        elif verb == b"DATA":
            await self._data(talk)
        else:
            await talk.say("250 2.0.0 ok")

    async def _data(self, talk: Talk) -> None:
        if not talk.recipients:
            await talk.say("554 5.5.1 no valid recipients")
            return
        if not await self._answer(talk, "data", "354 go ahead"):
            return
        await self.script(talk, "body")
        data = bytearray()
        while not data.endswith(b"\r\n.\r\n"):  # nothing follows the final dot before it is answered
            piece = await talk.reader.read(_BUFFER)
            if not piece:
                raise Ended
            data += piece
        await self._answer(talk, "dot", "250 2.0.0 recorded", record=bytes(data))
        await self.script(talk, "after")

    async def _answer(
        self, talk: Talk, phase: str, *lines: str, recipient: str = "", record: bytes | None = None
    ) -> bool:
        try:
            if recipient:
                talk.recipients.append(recipient)
            await self.script(talk, phase)
        except Answered:
            return False
        except Ended:
            if record is not None:
                self._record(talk, record, answered=False)
            raise
        finally:
            if recipient:
                talk.recipients.remove(recipient)
        if record is not None:
            self._record(talk, record, answered=True)
        await talk.say(*lines)
        return True

    def _record(self, talk: Talk, data: bytes, *, answered: bool) -> None:
        found = _MESSAGE_ID.search(data[: data.find(b"\r\n\r\n") + 2])
        for recipient in talk.recipients:
            self.entries.append(
                Entry(
                    at_ns=time.time_ns(),
                    number=len(self.entries),
                    life=0,
                    message_id=found.group(1).decode("utf-8", "replace").strip() if found else "",
                    sender=talk.sender,
                    recipient=recipient,
                    sha256=hashlib.sha256(data).hexdigest(),
                    size=len(data),
                    answered=answered,
                )
            )


@dataclass(slots=True)
class Street:
    """All receivers of an experiment, on one port."""

    port: int
    loop: asyncio.AbstractEventLoop
    receivers: dict[str, Receiver] = field(default_factory=dict)
    _servers: list[asyncio.Server] = field(default_factory=list)

    def open(
        self, host: str, script: Script = friendly, *, tls: ssl.SSLContext | None = None, small: bool = False
    ) -> Receiver:
        """Start a receiver at a loopback address; with `small` it takes little that it has not read."""
        receiver = self.receivers[host] = Receiver(host, script, tls)
        self._done(asyncio.run_coroutine_threadsafe(self._listen(receiver, small=small), self.loop))
        return receiver

    @property
    def entries(self) -> list[Entry]:
        """What all of them took."""
        return [entry for receiver in list(self.receivers.values()) for entry in list(receiver.entries)]

    async def close(self) -> None:
        """Take no more connections, and end those that there are."""
        for server in self._servers:
            server.close()
        for receiver in self.receivers.values():
            for writer in list(receiver.writers):
                writer.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)

    async def _listen(self, receiver: Receiver, *, small: bool) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if small:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        listener.bind((receiver.host, self.port))
        self._servers.append(await asyncio.start_server(receiver.serve, sock=listener, limit=_BUFFER, backlog=1024))

    def _done(self, future: Future[None]) -> None:
        future.result(10)


@contextmanager
def street() -> Iterator[Street]:
    """Run receivers on a thread."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # conversations that are cut off at the end are no news
    thread = threading.Thread(target=loop.run_forever, name="receivers", daemon=True)
    thread.start()
    place = Street(free_port(), loop)
    try:
        yield place
    finally:
        asyncio.run_coroutine_threadsafe(place.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
