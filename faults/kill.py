"""The experiment `kill`: SIGKILL at random moments while messages are sent, restart, and compare the ledgers (F1)."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from faults.checker import Mark, check
from faults.injector import Injector
from faults.observer import Observer
from peers.dns import dns_server
from peers.ledger import Behaviour
from peers.mta import MailSink, mail_sink
from peers.postgres import postgres_server
from peers.postroad import PostroadServer, postroad_server, relaying

DOMAIN = "faults.test"
_NOTICE_S = 3.0
_SHORT = {
    "POSTROAD_STREAMS_IN_DOUBT_DELAY_S": "2",
    "POSTROAD_STREAMS_IN_DOUBT_ATTEMPTS": "20",
    "POSTROAD_STREAMS_RETRY_DELAYS_S": "1,2,5",
    "POSTROAD_DELIVERY_LEASE_S": "45",
    "POSTROAD_DELIVERY_TIMEOUTS_DOT_S": "5",
}
"""The waits of production, shortened so that a run takes minutes; no rule is switched off."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    engine: str
    messages: int
    seed: int
    nodes: int = 1
    rate: float = 400.0
    pause_s: tuple[float, float] = (1.0, 5.0)
    deadline_s: float = 600.0
    threads: int = 16


@dataclass(slots=True)
class Report:
    """What came of it."""

    marks: list[Mark]
    kills: int
    seconds: float
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return all(mark.passed for mark in self.marks)


class Killer:
    """Kills a random node every now and then, and starts it again."""

    def __init__(self, nodes: list[PostroadServer], plan: Plan) -> None:
        self._nodes, self._plan = nodes, plan
        self._chance = random.Random(plan.seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.kills = 0
        self.orphans: list[int] = []
        self.failure: Exception | None = None

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._chance.uniform(*self._plan.pause_s)):
                node = self._chance.choice(self._nodes)
                node.kill()
                self.kills += 1
                self.orphans += _outliving(node)
                node.start()
        except Exception as error:  # noqa: BLE001 - a thread hands every failure to the run
            self.failure = error


def _outliving(node: PostroadServer) -> list[int]:
    """Processes of a killed node that are still there after they had time to notice."""
    deadline = time.monotonic() + _NOTICE_S
    while (left := node.orphans()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@contextmanager
def _nodes(plan: Plan, sink: MailSink) -> Iterator[tuple[list[PostroadServer], str]]:
    """The nodes, started, with a verified domain and a key."""
    with ExitStack() as stack:
        dns = stack.enter_context(dns_server())
        more = {**relaying(sink.port), **_SHORT}
        if plan.engine == "postgresql":
            more["POSTROAD_DATABASE_URL"] = stack.enter_context(postgres_server(durable=True)).database()
        nodes = [stack.enter_context(postroad_server(dns=dns, more=more)) for _ in range(plan.nodes)]
        nodes[0].start()
        nodes[0].verified_domain(DOMAIN, dns)
        key = nodes[0].key()
        for node in nodes[1:]:
            node.start()
        yield nodes, key


def run(plan: Plan, directory: Path, say: Callable[[str], None]) -> Report:
    """Run the experiment; ledgers and the servers' logs stay in `directory`."""
    if plan.nodes > 1 and plan.engine != "postgresql":
        raise ValueError("several nodes need PostgreSQL")
    began = time.monotonic()
    with (
        mail_sink(Behaviour(latency_s=0.005, seed=plan.seed), directory=directory) as sink,
        _nodes(plan, sink) as (nodes, key),
    ):
        ports = [node.port for node in nodes]
        injector = Injector(
            ports=ports, key=key, log=directory / "acks", seed=plan.seed, sender=f"Faults <faults@{DOMAIN}>"
        )
        with Killer(nodes, plan) as killer:
            problems = injector.send(plan.messages, threads=plan.threads, rate=plan.rate, patience_s=plan.deadline_s)
        say(f"{injector.acknowledged} of {plan.messages} answered 202, {killer.kills} kills; waiting for the end")
        if killer.failure is not None:
            raise killer.failure
        acks = injector.acks()
        observer = Observer(ports, key)
        told = observer.await_end(acks, timeout_s=plan.deadline_s, look=lambda left: say(f"{left} not ended"))
        chosen = random.Random(plan.seed).sample(acks, min(len(acks), 200))
        replays = injector.replay(chosen)
        marks = check(
            asked=plan.messages,
            acks=acks,
            replays=replays,
            entries=sink.ledger(),
            told=told,
            noticed=observer.feed(),
        )
        orphans = tuple(str(pid) for pid in killer.orphans)
        marks.append(Mark("ORPHANS", "worker processes that outlived their killed server", len(orphans), 0, orphans))
        observer.close()
        injector.close()
        for number, node in enumerate(nodes):
            (directory / f"server-{number}.log").write_text(node.log(1_000_000))
    return Report(marks, killer.kills, time.monotonic() - began, problems)
