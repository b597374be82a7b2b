"""A steady load with its ledger, and the comparison at the end: what experiments that break something share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from faults.checker import Mark, check, none_of
from faults.frame import Options
from faults.injector import Ack, Injector
from faults.observer import Observer
from faults.stage import SENDER, Stage
from peers.ledger import Entry

SETTINGS = {
    "POSTROAD_STREAMS_IN_DOUBT_DELAY_S": "1.5",
    "POSTROAD_STREAMS_IN_DOUBT_ATTEMPTS": "50",
    "POSTROAD_STREAMS_RETRY_DELAYS_S": "1,2",
    "POSTROAD_DELIVERY_LEASE_S": "45",
    "POSTROAD_DELIVERY_TIMEOUTS_DOT_S": "5",
}
_MOST = 1_000_000
_SETTLED_S = 6.0


class Load:
    """Sends without a pause while the body runs; who is answered 202 is written down, synced."""

    def __init__(self, options: Options, on: Stage, *, rate: float = 120.0, threads: int = 8) -> None:
        self._options, self._on, self._rate, self._threads = options, on, rate, threads
        self.ports = [node.port for node in on.nodes]
        log = options.directory / "acks"
        self.injector = Injector(ports=self.ports, key=on.key, log=log, seed=options.seed, sender=SENDER)
        self._thread = threading.Thread(target=self._send, daemon=True)
        self.problems: list[str] = []

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.injector.stop()
        self._thread.join(30)
        self.injector.close()

    def acks(self) -> list[Ack]:
        """Who was answered so far."""
        return self.injector.acks()

    def answered_between(self, since_ns: int, until_ns: int) -> int:
        """How many were answered 202 in a span of time."""
        return sum(since_ns <= ack.at_ns < until_ns for ack in self.acks())

    def compare(
        self, entries: Callable[[], Sequence[Entry]], *, timeout_s: float = 90.0, patient: bool = False
    ) -> list[Mark]:
        """Wait until everything has ended, and compare the ledgers; a control waits so long only if `patient`."""
        acks = self.acks()
        if self._options.control and not patient:
            time.sleep(_SETTLED_S)
            there = {entry.recipient for entry in entries()}
            lost = [ack.recipient for ack in acks if ack.recipient not in there]
            return [none_of("LOST", "answered 202, never at the sink", lost)]
        observer = Observer(self.ports, self._on.key)
        told = observer.await_end(acks, timeout_s=timeout_s)
        noticed = observer.feed()
        observer.close()
        found = check(asked=len(acks), acks=acks, replays={}, entries=entries(), told=told, noticed=noticed)
        wanted = ("LOST", "GHOST", "STUCK", "DUP", "UNFLAGGED", "EXCESS", "SPLIT", "EVENTS")
        return [mark for mark in found if mark.name in wanted]

    def _send(self) -> None:
        self.problems += self.injector.send(_MOST, threads=self._threads, rate=self._rate, patience_s=0.0)
