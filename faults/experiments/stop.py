"""F8: SIGTERM under load, again and again: nothing is lost, nothing doubled, and the server goes in time."""

from __future__ import annotations

import signal
import time
from dataclasses import replace

from faults.checker import Mark
from faults.frame import Experiment, Options, Outcome
from faults.load import SETTINGS, Load
from faults.stage import stage
from peers.ledger import Behaviour
from peers.mta import mail_sink
from peers.postroad import relaying

_EXIT_S = 30.0


def run(options: Options) -> Outcome:
    """Stop and start under load; in the control by SIGKILL, which is no stop."""
    stops = options.sized(2, 5, 20)
    slowest = 0.0
    codes: list[int] = []
    behaviour = Behaviour(latency_s=0.3, seed=options.seed)
    with (
        mail_sink(behaviour, directory=options.directory) as sink,
        stage(options, {**relaying(sink.port), **SETTINGS}) as on,
    ):
        with Load(options, on) as load:
            for _ in range(stops):
                time.sleep(1.5)
                began = time.monotonic()
                if options.control:
                    on.node.kill()
                    codes.append(-signal.SIGKILL)
                else:
                    codes.append(on.node.stop(timeout_s=_EXIT_S * 2))
                slowest = max(slowest, time.monotonic() - began)
                on.node.start()
        marks = load.compare(sink.ledger, patient=True)
    marks = [mark if mark.name != "DUP" else replace(mark, limit=0) for mark in marks]
    marks += [
        Mark("SLOWEST", "longest time from SIGTERM to the end, s", round(slowest, 1), _EXIT_S),
        Mark("CODES", "exits with another status than 0", sum(code != 0 for code in codes), 0),
    ]
    return Outcome(marks, {"stops": stops, "acknowledged": len(load.acks())})


EXPERIMENT = Experiment(
    number="F8",
    name="stop",
    does="SIGTERM under load to a server whose receiver takes 0.3 s for each final dot, and a start.",
    control="SIGKILL instead of SIGTERM",
    reveals=frozenset({"DUP"}),
    run=run,
    engines=("sqlite", "postgresql"),
)
