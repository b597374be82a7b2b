"""A recording mail server in its own process: what it accepted is in its ledger, and it misbehaves on demand."""

from __future__ import annotations

import itertools
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from peers.ledger import Behaviour, Entry, Rule, read_ledger
from peers.process import LOOPBACK, Running, answers, free_port, start, wait_until, workplace

__all__ = ["Behaviour", "Entry", "MailSink", "Rule", "mail_sink"]

_TESTS = Path(__file__).parent.parent


@dataclass(slots=True)
class MailSink:
    """A sink at `host:port`."""

    directory: Path
    host: str
    port: int
    _running: Running | None = None
    _generations: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def behave(self, behaviour: Behaviour) -> None:
        """Behave like this from now on; returns when the sink has taken it."""
        generation = self._write(behaviour)
        assert self._running is not None
        self._running.process.send_signal(signal.SIGHUP)
        seen = self.directory / "seen"
        wait_until(lambda: seen.read_text() == str(generation), timeout_s=5, what="the sink taking its new behaviour")

    def ledger(self) -> list[Entry]:
        """Every accepted recipient so far, in the order of acceptance."""
        return read_ledger(self.directory / "ledger")

    def await_entries(self, count: int, *, timeout_s: float = 30.0) -> list[Entry]:
        """Wait until the ledger has at least `count` entries; raises `TimeoutError`."""
        wait_until(lambda: len(self.ledger()) >= count, timeout_s=timeout_s, what=f"{count} ledger entries")
        return self.ledger()

    def octets(self, entry: Entry) -> bytes:
        """The message of a ledger entry, undotted, CRLF line ends; only under `Behaviour(keep=True)`."""
        return (self.directory / "messages" / f"{entry.life}-{entry.number}").read_bytes()

    def start(self) -> None:
        """Start (again) on the same port with the same ledger."""
        command: list[str | Path] = [sys.executable, "-m", "peers.sink", self.host, str(self.port), self.directory]
        self._running = start("sink", command, log=self.directory / "log", environment={"PYTHONPATH": str(_TESTS)})
        self._running.ready_when(lambda: answers(self.host, self.port))

    def stop(self) -> None:
        """Go away: connections are refused until `start`."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def _write(self, behaviour: Behaviour) -> int:
        generation = next(self._generations)
        document = msgspec.json.encode(msgspec.structs.replace(behaviour, generation=generation))
        (self.directory / "behaviour.json").write_bytes(document)
        return generation


@contextmanager
def mail_sink(
    behaviour: Behaviour | None = None, *, host: str = LOOPBACK, port: int | None = None, directory: Path | None = None
) -> Iterator[MailSink]:
    """Run a sink; with `directory` its ledger stays there afterwards."""
    with workplace("mta") as place:
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
        sink = MailSink(directory or place, host, port or free_port(host))
        sink._write(behaviour or Behaviour())
        sink.start()
        try:
            yield sink
        finally:
            sink.stop()
