"""F7: of two nodes, one is cut off from the database in the middle of its work, for longer than its leases."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace

from faults import sabotage
from faults.checker import Mark
from faults.frame import Experiment, Options, Outcome
from faults.load import SETTINGS, Load
from faults.proxy import cable
from faults.stage import python_path, stage
from peers.ledger import Behaviour, Entry
from peers.mta import MailSink, mail_sink
from peers.postroad import relaying

_LEASE_S = 10.0
_CUT_S = 25.0
_DOT_S = 0.5
_SLACK_S = 2.0


def run(options: Options) -> Outcome:
    """Let both nodes send to a slow relay each, cut one off, heal, and look what its relay was given when."""
    behaviour = Behaviour(latency_s=_DOT_S, seed=options.seed)
    settings = {
        **SETTINGS,
        "POSTROAD_DELIVERY_LEASE_S": str(_LEASE_S),
        "POSTROAD_DELIVERY_CONNECTIONS_PER_DESTINATION": "40",
    }
    cuts = options.sized(1, 3, 10)
    late, unsettled = 0, 0
    with ExitStack() as stack:
        sinks = [stack.enter_context(mail_sink(behaviour, directory=options.directory / f"sink{n}")) for n in range(2)]
        on = stack.enter_context(stage(options, settings, nodes=2, opened=False))
        assert on.postgres is not None
        line = stack.enter_context(cable(on.postgres.port))
        for node, sink in zip(on.nodes, sinks, strict=True):
            node.environment |= relaying(sink.port)
        whole = on.nodes[0].environment["POSTROAD_DATABASE_URL"]
        on.open()
        on.node.stop()
        on.node.environment["POSTROAD_DATABASE_URL"] = whole.replace(f":{on.postgres.port}/", f":{line.port}/")
        if options.control:
            on.node.module = "faults.sabotage"
            on.node.environment |= {"PYTHONPATH": python_path(), sabotage.VARIABLE: "ignore-lease"}
        on.node.start()
        with Load(options, on, rate=60) as load:
            for _ in range(cuts):
                time.sleep(3)
                line.cut()
                began_ns = time.time_ns()
                time.sleep(_CUT_S)
                healed_ns = time.time_ns()
                line.heal()
                lapsed_ns = began_ns + int((_LEASE_S + _DOT_S + _SLACK_S) * 1e9)
                late += _between(sinks[0], lapsed_ns, healed_ns)
                unsettled += _between(sinks[0], began_ns - 500_000_000, lapsed_ns)
                time.sleep(3)
        marks = load.compare(lambda: _both(sinks), patient=True, timeout_s=60)
    marks = [mark if mark.name != "DUP" else replace(mark, limit=unsettled) for mark in marks]
    marks.append(Mark("LATE", "messages the node sent when its leases had lapsed", late, 0))
    return Outcome(
        marks, {"cuts": cuts, "acknowledged": len(load.acks()), "sent under leases while cut off": unsettled}
    )


def _both(sinks: list[MailSink]) -> list[Entry]:
    return [entry for sink in sinks for entry in sink.ledger()]


def _between(sink: MailSink, since_ns: int, until_ns: int) -> int:
    return sum(since_ns <= entry.at_ns < until_ns for entry in sink.ledger())


EXPERIMENT = Experiment(
    number="F7",
    name="partition",
    does="One of two nodes is cut off from PostgreSQL for 25 s with leases of 10 s, under load, and comes back.",
    control="a node that does not look at its lease before it sends content",
    reveals=frozenset({"LATE", "DUP"}),
    run=run,
    engines=("postgresql",),
)
