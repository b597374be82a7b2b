"""F6: the primary of PostgreSQL dies under load, and its standby is promoted; then the next primary, and so on.

Every other time the standby is cut off before the primary dies. It then lags, as a standby in another place may:
commits that wait for it hang, and commits that do not are answered and die with the primary. Postroad is given the
addresses of all servers, and finds the one that is primary.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from faults.checker import Mark, none_of
from faults.frame import Experiment, Options, Outcome
from faults.injector import Ack, Client, Refusal
from faults.load import SETTINGS, Load
from faults.proxy import Cable, cable
from faults.stage import stage, wait_for
from peers.ledger import Behaviour
from peers.mta import MailSink, mail_sink
from peers.postgres import PostgresServer, postgres_server
from peers.postroad import relaying
from peers.process import LOOPBACK, free_port, program, wait_until, workplace
from peers.process import run as run_program

_OWNER = "postgres"
_BINARIES = Path("/usr/lib/postgresql")
_BACK_S = 5.0
_STEADY_S, _CUT_S, _DOWN_S = 2.0, 1.5, 1.0
_SETTLED_S = 6.0
_RATE = 60.0


@dataclass(slots=True)
class _Cluster:
    """Whoever is primary now, and the standby that follows it over a link that can be cut."""

    primary: PostgresServer
    ports: Iterator[int]
    synchronous: bool
    stack: ExitStack
    _standby: PostgresServer | None = field(default=None, init=False)
    _link: Cable | None = field(default=None, init=False)

    def follow(self) -> None:
        """Give the primary a standby; returns once it follows and, in the synchronous form, commits wait for it."""
        place = self.stack.enter_context(workplace("standby", owner=_OWNER))
        self._link = self.stack.enter_context(cable(self.primary.port))
        places = sorted(map(str, _BINARIES.glob("*/bin")), reverse=True)
        command: list[str | Path] = [program("pg_basebackup", *places), "-D", place / "data"]
        command += ["-R", "-X", "stream", "-c", "fast", "--no-sync"]
        command += ["-d", f"host={LOOPBACK} port={self._link.port} user={_OWNER}"]
        run_program(command, user=_OWNER, cwd=place)
        self._standby = PostgresServer(place, next(self.ports), durable=True)
        self.stack.callback(self._standby.stop, immediate=True)
        self._standby.start()
        if self.synchronous:
            self._ask(self.primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
            self._ask(self.primary, "SELECT pg_reload_conf()")
        wait_until(self._follows, timeout_s=30, what="the standby following its primary")

    def cut(self) -> None:
        """Let nothing reach the standby any more."""
        assert self._link is not None
        self._link.cut()

    def fail(self) -> None:
        """End the primary at once and for ever."""
        self.primary.stop(immediate=True)

    def promote(self) -> None:
        """Make the standby the primary; returns once it takes writes."""
        assert self._standby is not None
        assert self._ask(self._standby, "SELECT pg_promote(true, 30)") == (True,)
        self.primary, self._standby = self._standby, None

    def _follows(self) -> bool:
        found = self._ask(self.primary, "SELECT state, sync_state FROM pg_stat_replication WHERE state = 'streaming'")
        return found == ("streaming", "sync" if self.synchronous else "async")

    @staticmethod
    def _ask(server: PostgresServer, statement: str) -> tuple[object, ...] | None:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchone() if cursor.description is not None else None


@dataclass(slots=True)
class _Seen:
    """What the fail-overs showed."""

    slowest_return_s: float = 0.0
    answered_while_cut: int = 0


def run(options: Options) -> Outcome:
    """Fail over again and again, and compare the ledgers; in the control to an asynchronous standby, once."""
    rounds = 1 if options.control else options.sized(2, 4, 20)
    seen = _Seen()
    with ExitStack() as stack:
        ports = [free_port() for _ in range(rounds)]
        primary = stack.enter_context(postgres_server(durable=True))
        url = _url(primary, ports)
        cluster = _Cluster(primary, iter(ports), not options.control, stack)
        cluster.follow()
        behaviour = Behaviour(latency_s=0.2, seed=options.seed)
        sink = stack.enter_context(mail_sink(behaviour, directory=options.directory))
        settings = {**relaying(sink.port), **SETTINGS, "POSTROAD_DATABASE_URL": url}
        on = stack.enter_context(stage(options, settings))
        with Load(options, on, rate=_RATE) as load:
            for number in range(rounds):
                if number:
                    cluster.follow()
                time.sleep(_STEADY_S)
                _fail_over(cluster, load, seen, lagging=number % 2 == 0)
            time.sleep(_STEADY_S)
        gone = _gone(load.acks(), on.client)
        marks = _compared(load, sink, gone)
    options.say(f"{len(gone)} answered and gone, {seen.answered_while_cut} answered while the standby was cut off")
    marks += [
        none_of("GONE", "answered 202, unknown to the API after the fail-over", [ack.recipient for ack in gone]),
        Mark("BACK", "longest time from a promotion to the first 202, s", round(seen.slowest_return_s, 2), _BACK_S),
    ]
    facts: dict[str, float | str] = {"fail-overs": rounds, "acknowledged": len(load.acks())}
    return Outcome(marks, {**facts, "answered while the standby was cut off": seen.answered_while_cut})


def _url(primary: PostgresServer, ports: list[int]) -> str:
    """The address of a fresh database, on whichever of the servers is primary.

    Not on the one that is `read-write`: to libpq none is for sessions that only read, as those of our readers.
    """
    name = primary.database().rpartition("/")[2]
    hosts = "&".join(f"host={LOOPBACK}:{port}" for port in (primary.port, *ports))
    return f"postgresql://{_OWNER}@/{name}?{hosts}&target_session_attrs=primary"


def _fail_over(cluster: _Cluster, load: Load, seen: _Seen, *, lagging: bool) -> None:
    """Lose the primary, promote the standby, and wait for the first request that is answered 202."""
    began_ns = time.time_ns()
    if lagging:
        cluster.cut()
        time.sleep(_CUT_S)
    cluster.fail()
    if lagging:
        seen.answered_while_cut += load.answered_between(began_ns, time.time_ns())
    time.sleep(_DOWN_S)
    cluster.promote()
    promoted_ns = time.time_ns()
    back = wait_for(lambda: load.answered_between(promoted_ns, time.time_ns()) > 0, 30)
    first_ns = min((ack.at_ns for ack in load.acks() if ack.at_ns >= promoted_ns), default=promoted_ns)
    seen.slowest_return_s = max(seen.slowest_return_s, (first_ns - promoted_ns) / 1e9 if back else 99.0)


def _gone(acks: list[Ack], client: Client) -> list[Ack]:
    """Those of which the API knows nothing."""
    gone = []
    for ack in acks:
        try:
            client.insist("GET", f"/v1/messages/{ack.message_id}", None, {}, time.monotonic() + 30)
        except Refusal:
            gone.append(ack)
    return gone


def _compared(load: Load, sink: MailSink, gone: list[Ack]) -> list[Mark]:
    """The marks of the ledgers; of messages that the API does not know it has no state to compare."""
    if not gone:
        return load.compare(sink.ledger, patient=True)
    time.sleep(_SETTLED_S)
    there = {entry.recipient for entry in sink.ledger()}
    lost = [ack.recipient for ack in load.acks() if ack.recipient not in there]
    return [none_of("LOST", "answered 202, never at the sink", lost)]


EXPERIMENT = Experiment(
    number="F6",
    name="failover",
    does="PostgreSQL's primary dies for ever under load, and its synchronous standby is promoted.",
    control="an asynchronous standby, which lags when the primary dies",
    reveals=frozenset({"LOST", "GONE"}),
    run=run,
    engines=("postgresql",),
)
