"""A steady load with its ledger, and the comparison at the end: what experiments that break something share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from types import TracebackType

from faults.checker import Mark, check, none_of
from faults.frame import Options
from faults.injector import Ack, Injector
from faults.observer import Observer
from faults.stage import SENDER, Stage
from peers.ledger import Entry
from peers.postroad import PostroadServer

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

    def __init__(
        self,
        options: Options,
        on: Stage,
        *,
        rate: float = 120.0,
        threads: int = 8,
        nodes: Sequence[PostroadServer] | None = None,
        number: int = 0,
    ) -> None:
        """Ask `nodes`, or all; loads beside one another are told apart by their `number`."""
        self._options, self._on, self._rate, self._threads = options, on, rate, threads
        ports = [node.port for node in nodes or on.nodes]
        log = options.directory / ("acks" if number == 0 else f"acks{number}")
        seed = options.seed + 1000 * number
        self.injector = Injector(ports=ports, key=on.key, log=log, seed=seed, sender=SENDER)
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

    def longest_silence_s(self, since_ns: int, until_ns: int) -> float:
        """Return the longest time without an answer 202 in a span of time, in seconds."""
        inside = [ack.at_ns for ack in self.acks() if since_ns <= ack.at_ns < until_ns]
        moments = [since_ns, *sorted(inside), until_ns]
        return max(later - earlier for earlier, later in pairwise(moments)) / 1e9

    def compare(
        self,
        entries: Callable[[], Sequence[Entry]],
        *,
        timeout_s: float = 90.0,
        patient: bool = False,
        beside: Sequence[Load] = (),
    ) -> list[Mark]:
        """Wait until everything has ended, and compare the ledgers, of loads `beside` this one too.

        A control waits so long only if `patient`.
        """
        acks = [ack for load in (self, *beside) for ack in load.acks()]
        if self._options.control and not patient:
            time.sleep(_SETTLED_S)
            there = {entry.recipient for entry in entries()}
            lost = [ack.recipient for ack in acks if ack.recipient not in there]
            return [none_of("LOST", "answered 202, never at the sink", lost)]
        observer = Observer([node.port for node in self._on.nodes], self._on.key)
        told = observer.await_end(acks, timeout_s=timeout_s)
        noticed = observer.feed()
        observer.close()
        found = check(asked=len(acks), acks=acks, replays={}, entries=entries(), told=told, noticed=noticed)
        wanted = ("LOST", "GHOST", "STUCK", "DUP", "UNFLAGGED", "EXCESS", "SPLIT", "EVENTS")
        return [mark for mark in found if mark.name in wanted]

    def _send(self) -> None:
        self.problems += self.injector.send(_MOST, threads=self._threads, rate=self._rate, patience_s=0.0)
