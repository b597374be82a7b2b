"""Postfix's smtp-sink as the receiver of every measurement: C, cheap, and the same for all."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peers.process import LOOPBACK, Running, answers, free_port, program, start, workplace

_COUNTER = re.compile(rb"mesg=(\d+)")
_POLL_S = 0.002


@dataclass(slots=True)
class CountingSink:
    """An smtp-sink on `host:port` whose counter of final dots can be read while it runs."""

    port: int
    _counter: Path
    _running: Running
    host: str = LOOPBACK

    @property
    def pid(self) -> int:
        return self._running.pid

    def count(self) -> int:
        """Messages received since the start."""
        with self._counter.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 120))
            found = _COUNTER.findall(file.read())
        return int(found[-1]) if found else 0

    def await_count(
        self, count: int, *, timeout_s: float, going: Callable[[], object] | None = None
    ) -> tuple[float, int]:
        """Wait for the counter to reach `count`; returns the instant (monotonic) of the last arrival and the counter.

        Gives up after `timeout_s` without any arrival. `going()` is called at every look.
        """
        seen, last = self.count(), time.monotonic()
        while seen < count and time.monotonic() - last < timeout_s:
            time.sleep(_POLL_S)
            if going is not None:
                going()
            now = self.count()
            if now != seen:
                seen, last = now, time.monotonic()
        return last, seen


@contextmanager
def counting_sink() -> Iterator[CountingSink]:
    """Run smtp-sink."""
    with workplace("sink") as place:
        port = free_port()
        privileges = ["-u", "postfix"] if os.geteuid() == 0 else []
        command = [program("smtp-sink"), "-c", *privileges, f"{LOOPBACK}:{port}", "1000"]
        running = start("smtp-sink", command, log=place / "log", output=place / "count")
        running.ready_when(lambda: answers(LOOPBACK, port))
        try:
            yield CountingSink(port, place / "count", running)
        finally:
            running.stop()
