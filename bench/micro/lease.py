"""`python -m bench.micro.lease`: what it costs to lease and settle a batch, with few and with very many queued.

Three queues of each size: mail of one project; mail of a hundred; and mail for a site that takes nothing, in the way of
ten deliveries that can go. Run it for both engines with `--engine`. Beside the time that passed stands the CPU that it
took, our own and PostgreSQL's, which says more where others use the machine too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from peers.postgres import postgres_server
from postroad.model.attempt import Attempt, Phase, SmtpReply
from postroad.model.clock import DAY, HOUR, MINUTE, Instant
from postroad.model.delivery import Hold, State
from postroad.model.event import EventType
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.verdict import Verdict
from postroad.pipeline.shaping.limits import Book, Limits
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.turns import Turns
from postroad.store import bulk
from postroad.store.database import Database
from postroad.store.deliveries import LeaseRequest, Taken, take
from postroad.store.lines import Heads
from postroad.store.migrate import migrate
from postroad.store.settlements import Settlement, settle

_BATCH = 256
_ROUNDS = 20
_NOW_S = 0.5
_SETTLED = 10_000
"""What the live site has settled this second: it moves as fast as it is given to."""
NOW = Instant(1_795_000_000_000_000)
_HOLD = Hold(node="n1", boot="b1", duration=HOUR)
_REASON = Reason(
    cls=Class.ACCEPTED, permanence=Permanence.PERMANENT, scope=Scope.RECIPIENT, action=Action.NONE, rule="r", detail="d"
)
_ATTEMPT = Attempt(phase=Phase.DOT, reply=SmtpReply(250, "ok"), started_at=NOW, finished_at=NOW)


class StillClock:
    def now(self) -> Instant:
        return NOW


@contextmanager
def a_store(engine: str) -> Iterator[Database]:
    """A fresh store with room for speed and no shortcuts."""
    with tempfile.TemporaryDirectory() as folder:
        if engine == "sqlite":
            url, server = f"sqlite:///{Path(folder) / 'store.db'}", None
        else:
            server = postgres_server(durable=True)
            url = server.__enter__().database()
        database = Database(url, pace_s=0)
        try:
            migrate(database)
            yield database
        finally:
            database.close()
            if server is not None:
                server.__exit__(None, None, None)


def fill(database: Database, count: int, *, first: int, domain: str, projects: int) -> None:
    """Queue mail, each delivery of a message of its own, as so many rows of SQL."""
    sqlite = database.engine_name == "sqlite"
    series = (
        f"WITH RECURSIVE n(i) AS (VALUES ({first}) UNION ALL SELECT i + 1 FROM n WHERE i < {first + count - 1}) "
        if sqlite
        else ""
    )
    source = "n" if sqlite else f"generate_series({first}, {first + count - 1}) AS n(i)"
    number = "printf('%012d', i)" if sqlite else "lpad(i::text, 12, '0')"
    project = f"'prj_' || (i % {projects})"
    message = (
        "INSERT INTO messages (id, project_id, mode, stream, sender, subject, header_id, created_at, expires_at, "
        f"tags, metadata, size, content) {series}SELECT 'msg_' || {number}, {project}, 'live', 'transactional', "
        f"'a@b.test', 'Hello', {number} || '@b.test', {NOW}, {NOW + DAY}, '[]', '{{}}', 5, NULL FROM {source}"
    )
    delivery = (
        "INSERT INTO deliveries (id, message_id, project_id, recipient, folded, domain, role, stream, mode, state, "
        "attempts, failures, in_doubt, next_at, line, first_due_at, expires_at, lease_token, created_at, updated_at) "
        f"{series}SELECT 'dlv_' || {number}, 'msg_' || {number}, {project}, {number} || '@{domain}', "
        f"{number} || '@{domain}', '{domain}', 'to', 'transactional', 'live', 'queued', 0, 0, 0, {NOW - HOUR} + i, "
        f"'0 ' || {project}, {NOW}, {NOW + DAY}, 0, {NOW}, {NOW} FROM {source}"
    )
    for statement in (message, delivery):
        database.write_now(lambda c, statement=statement: bulk.run(c, statement))
    if not sqlite:
        database.write_now(lambda c: bulk.run(c, "ANALYZE"))


@dataclass(frozen=True, slots=True)
class Cost:
    """What a batch cost, in milliseconds."""

    passed: float
    """The median of the times that passed."""
    cpu: float
    """The mean, ours and PostgreSQL's."""


def cpu_s(database: Database) -> float:
    """Return the CPU that this thread and its connection's process in PostgreSQL have used."""
    if database.engine_name == "sqlite":
        return time.thread_time()
    pid = database.write_now(lambda c: bulk.run(c, "SELECT pg_backend_pid()"))[0][0]
    return time.thread_time() + int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def batches(database: Database, rounds: int, *, shut: str | None = None) -> tuple[Cost, Cost, int]:
    """Return what a lease costs and what its settlement, and how many were leased."""
    shaping = Shaping(Book(Limits(messages_per_second=1e6)), clock=StillClock(), chance=lambda: 0.0)
    site = shaping.site("live.test")
    for _ in range(_SETTLED):
        site.take()
        site.give(_NOW_S)
    if shut is not None:
        shaping.site(shut).held_until = Instant(NOW + 5 * MINUTE)
    turns = Turns(shaping, None, StillClock())
    heads = Heads()
    leasing, settling, count = [], [], 0
    lease_cpu = settle_cpu = 0.0
    for number in range(rounds + 1):
        request = _request(turns, heads)
        cpu, began = cpu_s(database), time.perf_counter()
        taken: Taken = database.write_now(lambda c, request=request: take(c, request))
        heads.learn(taken.left, NOW)
        leased, cpu_leased = time.perf_counter(), cpu_s(database)
        verdict = Verdict(state=State.DELIVERED, reason=_REASON, failures=0, event=EventType.DELIVERED)
        done = [Settlement(lease=lease, verdict=verdict, at=NOW, attempt=_ATTEMPT) for lease in taken.leases]
        if done:
            database.write_now(lambda c, done=done: settle(c, done))
        count += len(taken.leases)
        if number == 0:
            continue  # statements are planned and pages read for the first time
        leasing.append(leased - began)
        settling.append(time.perf_counter() - leased)
        lease_cpu += cpu_leased - cpu
        settle_cpu += cpu_s(database) - cpu_leased
    return (
        Cost(median(leasing) * 1e3, lease_cpu / rounds * 1e3),
        Cost(median(settling) * 1e3, settle_cpu / rounds * 1e3),
        count,
    )


def _request(turns: Turns, heads: Heads) -> LeaseRequest:
    return LeaseRequest(now=NOW, limit=_BATCH, hold=_HOLD, heads=heads.known(NOW), choose=lambda: turns.choose(_NOW_S))


def park(database: Database) -> tuple[int, float]:
    """Send all that waits for the dead site into its line, and return how many looks and seconds that took."""
    looks, began, heads = 0, time.perf_counter(), Heads()
    while True:
        shaping = Shaping(Book(Limits()), clock=StillClock(), chance=lambda: 0.0)
        shaping.site("dead.test").held_until = Instant(NOW + 5 * MINUTE)
        turns = Turns(shaping, None, StillClock())
        request = _request(turns, heads)
        taken: Taken = database.write_now(lambda c, request=request: take(c, request))
        heads.learn(taken.left, NOW)
        looks += 1
        if not taken.parked:
            return looks, time.perf_counter() - began


def measure(engine: str, size: int) -> None:
    """Print what a batch costs in each of the three queues of a size."""
    for name, projects in (("one project", 1), ("100 projects", 100)):
        with a_store(engine) as database:
            fill(database, size, first=0, domain="live.test", projects=projects)
            rounds = max(1, min(_ROUNDS, size // _BATCH - 1))
            leased, settled, count = batches(database, rounds)
            print(_row(engine, size, name, leased, settled, count))
    with a_store(engine) as database:
        fill(database, size, first=0, domain="dead.test", projects=1)
        looks, parking_s = park(database)
        fill(database, 10 * _BATCH, first=size, domain="live.test", projects=1)
        leased, settled, count = batches(database, 5, shut="dead.test")
        parked = f"  (sent into its line in {looks} looks, {parking_s:.1f} s)"
        print(_row(engine, size, "a dead site", leased, settled, count) + parked)


def _row(engine: str, size: int, name: str, leased: Cost, settled: Cost, count: int) -> str:
    return (
        f"{engine:<10} {size:>9,} {name:<14} lease {leased.passed:6.2f} ms, CPU {leased.cpu:6.2f}  "
        f"settle {settled.passed:6.2f} ms, CPU {settled.cpu:6.2f}  of {count}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.micro.lease", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--queued", type=int, default=1_000_000)
    arguments = parser.parse_args()
    for size in (1000, arguments.queued):
        measure(arguments.engine, size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
