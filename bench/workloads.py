"""The workloads: one function per row of the plan, each giving samples beside the rivals of the same round."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bench import cost, mail
from bench.backlog import BATCH, drain
from bench.load import Outcome
from bench.naive import measure_naive
from bench.ours import Passed, our_server, watched_memory
from bench.rivals import measure_intake, measure_relay, postfix_intake, postfix_relay, postfix_signing
from bench.rows import Sample
from bench.sink import counting_sink
from peers.ledger import Behaviour
from peers.mta import MailSink, mail_sink
from peers.postroad import postroad_server
from postroad.pipeline.press import arithmetic

_T = TypeVar("_T")
_IDLE_MESSAGES = 200
_IDLE_PAUSE_S = 0.03


@dataclass(slots=True)
class Round:
    """One round: its sizes, and what was measured in it already, so that rows share a rival or a load."""

    messages: int
    queued: int
    backlog: int
    say: Callable[[str], None]
    _known: dict[str, object] = field(default_factory=dict)

    def once(self, name: str, measure: Callable[[], _T]) -> _T:
        """Measure something once in this round."""
        if name not in self._known:
            self.say(name)
            self._known[name] = measure()
        return self._known[name]  # type: ignore[return-value]  # a name always has the same measure

    def signed_rate(self) -> float:
        """Postfix + OpenDKIM, relayed messages a second."""

        def measure() -> float:
            with counting_sink() as sink, postfix_signing(sink) as postfix:
                measure_relay(postfix, sink, 100)
                return measure_relay(postfix, sink, max(500, self.messages // 4)).rate

        return self.once("Postfix + OpenDKIM", measure)

    def intake_rate(self) -> float:
        """Postfix, messages a second taken into its queue."""

        def measure() -> float:
            with postfix_intake() as postfix:
                measure_intake(postfix, 100)
                return measure_intake(postfix, max(500, self.messages // 4)).rate

        return self.once("Postfix intake", measure)

    def single(self, engine: str = "sqlite") -> tuple[Passed, float]:
        """P1 and the most memory it took."""

        def measure() -> tuple[Passed, float]:
            with counting_sink() as sink, our_server(sink.port, engine=engine) as ours:
                ours.warm_up(sink)
                with watched_memory(ours.server.pid) as memory:
                    passed = ours.deliver(ours.plan(self.messages), sink)
                return passed, max(memory, default=0.0)

        return self.once(f"single POST to the sink, {engine}", measure)


def p1(turn: Round) -> Iterator[Sample]:
    """Single requests, delivered."""
    signed = turn.signed_rate()
    passed, _ = turn.single()
    yield Sample("P1", passed.delivered.rate, signed)

    def naive() -> float:
        with counting_sink() as sink:
            return measure_naive(sink, 200).rate

    yield Sample("P1 naive", passed.delivered.rate, turn.once("naive Python", naive))


def p2(turn: Round) -> Iterator[Sample]:
    """Batches, delivered."""
    signed = turn.signed_rate()
    turn.say("batch to the sink")
    with counting_sink() as sink, our_server(sink.port) as ours:
        ours.warm_up(sink)
        passed = ours.deliver(ours.plan(turn.messages, batch=BATCH, connections=4), sink)
    yield Sample("P2", passed.delivered.rate, signed)


def p3(turn: Round) -> Iterator[Sample]:
    """Accept only: no role but the API runs."""
    taken = turn.intake_rate()
    turn.say("accept only")
    with counting_sink() as sink, our_server(sink.port) as ours:
        ours.restart(door_only=True)
        ours.accept(ours.plan(300))
        single = ours.accept(ours.plan(turn.messages))
        batch = ours.accept(ours.plan(turn.messages * 2, batch=BATCH, connections=4))
    yield Sample("P3 single", turn.messages / single.seconds, taken)
    yield Sample("P3 batch", turn.messages * 2 / batch.seconds, taken)


def p4(turn: Round) -> Iterator[Sample]:
    """P1 on PostgreSQL."""
    on_sqlite, _ = turn.single()
    on_postgresql, _ = turn.single("postgresql")
    yield Sample("P4", on_postgresql.delivered.rate, on_sqlite.delivered.rate)


def p5(turn: Round) -> Iterator[Sample]:
    """Drain a queue that was filled while nothing was delivered."""
    signed = turn.signed_rate()
    turn.say("drain")
    yield Sample("P5", drain(turn.queued, turn.queued).rate, signed)


def p7(turn: Round) -> Iterator[Sample]:
    """Latency at half of what P1's load was accepted at, delivery going on."""
    passed, _ = turn.single()
    saturated = turn.messages / passed.outcome.seconds
    turn.say(f"latency at {saturated / 2:.0f} requests/s")
    with counting_sink() as sink, our_server(sink.port) as ours:
        ours.warm_up(sink)
        outcome = ours.accept(ours.plan(max(2000, int(saturated / 2 * 5)), rate=saturated / 2))
    yield Sample("P7", outcome.latency_ms(0.99))


def p8(turn: Round) -> Iterator[Sample]:
    """One message at a time through an idle system: from the answer to the final dot."""
    turn.say("idle latency")
    theirs, ours = sorted(_idle_postfix()), sorted(_idle_ours())
    yield Sample("P8 p50", _quantile(ours, 0.5), _quantile(theirs, 0.5))
    yield Sample("P8 p99", _quantile(ours, 0.99), _quantile(theirs, 0.99))


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _idle_postfix() -> list[float]:
    with mail_sink(Behaviour(durable=False)) as sink, postfix_relay(sink.port) as postfix:
        answered: dict[str, int] = {}
        with smtplib.SMTP(postfix.host, postfix.port) as client:
            for number in range(_IDLE_MESSAGES):
                recipient = f"idle-{number:07d}@sink.test"
                octets = f"From: a@bench.test\r\nTo: {recipient}\r\n\r\n{mail.text('1')}".encode()
                client.sendmail("a@bench.test", [recipient], octets)
                answered[recipient] = time.time_ns()
                time.sleep(_IDLE_PAUSE_S)
        return _latencies(sink, answered)


def _idle_ours() -> list[float]:
    with mail_sink(Behaviour(durable=False)) as sink, our_server(sink.port) as ours:
        ours.accept(ours.plan(50, connections=1, rate=50))
        plan = ours.plan(_IDLE_MESSAGES, connections=1, rate=1 / _IDLE_PAUSE_S)
        outcome: Outcome = ours.accept(plan)
        numbers = range(plan.first, plan.first + plan.messages)
        recipients = [f"{plan.run}-{number:07d}@sink.test" for number in numbers]
        return _latencies(sink, dict(zip(recipients, outcome.acknowledged_ns, strict=True)), before=50)


def _latencies(sink: MailSink, answered: Mapping[str, int], before: int = 0) -> list[float]:
    entries = sink.await_entries(before + len(answered))
    found = {entry.recipient: entry.at_ns for entry in entries}
    return [max(0.0, (found[recipient] - at) / 1e6) for recipient, at in answered.items()]


def p12(turn: Round) -> Iterator[Sample]:
    """What a delivery costs with a short queue behind it and with a long one."""
    yield from _behind_a_long_queue(turn, "P12", "sqlite")


def p12_postgresql(turn: Round) -> Iterator[Sample]:
    """The same on PostgreSQL."""
    yield from _behind_a_long_queue(turn, "P12PG", "postgresql")


def _behind_a_long_queue(turn: Round, key: str, engine: str) -> Iterator[Sample]:
    counted = min(turn.queued, 10_000)
    turn.say(f"drain a short queue, {engine}")
    short = drain(counted, counted, engine)
    turn.say(f"drain from {turn.backlog:,} queued, {engine}")
    long = drain(turn.backlog, counted, engine)
    yield Sample(key, long.cpu_s * 1e6, short.cpu_s * 1e6)
    yield Sample(f"{key} rate", long.rate, short.rate)
    yield Sample(f"{key} start", long.start_s)
    yield Sample("P13 queue" if engine == "sqlite" else "P12PG memory", long.memory_mib)


def p13(turn: Round) -> Iterator[Sample]:
    """Memory, idle and under P1."""
    turn.say("idle memory")
    with counting_sink() as sink, our_server(sink.port) as ours:
        ours.server.stop()
        ours.server.start()
        time.sleep(3)
        yield Sample("P13 idle", cost.resident_mib(ours.server.pid))
    _, memory = turn.single()
    yield Sample("P13 load", memory)


def p14(turn: Round) -> Iterator[Sample]:
    """From the start of `postroad dev` to its first answer, the second time."""
    turn.say("postroad dev")
    with postroad_server(command=("dev",), more={"POSTROAD_SMTP_PORT": "0"}) as server:
        server.start()
        server.stop()
        began = time.monotonic()
        server.start()
        yield Sample("P14", time.monotonic() - began)


def p16(turn: Round) -> Iterator[Sample]:
    """CPU of all our processes per message, without the RSA signature's own."""
    passed, _ = turn.single()
    yield Sample("P16", (passed.cpu_s / passed.delivered.messages - _rsa_s()) * 1e6)


def _rsa_s() -> float:
    """What one RSA-2048 signature costs on this machine, in seconds, by the faster of the ways to choose from."""
    return min(arithmetic.signing_s(environment) for environment in ({}, arithmetic.WITHOUT_ADX))


WORKLOADS: Mapping[str, Callable[[Round], Iterator[Sample]]] = {
    "P1": p1,
    "P2": p2,
    "P3": p3,
    "P4": p4,
    "P5": p5,
    "P7": p7,
    "P8": p8,
    "P12": p12,
    "P12PG": p12_postgresql,
    "P13": p13,
    "P14": p14,
    "P16": p16,
}
