"""What a 202 promises is written in one transaction, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroad.model.clock import HOUR, after
from postroad.model.delivery import Hold
from postroad.model.errors import Refused
from postroad.model.ids import SuppressionId
from postroad.model.project import Project
from postroad.model.suppression import WHOLE_PROJECT, fold
from postroad.store import bulk, events, projects
from postroad.store.audit import Entry
from postroad.store.database import Database
from postroad.store.messages import Acceptance, Answer, Idempotency, accept
from postroad.store.schema import suppressions
from stores import START, CountingMint, acceptance, new_message, state_of


def rows(database: Database, statement: str, *values: object) -> list[tuple[object, ...]]:
    return database.read_now(lambda c: bulk.run(c, statement, values))


def suppress(
    database: Database,
    mints: CountingMint,
    project: Project,
    address: str,
    *,
    scope: str = WHOLE_PROJECT,
    expires_at: int | None = None,
) -> None:
    columns = (
        "id", "project_id", "scope", "folded", "address", "cause", "author", "created_at", "expires_at",
    )  # fmt: skip
    row = (
        SuppressionId(mints("sup")), project.id, scope, fold(address), address, "bounce", "system", START, expires_at,
    )  # fmt: skip
    database.write_now(lambda c: bulk.insert(c, suppressions, columns, [row]))


def types(database: Database, project: Project) -> list[str]:
    return [event.type.value for event in database.read_now(lambda c: events.feed(c, project.id, after=0, limit=1000))]


def states(answer: Answer) -> list[str]:
    return [state for _, state in msgspec.json.decode(answer.body)]


async def test_a_message_its_deliveries_labels_and_events_are_written(
    database: Database, project: Project, mints: CountingMint
) -> None:
    new = new_message(mints, project, "A@x.test", "b@y.test", tags=("welcome",))
    answer = await database.write_each(accept, acceptance(project, new))
    assert (answer.status, answer.replayed, states(answer)) == (202, False, ["queued", "queued"])
    assert rows(database, "SELECT recipient, folded, domain, state, next_at FROM deliveries ORDER BY id") == [
        ("A@x.test", "a@x.test", "x.test", "queued", START),
        ("b@y.test", "b@y.test", "y.test", "queued", START),
    ]
    assert rows(database, "SELECT label FROM message_labels ORDER BY label") == [("meta:order=7",), ("tag:welcome",)]
    assert types(database, project) == ["message.accepted", "message.accepted"]
    assert rows(database, "SELECT content, size FROM messages") == [(b"content", 5)]


async def test_a_message_for_later_is_scheduled(database: Database, project: Project, mints: CountingMint) -> None:
    new = new_message(mints, project, "a@x.test", send_at=after(START, HOUR))
    answer = await database.write_each(accept, acceptance(project, new))
    assert states(answer) == ["scheduled"]
    assert rows(database, "SELECT state, next_at, first_due_at FROM deliveries") == [
        ("scheduled", START + HOUR, START + HOUR)
    ]
    assert types(database, project) == ["message.accepted", "message.scheduled"]


async def test_a_time_that_has_passed_means_at_once(database: Database, project: Project, mints: CountingMint) -> None:
    new = new_message(mints, project, "a@x.test", send_at=after(START, -HOUR))
    assert states(await database.write_each(accept, acceptance(project, new))) == ["queued"]


async def test_the_suppressed_are_told_at_once_and_nobody_else_is_kept_back(
    database: Database, project: Project, mints: CountingMint
) -> None:
    suppress(database, mints, project, "Gone@x.test")
    suppress(database, mints, project, "news@x.test", scope="broadcast")
    suppress(database, mints, project, "once@x.test", expires_at=START)
    new = new_message(mints, project, "gone@X.test", "news@x.test", "once@x.test")
    answer = await database.write_each(accept, acceptance(project, new))
    assert states(answer) == ["suppressed", "queued", "queued"]
    assert rows(database, "SELECT next_at FROM deliveries WHERE state = 'suppressed'") == [(None,)]
    assert types(database, project).count("message.suppressed") == 1
    other = new_message(mints, project, "news@x.test", stream="broadcast")
    assert states(await database.write_each(accept, acceptance(project, other))) == ["suppressed"]


async def test_a_suppression_of_another_project_holds_nobody_back(
    database: Database, project: Project, mints: CountingMint
) -> None:
    stranger = msgspec.structs.replace(project, id="prj_stranger", name="stranger")
    entry = Entry(project_id=stranger.id, at=START, actor="test", action="made", subject=stranger.id)
    database.write_now(lambda c: projects.insert(c, stranger, entry))
    suppress(database, mints, stranger, "a@x.test")
    new = new_message(mints, project, "a@x.test")
    assert states(await database.write_each(accept, acceptance(project, new))) == ["queued"]


# --- idempotency -----------------------------------------------------------------------------------------------------


def keyed(project: Project, mints: CountingMint, *, digest: bytes = b"same", key: str = "k") -> Acceptance:
    return acceptance(
        project, new_message(mints, project, "a@x.test"), idempotency=Idempotency("POST /v1/messages", key, digest)
    )


async def test_the_same_request_is_answered_alike_and_sends_once(
    database: Database, project: Project, mints: CountingMint
) -> None:
    first = await database.write_each(accept, keyed(project, mints))
    again = await database.write_each(accept, keyed(project, mints))
    assert (again.body, again.status, again.replayed) == (first.body, 202, True)
    assert rows(database, "SELECT count(*) FROM messages") == [(1,)]


async def test_another_request_under_the_same_key_is_refused(
    database: Database, project: Project, mints: CountingMint
) -> None:
    await database.write_each(accept, keyed(project, mints))
    with pytest.raises(Refused) as refused:
        await database.write_each(accept, keyed(project, mints, digest=b"other"))
    assert refused.value.code == "idempotency_key_reused"
    assert rows(database, "SELECT count(*) FROM messages") == [(1,)]


async def test_a_hundred_at_once_under_one_key_send_once(
    database: Database, project: Project, mints: CountingMint
) -> None:
    answers = await asyncio.gather(*[database.write_each(accept, keyed(project, mints)) for _ in range(100)])
    assert len({answer.body for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    assert rows(database, "SELECT count(*) FROM messages") == [(1,)]


async def test_two_nodes_under_one_key_send_once(
    another: Callable[[], Database], database: Database, project: Project, mints: CountingMint
) -> None:
    nodes = [database, another(), another()]
    for round_number in range(10):
        answers = await asyncio.gather(
            *[node.write_each(accept, keyed(project, mints, key=f"k{round_number}")) for node in nodes * 4]
        )
        assert len({answer.body for answer in answers}) == 1
    assert rows(database, "SELECT count(*) FROM messages") == [(10,)]


async def test_one_request_that_cannot_be_written_fails_alone(
    database: Database, project: Project, mints: CountingMint
) -> None:
    taken = new_message(mints, project, "a@x.test")
    await database.write_each(accept, acceptance(project, taken))
    results = await asyncio.gather(
        *[
            database.write_each(accept, acceptance(project, new))
            for new in (new_message(mints, project, "b@x.test"), taken, new_message(mints, project, "c@x.test"))
        ],
        return_exceptions=True,
    )
    assert [isinstance(result, Answer) for result in results] == [True, False, True]
    assert rows(database, "SELECT count(*) FROM messages") == [(3,)]
    assert rows(database, "SELECT recipient FROM deliveries ORDER BY recipient") == [
        ("a@x.test",), ("b@x.test",), ("c@x.test",),
    ]  # fmt: skip


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=30))
def test_any_mix_of_keys_and_bodies_in_one_group_is_decided_as_one_after_the_other(
    database: Database, project: Project, mints: CountingMint, asked: list[tuple[int, int]]
) -> None:
    stamp = mints("run")
    requests = [keyed(project, mints, key=f"{stamp}{key}", digest=bytes([body])) for key, body in asked]
    answers = database.write_now(lambda c: accept(c, requests))
    first: dict[int, tuple[int, bytes]] = {}
    for (key, body), answer in zip(asked, answers, strict=True):
        if key not in first:
            assert isinstance(answer, Answer)
            assert not answer.replayed
            first[key] = (body, answer.body)
        elif first[key][0] == body:
            assert isinstance(answer, Answer)
            assert (answer.body, answer.replayed) == (first[key][1], True)
        else:
            assert isinstance(answer, Refused)


# --- taken in hand at once -------------------------------------------------------------------------------------------

HOLD = Hold(node="n1", boot="b1", duration=HOUR)


async def test_what_is_due_at_once_is_leased_in_the_same_transaction(
    database: Database, project: Project, mints: CountingMint
) -> None:
    suppress(database, mints, project, "gone@x.test")
    due = new_message(mints, project, "a@x.test", "gone@x.test")
    later = new_message(mints, project, "b@x.test", send_at=after(START, HOUR))
    answer = await database.write_each(accept, acceptance(project, due, later, hold=HOLD))
    assert states(answer) == ["queued", "suppressed", "scheduled"]
    assert [(lease.recipient, lease.token, lease.attempt) for lease in answer.leases] == [("a@x.test", 1, 1)]
    assert state_of(database, due.deliveries[0].id) == "sending"
    assert rows(database, "SELECT delivery_id, number, node FROM attempts") == [(due.deliveries[0].id, 1, "n1")]
