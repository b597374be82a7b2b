"""The recording SMTP sink, as a program: `python -m peers.sink HOST PORT DIRECTORY`.

It accepts every message, writes one ledger line per recipient, syncs the ledger once for all messages that wait, and
only then answers 250: what a client was told is in the ledger, whatever is killed when. `behaviour.json` in the
directory is read at the start and at SIGHUP.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import re
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from peers.ledger import Behaviour, Entry, Phase, Rule

_MESSAGE_ID = re.compile(rb"^message-id:[ \t\r\n]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_PATH = re.compile(rb"^[A-Za-z ]+:[ ]*<((?:\"(?:\\.|[^\"])*\"|[^>\"])*)>")
_END = b"\r\n.\r\n"


class Sink:
    """What all sessions share: behaviour, ledger, and who waits for the next sync."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.loop = asyncio.get_running_loop()
        self._ledger = os.open(directory / "ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._lines: list[bytes] = []
        self._waiting: list[tuple[Session, bool]] = []
        self._number = 0
        self._seen: Counter[tuple[int, bytes]] = Counter()
        self._encode = msgspec.json.Encoder().encode
        self.read_behaviour()

    def read_behaviour(self) -> None:
        """Take the behaviour from its file and say so, by its generation, in `seen`."""
        file = self.directory / "behaviour.json"
        self.behaviour = msgspec.json.decode(file.read_bytes(), type=Behaviour) if file.exists() else Behaviour()
        self._chance = random.Random(self.behaviour.seed)
        self._seen.clear()
        (self.directory / "messages").mkdir(exist_ok=True)
        (self.directory / "seen").write_text(str(self.behaviour.generation))

    def misbehaviour(self, phase: Phase, subject: bytes = b"") -> str | None:
        """The scripted reply for this occasion, or None for success."""
        for index, rule in enumerate(self.behaviour.rules):
            if rule.phase == phase and self._holds(index, rule, subject if phase == "rcpt" else b""):
                return rule.reply
        return None

    def _holds(self, index: int, rule: Rule, subject: bytes) -> bool:
        if rule.first is not None:
            self._seen[index, subject] += 1
            if self._seen[index, subject] > rule.first:
                return False
        return rule.share >= 1 or self._chance.random() < rule.share

    def record(self, session: Session, data: bytes, *, answer: bool) -> None:
        """Write the message down; the session is told once it is on disk."""
        self._number += 1
        head = data[: data.find(b"\r\n\r\n") + 2]
        found = _MESSAGE_ID.search(head)
        digest = hashlib.sha256(data).hexdigest()
        for recipient in session.recipients:
            entry = Entry(
                at_ns=time.time_ns(),
                number=self._number,
                life=os.getpid(),
                message_id=found.group(1).decode("utf-8", "replace").strip() if found else "",
                sender=session.sender.decode("utf-8", "replace"),
                recipient=recipient.decode("utf-8", "replace"),
                sha256=digest,
                size=len(data),
                answered=answer,
            )
            self._lines.append(self._encode(entry) + b"\n")
        if self.behaviour.keep:
            (self.directory / "messages" / f"{os.getpid()}-{self._number}").write_bytes(data)
        if not self._waiting:
            self.loop.call_soon(self._sync)
        self._waiting.append((session, answer))

    def _sync(self) -> None:
        lines, self._lines = b"".join(self._lines), []
        waiting, self._waiting = self._waiting, []
        while lines:
            lines = lines[os.write(self._ledger, lines) :]
        if self.behaviour.durable:
            os.fdatasync(self._ledger)
        for session, answer in waiting:
            if self.behaviour.latency_s:
                self.loop.call_later(self.behaviour.latency_s, session.recorded, answer)
            else:
                session.recorded(answer)


class Session(asyncio.Protocol):
    """One SMTP session: lines until DATA, then octets until the final dot, then waiting for the ledger."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = bytearray()
        self._in_data = False
        self._waits = False
        self._scanned = 0
        self.sender = b""
        self.recipients: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._say("banner", b"220 sink.test ESMTP")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._advance()

    def recorded(self, answer: bool) -> None:
        """The ledger has the message: answer, or hang up when the reply is to be lost."""
        self._waits = False
        if not answer:
            self._transport.abort()
            return
        self._transport.write(b"250 2.0.0 recorded\r\n")
        self._advance()

    def _advance(self) -> None:
        while self._buffer and not self._waits and not self._transport.is_closing():
            if self._in_data:
                if not self._body():
                    return
                continue
            end = self._buffer.find(b"\n")
            if end < 0:
                return
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            self._command(line)

    def _body(self) -> bool:
        if self._buffer.startswith(_END[2:]):
            data, used = b"", 3
        else:
            end = self._buffer.find(_END, max(0, self._scanned - len(_END)))
            if end < 0:
                self._scanned = len(self._buffer)
                return False
            data, used = bytes(self._buffer[: end + 2]), end + len(_END)
        del self._buffer[:used]
        self._in_data, self._scanned = False, 0
        if data.startswith(b".") or b"\r\n." in data:
            data = (b"\r\n" + data).replace(b"\r\n.", b"\r\n")[2:]
        self._dot(data)
        return True

    def _dot(self, data: bytes) -> None:
        scripted = self._sink.misbehaviour("dot")
        if scripted is None or scripted == "lose":
            self._waits = True
            self._sink.record(self, data, answer=scripted is None)
        else:
            self._write_or_close(scripted)
        self._reset()

    def _command(self, line: bytes) -> None:
        match line[:4].upper():
            case b"EHLO" | b"HELO":
                self._reset()
                names = ["sink.test", *(self._sink.behaviour.extensions if line[:1] in b"Ee" else ())]
                lines = [f"250{' ' if name is names[-1] else '-'}{name}" for name in names]
                self._say("ehlo", "\r\n".join(lines).encode())
            case b"MAIL":
                self.sender = _address(line)
                self._say("mail", b"250 2.1.0 ok")
            case b"RCPT":
                self._recipient(_address(line))
            case b"DATA" if self.recipients:
                self._in_data = self._say("data", b"354 go ahead")
            case b"DATA":
                self._transport.write(b"554 5.5.1 no valid recipients\r\n")
            case b"RSET" | b"NOOP":
                if line[:1] in b"Rr":
                    self._reset()
                self._transport.write(b"250 2.0.0 ok\r\n")
            case b"QUIT":
                self._transport.write(b"221 2.0.0 bye\r\n")
                self._transport.close()
            case _:
                self._transport.write(b"502 5.5.2 not here\r\n")

    def _recipient(self, address: bytes) -> None:
        if self._say("rcpt", b"250 2.1.5 ok", address):
            self.recipients.append(address)

    def _say(self, phase: Phase, success: bytes, subject: bytes = b"") -> bool:
        scripted = self._sink.misbehaviour(phase, subject) if self._sink.behaviour.rules else None
        if scripted is not None:
            self._write_or_close(scripted)
            return False
        self._transport.write(success + b"\r\n")
        return True

    def _write_or_close(self, reply: str) -> None:
        if reply == "close":
            self._transport.abort()
            return
        self._transport.write(reply.encode() + b"\r\n")
        if reply.startswith("421"):
            self._transport.close()

    def _reset(self) -> None:
        self.sender, self.recipients = b"", []


def _address(line: bytes) -> bytes:
    found = _PATH.match(line)
    return found.group(1) if found else b""


async def _serve(host: str, port: int, directory: Path) -> None:
    loop = asyncio.get_running_loop()
    sink = Sink(directory)
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, sink.read_behaviour)
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(lambda: Session(sink), host, port, backlog=1024)
    async with server:
        await stopped.wait()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
