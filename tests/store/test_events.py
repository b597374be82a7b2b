"""The log is a feed that never skips, whoever writes."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy.engine import Connection

from postroad.model.event import Event, EventType, NewEvent
from postroad.model.ids import ProjectId, event_id
from postroad.model.project import Project
from postroad.store import bulk, events
from postroad.store.database import Database
from postroad.store.messages import accept
from stores import START, CountingMint, acceptance, new_message


def event(project: Project, name: str, kind: EventType = EventType.WEBHOOK_TEST) -> NewEvent:
    return NewEvent(project_id=project.id, type=kind, at=START, data=msgspec.json.encode({"name": name}))


def feed(
    database: Database, project: Project, after: int = 0, limit: int = 1000, types: tuple[str, ...] = ()
) -> list[Event]:
    return database.read_now(lambda c: events.feed(c, project.id, after=after, limit=limit, types=types))


def tell(database: Database, *new: NewEvent) -> None:
    database.write_now(lambda c: events.append(c, new))


def test_events_are_read_in_the_order_they_were_written_page_by_page(database: Database, project: Project) -> None:
    tell(database, *[event(project, str(n)) for n in range(150)])
    found: list[Event] = []
    while page := feed(database, project, after=found[-1].seq if found else 0, limit=64):
        found += page
    assert [one.data["name"] for one in found] == [str(n) for n in range(150)]
    assert [one.id for one in found] == [event_id(one.seq) for one in found]
    assert database.read_now(lambda c: events.last_seq(c, project.id)) == found[-1].seq


def test_a_feed_is_of_one_project_and_of_the_types_asked_for(database: Database, project: Project) -> None:
    tell(database, event(project, "a"), event(project, "b", EventType.DOMAIN_FAILED))
    stranger = msgspec.structs.replace(project, id=ProjectId("prj_stranger"))
    assert feed(database, stranger) == []
    assert database.read_now(lambda c: events.last_seq(c, stranger.id)) == 0
    (only,) = feed(database, project, types=("domain.failed",))
    assert only.data == {"name": "b"}
    assert database.read_now(lambda c: events.one(c, project.id, only.seq)) == only
    assert database.read_now(lambda c: events.one(c, stranger.id, only.seq)) is None


def test_an_event_of_a_delivery_says_what_the_message_is(
    database: Database, project: Project, mints: CountingMint
) -> None:
    new = new_message(mints, project, "a@x.test", tags=("welcome",))
    database.write_now(lambda c: accept(c, [acceptance(project, new)]))
    (told,) = database.read_now(lambda c: events.of_message(c, project.id, new.message.id))
    assert told.data == {
        "message_id": new.message.id,
        "delivery_id": new.deliveries[0].id,
        "to": "a@x.test",
        "header_id": "1@shop.test",
        "from": "from@shop.test",
        "subject": "Hello",
        "stream": "transactional",
        "mode": "live",
        "tags": ["welcome"],
        "metadata": {"order": "7"},
        "possible_duplicate": False,
    }


def test_nothing_to_write_takes_no_lock(database: Database) -> None:
    tell(database)
    assert database.read_now(events.last_seq) == 0


def test_a_place_drawn_in_a_transaction_that_fails_is_no_event(database: Database, project: Project) -> None:
    tell(database, event(project, "before"))

    def fail(connection: Connection) -> None:
        events.append(connection, [event(project, "never")])
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        database.write_now(fail)
    tell(database, event(project, "after"))
    assert [one.data["name"] for one in feed(database, project)] == ["before", "after"]


@pytest.mark.slow
def test_a_reader_that_follows_many_writers_skips_nothing(
    another: Callable[[], Database], database: Database, project: Project
) -> None:
    """Writers commit late and at random after they wrote; the reader keeps only its cursor."""
    writers = [another() for _ in range(4)]
    done = threading.Event()
    each = 60

    def write(number: int, node: Database) -> None:
        chance = random.Random(number)

        def unit(connection: Connection, n: int) -> None:
            events.append(connection, [event(project, f"{number}.{n}.{part}") for part in range(chance.randint(1, 3))])
            time.sleep(chance.random() * 0.004)
            if chance.random() < 0.1:
                raise ValueError("changed its mind")

        for n in range(each):
            try:
                node.write_now(lambda c, n=n: unit(c, n))
            except ValueError:
                continue

    seen: list[Event] = []

    def read() -> None:
        while True:
            last = done.is_set()
            page = feed(database, project, after=seen[-1].seq if seen else 0, limit=10)
            seen.extend(page)
            if last and not page:
                return

    threads = [threading.Thread(target=write, args=pair) for pair in enumerate(writers)]
    reader = threading.Thread(target=read)
    for thread in (reader, *threads):
        thread.start()
    for thread in threads:
        thread.join(60)
    done.set()
    reader.join(60)
    there = database.read_now(lambda c: bulk.run(c, "SELECT seq FROM events ORDER BY seq"))
    assert [one.seq for one in seen] == [row[0] for row in there]
    assert len(seen) > each


async def test_units_of_one_group_have_their_events_in_order(database: Database, project: Project) -> None:
    await asyncio.gather(
        *[database.write(lambda c, n=n: events.append(c, [event(project, str(n))])) for n in range(50)]
    )
    assert [one.data["name"] for one in feed(database, project)] == [str(n) for n in range(50)]
