"""One conversation with a simulated provider: our own server machine, interfered with where its personality says so."""

import asyncio
import contextlib
import hashlib
import random
import re
import socket
import ssl
import struct
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from postroad.simulator.ledger import Ledger, Taken
from postroad.simulator.personality import At, End, Move, Personality, Tls
from postroad.wire.smtp import server_events as events
from postroad.wire.smtp.replies import Reply
from postroad.wire.smtp.server import Server
from postroad.wire.smtp.server_settings import ServerSettings

_MESSAGE_ID = re.compile(rb"^message-id:[ \t\r\n]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_MINUTE_S = 60.0
_READ_OCTETS = 1 << 16
_CLOSING_S = 1.0
_REMEMBERED = 100_000

Returning = Callable[[Personality, str, str, bytes], None]
"""Told of a taken message that something comes back for: provider, sender, recipient, octets."""


class _Over(Exception):  # noqa: N818 - an inner signal
    """The conversation has ended."""


@dataclass(slots=True)
class Desk:
    """What all conversations with one provider share."""

    personality: Personality
    chance: random.Random
    ledger: Ledger
    context: ssl.SSLContext
    returning: Returning
    number: Callable[[], int]
    seen: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    taken_at: deque[float] = field(default_factory=deque)

    def move(self, at: At, sender: str = "", recipient: str = "") -> Move:
        """Return what happens at an occasion."""
        move = self.personality.moves.get(at)
        return move if move is not None and self._holds(at, move, sender, recipient) else Move()

    def _holds(self, at: At, move: Move, sender: str, recipient: str) -> bool:
        if move.first is not None:
            if len(self.seen) > _REMEMBERED:
                self.seen.clear()
            self.seen[at, sender, recipient] += 1
            return self.seen[at, sender, recipient] <= move.first
        if move.beyond_a_minute is not None:
            now = time.monotonic()
            while self.taken_at and self.taken_at[0] < now - _MINUTE_S:
                self.taken_at.popleft()
            return len(self.taken_at) >= move.beyond_a_minute
        return move.share >= 1 or self.chance.random() < move.share


class Session:
    """One connection."""

    def __init__(self, desk: Desk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._desk = desk
        self._reader, self._writer = reader, writer
        self._tls = False
        self._machine = self._fresh()
        self._sender = ""
        self._recipients: list[str] = []
        self._content = bytearray()

    async def run(self) -> None:
        """Hold the conversation until somebody ends it."""
        try:
            with contextlib.suppress(_Over, OSError, EOFError):
                await self._act(self._desk.move(At.BANNER))
                await self._say(self._machine.outgoing())
                while data := await self._reader.read(_READ_OCTETS):
                    await self._take(data)
            self._writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CLOSING_S):
                    await self._writer.wait_closed()
        finally:
            self._writer.transport.abort()

    async def _take(self, data: bytes) -> None:
        waiting = self._machine.receive(data)
        if data[:4].upper() == b"QUIT":
            await self._act(self._desk.move(At.QUIT))
        while waiting:
            waiting = [*waiting[1:], *await self._on(waiting[0])]
        await self._say(self._machine.outgoing())

    async def _on(self, event: events.ServerEvent) -> list[events.ServerEvent]:
        desk = self._desk
        match event:
            case events.Hello(extended=True):
                if await self._interfered(desk.move(At.EHLO)):
                    self._machine = self._fresh()
                    self._machine.outgoing()
            case events.MailAsked(sender=sender):
                self._sender = "" if sender is None else sender.address
                return await self._decide(desk.move(At.MAIL, self._sender))
            case events.RecipientAsked(recipient=recipient):
                return await self._decide(desk.move(At.RCPT, self._sender, recipient.address), recipient.address)
            case events.MessageAsked():
                return await self._message()
            case events.HandshakeAsked():
                return await self._handshake()
            case events.Finished():
                await self._say(self._machine.outgoing())
                raise _Over
            case _:
                await self._on_content(event)
        return []

    async def _on_content(self, event: events.ServerEvent) -> None:
        """Take what leads to a message, or away from it."""
        match event:
            case events.ContentBegins():
                await self._content_begins()
            case events.ContentPiece(octets=octets):
                self._content += octets
                await self._act(self._desk.move(At.BODY))
            case events.TransactionDropped():
                self._forget()
            case _:
                pass

    async def _decide(self, move: Move, recipient: str | None = None) -> list[events.ServerEvent]:
        """Answer a question of the machine, once everything before it is answered."""
        await self._say(self._machine.outgoing())
        await self._wait_and_end(move)
        if move.reply is not None:
            return self._machine.refuse(_reply(move.reply))
        if recipient is not None:
            self._recipients.append(recipient)
        return self._machine.accept()

    async def _content_begins(self) -> None:
        """Let content begin, or refuse DATA in the machine's place and go on with a new one."""
        move = self._desk.move(At.DATA, self._sender)
        said = self._machine.outgoing()
        begins = said.rfind(b"354")
        await self._say(said[:begins])
        await self._wait_and_end(move)
        if move.reply is None:
            await self._say(said[begins:])
            return
        await self._say(_octets(_reply(move.reply)))
        self._forget()
        self._machine = self._fresh()
        self._machine.receive(b"EHLO again\r\n")
        self._machine.outgoing()

    async def _message(self) -> list[events.ServerEvent]:
        desk = self._desk
        move = desk.move(At.DOT, self._sender)
        if move.end is not None or move.reply is not None:
            return await self._decide(move)
        if move.wait_s:
            await asyncio.sleep(move.wait_s)
        lost = desk.move(At.TAKEN)
        await self._write_down(answered=lost.end is None)
        await self._wait_and_end(lost)
        self._forget()
        return self._machine.accept()

    async def _write_down(self, *, answered: bool) -> None:
        desk, octets, number = self._desk, bytes(self._content), self._desk.number()
        found = _MESSAGE_ID.search(octets[: octets.find(b"\r\n\r\n") + 2])
        entries = [
            Taken(
                at_ns=time.time_ns(),
                provider=desk.personality.domain,
                number=number,
                message_id=found[1].decode("utf-8", "replace").strip() if found else "",
                sender=self._sender,
                recipient=recipient,
                sha256=hashlib.sha256(octets).hexdigest(),
                size=len(octets),
                tls=self._tls,
                answered=answered,
            )
            for recipient in self._recipients
        ]
        await desk.ledger.add(entries)
        desk.taken_at.append(time.monotonic())
        if desk.personality.returns is not None:
            for recipient in self._recipients:
                desk.returning(desk.personality, self._sender, recipient, octets)

    async def _handshake(self) -> list[events.ServerEvent]:
        await self._act(self._desk.move(At.STARTTLS))
        await self._say(self._machine.outgoing())
        if self._desk.personality.tls is Tls.BROKEN:
            await self._reader.read(_READ_OCTETS)
            self._writer.write(b"\x15\x03\x03\x00\x02\x02\x28")  # a fatal alert: handshake_failure
            raise _Over
        await self._writer.start_tls(self._desk.context)
        self._tls = True
        return self._machine.tls_started()

    # --- saying things -----------------------------------------------------------------------------------------------

    async def _act(self, move: Move) -> None:
        """Do what a move says where the machine asks nothing: a reply of it ends the conversation."""
        await self._wait_and_end(move)
        if move.reply is not None:
            await self._say(_octets(_reply(move.reply)))
            raise _Over

    async def _interfered(self, move: Move) -> bool:
        """Say a move's reply in the place of what the machine has to say, and tell whether there was one."""
        await self._wait_and_end(move)
        if move.reply is None:
            return False
        self._machine.outgoing()
        await self._say(_octets(_reply(move.reply)))
        return True

    async def _wait_and_end(self, move: Move) -> None:
        if move.wait_s:
            await asyncio.sleep(move.wait_s)
        if move.end is None:
            return
        if move.reply is not None:
            await self._say(move.reply.encode() + b"\r\n")
        if move.end is End.SILENCE:
            while await self._reader.read(_READ_OCTETS):
                pass
        elif move.end is End.RESET:
            wire = self._writer.get_extra_info("socket")
            if wire is not None:
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        raise _Over

    async def _say(self, octets: bytes) -> None:
        pause_s = self._desk.personality.trickle_s
        if not pause_s:
            self._writer.write(octets)
            await self._writer.drain()
            return
        for octet in octets:
            self._writer.write(bytes([octet]))
            await self._writer.drain()
            await asyncio.sleep(pause_s)

    def _fresh(self) -> Server:
        personality = self._desk.personality
        name = personality.exchangers[0]
        starttls = personality.tls is not Tls.ABSENT and not self._tls
        return Server(ServerSettings(name, starttls=starttls, message_octets=personality.message_octets), tls=self._tls)

    def _forget(self) -> None:
        self._recipients = []
        self._content = bytearray()


def _reply(text: str) -> Reply:
    """Return the reply that a move's text means; each of its lines has the enhanced code."""
    code, _, rest = text.partition(" ")
    enhanced = rest.partition(" ")[0]
    first, *more = rest.split("|")
    return Reply(int(code), (first, *(f"{enhanced} {line}" for line in more)))


def _octets(reply: Reply) -> bytes:
    last = len(reply.lines) - 1
    lines = [f"{reply.code}{' ' if n == last else '-'}{line}\r\n" for n, line in enumerate(reply.lines)]
    return "".join(lines).encode()
