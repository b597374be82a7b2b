"""Room: what there is no place for is refused at the door."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from postroad.model.errors import Unavailable
from postroad.store.database import Database
from postroad.store.room import Room
from postroad.store.schema import deliveries


def room(database: Database, folder: Path, *, octets: int = 0, percent: float = 0, most: int = 10) -> Room:
    return Room(database, folder, min_free_octets=octets, min_free_percent=percent, most_deliveries=most)


def fill(database: Database, count: int, state: str = "queued") -> None:
    row = dict.fromkeys([column.name for column in deliveries.columns if not column.nullable], 0)
    texts = dict.fromkeys(("message_id", "project_id", "recipient", "folded", "domain", "role", "stream", "mode"), "x")
    rows = [{**row, **texts, "id": f"dlv_{state}{n}", "state": state} for n in range(count)]
    database.write_now(lambda connection: connection.execute(deliveries.insert(), rows))


async def test_with_room_on_disk_and_in_the_queue_nothing_is_refused(database: Database, tmp_path: Path) -> None:
    found = room(database, tmp_path)
    await found.look_at_disk()
    await found.count()
    found.gate()
    assert (found.low_disk, found.waiting) == (False, 0)


@pytest.mark.parametrize(("octets", "percent"), [(1 << 60, 0), (0, 101)])
async def test_a_full_disk_refuses_until_there_is_room_again(
    database: Database, tmp_path: Path, octets: int, percent: float
) -> None:
    found = room(database, tmp_path, octets=octets, percent=percent)
    await found.look_at_disk()
    with pytest.raises(Unavailable) as refused:
        found.gate()
    assert refused.value.code == "low_disk"
    found._min_free_octets, found._min_free_percent = 0, 0
    await found.look_at_disk()
    found.gate()


async def test_a_queue_beyond_its_limit_refuses_and_is_counted_no_further(database: Database, tmp_path: Path) -> None:
    found = room(database, tmp_path, most=3)
    fill(database, 3)
    fill(database, 5, state="delivered")
    await found.count()
    found.gate()
    fill(database, 4, state="deferred")
    await found.count()
    assert found.waiting == 4
    with pytest.raises(Unavailable) as refused:
        found.gate()
    assert refused.value.code == "backlog_full"


async def test_the_watch_looks_at_once_and_goes_on_until_it_is_canceled(database: Database, tmp_path: Path) -> None:
    found = room(database, tmp_path, octets=1 << 60, most=0)
    fill(database, 1)
    task = asyncio.create_task(found.watch())
    async with asyncio.timeout(5):
        while not found.waiting:
            await asyncio.sleep(0.01)
    assert found.low_disk
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
