"""F2: the power goes at random moments while messages are sent, on a disk that loses what was not synced."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from faults import sabotage
from faults.checker import Mark, check, none_of
from faults.disk import Disk, disk
from faults.frame import Experiment, Options, Outcome
from faults.injector import Ack, Injector
from faults.observer import Observer
from faults.stage import SENDER, Stage, python_path, stage
from peers.ledger import Behaviour, Entry
from peers.mta import mail_sink
from peers.postgres import PostgresServer, postgres_server
from peers.postroad import relaying
from peers.process import PeerFailed

_SETTINGS = {
    "POSTROAD_STREAMS_IN_DOUBT_DELAY_S": "1",
    "POSTROAD_STREAMS_IN_DOUBT_ATTEMPTS": "50",
    "POSTROAD_STREAMS_RETRY_DELAYS_S": "1,2",
    "POSTROAD_DELIVERY_LEASE_S": "45",
    "POSTROAD_DELIVERY_TIMEOUTS_DOT_S": "5",
}
_LIFE_S = (0.3, 1.5)
"""How long the machine lives between a start and a cut; PostgreSQL's is longer, for its first connections take time."""
_LONGER_S = 0.7
_RATE = 150.0
_MOST = 1_000_000
_LAST_S = 120.0


@dataclass(slots=True)
class Tally:
    """What was seen at the cuts."""

    cuts: int = 0
    blocks: int = 0
    unopened: list[str] = field(default_factory=list)
    unsound: list[str] = field(default_factory=list)


class Machine:
    """A node, its database and the disk under both; they lose their power together."""

    def __init__(self, on: Stage, drive: Disk, postgres: PostgresServer | None, tally: Tally) -> None:
        self._on, self._drive, self._postgres, self._tally = on, drive, postgres, tally
        self._boots = 0

    def cut(self, seed: int) -> None:
        """Take the power away, in the middle of whatever goes on."""
        lost = self._drive.cut(seed)
        self._on.node.kill()
        if self._postgres is not None and self._postgres._running is not None:
            _kill_all(self._postgres._running.pid)
            self._postgres._running = None
        self._drive.unmount()
        self._tally.cuts += 1
        self._tally.blocks += lost["blocks"]

    def start(self) -> bool:
        """Give the power back; tells whether everything came up."""
        if self._postgres is None:
            self._tally.unsound += _unsound(self._drive.backing / "data" / "postroad.db")
        self._drive.mount()
        self._boots += 1
        self._on.node.environment |= sabotage.boot(self._boots)
        try:
            if self._postgres is not None:
                (self._drive.place / "postgres" / "postmaster.pid").unlink(missing_ok=True)
                self._postgres.start()
            self._on.node.start()
        except PeerFailed as failure:
            self._tally.unopened.append(str(failure)[-300:])
            return False
        return True


def _unsound(database: Path) -> list[str]:
    """What SQLite says of a copy of the file as the cut left it."""
    copy = database.parent.parent / "copy"
    shutil.copytree(
        database.parent, copy, ignore=lambda _, names: [name for name in names if "postroad.db" not in name]
    )
    try:
        with sqlite3.connect(copy / database.name) as connection:
            answers = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        answers = [str(error)]
    shutil.rmtree(copy)
    return [answer for answer in answers if answer != "ok"]


def _kill_all(leader: int) -> None:
    """Kill a PostgreSQL that we started, postmaster and children, as a power cut does."""
    children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    os.kill(leader, signal.SIGKILL)
    for child in children:
        try:
            os.kill(int(child), signal.SIGKILL)
        except ProcessLookupError:
            continue
    os.waitpid(leader, 0)


@contextmanager
def _machine(options: Options, port: int, tally: Tally) -> Iterator[tuple[Machine, Stage]]:
    with ExitStack() as stack:
        drive = stack.enter_context(disk())
        data = drive.place / "data"
        data.mkdir(mode=0o750)
        settings = {**relaying(port), **_SETTINGS, "POSTROAD_DATA_DIRECTORY": str(data)}
        postgres = None
        if options.engine == "postgresql":
            # the control is a cluster that does not sync; the experiment's one does
            postgres = stack.enter_context(postgres_server(durable=not options.control))
            postgres.stop()
            shutil.copytree(postgres.directory / "data", drive.backing / "postgres", copy_function=shutil.copy2)
            for path in (drive.backing / "postgres", *(drive.backing / "postgres").rglob("*")):
                shutil.chown(path, "postgres", "postgres")
            shutil.rmtree(postgres.directory / "data")
            (postgres.directory / "data").symlink_to(drive.place / "postgres")
            postgres.start()
            settings["POSTROAD_DATABASE_URL"] = postgres.database()
        on = stack.enter_context(stage(options, settings))
        on.node.stop()
        on.node.module = "faults.sabotage"
        on.node.environment["PYTHONPATH"] = python_path()
        if options.control and postgres is None:
            on.node.environment[sabotage.VARIABLE] = "sync-less"
        on.node.start()
        try:
            yield Machine(on, drive, postgres, tally), on
        finally:
            on.node.kill()
            if postgres is not None:
                postgres.stop(immediate=True)


def _cycles(machine: Machine, options: Options, cycles: int, done: Callable[[], bool]) -> None:
    chance = random.Random(options.seed)
    longer_s = _LONGER_S if options.engine == "postgresql" else 0.0
    for number in range(1, cycles + 1):
        time.sleep(chance.uniform(*_LIFE_S) + longer_s)
        machine.cut(chance.getrandbits(32))
        if not machine.start() or done():
            return
        if number % 20 == 0:
            options.say(f"{number} cuts")


def run(options: Options) -> Outcome:
    """Send without a pause, cut the power again and again, then wait for the end and compare."""
    cycles = min(options.sized(4, 20, 200), 6 if options.control else 10_000)
    tally = Tally()
    behaviour = Behaviour(latency_s=0.003, seed=options.seed)
    with (
        mail_sink(behaviour, directory=options.directory) as sink,
        _machine(options, sink.port, tally) as (machine, on),
    ):
        ports = [on.node.port]
        log = options.directory / "acks"
        injector = Injector(ports=ports, key=on.key, log=log, seed=options.seed, sender=SENDER)
        stop = threading.Event()
        sending = threading.Thread(target=_send, args=(injector, stop), daemon=True)
        sending.start()
        _cycles(machine, options, cycles, stop.is_set)
        injector.stop()
        sending.join(30)
        acks = injector.acks()
        options.say(f"{len(acks)} answered 202, {tally.cuts} cuts, {tally.blocks} blocks lost")
        marks = _compare(options, on, acks, sink.ledger, ports) if not tally.unopened else [_lost(acks, sink.ledger())]
        injector.close()
    marks += [
        none_of("UNOPENED", "starts after a cut that failed", tally.unopened),
        none_of("UNSOUND", "what integrity_check found after a cut", tally.unsound),
        Mark("BLOCKS", "unsynced blocks that the cuts lost", tally.blocks, 1, least=True),
        Mark("CUTS", "cuts of the power", tally.cuts, cycles, least=True),
    ]
    return Outcome(marks, {"acknowledged": len(acks)})


def _send(injector: Injector, stop: threading.Event) -> None:
    injector.send(_MOST, threads=8, rate=_RATE, patience_s=60)
    stop.set()


def _lost(acks: list[Ack], entries: list[Entry]) -> Mark:
    there = {entry.recipient for entry in entries}
    return none_of(
        "LOST", "answered 202, never at the sink", [ack.recipient for ack in acks if ack.recipient not in there]
    )


def _compare(
    options: Options, on: Stage, acks: list[Ack], entries: Callable[[], list[Entry]], ports: list[int]
) -> list[Mark]:
    if options.control:
        time.sleep(6)  # what is known is sent within seconds; what was lost is not known any more
        return [_lost(acks, entries())]
    observer = Observer(ports, on.key)
    told = observer.await_end(acks, timeout_s=_LAST_S)
    noticed = observer.feed()
    observer.close()
    marks = check(asked=len(acks), acks=acks, replays={}, entries=entries(), told=told, noticed=noticed)
    wanted = ("LOST", "GHOST", "STUCK", "DUP", "UNFLAGGED", "EXCESS", "SPLIT", "EVENTS")
    return [mark for mark in marks if mark.name in wanted]


EXPERIMENT = Experiment(
    number="F2",
    name="power",
    does="The power goes at random moments while messages are sent; unsynced blocks are lost, all or some.",
    control="synchronous=NORMAL on SQLite, fsync=off on PostgreSQL",
    reveals=frozenset({"LOST", "UNOPENED", "UNSOUND"}),
    run=run,
    engines=("sqlite", "postgresql"),
)
