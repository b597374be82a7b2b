"""What is no longer kept goes in bounded batches, and nothing that is still needed goes with it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from postroad.model.clock import DAY, Instant, after
from postroad.model.delivery import State
from postroad.model.project import Project
from postroad.store import bulk, retention, uploads
from postroad.store.database import Database
from postroad.store.messages import Idempotency, accept
from stores import START, CountingMint, StillClock, acceptance, new_message

LATER = after(START, 30 * DAY)
TABLES = ("messages", "deliveries", "attempts", "message_labels", "blob_uses")


def run(database: Database, statement: str, *values: object) -> list[tuple[Any, ...]]:
    return database.write_now(lambda c: bulk.run(c, statement, values))


def counts(database: Database) -> dict[str, int]:
    return {table: run(database, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def keep(
    database: Database,
    mints: CountingMint,
    project: Project,
    *states: State,
    blobs: tuple[str, ...] = (),
    ended: Instant = START,
) -> str:
    """Store a message whose deliveries stand in these states since then, and return its identifier."""
    new = new_message(mints, project, *[f"p{n}@x.test" for n in range(len(states))], tags=("t",))
    new = msgspec.structs.replace(new, blobs=blobs)
    database.write_now(lambda c: accept(c, [acceptance(project, new)]))
    for delivery, state in zip(new.deliveries, states, strict=True):
        run(database, "UPDATE deliveries SET state = ?, updated_at = ? WHERE id = ?", state.value, ended, delivery.id)
        run(
            database,
            "INSERT INTO attempts (delivery_id, number, node, started_at) VALUES (?, 1, 'n1', ?)",
            delivery.id,
            START,
        )
    return new.message.id


def remove(database: Database, before: Instant = LATER, limit: int = 100) -> int:
    return database.write_now(lambda c: retention.remove_messages(c, before, limit))


def freed(database: Database) -> list[str]:
    return [name for _, name in database.read_now(lambda c: uploads.old(c, START, 100))]


def test_a_blob_that_is_freed_and_was_uploaded_anew_may_still_be_named(
    database: Database, project: Project, mints: CountingMint
) -> None:
    keep(database, mints, project, State.DELIVERED, blobs=("again",))
    database.write_now(lambda c: uploads.note(c, project.id, ["again"], LATER))
    assert remove(database) == 1
    assert freed(database) == []
    assert database.read_now(lambda c: uploads.is_used(c, "again", LATER))
    assert database.write_now(lambda c: uploads.forget(c, [(project.id, "again")], LATER)) == 0


def test_an_ended_message_goes_with_all_that_hangs_on_it_but_its_events(
    database: Database, project: Project, mints: CountingMint
) -> None:
    keep(database, mints, project, State.DELIVERED, State.BOUNCED, blobs=("aa",))
    assert remove(database) == 1
    assert freed(database) == ["aa"]
    assert counts(database) == dict.fromkeys(TABLES, 0)
    assert run(database, "SELECT count(*) FROM events") == [(2,)]


@pytest.mark.parametrize("state", [State.SCHEDULED, State.QUEUED, State.SENDING, State.DEFERRED, State.HELD])
def test_a_message_with_one_delivery_that_has_not_ended_stays_whole(
    database: Database, project: Project, mints: CountingMint, state: State
) -> None:
    keep(database, mints, project, State.DELIVERED, state, blobs=("aa",))
    assert remove(database) == 0
    assert counts(database) == {**dict.fromkeys(TABLES, 2), "messages": 1, "blob_uses": 1}


def test_a_message_counts_from_the_end_of_its_last_delivery(
    database: Database, project: Project, mints: CountingMint
) -> None:
    keep(database, mints, project, State.DELIVERED, ended=after(START, 10 * DAY))
    assert remove(database, after(START, 5 * DAY)) == 0
    assert remove(database, after(START, 10 * DAY)) == 0
    assert remove(database, after(START, 10 * DAY + 1)) == 1


def test_a_blob_that_another_message_needs_is_not_freed(
    database: Database, project: Project, mints: CountingMint
) -> None:
    keep(database, mints, project, State.DELIVERED, blobs=("shared", "own"))
    keep(database, mints, project, State.QUEUED, blobs=("shared",))
    assert remove(database) == 1
    assert freed(database) == ["own"]
    assert database.read_now(lambda c: uploads.is_used(c, "shared", LATER))
    assert not database.read_now(lambda c: uploads.is_used(c, "own", LATER))


def test_messages_go_in_batches_oldest_first(
    database: Database, project: Project, mints: CountingMint, clock: StillClock
) -> None:
    made = []
    for _ in range(5):
        made.append(keep(database, mints, project, State.DELIVERED))
        clock.pass_by(DAY)
    assert remove(database, limit=2) == 2
    assert [row[0] for row in run(database, "SELECT id FROM messages ORDER BY id")] == made[2:]
    assert [remove(database, limit=2) for _ in range(3)] == [2, 1, 0]


def test_old_events_go_from_the_beginning_of_the_log(database: Database, project: Project, mints: CountingMint) -> None:
    for _ in range(3):
        keep(database, mints, project, State.QUEUED)
    run(database, "UPDATE events SET at = ? WHERE seq = (SELECT max(seq) FROM events)", LATER)

    def batch() -> int:
        return database.write_now(lambda c: retention.remove_events(c, after(START, 1), 1))

    assert [batch() for _ in range(3)] == [1, 1, 0]
    assert run(database, "SELECT at FROM events") == [(LATER,)]


def test_kept_answers_go_when_their_time_is_over(database: Database, project: Project, mints: CountingMint) -> None:
    for n in range(3):
        new, key = new_message(mints, project, "a@x.test"), Idempotency("POST /v1/messages", f"k{n}", b"d")
        at = after(START, n)
        database.write_now(
            lambda c, new=new, key=key, at=at: accept(c, [acceptance(project, new, at=at, idempotency=key)])
        )
    assert database.write_now(lambda c: retention.remove_answers(c, after(START, 2), 1)) == 1
    assert database.write_now(lambda c: retention.remove_answers(c, after(START, 2), 10)) == 1
    assert run(database, "SELECT key FROM idempotency_keys") == [("k2",)]


def test_ended_pushes_go_and_waiting_ones_stay(database: Database, project: Project) -> None:
    run(
        database,
        "INSERT INTO webhooks (id, project_id, url, secrets, created_at, updated_at) VALUES ('whk_1', ?, 'u', ?, 1, 1)",
        project.id,
        b"s",
    )
    for seq, state, at in ((1, "delivered", 5), (2, "failed", 5), (3, "pending", 5), (4, "delivered", 50)):
        run(
            database,
            "INSERT INTO webhook_deliveries (webhook_id, seq, state, created_at, updated_at) "
            "VALUES ('whk_1', ?, ?, 1, ?)",
            seq,
            state,
            at,
        )
    assert database.write_now(lambda c: retention.remove_pushes(c, Instant(50), 1)) == 1
    assert database.write_now(lambda c: retention.remove_pushes(c, Instant(50), 10)) == 1
    assert run(database, "SELECT seq FROM webhook_deliveries ORDER BY seq") == [(3,), (4,)]
