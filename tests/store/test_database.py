"""The door to the store: grouped, durable, and fair to those who share a transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from peers.fixtures import present
from peers.postgres import postgres_server
from postroad.model.errors import Refused, Unavailable
from postroad.store import bulk
from postroad.store.database import Database
from postroad.store.engines import AlreadyOpen


def put(connection: Connection, name: str, value: str = "") -> str:
    bulk.run(connection, "INSERT INTO server_facts (name, value) VALUES (?, ?)", (name, value))
    return name


def names(database: Database) -> list[str]:
    rows = database.read_now(lambda c: bulk.run(c, "SELECT name FROM server_facts ORDER BY name"))
    return [row[0] for row in rows]


class Busy:
    """Keeps the writer in a unit until told, so that those who come meanwhile have to wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._go = threading.Event()
        self._running = threading.Event()
        self._unit: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Busy:
        def unit(connection: Connection) -> None:
            self._running.set()
            self._go.wait(10)

        self._unit = asyncio.ensure_future(self._database.write(unit))
        await asyncio.to_thread(self._running.wait, 10)
        return self

    def go_on(self) -> None:
        self._go.set()

    async def __aexit__(self, *_: object) -> None:
        self._go.set()
        if self._unit is not None:
            await self._unit


async def test_units_that_wait_share_one_transaction(database: Database) -> None:
    async with Busy(database) as busy:
        waiting = [asyncio.ensure_future(database.write(lambda c, n=n: put(c, f"n{n:03}"))) for n in range(100)]
        await asyncio.sleep(0)
        before = database.counters.transactions
        busy.go_on()
        assert await asyncio.gather(*waiting) == [f"n{n:03}" for n in range(100)]
    assert database.counters.transactions - before <= 2
    assert len(names(database)) == 100


async def test_what_is_answered_can_be_read(database: Database) -> None:
    for n in range(20):
        name = await database.write(lambda c, n=n: put(c, f"n{n}"))
        assert name in await database.read(lambda c: [row[0] for row in bulk.run(c, "SELECT name FROM server_facts")])


async def test_a_unit_that_fails_fails_alone(database: Database) -> None:
    def fail(connection: Connection) -> None:
        put(connection, "never")
        raise Refused("conflict", "no")

    async with Busy(database) as busy:
        waiting = [
            asyncio.ensure_future(database.write(lambda c: put(c, "first"))),
            asyncio.ensure_future(database.write(fail)),
            asyncio.ensure_future(database.write(lambda c: put(c, "first"))),
            asyncio.ensure_future(database.write(lambda c: put(c, "last"))),
        ]
        await asyncio.sleep(0)
        busy.go_on()
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results[0] == "first"
    assert isinstance(results[1], Refused)
    assert isinstance(results[2], DBAPIError)
    assert results[3] == "last"
    assert names(database) == ["first", "last"]


async def test_a_unit_alone_that_fails_leaves_nothing(database: Database) -> None:
    def fail(connection: Connection) -> None:
        put(connection, "never")
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await database.write(fail)
    assert names(database) == []


def put_all(connection: Connection, items: list[str]) -> list[str | Refused]:
    if "bomb" in items:
        raise ValueError("bomb")
    size = str(len(items))
    return [Refused("conflict", item) if item.startswith("no") else put(connection, item, size) for item in items]


async def test_items_of_one_function_are_gathered_into_one_call(database: Database) -> None:
    async with Busy(database) as busy:
        waiting = [asyncio.ensure_future(database.write_each(put_all, f"i{n:02}")) for n in range(50)]
        await asyncio.sleep(0)
        busy.go_on()
        await asyncio.gather(*waiting)
    sizes = database.read_now(lambda c: bulk.run(c, "SELECT DISTINCT value FROM server_facts"))
    assert sizes == [("50",)]


async def test_one_item_s_refusal_is_its_own(database: Database) -> None:
    async with Busy(database) as busy:
        waiting = [asyncio.ensure_future(database.write_each(put_all, item)) for item in ("a", "no", "b", "bomb", "c")]
        await asyncio.sleep(0)
        busy.go_on()
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [result if isinstance(result, str) else type(result).__name__ for result in results] == [
        "a", "Refused", "b", "ValueError", "c",
    ]  # fmt: skip
    assert names(database) == ["a", "b", "c"]


async def test_where_one_group_fails_the_others_are_written_once_and_each_unit_has_its_outcome(
    database: Database,
) -> None:
    def refuse(connection: Connection) -> None:
        put(connection, "never")
        raise Refused("conflict", "no")

    async with Busy(database) as busy:
        waiting = [
            asyncio.ensure_future(database.write_each(put_each, "x")),
            asyncio.ensure_future(database.write(refuse)),
            asyncio.ensure_future(database.write(lambda c: put(c, "plain"))),
            *[asyncio.ensure_future(database.write_each(put_all, item)) for item in ("a", "a", "b", "no")],
            asyncio.ensure_future(database.write_each(put_each, "y")),
        ]
        await asyncio.sleep(0)
        busy.go_on()
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [result if isinstance(result, str) else type(result).__name__ for result in results] == [
        "x", "Refused", "plain", "a", "IntegrityError", "b", "Refused", "y",
    ]  # fmt: skip
    assert names(database) == ["a", "b", "plain", "x", "y"]


async def test_one_who_gives_up_waiting_harms_nobody(database: Database) -> None:
    async with Busy(database) as busy:
        impatient = asyncio.ensure_future(database.write(lambda c: put(c, "impatient")))
        patient = asyncio.ensure_future(database.write(lambda c: put(c, "patient")))
        await asyncio.sleep(0)
        impatient.cancel()
        busy.go_on()
        assert await patient == "patient"
    assert names(database) == ["impatient", "patient"]
    assert database.waiting == 0


async def test_more_than_the_backlog_is_refused_and_patient_units_are_not(store_url: str) -> None:
    database = Database(store_url, backlog=2)
    try:
        async with Busy(database) as busy:
            waiting = [asyncio.ensure_future(database.write(lambda c: put(c, "one")))]
            await asyncio.sleep(0)
            with pytest.raises(Unavailable) as refused:
                await database.write(lambda c: put(c, "two"))
            assert refused.value.code == "overloaded"
            waiting.append(asyncio.ensure_future(database.write(lambda c: put(c, "three"), patient=True)))
            await asyncio.sleep(0)
            busy.go_on()
            await asyncio.gather(*waiting)
        assert names(database) == ["one", "three"]
    finally:
        database.close()


async def test_the_count_of_waiting_units_comes_back_to_nothing(database: Database) -> None:
    async def some() -> None:
        for _ in range(20):
            await database.write(lambda c: None)

    await asyncio.gather(*[some() for _ in range(20)])
    assert database.waiting == 0


async def test_closing_finishes_what_waits_and_refuses_what_comes(store_url: str) -> None:
    database = Database(store_url)
    waiting = [asyncio.ensure_future(database.write(lambda c, n=n: put(c, f"n{n}"))) for n in range(10)]
    await asyncio.sleep(0)
    await asyncio.to_thread(database.close)
    assert await asyncio.gather(*waiting) == [f"n{n}" for n in range(10)]
    with pytest.raises(Unavailable):
        await database.write(lambda c: put(c, "late"))
    reopened = Database(store_url)
    assert len(names(reopened)) == 10
    reopened.close()


async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError):
        await database.read(lambda c: put(c, "no"))


def test_a_second_process_on_one_sqlite_file_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'one.db'}"
    first = Database(url)
    with pytest.raises(AlreadyOpen, match="already open"):
        Database(url)
    first.close()
    Database(url).close()


def test_only_two_engines_are_spoken() -> None:
    with pytest.raises(ValueError, match="mysql"):
        Database("mysql://localhost/x")
    with pytest.raises(ValueError, match="file"):
        Database("sqlite:///:memory:")


async def test_deadlocked_units_are_run_again(another: Callable[[], Database], database: Database) -> None:
    await database.write(lambda c: [put(c, name) for name in ("a", "b")])
    elsewhere = another()
    meeting = threading.Barrier(2)

    def cross(connection: Connection, first: str, second: str, met: list[int]) -> int:
        update = "UPDATE server_facts SET value = value || ? WHERE name = ?"
        bulk.run(connection, update, (first, first))
        if not met:
            met.append(1)
            meeting.wait(10)
        bulk.run(connection, update, (first, second))
        return 1

    one, two = [], []
    results = await asyncio.gather(
        database.write(lambda c: cross(c, "a", "b", one)), elsewhere.write(lambda c: cross(c, "b", "a", two))
    )
    assert results == [1, 1]
    values = database.read_now(lambda c: bulk.run(c, "SELECT value FROM server_facts ORDER BY name"))
    assert [sorted(row[0]) for row in values] == [["a", "b"], ["a", "b"]]


async def test_what_waits_when_the_disk_fails_is_refused_and_not_stored(tmp_path: Path) -> None:
    def fail_to_sync(connection: Connection) -> None:
        original = sqlite3.OperationalError("disk I/O error")
        original.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise OperationalError("COMMIT", None, original)

    database = Database(f"sqlite:///{tmp_path}/postroad.db", group=1)
    await database.write(lambda c: bulk.run(c, "CREATE TABLE server_facts (name text PRIMARY KEY, value text)"))
    async with Busy(database) as busy:
        waiting = [asyncio.ensure_future(database.write(fail_to_sync))]
        for patient in (False, True):
            unit = partial(put, name=f"patient {patient}")
            waiting.append(asyncio.ensure_future(database.write(unit, patient=patient)))
        await asyncio.sleep(0)
        busy.go_on()
        outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert names(database) == []
    database.close()


@pytest.mark.slow
async def test_patient_units_survive_a_restart_of_postgresql_and_others_are_told() -> None:
    with present(postgres_server(durable=True)) as server:
        database = Database(server.database())
        await database.write(
            lambda c: bulk.run(c, "CREATE TABLE server_facts (name text PRIMARY KEY, value text NOT NULL)")
        )
        await asyncio.to_thread(server.stop, immediate=True)
        patient = asyncio.ensure_future(database.write(lambda c: put(c, "patient"), patient=True))
        with pytest.raises(Unavailable) as refused:
            await database.write(lambda c: put(c, "impatient"))
        assert refused.value.code == "store_unavailable"
        with pytest.raises(Unavailable):
            await database.read(lambda c: bulk.run(c, "SELECT 1"))
        assert not patient.done()
        for name in ("while it waits", "and again"):  # refused at once, not when the engine is back
            with pytest.raises(Unavailable):
                await asyncio.wait_for(database.write(lambda c, name=name: put(c, name)), 10)
        await asyncio.to_thread(server.start)
        assert await asyncio.wait_for(patient, 30) == "patient"
        assert await database.read(lambda c: bulk.run(c, "SELECT name FROM server_facts")) == [("patient",)]
        database.close()


@pytest.mark.slow
async def test_closing_while_postgresql_is_away_gives_patient_units_their_error() -> None:
    with present(postgres_server()) as server:
        database = Database(server.database())
        await asyncio.to_thread(server.stop, immediate=True)
        patient = asyncio.ensure_future(database.write(lambda c: put(c, "patient"), patient=True))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(database.close)
        with pytest.raises(Unavailable):
            await patient


def put_each(connection: Connection, given: list[str]) -> list[str]:
    return [put(connection, name) for name in given]


async def test_a_lazy_unit_joins_the_next_transaction(database: Database) -> None:
    before = database.counters.transactions
    lazy = database.submit_each(put_each, "lazy", lazy=True)
    await database.write(lambda c: put(c, "eager"))
    assert await lazy == "lazy"
    assert database.counters.transactions == before + 1


async def test_who_asked_to_be_told_is_told_though_whoever_waited_has_gone(database: Database) -> None:
    told: list[tuple[str | None, BaseException | None]] = []
    async with Busy(database):
        left = database.submit_each(put_each, "left", then=lambda *outcome: told.append(outcome))
        left.cancel()
    await database.write(lambda c: put(c, "after"))
    assert told == [("left", None)]
    assert names(database) == ["after", "left"]


async def test_who_asked_to_be_told_hears_of_a_failure(database: Database) -> None:
    def refuse(connection: Connection, given: list[str]) -> list[Refused]:
        return [Refused("invalid_request", name) for name in given]

    told: list[tuple[str | None, BaseException | None]] = []
    with pytest.raises(Refused) as caught:
        await database.submit_each(refuse, "no", then=lambda *outcome: told.append(outcome))
    assert told == [(None, caught.value)]


async def test_one_who_fails_when_told_keeps_nobody_from_their_outcome(database: Database) -> None:
    def fail(*outcome: object) -> None:
        raise ZeroDivisionError

    async with Busy(database):
        both = [
            database.submit_each(put_each, "a", then=fail),
            database.submit_each(put_each, "b"),
        ]
    assert await asyncio.gather(*both) == ["a", "b"]


async def test_a_lazy_unit_that_stays_alone_is_written_all_the_same(database: Database) -> None:
    assert await asyncio.wait_for(database.write_each(put_each, "alone", lazy=True), 10) == "alone"
    assert names(database) == ["alone"]


async def test_a_store_that_closes_finishes_its_lazy_units(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'lazy.db'}", lazy_s=60)
    database.write_now(lambda c: bulk.run(c, "CREATE TABLE server_facts (name TEXT PRIMARY KEY, value TEXT)"))
    lazy = database.submit_each(put_each, "late", lazy=True)
    await asyncio.to_thread(database.close)
    assert await asyncio.wait_for(lazy, 10) == "late"


async def test_what_comes_within_the_pace_shares_a_transaction(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'paced.db'}", pace_s=0.2)
    try:
        database.write_now(lambda c: bulk.run(c, "CREATE TABLE server_facts (name TEXT PRIMARY KEY, value TEXT)"))
        await database.write(lambda c: put(c, "first"))
        before = database.counters.transactions
        await asyncio.gather(*[database.write(lambda c, n=n: put(c, f"{n}")) for n in range(20)])
        assert database.counters.transactions == before + 1
    finally:
        database.close()
