"""F1: SIGKILL at random moments while messages are sent, restart, and compare the ledgers."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass

from faults.checker import Mark, check, none_of
from faults.frame import Experiment, Options, Outcome, Size
from faults.injector import Ack, Client, Injector
from faults.observer import Observer
from faults.stage import SENDER, stage
from peers.ledger import Behaviour
from peers.mta import mail_sink
from peers.postroad import PostroadServer, relaying

_NOTICE_S = 10.0
_SETTINGS = {
    "POSTROAD_STREAMS_IN_DOUBT_DELAY_S": "2",
    "POSTROAD_STREAMS_IN_DOUBT_ATTEMPTS": "20",
    "POSTROAD_STREAMS_RETRY_DELAYS_S": "1,2,5",
    "POSTROAD_DELIVERY_LEASE_S": "45",
    "POSTROAD_DELIVERY_TIMEOUTS_DOT_S": "5",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much, how fast, and how often a node is killed."""

    messages: int
    rate: float
    pause_s: tuple[float, float]
    deadline_s: float
    seed: int
    threads: int = 16


def _plan(options: Options) -> Plan:
    if options.size is Size.SMALL:
        return Plan(
            600, 150.0, (0.3, 0.8) if options.control else (0.5, 1.5), 30.0 if options.control else 150.0, options.seed
        )
    messages = 1000 if options.control else options.sized(0, 10_000, 100_000)
    return Plan(
        messages, 400.0, (0.4, 1.0) if options.control else (1.0, 5.0), 60.0 if options.control else 600.0, options.seed
    )


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


def run(options: Options) -> Outcome:
    """Send, kill and start again; then wait for the end and compare. Ledgers and logs stay in the directory."""
    plan = _plan(options)
    nodes = 2 if options.engine == "postgresql" else 1
    behaviour = Behaviour(latency_s=0.005, seed=plan.seed)
    defect = "answer-early" if options.control else None
    with (
        mail_sink(behaviour, directory=options.directory) as sink,
        stage(options, {**relaying(sink.port), **_SETTINGS}, nodes=nodes, defect=defect) as on,
    ):
        ports = [node.port for node in on.nodes]
        log = options.directory / "acks"
        injector = Injector(ports=ports, key=on.key, log=log, seed=plan.seed, sender=SENDER)
        patience_s = 5.0 if options.control else plan.deadline_s
        with Killer(on.nodes, plan) as killer:
            problems = injector.send(plan.messages, threads=plan.threads, rate=plan.rate, patience_s=patience_s)
        if killer.failure is not None:
            raise killer.failure
        options.say(
            f"{injector.acknowledged} of {plan.messages} answered 202, {killer.kills} kills, {len(problems)} not"
        )
        acks = injector.acks()
        observer = Observer(ports, on.key)
        told = {} if options.control else observer.await_end(acks, timeout_s=plan.deadline_s)
        if options.control:
            time.sleep(5)  # what was accepted is sent within seconds; what was lost is not known to the server at all
        chosen = random.Random(plan.seed).sample(acks, 0 if options.control else min(len(acks), 200))
        marks = check(
            asked=plan.messages,
            acks=acks,
            replays=injector.replay(chosen),
            entries=sink.ledger(),
            told=told,
            noticed=[] if options.control else observer.feed(),
        )
        marks.append(_unknown(Client(ports, on.key, "unknown"), acks))
        observer.close()
        injector.close()
    orphans = tuple(str(pid) for pid in killer.orphans)
    marks.append(Mark("ORPHANS", "worker processes that outlived their killed server", len(orphans), 0, orphans))
    return Outcome(marks, {"messages": plan.messages, "kills": killer.kills, "nodes": nodes})


def _unknown(client: Client, acks: list[Ack]) -> Mark:
    """Look for messages that were answered 202 and that the server has never heard of."""
    found = [ack.message_id for ack in acks if client.ask("GET", f"/v1/messages/{ack.message_id}")[0] == 404]
    client.close()
    return none_of("UNKNOWN", "answered 202, not known to the server", found)


EXPERIMENT = Experiment(
    number="F1",
    name="kill",
    does="kill -9 of a random server while messages are sent, and a start right after.",
    control="a build that answers 202 before the commit",
    reveals=frozenset({"LOST", "UNKNOWN"}),
    run=run,
    engines=("sqlite", "postgresql"),
)
