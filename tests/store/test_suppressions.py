"""The suppression list in the store, on both engines."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from postroad.model.clock import DAY, Instant
from postroad.model.event import EventType
from postroad.model.ids import ProjectId, SuppressionId
from postroad.model.project import Project
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.suppression import WHOLE_PROJECT, Cause, Suppression
from postroad.store import audit, bulk, events, suppressions
from postroad.store.database import Database
from postroad.store.suppressed import find_suppressed, suppression_reason
from postroad.store.suppressions import Filter, Put
from stores import CountingMint, StillClock

REASON = Reason(
    cls=Class.INVALID_RECIPIENT,
    permanence=Permanence.PERMANENT,
    scope=Scope.RECIPIENT,
    action=Action.SUPPRESS,
    rule="smtp.rcpt.5xx",
    detail="There is no such mailbox.",
)


@pytest.fixture
def entry(project: Project, mints: CountingMint, clock: StillClock) -> Suppression:
    name = SuppressionId(mints("sup"))
    return Suppression(
        id=name,
        site="example.com",
        incident=f"inc_{name[4:]}",
        project_id=project.id,
        scope=WHOLE_PROJECT,
        address="Ann@example.com",
        cause=Cause.BOUNCE,
        author="system",
        created_at=clock.now(),
        evidence=REASON,
        message_id="msg_1",
        delivery_id="dlv_1",
        note="a note",
    )


def put(database: Database, *entries: Suppression) -> list[Put]:
    return database.write_now(lambda c: suppressions.put(c, entries, entries[0].created_at))


def like(entry: Suppression, mints: CountingMint, **changes: object) -> Suppression:
    return replace(entry, id=SuppressionId(mints("sup")), **changes)


def told(database: Database, project: Project) -> list[tuple[EventType, object]]:
    found = database.read_now(lambda c: events.feed(c, project.id, after=0, limit=1000))
    return [(event.type, event.data["suppression"]) for event in found]


def test_an_entry_is_read_as_it_was_put(database: Database, project: Project, entry: Suppression) -> None:
    assert put(database, entry) == [Put.ADDED]
    assert database.read_now(lambda c: suppressions.one(c, project.id, entry.id)) == entry
    assert database.read_now(lambda c: suppressions.find(c, project.id, "aNN@EXAMPLE.com", "*")) == entry
    shown = {"id": entry.id, "address": "Ann@example.com", "cause": "bounce", "scope": "*"}
    shown["incident"] = entry.incident
    assert told(database, project) == [(EventType.SUPPRESSION_ADDED, shown)]


def test_another_project_does_not_see_it(database: Database, entry: Suppression) -> None:
    put(database, entry)
    other = ProjectId("prj_other")
    assert database.read_now(lambda c: suppressions.one(c, other, entry.id)) is None
    assert database.read_now(lambda c: suppressions.find(c, other, entry.address, "*")) is None
    assert database.read_now(lambda c: suppressions.listed(c, other, Filter())) == []


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        ((Cause.BOUNCE, None), (Cause.BOUNCE, None), Put.KEPT),
        ((Cause.BOUNCE, None), (Cause.MANUAL, None), Put.KEPT),
        ((Cause.BOUNCE, None), (Cause.UNSUBSCRIBE, None), Put.CHANGED),
        ((Cause.UNSUBSCRIBE, None), (Cause.COMPLAINT, None), Put.CHANGED),
        ((Cause.COMPLAINT, None), (Cause.UNSUBSCRIBE, None), Put.KEPT),
        ((Cause.UNSUBSCRIBE, None), (Cause.BOUNCE, None), Put.KEPT),
        ((Cause.MANUAL, 2), (Cause.MANUAL, 3), Put.CHANGED),
        ((Cause.MANUAL, 3), (Cause.MANUAL, 2), Put.KEPT),
        ((Cause.MANUAL, 2), (Cause.BOUNCE, None), Put.CHANGED),
        ((Cause.MANUAL, None), (Cause.BOUNCE, 2), Put.KEPT),
        ((Cause.MANUAL, -1), (Cause.MANUAL, None), Put.CHANGED),
        ((Cause.MANUAL, -1), (Cause.BOUNCE, 1), Put.CHANGED),
        ((Cause.MANUAL, 0), (Cause.IMPORT, None), Put.CHANGED),
    ],
)
def test_what_says_more_changes_the_entry_and_what_says_less_does_not(
    database: Database,
    project: Project,
    entry: Suppression,
    mints: CountingMint,
    before: tuple[Cause, int | None],
    after: tuple[Cause, int | None],
    outcome: Put,
) -> None:
    def day(n: int | None) -> Instant | None:
        return None if n is None else Instant(entry.created_at + n * DAY)

    first = replace(entry, cause=before[0], expires_at=day(before[1]))
    second = like(entry, mints, cause=after[0], expires_at=day(after[1]), note="second")
    put(database, first)
    assert put(database, second) == [outcome]
    stored = database.read_now(lambda c: suppressions.one(c, project.id, entry.id))
    assert stored == (first if outcome is Put.KEPT else replace(second, id=entry.id))
    assert len(told(database, project)) == (1 if outcome is Put.KEPT else 2)
    assert all(shown["id"] == entry.id for _, shown in told(database, project))  # type: ignore[index] # a mapping


def test_scopes_are_entries_of_their_own(database: Database, entry: Suppression, mints: CountingMint) -> None:
    assert put(database, entry, like(entry, mints, scope="broadcast")) == [Put.ADDED, Put.ADDED]


def test_many_at_once_are_put_in_order_with_repeats(
    database: Database, project: Project, entry: Suppression, mints: CountingMint
) -> None:
    many = [like(entry, mints, address=f"a{n % 150}@example.com") for n in range(200)]
    many.append(like(entry, mints, address="A0@example.com", cause=Cause.UNSUBSCRIBE))
    assert put(database, *many) == [Put.ADDED] * 150 + [Put.KEPT] * 50 + [Put.CHANGED]
    assert len(database.read_now(lambda c: suppressions.listed(c, project.id, Filter(), limit=1000))) == 150
    assert len(told(database, project)) == 151


def test_nothing_is_put_for_nothing(database: Database) -> None:
    assert database.write_now(lambda c: suppressions.put(c, [], Instant(0))) == []


def test_the_list_is_read_page_by_page_and_filtered(
    database: Database, project: Project, entry: Suppression, mints: CountingMint
) -> None:
    second = like(entry, mints, address="bob@example.com", cause=Cause.COMPLAINT)
    third = like(entry, mints, scope="broadcast", cause=Cause.UNSUBSCRIBE)
    put(database, entry, second, third)

    def listed(after: str = "", limit: int = 10, **wanted: object) -> list[str]:
        which = Filter(**wanted)  # type: ignore[arg-type] # filters of several types
        found = database.read_now(lambda c: suppressions.listed(c, project.id, which, after=after, limit=limit))
        return [each.id for each in found]

    assert listed() == [entry.id, second.id, third.id]
    assert listed(limit=2) == [entry.id, second.id]
    assert listed(after=second.id) == [third.id]
    assert listed(address="ANN@example.com") == [entry.id, third.id]
    assert listed(address="ANN@example.com", limit=1) == [entry.id]
    assert listed(address="ANN@example.com", after=entry.id) == [third.id]
    assert listed(cause=Cause.COMPLAINT) == [second.id]
    assert listed(scope="broadcast", address="ann@example.com") == [third.id]


def test_many_addresses_are_looked_up_at_once(
    database: Database, project: Project, entry: Suppression, mints: CountingMint
) -> None:
    second = like(entry, mints, address="bob@example.com")
    third = like(entry, mints, scope="broadcast")
    put(database, entry, second, third, like(entry, mints, address="eve@example.com"))
    wanted = ["ANN@example.com", "ann@example.com", "bob@example.com", "zoe@example.com"]

    def found(scope: str | None = None) -> set[str]:
        return {
            each.id for each in database.read_now(lambda c: suppressions.of_addresses(c, project.id, wanted, scope))
        }

    assert found() == {entry.id, second.id, third.id}
    assert found("broadcast") == {third.id}


@pytest.mark.parametrize(
    "ask",
    [
        lambda c, project: suppressions.listed(c, project, Filter(address="ann@example.com")),
        lambda c, project: suppressions.of_addresses(c, project, ["ann@example.com", "bob@example.com"]),
    ],
)
def test_an_address_is_looked_up_and_not_looked_for(
    database: Database,
    project: Project,
    ask: Callable[[Connection, ProjectId], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if database.engine_name != "sqlite":
        pytest.skip("PostgreSQL plans by what it knows of the table")
    asked: list[tuple[str, bulk.Row]] = []
    run = bulk.run
    with monkeypatch.context() as listening:
        listening.setattr(bulk, "run", lambda c, text, row=(): asked.append((text, row)) or run(c, text, row))
        database.read_now(lambda c: ask(c, project.id))
    ((statement, values),) = asked
    plan = database.read_now(lambda c: bulk.run(c, f"EXPLAIN QUERY PLAN {statement}", values))
    assert "ux_suppressions_address (project_id=? AND folded=?)" in plan[0][3]


def test_removing_writes_the_event_and_the_audit_once(
    database: Database, project: Project, entry: Suppression, clock: StillClock
) -> None:
    put(database, entry)
    note = audit.Entry(
        project_id=project.id, at=clock.now(), actor="key_1", action="suppression.removed", subject=entry.id
    )
    assert database.write_now(lambda c: suppressions.remove(c, entry, note)) is True
    assert database.write_now(lambda c: suppressions.remove(c, entry, note)) is False
    assert database.read_now(lambda c: suppressions.one(c, project.id, entry.id)) is None
    assert [kind for kind, _ in told(database, project)] == [
        EventType.SUPPRESSION_ADDED, EventType.SUPPRESSION_REMOVED,
    ]  # fmt: skip
    actions = [each.action for each in database.read_now(lambda c: audit.entries(c, project.id))]
    assert actions.count("suppression.removed") == 1


def test_what_is_on_the_list_is_found_at_accept_and_dispatch(
    database: Database, project: Project, entry: Suppression
) -> None:
    put(database, entry)
    found = database.read_now(lambda c: find_suppressed(c, [(project.id, "ann@example.com")]))
    reason = suppression_reason(found, project.id, "ANN@example.com", "transactional", entry.created_at)
    assert reason is not None
    assert reason.rule == "suppression.bounce"
