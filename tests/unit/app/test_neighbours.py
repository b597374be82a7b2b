"""Two nodes on one store: what one leaves, the other begins at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from postroad.app import building
from postroad.app.administration import operations
from postroad.app.building import open_house
from postroad.app.house import House
from postroad.app.neighbours import join
from postroad.config import Secret, Settings, for_development
from postroad.model.clock import DAY, SECOND, after, to_rfc3339
from postroad.store.wakeup import WakeUp
from stores import postgres_template, sqlite_template, state_of, store_url

__all__ = ["postgres_template", "sqlite_template", "store_url"]

_PATIENCE_S = 20.0


@contextlib.asynccontextmanager
async def two_nodes(url: str, folder: Path, *, movable: bool = False) -> AsyncIterator[tuple[House, House]]:
    """Open a node that takes mail in, and one that delivers it; each listens, and no timer rings for a while."""
    houses = []
    async with contextlib.AsyncExitStack() as stack:
        for name in ("door", "road"):
            plain = for_development(Settings())
            settings = replace(
                plain,
                data=replace(plain.data, directory=folder / name),
                database=replace(plain.database, url=Secret(url)),
                testing=replace(plain.testing, movable_clock=movable),
            )
            house = await open_house(settings, dev=True)
            stack.push_async_callback(house.close)
            houses.append(house)
        door, road = houses
        loops = [door.ringing.run, road.ringing.run, road.keeper.run, road.sending.run]
        tasks = [asyncio.create_task(loop()) for loop in loops]
        stack.push_async_callback(asyncio.gather, *tasks, return_exceptions=True)
        stack.callback(lambda: [task.cancel() for task in tasks])
        stack.push_async_callback(road.sending.stop, 1)
        async with asyncio.timeout(_PATIENCE_S):
            while not (door.ringing.others and road.ringing.listening):
                await asyncio.sleep(0.02)
        yield door, road


async def ask(house: House, operation: str, **arguments: object) -> dict[str, object]:
    return await operations.find(operation).prepare(arguments)(house)


async def sent(house: House, delivery: str, state: str = "delivered") -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while state_of(house.database, delivery) != state:
            await asyncio.sleep(0.02)


async def accepted(house: House) -> str:
    message = {"from": "a@shop.test", "to": "ann@x.test", "subject": "Hi", "text": "Hi"}
    answer = await ask(house, "message.send", message=message)
    return answer["deliveries"][0]["id"]


@pytest.fixture
def shared_url(store_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    if store_url.startswith("sqlite"):
        pytest.skip("SQLite has one process")
    monkeypatch.setattr(building, "_IDLE_SHARED_S", 300.0)
    monkeypatch.setattr("postroad.store.ringing._LOOK_S", 0.5)
    return store_url


async def test_mail_that_one_node_takes_in_is_sent_at_once_by_another(shared_url: str, tmp_path: Path) -> None:
    async with two_nodes(shared_url, tmp_path) as (door, road):
        await sent(road, await accepted(door))


async def test_what_is_suspended_held_and_released_elsewhere_is_known_at_once(shared_url: str, tmp_path: Path) -> None:
    async with two_nodes(shared_url, tmp_path) as (door, road):
        await ask(door, "queue.suspend", site="x.test")
        async with asyncio.timeout(_PATIENCE_S):
            while road.suspensions.find("prj", "transactional", "x.test") is None:
                await asyncio.sleep(0.02)
        delivery = await accepted(door)
        await ask(door, "queue.change", action="hold", site="x.test")
        await ask(door, "queue.resume", site="x.test")
        assert state_of(road.database, delivery) == "held"
        await ask(door, "queue.change", action="release", states=["held"])
        await sent(road, delivery)


async def test_a_clock_that_is_moved_on_one_node_moves_on_the_other(shared_url: str, tmp_path: Path) -> None:
    async with two_nodes(shared_url, tmp_path, movable=True) as (door, road):
        later = {"from": "a@shop.test", "to": "ann@x.test", "subject": "Hi", "text": "Hi"}
        later["send_at"] = to_rfc3339(after(door.clock.now(), 2 * DAY))
        answer = await ask(door, "message.send", message=later)
        await door.time.advance(3 * DAY / SECOND)
        await sent(road, answer["deliveries"][0]["id"])
        assert road.time.ahead == door.time.ahead >= 3 * DAY - 60 * SECOND


async def test_a_change_that_is_told_while_an_earlier_one_is_read_is_read_too() -> None:
    class Ringing:
        def on(self, subject: str, heard: object) -> None:
            self.heard = {**getattr(self, "heard", {}), subject: heard}

        def tell(self, subject: str) -> None:
            """Tell nobody."""

    class Suspensions:
        reads = 0

        def __init__(self) -> None:
            self.go_on = asyncio.Event()

        async def refresh(self) -> None:
            self.reads += 1
            await self.go_on.wait()

    ringing, suspensions = Ringing(), Suspensions()
    join(ringing, WakeUp(), suspensions)
    for _ in range(3):
        ringing.heard["suspensions"]("")
        await asyncio.sleep(0)
    suspensions.go_on.set()
    async with asyncio.timeout(_PATIENCE_S):
        while suspensions.reads < 2:
            await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert suspensions.reads == 2
    ringing.heard["suspensions"]("")
    await asyncio.sleep(0.01)
    assert suspensions.reads == 3
