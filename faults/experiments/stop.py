"""F8: SIGTERM under load: what is in flight ends, the rest is handed back, and nothing is sent twice.

In the larger sizes there is a long queue besides, which drains when the receiver becomes fast behind the last start.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from faults.checker import Mark, none_of
from faults.frame import Experiment, Options, Outcome
from faults.load import SETTINGS, Load
from faults.stage import Stage, stage, wait_for
from peers.ledger import Behaviour, Entry
from peers.mta import MailSink, mail_sink
from peers.postroad import relaying

_EXIT_S = 30.0
_DOT_S = 0.3
_QUEUE = "queued.test"
_DRAIN_S = 900.0


@dataclass(slots=True)
class _Stops:
    """How the stops went."""

    codes: list[int] = field(default_factory=list)
    slowest_s: float = 0.0
    longest_start_s: float = 0.0


def run(options: Options) -> Outcome:
    """Stop and start under load; in the control by SIGKILL, which is no stop."""
    stops = 2 if options.control else options.sized(2, 5, 20)
    backlog = 0 if options.control else options.sized(0, 5_000, 100_000)
    seen = _Stops()
    behaviour = Behaviour(latency_s=_DOT_S, seed=options.seed)
    with ExitStack() as stack:
        sink = stack.enter_context(mail_sink(behaviour, directory=options.directory))
        on = stack.enter_context(stage(options, {**relaying(sink.port), **SETTINGS}))
        queued = _fill(on, backlog)
        with Load(options, on) as load:
            for _ in range(stops):
                time.sleep(1.5)
                _stop(on, options, seen)
        options.say(f"{stops} stops, the slowest {seen.slowest_s:.1f} s; the queue drains")
        sink.behave(Behaviour(seed=options.seed))
        _drained(sink, backlog)
        marks = load.compare(lambda: _besides(sink), patient=True, timeout_s=_DRAIN_S)
        copies = Counter(entry.recipient for entry in sink.ledger())
    marks = [mark if mark.name != "DUP" else replace(mark, limit=0) for mark in marks]
    marks += [
        none_of("MISSING", "queued before the stops, never at the sink", [one for one in queued if not copies[one]]),
        none_of("TWICE", "queued before the stops, more than once there", [one for one in queued if copies[one] > 1]),
        Mark("SLOWEST", "longest time from SIGTERM to the end, s", round(seen.slowest_s, 1), _EXIT_S),
        Mark("CODES", "exits with another status than 0", sum(code != 0 for code in seen.codes), 0),
    ]
    facts: dict[str, float | str] = {"stops": stops, "acknowledged": len(load.acks()), "queued": backlog}
    return Outcome(marks, {**facts, "longest start, s": round(seen.longest_start_s, 1)})


def _stop(on: Stage, options: Options, seen: _Stops) -> None:
    """Stop the node and start it again."""
    began = time.monotonic()
    if options.control:
        on.node.kill()
        seen.codes.append(-signal.SIGKILL)
    else:
        seen.codes.append(on.node.stop(timeout_s=_EXIT_S * 2))
    ended = time.monotonic()
    on.node.start()
    seen.slowest_s = max(seen.slowest_s, ended - began)
    seen.longest_start_s = max(seen.longest_start_s, time.monotonic() - ended)


def _fill(on: Stage, count: int) -> list[str]:
    """Queue so many messages; returns their recipients."""
    recipients = [f"q{number:06d}@{_QUEUE}" for number in range(count)]
    on.send_many(recipients)
    return recipients


def _drained(sink: MailSink, count: int) -> bool:
    """Wait until what was queued has come, at least once; tells whether it has."""
    if not count:
        return True
    return wait_for(lambda: len({entry.recipient for entry in _queued(sink)}) >= count, _DRAIN_S, every_s=5)


def _queued(sink: MailSink) -> list[Entry]:
    return [entry for entry in sink.ledger() if entry.recipient.endswith(_QUEUE)]


def _besides(sink: MailSink) -> list[Entry]:
    return [entry for entry in sink.ledger() if not entry.recipient.endswith(_QUEUE)]


EXPERIMENT = Experiment(
    number="F8",
    name="stop",
    does="SIGTERM under load to a server whose receiver takes 0.3 s for each final dot, and a start.",
    control="SIGKILL instead of SIGTERM",
    reveals=frozenset({"DUP"}),
    run=run,
    engines=("sqlite", "postgresql"),
)
