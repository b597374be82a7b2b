"""F1: SIGKILL at random moments while messages are sent, restart, and compare the ledgers."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from faults.checker import Mark, check
from faults.frame import Experiment, Options, Outcome, Size
from faults.injector import Client, Injector
from faults.observer import Observer, unknown
from faults.stage import SENDER, stage
from peers.ledger import Behaviour
from peers.mta import mail_sink
from peers.postroad import PostroadServer, relaying

_NOTICE_S = 60.0
_WORKERS_SHARE = 0.25
"""How often a composing process is killed, and not its node."""
_CONNECTIONS = 10
"""Of a node; each has one message at its final dot at most, which may come twice when the node is killed."""
_SETTINGS = {
    "POSTROAD_STREAMS_IN_DOUBT_DELAY_S": "2",
    "POSTROAD_STREAMS_IN_DOUBT_ATTEMPTS": "20",
    "POSTROAD_STREAMS_RETRY_DELAYS_S": "1,2,5",
    "POSTROAD_DELIVERY_LEASE_S": "45",
    "POSTROAD_DELIVERY_TIMEOUTS_DOT_S": "5",
    "POSTROAD_DELIVERY_CONNECTIONS_PER_DESTINATION": str(_CONNECTIONS),
}
_MOST = 1_000_000
_LATENCY_S = 0.005


@dataclass(frozen=True, slots=True)
class Plan:
    """How much, how fast, and how often something is killed."""

    messages: int
    kills: int
    """The run goes on until at least so many messages are answered and so many nodes were killed."""
    rate: float
    pause_s: tuple[float, float]
    deadline_s: float
    seed: int
    threads: int = 16


def _plan(options: Options) -> Plan:
    if options.control:
        return Plan(0, 4, 150.0, (0.2, 0.6), 30.0, options.seed)
    if options.size is Size.SMALL:
        return Plan(600, 2, 150.0, (0.5, 1.5), 150.0, options.seed)
    messages, kills = options.sized(0, 10_000, 100_000), options.sized(0, 4, 20)
    return Plan(messages, kills, 400.0, (1.0, 5.0), 600.0, options.seed)


class Killer:
    """Kills a node or one of its composing processes every now and then, and starts the node again.

    `together` kills all nodes at once, right when one of them has answered 202: what they promised and have not on
    disk is lost then.
    """

    def __init__(self, nodes: list[PostroadServer], plan: Plan, injector: Injector, *, together: bool) -> None:
        self._nodes, self._plan, self._injector, self._together = nodes, plan, injector, together
        self._chance = random.Random(plan.seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.moments_ns: list[int] = []
        """When a node was killed."""
        self.workers = 0
        """How many composing processes were killed beside their nodes."""
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
                if self._enough():
                    self._injector.stop(self._plan.deadline_s)
                    return
                if self._together:
                    self._injector.await_ack()
                    self._kill(self._nodes)
                elif self._chance.random() < _WORKERS_SHARE:
                    self._kill_worker(self._chance.choice(self._nodes))
                else:
                    self._kill([self._chance.choice(self._nodes)])
        except Exception as error:  # noqa: BLE001 - a thread hands every failure to the run
            self.failure = error
            self._injector.stop()

    def _enough(self) -> bool:
        return len(self.moments_ns) >= self._plan.kills and self._injector.acknowledged >= self._plan.messages

    def _kill(self, nodes: list[PostroadServer]) -> None:
        for node in nodes:
            node.kill()
        self.moments_ns.append(time.time_ns())
        for node in nodes:
            self.orphans += _outliving(node)
            node.start(wait=False)
        for node in nodes:
            node.await_ready()

    def _kill_worker(self, node: PostroadServer) -> None:
        """Kill one of a node's composing processes; the node goes on by itself."""
        children = Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text().split()
        if children:
            os.kill(int(self._chance.choice(children)), signal.SIGKILL)
            self.workers += 1


def _outliving(node: PostroadServer) -> list[int]:
    """Processes of a killed node that are still there after they had time to notice."""
    deadline = time.monotonic() + _NOTICE_S
    while (left := node.orphans()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def run(options: Options) -> Outcome:
    """Send, kill and start again; then wait for the end and compare. Ledgers and logs stay in the directory."""
    plan = _plan(options)
    nodes = 2 if options.engine == "postgresql" else 1
    behaviour = Behaviour(latency_s=_LATENCY_S, seed=plan.seed)
    defect = "answer-early" if options.control else None
    with (
        mail_sink(behaviour, directory=options.directory) as sink,
        stage(options, {**relaying(sink.port), **_SETTINGS}, nodes=nodes, defect=defect) as on,
    ):
        ports = [node.port for node in on.nodes]
        log = options.directory / "acks"
        injector = Injector(ports=ports, key=on.key, log=log, seed=plan.seed, sender=SENDER)
        with Killer(on.nodes, plan, injector, together=options.control) as killer:
            problems = injector.send(_MOST, threads=plan.threads, rate=plan.rate, patience_s=0)
        if killer.failure is not None:
            raise killer.failure
        kills = len(killer.moments_ns)
        options.say(f"{injector.acknowledged} answered 202, {kills} kills, {len(problems)} not answered")
        acks = injector.acks()
        observer = Observer(ports, on.key)
        told = {} if options.control else observer.await_end(acks, timeout_s=plan.deadline_s)
        if options.control:
            time.sleep(5)  # what was accepted is sent within seconds; what was lost is not known to the server at all
        chosen = random.Random(plan.seed).sample(acks, 0 if options.control else min(len(acks), 200))
        marks = check(
            asked=len(acks) + len(problems),
            acks=acks,
            replays=injector.replay(chosen),
            entries=sink.ledger(),
            told=told,
            noticed=[] if options.control else observer.feed(),
        )
        killed = kills * (nodes if options.control else 1)
        marks = [mark if mark.name != "DUP" else replace(mark, limit=killed * _CONNECTIONS) for mark in marks]
        asked = acks if options.control else chosen  # of the others the observer has read every one
        marks.append(unknown(Client(ports, on.key, "unknown"), asked))
        observer.close()
        injector.close()
    orphans = tuple(str(pid) for pid in killer.orphans)
    marks += [
        Mark("ORPHANS", "worker processes that outlived their killed server", len(orphans), 0, orphans),
        Mark("KILLS", "kills of a server", kills, plan.kills, least=True),
    ]
    return Outcome(marks, {"messages": len(acks), "composing processes killed": killer.workers, "nodes": nodes})


EXPERIMENT = Experiment(
    number="F1",
    name="kill",
    does="kill -9 of a random server, or of a process that composes for it, while messages are sent; and a start.",
    control="a build that answers 202 before the commit",
    reveals=frozenset({"LOST", "UNKNOWN"}),
    run=run,
    engines=("sqlite", "postgresql"),
)
