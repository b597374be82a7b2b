"""Suspensions and sites in the store, on both engines."""

import asyncio

import pytest
from msgspec.structs import replace

from postroad.model.clock import DAY, HOUR, Instant
from postroad.model.event import EventType
from postroad.model.ids import SuspensionId
from postroad.model.project import Project
from postroad.model.suspension import ANY, Suspension, SuspensionCause
from postroad.pipeline.suspensions import Suspensions, Waiting
from postroad.store import audit, events, sites, suspensions
from postroad.store.database import Database
from stores import START, CountingMint, StillClock


@pytest.fixture
def made(project: Project, mints: CountingMint, clock: StillClock) -> Suspension:
    return Suspension(
        id=SuspensionId(mints("ssp")),
        site="google.com",
        project_id=project.id,
        cause=SuspensionCause.RULE,
        reason="Google asked us to wait.",
        author="system",
        created_at=clock.now(),
        until=Instant(clock.now() + HOUR),
        evidence={"rule": "google.rate", "rate": 0.5},
    )


def put(database: Database, *given: Suspension) -> list[Suspension | None]:
    return [database.write_now(lambda c, each=each: suspensions.put(c, each)) for each in given]


def in_force(database: Database, at: int = START, project: str | None = None) -> list[Suspension]:
    return database.read_now(lambda c: suspensions.in_force(c, Instant(at), project))


def view(database: Database, clock: StillClock) -> Suspensions:
    async def read() -> Suspensions:
        seen = Suspensions(database, clock)
        await seen.refresh()
        return seen

    return asyncio.run(read())


def test_a_suspension_is_read_as_it_was_put_and_told(database: Database, project: Project, made: Suspension) -> None:
    assert put(database, made) == [made]
    assert database.read_now(lambda c: suspensions.one(c, made.id)) == made
    told = database.read_now(lambda c: events.feed(c, project.id, after=0, limit=10))
    assert [(each.type, each.data) for each in told] == [
        (EventType.SENDING_SUSPENDED, {"suspension": suspensions.shown(made)})
    ]
    (entry,) = database.read_now(lambda c: audit.entries(c, project.id, limit=1))
    assert (entry.action, entry.subject, entry.actor) == ("sending.suspended", made.id, "system")


def test_a_rule_only_lengthens_what_it_suspended(database: Database, made: Suspension, mints: CountingMint) -> None:
    shorter = replace(made, id=SuspensionId(mints("ssp")), until=Instant(START + 1))
    longer = replace(made, id=SuspensionId(mints("ssp")), until=Instant(START + DAY), reason="Again.")
    endless = replace(longer, until=None)
    results = put(database, made, shorter, longer, endless, longer)
    assert results == [made, None, replace(longer, id=made.id), replace(endless, id=made.id), None]
    assert in_force(database) == [replace(endless, id=made.id)]


def test_an_operators_word_replaces_an_operators_word(
    database: Database, made: Suspension, mints: CountingMint
) -> None:
    endless = replace(made, cause=SuspensionCause.OPERATOR, until=None)
    shorter = replace(endless, id=SuspensionId(mints("ssp")), until=Instant(START + 5))
    assert put(database, endless, shorter) == [endless, replace(shorter, id=made.id)]


def test_what_lapsed_is_replaced_and_removed(database: Database, made: Suspension, mints: CountingMint) -> None:
    later = Instant(START + 2 * HOUR)
    again = replace(made, id=SuspensionId(mints("ssp")), created_at=later, until=Instant(later + 1))
    put(database, made)
    assert in_force(database, later) == []
    assert put(database, again) == [replace(again, id=made.id)]
    assert database.write_now(lambda c: suspensions.remove_lapsed(c, later, 10)) == 0
    assert database.write_now(lambda c: suspensions.remove_lapsed(c, Instant(later + 2), 10)) == 1


def test_what_holds_for_all_projects_is_told_to_none(database: Database, project: Project, made: Suspension) -> None:
    everybodys = replace(made, project_id=ANY)
    put(database, everybodys)
    assert in_force(database, project=project.id) == [everybodys]
    assert database.read_now(lambda c: events.feed(c, project.id, after=0, limit=10)) == []
    assert database.read_now(lambda c: audit.entries(c, None, limit=1))[0].subject == made.id


def test_lifting_ends_it_once(database: Database, project: Project, made: Suspension) -> None:
    put(database, made)
    lifted = [
        database.write_now(lambda c: suspensions.lift(c, made, author="cli", at=Instant(START + 1))) for _ in range(2)
    ]
    assert lifted == [True, False]
    assert in_force(database) == []
    told = database.read_now(lambda c: events.feed(c, project.id, after=0, limit=10))
    assert [each.type for each in told] == [EventType.SENDING_SUSPENDED, EventType.SENDING_RESUMED]


def test_another_projects_suspension_is_not_shown(database: Database, made: Suspension) -> None:
    put(database, made)
    assert in_force(database, project="prj_other") == []


def test_the_view_finds_what_covers_a_delivery(database: Database, made: Suspension, clock: StillClock) -> None:
    put(
        database,
        made,
        replace(made, id=SuspensionId("ssp_2"), site=ANY, project_id="prj_2", stream="broadcast"),
        replace(made, id=SuspensionId("ssp_3"), site="slow.test", project_id=ANY),
    )
    seen = view(database, clock)
    project = made.project_id
    assert seen.find(project, "any", "google.com", "gmail.com") == made
    assert seen.find(project, "any", "gmail.com") is None
    assert seen.find("prj_2", "broadcast") is not None
    assert seen.find("prj_2", "transactional", "google.com") is None
    assert seen.find("prj_3", "any", "mx.slow", "slow.test") is not None
    assert made.covers(project, "any", ("google.com",))
    assert not made.covers(project, "any", ("other.test",))


def test_the_view_forgets_what_has_lapsed(database: Database, made: Suspension, clock: StillClock) -> None:
    put(database, made)
    seen = view(database, clock)
    clock.pass_by(HOUR)
    assert seen.find(made.project_id, "any", "google.com") is None
    assert seen.waiting() == Waiting()


def test_of_two_for_one_subject_the_longer_is_found(database: Database, made: Suspension, clock: StillClock) -> None:
    longer = replace(made, id=SuspensionId("ssp_2"), cause=SuspensionCause.OPERATOR, until=None)
    put(database, longer, made)
    assert view(database, clock).find(made.project_id, "any", "google.com") == longer


def test_a_lease_can_leave_out_what_waits_as_a_whole(database: Database, made: Suspension, clock: StillClock) -> None:
    assert view(database, clock).waiting() == Waiting()
    put(
        database,
        made,
        replace(made, id=SuspensionId("ssp_2"), site=ANY),
        replace(made, id=SuspensionId("ssp_3"), site=ANY, stream="news"),
        replace(made, id=SuspensionId("ssp_4"), site="slow.test", project_id=ANY),
    )
    assert view(database, clock).waiting() == Waiting(
        projects=frozenset({made.project_id}),
        streams=frozenset({(made.project_id, "news")}),
        sites=frozenset({"slow.test"}),
    )
    put(database, replace(made, id=SuspensionId("ssp_5"), site=ANY, project_id=ANY))
    assert view(database, clock).waiting().everything


def test_listeners_hear_of_changes_only(database: Database, made: Suspension, clock: StillClock) -> None:
    heard: list[int] = []

    async def live() -> None:
        seen = Suspensions(database, clock)
        seen.on_change(lambda: heard.append(1))
        await seen.refresh()
        put(database, made)
        await seen.refresh()
        await seen.refresh()

    asyncio.run(live())
    assert heard == [1]


def test_sites_are_noted_and_found(database: Database) -> None:
    def note(found: dict[str, str], at: int) -> None:
        database.write_now(lambda c: sites.note(c, found, Instant(at)))

    note({f"d{n}.test": "google.com" for n in range(70)}, START)
    note({"d1.test": "google.com", "d2.test": "other.test"}, START + HOUR)
    note({}, START)
    read = database.read_now(lambda c: sites.of(c, ["d1.test", "d2.test", "unknown.test", "d1.test"]))
    assert read == {"d1.test": "google.com", "d2.test": "other.test"}
    assert database.read_now(lambda c: sites.domains(c, "other.test")) == ["d2.test"]
    assert len(database.read_now(lambda c: sites.domains(c, "google.com"))) == 69
    assert database.write_now(lambda c: sites.remove_unseen(c, Instant(START + 1), 100)) == 69
    note({"d2.test": "other.test"}, START + DAY)
    assert database.write_now(lambda c: sites.remove_unseen(c, Instant(START + 2 * HOUR), 100)) == 0
