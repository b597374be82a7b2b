"""Our server under load: the same production configuration for every workload, signing for a verified domain."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from bench import cost, mail
from bench.load import Load, Outcome, Plan
from bench.rivals import Throughput
from bench.sink import CountingSink
from peers.dns import dns_server
from peers.postgres import postgres_server
from peers.postroad import PostroadServer, postroad_server, relaying
from peers.process import LOOPBACK

WARM_UP = 300
STALLED_S = 20.0
_ALL_ROLES = ("serve",)
_DOOR_ONLY = ("serve", "--role", "http")


@dataclass(frozen=True, slots=True)
class Passed:
    """A load that went through: how fast, at what cost, and how the API answered."""

    delivered: Throughput
    outcome: Outcome
    cpu_s: float


@dataclass(slots=True)
class Ours:
    """A server with a verified domain and a key, its mail going to a sink."""

    server: PostroadServer
    key: str
    sink_port: int
    _sent: int = 0
    _run: str = field(default_factory=lambda: f"b{time.time_ns() // 1_000_000 % 10_000_000}")

    def plan(self, messages: int, *, batch: int = 1, rate: float | None = None, connections: int = 64) -> Plan:
        """A plan for messages that were not sent before."""
        first, self._sent = self._sent, self._sent + messages
        return Plan(
            host=LOOPBACK,
            port=self.server.port,
            key=self.key,
            run=self._run,
            messages=messages,
            batch=batch,
            rate=rate,
            connections=connections,
            first=first,
        )

    def accept(self, plan: Plan) -> Outcome:
        """Load the API and wait for its answers; raises when one was not 2xx."""
        load = Load(plan)
        load.go()
        return _checked(load.outcome())

    def deliver(self, plan: Plan, sink: CountingSink) -> Passed:
        """Load the API and wait for the last message in the sink."""
        load = Load(plan)
        before, cpu = sink.count(), cost.cpu_s(self.server.pid)
        began = load.go()
        last, seen = sink.await_count(before + plan.messages, timeout_s=STALLED_S)
        outcome = _checked(load.outcome())
        if seen - before < plan.messages:
            raise RuntimeError(f"{plan.messages - seen + before} messages did not arrive\n{self.server.log()}")
        return Passed(Throughput(plan.messages, last - began), outcome, cost.cpu_s(self.server.pid) - cpu)

    def warm_up(self, sink: CountingSink) -> None:
        """Send some messages that nobody measures."""
        self.deliver(self.plan(WARM_UP), sink)

    def restart(self, *, door_only: bool) -> None:
        """Stop, and start again with every role, or with the API only so that mail waits."""
        self.server.stop()
        self.server.command = _DOOR_ONLY if door_only else _ALL_ROLES
        self.server.start()


@contextmanager
def our_server(sink_port: int, *, engine: str = "sqlite") -> Iterator[Ours]:
    """Run `postroad serve` with a verified domain, relaying to a port, on SQLite or PostgreSQL, durable."""
    with ExitStack() as stack:
        dns = stack.enter_context(dns_server())
        more = relaying(sink_port)
        if engine == "postgresql":
            more["POSTROAD_DATABASE_URL"] = stack.enter_context(postgres_server(durable=True)).database()
        server = stack.enter_context(postroad_server(dns=dns, more=more))
        server.start()
        server.verified_domain(mail.DOMAIN, dns)
        yield Ours(server, server.key("bench"), sink_port)


@contextmanager
def watched_memory(pid: int, *, every_s: float = 0.25) -> Iterator[list[float]]:
    """Look at the resident memory of a process's family now and then; gives the list of what was seen, in MiB."""
    seen: list[float] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(every_s):
            seen.append(cost.resident_mib(pid))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _checked(outcome: Outcome) -> Outcome:
    bad = {status: count for status, count in outcome.statuses.items() if not status.startswith("2")}
    if bad:
        raise RuntimeError(f"not every request was accepted: {bad}\n{outcome.sample}")
    return outcome
