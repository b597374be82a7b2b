"""A long queue: filled while nothing is delivered, then drained by a server that was just started."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from bench import cost
from bench.ours import our_server
from bench.sink import counting_sink

BATCH = 500
_PORTION = 20_000
"""Messages laid out at a time, so that a long queue does not have to fit into the load generator."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What draining cost."""

    rate: float
    """Messages a second."""
    cpu_s: float
    """Of all our processes, for each message."""
    memory_mib: float
    start_s: float
    """From the start of the process to the first delivery."""


def drain(queued: int, counted: int, engine: str = "sqlite") -> Drained:
    """Queue messages, start a server that delivers, and measure the first `counted`."""
    with counting_sink() as sink, our_server(sink.port, engine=engine) as ours:
        ours.restart(door_only=True)
        for size in [_PORTION] * (queued // _PORTION) + [queued % _PORTION]:
            if size:
                ours.accept(ours.plan(size, batch=BATCH, connections=2))
        os.sync()  # what was queued is on its way to the disk for a while, and syncs of the drain would wait for it
        started = time.monotonic()
        ours.restart(door_only=False)
        first_at, _ = sink.await_count(1, timeout_s=60)
        # The start of a process is not the drain: count from a tenth on.
        began, first = sink.await_count(counted // 10, timeout_s=60)
        cpu = cost.cpu_s(ours.server.pid)
        ended, last = sink.await_count(counted, timeout_s=60)
        used = cost.cpu_s(ours.server.pid) - cpu
        if last < counted:
            raise RuntimeError(f"only {last} of {counted} messages arrived\n{ours.server.log()}")
        rate = (last - first) / (ended - began)
        return Drained(rate, used / (last - first), cost.resident_mib(ours.server.pid), first_at - started)
