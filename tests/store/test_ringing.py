"""Words between nodes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from postroad.store import bulk, shaping
from postroad.store.database import Database
from postroad.store.ringing import Ringing
from postroad.store.wakeup import WakeUp
from stores import StillClock

_PATIENCE_S = 20.0


@contextlib.asynccontextmanager
async def listening(*nodes: Ringing, others: int) -> AsyncIterator[None]:
    """Let nodes listen, each knowing of others."""
    tasks = [asyncio.create_task(node.run()) for node in nodes]
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not all(node.listening and node.others == others for node in nodes):
                await asyncio.sleep(0.01)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def alive(database: Database, clock: StillClock, *nodes: str) -> None:
    for node in nodes:
        database.write_now(lambda connection, node=node: shaping.alive(connection, node, clock.now()))


async def heard(words: list[str], count: int = 1) -> list[str]:
    async with asyncio.timeout(_PATIENCE_S):
        while len(words) < count:
            await asyncio.sleep(0.005)
    return words


async def test_a_node_that_leaves_work_wakes_the_others(
    database: Database, another: Callable[[], Database], clock: StillClock
) -> None:
    alive(database, clock, "n1", "n2")
    one, two = Ringing(database, node="n1"), Ringing(another(), node="n2")
    own, words, bell, theirs = [], [], WakeUp(), WakeUp()
    one.on("due", own.append)
    two.on("due", words.append)
    two.on("due", lambda _: theirs.ring())
    bell.also(lambda: one.tell("due"))
    async with listening(one, two, others=1):
        seen = theirs.beat
        bell.ring()
        bell.ring_everywhere()
        assert bell.beat == 2
        async with asyncio.timeout(_PATIENCE_S):
            assert await theirs.wait(seen, _PATIENCE_S) == seen + 1
        two.tell("unknown", "word")
        two.on("clock", words.append)
        one.tell("clock", "5")
        assert await heard(words) == ["5"]
    assert own == []


async def test_much_that_is_said_at_once_is_one_word(
    database: Database, another: Callable[[], Database], clock: StillClock
) -> None:
    alive(database, clock, "n1", "n2")
    one, two = Ringing(database, node="n1"), Ringing(another(), node="n2")
    words: list[str] = []
    two.on("due", words.append)
    async with listening(one, two, others=1):
        for number in range(1000):
            one.tell("due", str(number))
        one.tell("end")
        two.on("end", words.append)
        assert await heard(words, 2) == ["999", ""]


async def test_a_node_that_is_alone_says_nothing(database: Database, clock: StillClock) -> None:
    alone = Ringing(database, node="n1")
    alone.tell("due")
    assert alone._saying is None
    if database.engine_name == "sqlite":
        await asyncio.wait_for(alone.run(), _PATIENCE_S)
        alone.tell("due", alone=True)
        assert alone._saying is None
        return
    alive(database, clock, "n1")
    async with listening(alone, others=0):
        alone.tell("due")
        assert alone._saying is None


async def test_a_node_that_listens_says_who_it_is(database: Database) -> None:
    if database.engine_name == "sqlite":
        pytest.skip("SQLite has one process")
    async with listening(Ringing(database, node="n1"), others=0):
        found = database.read_now(lambda c: bulk.run(c, "SELECT application_name FROM pg_stat_activity"))
    assert ("postroad/n1",) in [tuple(row) for row in found]


async def test_a_node_that_lost_its_connection_listens_again(
    database: Database, another: Callable[[], Database], clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroad.store.ringing._AGAIN_S", 0.05)
    alive(database, clock, "n1", "n2")
    one, two = Ringing(database, node="n1"), Ringing(another(), node="n2")
    words: list[str] = []
    two.on("due", words.append)
    async with listening(one, two, others=1):
        ended = database.read_now(
            lambda c: bulk.run(
                c,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE query LIKE 'LISTEN%' OR query LIKE '%FROM nodes WHERE name%' AND pid <> pg_backend_pid()",
            )
        )
        assert len(ended) >= 2
        async with asyncio.timeout(_PATIENCE_S):
            while not words:
                one.tell("due", alone=True)
                await asyncio.sleep(0.1)
