"""What the engine tells of its durability."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from peers.postgres import _BINARIES, PostgresServer, postgres_server
from peers.process import LOOPBACK, program, start, wait_until
from postroad.store.database import Database
from postroad.store.durability import Danger, Hazard, Lookout, hazards


@pytest.fixture(scope="module")
def durable() -> Iterator[PostgresServer]:
    """A server that keeps what it commits."""
    with postgres_server(durable=True) as server:
        yield server


@contextlib.contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


@contextlib.contextmanager
def standby(server: PostgresServer, tmp_path: Path) -> Iterator[None]:
    """Let somebody follow the server, who is told of commits after they were answered."""
    (tmp_path / "wal").mkdir()
    tmp_path.chmod(0o755)
    command: list[str | Path] = [program("pg_receivewal", *_BINARIES), "-D", tmp_path / "wal"]
    command += ["-h", LOOPBACK, "-p", str(server.port), "-U", "postgres", "--no-loop"]
    following = start("pg_receivewal", command, log=tmp_path / "log")
    try:
        wait_until(lambda: followers(server) == 1, timeout_s=20, what="somebody following")
        yield
    finally:
        following.stop()
        wait_until(lambda: followers(server) == 0, timeout_s=20, what="nobody following")


def followers(server: PostgresServer) -> int:
    return ask(server, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")[0][0]


def ask(server: PostgresServer, statement: str) -> list[tuple[int]]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_sqlite_and_the_servers_of_tests_tell_what_they_are(database: Database) -> None:
    found = [(each.danger, each.grave) for each in database.read_now(hazards)]
    if database.engine_name == "sqlite":
        assert found == []
    else:
        # synchronous_commit is off there too, but every session of ours turns it on
        assert found == [(Danger.FSYNC, True), (Danger.FULL_PAGE_WRITES, True)]


def test_a_pooler_that_drops_what_we_ask_for_is_noticed(database: Database) -> None:
    if database.engine_name == "sqlite":
        pytest.skip("it has no such setting")

    def without(connection: object) -> list[Hazard]:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")  # type: ignore[attr-defined]  # a Connection
        return hazards(connection)  # type: ignore[arg-type]  # as above

    assert Danger.SYNCHRONOUS_COMMIT in [each.danger for each in database.read_now(without)]


async def test_a_standby_that_nobody_waits_for_raises_the_alarm_for_a_plain_user_too(
    durable: PostgresServer, tmp_path: Path
) -> None:
    ask(durable, "CREATE ROLE plain LOGIN")
    url = durable.url().replace("postgres@", "plain@")
    with opened(url) as database:
        lookout = Lookout(database)
        await lookout.look()
        assert lookout.known == ()
        with standby(durable, tmp_path):
            await lookout.look()
            (found,) = lookout.known
            assert (found.danger, found.grave) == (Danger.STANDBYS, False)
            assert found.detail.startswith("1 standby replicates asynchronously only")
            ask(durable, "ALTER SYSTEM SET synchronous_standby_names = 'pg_receivewal'")
            ask(durable, "SELECT pg_reload_conf()")
            wait_until(lambda: not database.read_now(hazards), timeout_s=20, what="a standby that is waited for")
            ask(durable, "ALTER SYSTEM RESET synchronous_standby_names")
            ask(durable, "SELECT pg_reload_conf()")
        await lookout.look()
        assert lookout.known == ()


async def test_a_server_that_is_away_is_no_alarm_and_what_was_known_stays(durable: PostgresServer) -> None:
    with opened(durable.url()) as database:
        lookout = Lookout(database)
        lookout.known = (Hazard(Danger.FSYNC, "It is off.", grave=True),)
        durable.stop()
        try:
            await lookout.look()
            assert lookout.known
        finally:
            durable.start()
        await lookout.look()
        assert lookout.known == ()
