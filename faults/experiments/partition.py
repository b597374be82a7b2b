"""F7: of several nodes, one is cut off from the database in the middle of its work, for longer than its leases.

The node lives in a network namespace of its own, whose link to the database goes down. In the larger sizes there is a
third node, and there are cuts that lose one direction only. Without root a proxy is the link, and holds everything
back. Before each cut the node's receiver becomes slow, so that the node has more in hand than it can send under its
leases.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from faults import sabotage
from faults.checker import Mark
from faults.frame import Experiment, Options, Outcome, Size, Skipped
from faults.load import SETTINGS, Load
from faults.network import Cut, Place, places
from faults.proxy import Cable, cable
from faults.stage import Stage, python_path, stage, wait_for
from peers.ledger import Behaviour, Entry
from peers.mta import MailSink, mail_sink
from peers.postgres import PostgresServer, postgres_server
from peers.postroad import PostroadServer, relaying
from peers.process import LOOPBACK

_DOT_S, _SLOW_DOT_S = 0.5, 3.0
_CONNECTIONS = 6
_STEADY_S = 3.0
_HEALED_S = 120.0
_SILENCE_S = 30.0
_NETWORKS = "198.18.0.0/15"


@dataclass(frozen=True, slots=True)
class Plan:
    """How many nodes, how long the leases and the cuts, and how much mail."""

    nodes: int
    lease_s: float
    cut_s: float
    cuts: tuple[Cut, ...]
    rate: float
    """Messages a second at the node that is cut off; as many at the others together."""

    @property
    def gather_s(self) -> float:
        """How long it takes until the slow node has more in hand than it can send under its leases."""
        a_second = _CONNECTIONS / self.nodes / _SLOW_DOT_S
        return max(2.0, self.lease_s * a_second * 1.5 / (self.rate - a_second))


def _plan(options: Options) -> Plan:
    if options.size is Size.SMALL or options.control:
        return Plan(nodes=2, lease_s=10, cut_s=25, cuts=(Cut.ALL,), rate=30)
    if options.size is Size.USUAL:
        return Plan(nodes=3, lease_s=10, cut_s=25, cuts=tuple(Cut), rate=30)
    return Plan(nodes=3, lease_s=120, cut_s=300, cuts=tuple(Cut), rate=10)


@dataclass(slots=True)
class _Seen:
    """What the cuts showed."""

    late: int = 0
    unsettled: int = 0
    healed_s: float = 0.0
    silent_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Field:
    """The nodes, the first of which can be cut off, and the receiver of each."""

    on: Stage
    sinks: Sequence[MailSink]
    link: Place | Cable


def run(options: Options) -> Outcome:
    """Let all nodes send, cut one off, heal, and look what its receiver was given when."""
    plan, seen = _plan(options), _Seen()
    with _field(options, plan) as field:
        alone, others = field.on.nodes[:1], field.on.nodes[1:]
        with (
            Load(options, field.on, rate=plan.rate, threads=4, nodes=alone) as here,
            Load(options, field.on, rate=plan.rate, threads=4, nodes=others, number=1) as there,
        ):
            for what in plan.cuts:
                time.sleep(_STEADY_S)
                _cut(field, plan, what, (here, there), seen)
                options.say(f"{what}: {seen}")
        marks = here.compare(lambda: _all(field.sinks), patient=True, timeout_s=120, beside=[there])
        acknowledged = len(here.acks()) + len(there.acks())
    marks = [mark if mark.name != "DUP" else replace(mark, limit=seen.unsettled) for mark in marks]
    marks += [
        Mark("LATE", "messages the node began to hand over when its leases had lapsed", seen.late, 0),
        Mark("HEALED", "longest time from the healing to the node's next 202, s", round(seen.healed_s, 1), _HEALED_S),
        Mark("SILENCE", "longest time without a 202 of the others, s", round(seen.silent_s, 1), _SILENCE_S),
    ]
    facts: dict[str, float | str] = {
        "nodes": plan.nodes,
        "cuts": ", ".join(plan.cuts),
        "by": "network namespace" if isinstance(field.link, Place) else "proxy",
        "cut, s": plan.cut_s,
        "lease, s": plan.lease_s,
        "acknowledged": acknowledged,
        "sent under leases while cut off": seen.unsettled,
    }
    return Outcome(marks, facts)


def _cut(field: _Field, plan: Plan, what: Cut, loads: tuple[Load, Load], seen: _Seen) -> None:
    here, there = loads
    field.sinks[0].behave(Behaviour(latency_s=_SLOW_DOT_S))
    time.sleep(plan.gather_s)
    field.link.cut(what)
    cut_ns = time.time_ns()
    time.sleep(plan.cut_s)
    healing_ns = time.time_ns()
    field.link.heal(what)
    healed_ns = time.time_ns()
    field.sinks[0].behave(Behaviour(latency_s=_DOT_S))
    wait_for(lambda: here.answered_between(healed_ns, time.time_ns()) > 0, _HEALED_S)
    first_ns = min((ack.at_ns for ack in here.acks() if ack.at_ns > healed_ns), default=time.time_ns())
    # no lease was taken behind the cut, so the last one lapses here; what arrives later was sent under none
    lapsed_ns = cut_ns + int(plan.lease_s * 1e9)
    seen.late += _between(field.sinks[0], lapsed_ns, healing_ns)
    seen.unsettled += _between(field.sinks[0], cut_ns - int((_SLOW_DOT_S + _DOT_S) * 1e9), lapsed_ns)
    seen.healed_s = max(seen.healed_s, (first_ns - healed_ns) / 1e9)
    seen.silent_s = max(seen.silent_s, there.longest_silence_s(cut_ns, healed_ns))


@contextmanager
def _field(options: Options, plan: Plan) -> Iterator[_Field]:
    with ExitStack() as stack:
        try:
            place = stack.enter_context(places(1))[0]
        except Skipped as missing:
            options.say(f"a proxy is the link: {missing}")
            place = None
        postgres = stack.enter_context(postgres_server(durable=True))
        if place is not None:
            _listen(postgres, place)
        url = postgres.database()
        settings = {
            **SETTINGS,
            "POSTROAD_DATABASE_URL": url,
            "POSTROAD_DELIVERY_LEASE_S": str(plan.lease_s),
            "POSTROAD_DELIVERY_CONNECTIONS_PER_DESTINATION": "60",
        }
        on = stack.enter_context(stage(options, settings, nodes=plan.nodes, opened=False))
        sinks = []
        for number, node in enumerate(on.nodes):
            host = place.home if place is not None and number == 0 else LOOPBACK
            behaviour = Behaviour(latency_s=_DOT_S, seed=options.seed)
            directory = options.directory / f"sink{number}"
            sinks.append(stack.enter_context(mail_sink(behaviour, host=host, directory=directory)))
            node.environment |= relaying(sinks[-1].port, host=host)
        on.open()
        on.node.stop()
        on.node.environment["POSTROAD_DELIVERY_CONNECTIONS_PER_DESTINATION"] = str(_CONNECTIONS)
        link: Place | Cable
        if place is not None:
            _settle(on.node, place)
            bridge = stack.enter_context(cable(on.node.port, place.address))
            on.node.port, link = bridge.port, place
        else:
            link = stack.enter_context(cable(postgres.port))
            url = url.replace(f":{postgres.port}/", f":{link.port}/")
        on.node.environment["POSTROAD_DATABASE_URL"] = url if place is None else url.replace(LOOPBACK, place.database)
        if options.control:
            on.node.module = "faults.sabotage"
            on.node.environment |= {"PYTHONPATH": python_path(), sabotage.VARIABLE: "ignore-lease"}
        on.node.start()
        yield _Field(on, sinks, link)
        on.node.stop()  # before its namespace goes


def _listen(postgres: PostgresServer, place: Place) -> None:
    """Let the database be reached over the link too."""
    postgres.stop()
    with (postgres.directory / "data" / "pg_hba.conf").open("a") as file:
        file.write(f"host all all {_NETWORKS} trust\n")
    postgres.hosts = f"{LOOPBACK},{place.database}"
    postgres.start()


def _settle(node: PostroadServer, place: Place) -> None:
    """Let a node that is not running live there from now on."""
    node.prefix = place.words
    node.environment |= {"POSTROAD_HTTP_HOST": place.address, "POSTROAD_HTTP_TRUSTED_PROXIES": place.home}


def _all(sinks: Sequence[MailSink]) -> list[Entry]:
    return [entry for sink in sinks for entry in sink.ledger()]


def _between(sink: MailSink, since_ns: int, until_ns: int) -> int:
    return sum(since_ns <= entry.at_ns < until_ns for entry in sink.ledger())


EXPERIMENT = Experiment(
    number="F7",
    name="partition",
    does="One of several nodes is cut off from PostgreSQL, under load, for longer than its leases, and comes back.",
    control="a node that does not look at its lease before it sends content",
    reveals=frozenset({"LATE"}),
    run=run,
    engines=("postgresql",),
)
