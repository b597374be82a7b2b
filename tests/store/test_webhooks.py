"""Webhook endpoints and pushes in the store, on both engines."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from postroad.model.clock import HOUR, MINUTE, SECOND, Instant
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import ProjectId, WebhookId
from postroad.model.project import Project
from postroad.model.webhook import DisabledBecause, Health, Push, PushState, Try, Webhook
from postroad.store import audit, events, projects, pushes, webhooks
from postroad.store.database import Database
from stores import CountingMint, StillClock


def tell(database: Database, project: Project, *kinds: EventType) -> None:
    new = [NewEvent(project_id=project.id, type=kind, at=Instant(1)) for kind in kinds]
    database.write_now(lambda connection: events.append(connection, new))


def other_project(database: Database, mints: CountingMint, clock: StillClock) -> Project:
    other = Project(id=ProjectId(mints("prj")), name="other", created_at=clock.now())
    entry = audit.Entry(project_id=other.id, at=clock.now(), actor="test", action="project.created", subject=other.id)
    database.write_now(lambda connection: projects.insert(connection, other, entry))
    return other


@pytest.fixture
def webhook(database: Database, project: Project, mints: CountingMint, clock: StillClock) -> Webhook:
    return add(database, project, mints, clock)


def add(
    database: Database, project: Project, mints: CountingMint, clock: StillClock, types: tuple[str, ...] = ()
) -> Webhook:
    made = Webhook(
        id=WebhookId(mints("whk")),
        project_id=project.id,
        url="https://example.com/hook",
        description="for tests",
        types=types,
        secrets=b"sealed",
        created_at=clock.now(),
        updated_at=clock.now(),
    )
    database.write_now(lambda connection: webhooks.insert(connection, made))
    return made


def begin(
    database: Database, webhook: Webhook, clock: StillClock, *, node: str = "one", limit: int = 10
) -> pushes.Round | None:
    return database.write_now(
        lambda connection: pushes.begin_round(
            connection, webhook.id, now=clock.now(), node=node, duration=MINUTE, limit=limit
        )
    )


def places(found: pushes.Round | None) -> list[int]:
    return [] if found is None else [push.seq for push in found.pushes]


def tried(push: Push, state: PushState, next_at: Instant | None, at: Instant) -> Push:
    told = Try(at=at, duration_ms=3, status=204 if state is PushState.DELIVERED else 500)
    return replace(
        push, state=state, next_at=next_at, attempts=push.attempts + 1, updated_at=at, history=(*push.history, told)
    )


def settle(database: Database, *settled: pushes.Settled) -> list[bool]:
    return database.write_now(lambda connection: pushes.settle(connection, settled))


def test_an_endpoint_is_read_as_it_was_written(database: Database, webhook: Webhook, project: Project) -> None:
    assert database.read_now(lambda c: webhooks.one(c, project.id, webhook.id)) == webhook
    assert database.read_now(lambda c: webhooks.listed(c, project.id)) == [webhook]
    assert database.read_now(lambda c: webhooks.listed(c, project.id, after=webhook.id)) == []
    assert database.read_now(lambda c: webhooks.count(c, project.id)) == 1


def test_another_project_does_not_see_it(
    database: Database, webhook: Webhook, mints: CountingMint, clock: StillClock
) -> None:
    other = other_project(database, mints, clock)
    assert database.read_now(lambda c: webhooks.one(c, other.id, webhook.id)) is None
    assert database.read_now(lambda c: webhooks.listed(c, other.id)) == []
    assert database.write_now(lambda c: webhooks.remove(c, other.id, webhook.id)) is False


def test_what_its_owner_changes_is_written(database: Database, webhook: Webhook, project: Project) -> None:
    changed = replace(
        webhook,
        url="https://example.com/other",
        types=("message.*",),
        secrets=b"\x00other",
        cursor=7,
        disabled_at=Instant(5),
        disabled_because=DisabledBecause.REQUESTED,
        health=Health(failures=2, failing_since=Instant(3), paused_until=Instant(9)),
    )
    database.write_now(lambda c: webhooks.replace(c, changed))
    assert database.write_now(lambda c: webhooks.one(c, project.id, webhook.id, lock=True)) == changed


def test_removing_it_removes_its_pushes(
    database: Database, webhook: Webhook, project: Project, clock: StillClock
) -> None:
    tell(database, project, EventType.DELIVERED)
    assert places(begin(database, webhook, clock)) == [1]
    assert database.write_now(lambda c: webhooks.remove(c, project.id, webhook.id)) is True
    assert database.read_now(lambda c: pushes.listed(c, webhook.id, before=None, limit=9)) == []


def test_it_is_disabled_once(database: Database, webhook: Webhook, clock: StillClock) -> None:
    assert database.write_now(lambda c: webhooks.disable(c, webhook.id, clock.now(), DisabledBecause.GONE)) is True
    assert database.write_now(lambda c: webhooks.disable(c, webhook.id, clock.now(), DisabledBecause.FAILING)) is False


def test_a_round_takes_events_over_in_order_and_only_once(
    database: Database, webhook: Webhook, project: Project, clock: StillClock
) -> None:
    tell(database, project, *[EventType.DELIVERED] * 5)
    first = begin(database, webhook, clock, limit=3)
    assert places(first) == [1, 2, 3]
    assert first is not None
    for push in first.pushes:
        settle(database, pushes.Settled(push=tried(push, PushState.DELIVERED, None, clock.now())))
    assert places(begin(database, webhook, clock, limit=3)) == [4, 5]


def test_what_was_taken_over_and_not_settled_is_given_again(
    database: Database, webhook: Webhook, project: Project, clock: StillClock
) -> None:
    tell(database, project, EventType.DELIVERED, EventType.BOUNCED)
    assert places(begin(database, webhook, clock)) == [1, 2]
    assert places(begin(database, webhook, clock)) == [1, 2]


def test_only_events_of_its_project_and_its_types_are_taken_over(
    database: Database, project: Project, mints: CountingMint, clock: StillClock
) -> None:
    other = other_project(database, mints, clock)
    narrow = add(database, project, mints, clock, types=("message.bounced", "domain.*"))
    tell(database, project, EventType.DELIVERED, EventType.BOUNCED)
    tell(database, other, EventType.BOUNCED)
    tell(database, project, EventType.DOMAIN_VERIFIED, EventType.WEBHOOK_TEST, EventType.ACCEPTED)
    assert places(begin(database, narrow, clock)) == [2, 4]


def test_a_long_stretch_of_unwanted_events_is_crossed_in_bounded_steps(
    database: Database, project: Project, mints: CountingMint, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushes, "WINDOW", 4)
    narrow = add(database, project, mints, clock, types=("message.bounced",))
    tell(database, project, *[EventType.DELIVERED] * 9, EventType.BOUNCED)
    first, second = begin(database, narrow, clock), begin(database, narrow, clock)
    assert first is not None
    assert second is not None
    assert (first.pushes, second.pushes) == ((), ())
    assert places(begin(database, narrow, clock)) == [10]


def test_nothing_due_gives_the_lease_back(
    database: Database, webhook: Webhook, project: Project, clock: StillClock
) -> None:
    assert begin(database, webhook, clock, node="one") is None
    tell(database, project, EventType.DELIVERED)
    assert places(begin(database, webhook, clock, node="two")) == [1]


def test_an_endpoint_is_served_by_one_node_at_a_time(
    database: Database, webhook: Webhook, project: Project, clock: StillClock
) -> None:
    tell(database, project, EventType.DELIVERED)
    assert places(begin(database, webhook, clock, node="one")) == [1]
    assert begin(database, webhook, clock, node="two") is None
    assert database.read_now(lambda c: pushes.turns(c, now=clock.now(), node="two")) == []
    assert [turn.webhook_id for turn in turns(database, clock, "one")] == [webhook.id]
    database.write_now(lambda c: pushes.give_back(c, webhook.id, node="two"))
    assert begin(database, webhook, clock, node="two") is None
    database.write_now(lambda c: pushes.give_back(c, webhook.id, node="one"))
    assert places(begin(database, webhook, clock, node="two")) == [1]


def turns(database: Database, clock: StillClock, node: str = "one") -> list[pushes.Turn]:
    return database.read_now(lambda c: pushes.turns(c, now=clock.now(), node=node))


def test_a_lapsed_lease_is_anybodys(database: Database, webhook: Webhook, project: Project, clock: StillClock) -> None:
    tell(database, project, EventType.DELIVERED)
    lapsed = database.write_now(
        lambda c: pushes.begin_round(c, webhook.id, now=clock.now(), node="one", duration=-SECOND, limit=10)
    )
    assert places(lapsed) == [1]
    assert places(begin(database, webhook, clock, node="two")) == [1]


def test_a_paused_or_disabled_endpoint_has_no_turn(
    database: Database, webhook: Webhook, project: Project, clock: StillClock
) -> None:
    tell(database, project, EventType.DELIVERED)
    assert len(turns(database, clock)) == 1
    paused = Health(failures=6, failing_since=clock.now(), paused_until=Instant(clock.now() + MINUTE))
    database.write_now(lambda c: webhooks.replace(c, replace(webhook, health=paused)))
    assert turns(database, clock) == []
    assert begin(database, webhook, clock) is None
    assert database.read_now(lambda c: pushes.next_turn(c, now=clock.now())) == paused.paused_until
    clock.pass_by(MINUTE)
    assert [turn.failures for turn in turns(database, clock)] == [6]
    database.write_now(lambda c: webhooks.disable(c, webhook.id, clock.now(), DisabledBecause.GONE))
    assert turns(database, clock) == []
    assert begin(database, webhook, clock) is None
    assert database.read_now(lambda c: pushes.next_turn(c, now=clock.now())) is None


def test_a_pause_behind_which_nothing_waits_is_no_turn(
    database: Database, webhook: Webhook, project: Project, clock: StillClock
) -> None:
    paused = Health(failures=6, failing_since=clock.now(), paused_until=Instant(clock.now() + MINUTE))
    database.write_now(lambda c: webhooks.replace(c, replace(webhook, health=paused)))
    assert database.read_now(lambda c: pushes.next_turn(c, now=clock.now())) is None
    tell(database, project, EventType.DELIVERED)
    assert database.read_now(lambda c: pushes.next_turn(c, now=clock.now())) == paused.paused_until


def test_a_failed_try_waits_for_its_time_and_holds_up_no_later_event(
    database: Database, webhook: Webhook, project: Project, clock: StillClock
) -> None:
    tell(database, project, EventType.DELIVERED, EventType.BOUNCED)
    first = begin(database, webhook, clock, limit=1)
    assert first is not None
    later = Instant(clock.now() + 5 * MINUTE)
    failing = Health(failures=1, failing_since=clock.now())
    assert settle(
        database, pushes.Settled(push=tried(first.pushes[0], PushState.PENDING, later, clock.now()), health=failing)
    ) == [True]
    again = begin(database, webhook, clock, limit=1)
    assert places(again) == [2]
    assert again is not None
    assert again.webhook.health == failing
    settle(database, pushes.Settled(push=tried(again.pushes[0], PushState.DELIVERED, None, clock.now())))
    assert begin(database, webhook, clock) is None
    assert database.read_now(lambda c: pushes.next_turn(c, now=clock.now())) == later
    clock.pass_by(5 * MINUTE)
    third = begin(database, webhook, clock)
    assert places(third) == [1]
    assert third is not None
    assert (third.pushes[0].attempts, len(third.pushes[0].history)) == (1, 1)


def test_a_settlement_counts_once(database: Database, webhook: Webhook, project: Project, clock: StillClock) -> None:
    tell(database, project, EventType.DELIVERED)
    found = begin(database, webhook, clock)
    assert found is not None
    done = pushes.Settled(push=tried(found.pushes[0], PushState.DELIVERED, None, clock.now()))
    assert settle(database, done) == [True]
    assert settle(database, done) == [False]


def test_recovery_makes_everything_due_that_waits(
    database: Database, webhook: Webhook, project: Project, clock: StillClock
) -> None:
    tell(database, project, *[EventType.DELIVERED] * 3)
    found = begin(database, webhook, clock)
    assert found is not None
    later = Instant(clock.now() + 10 * HOUR)
    down = Health(failures=2, failing_since=clock.now())
    for push in found.pushes[:2]:
        settle(database, pushes.Settled(push=tried(push, PushState.PENDING, later, clock.now()), health=down))
    back = tried(found.pushes[2], PushState.DELIVERED, None, clock.now())
    settle(database, pushes.Settled(push=back, health=Health(), recovered=True))
    again = begin(database, webhook, clock)
    assert places(again) == [1, 2]
    assert again is not None
    assert again.webhook.health == Health()


def test_a_replay_begins_the_schedule_anew_and_keeps_the_history(
    database: Database, webhook: Webhook, project: Project, clock: StillClock
) -> None:
    tell(database, project, EventType.DELIVERED, EventType.BOUNCED)
    found = begin(database, webhook, clock)
    assert found is not None
    for push in found.pushes:
        settle(database, pushes.Settled(push=tried(push, PushState.FAILED, None, clock.now())))
    assert database.read_now(lambda c: pushes.failed(c, webhook.id, after=0, limit=10)) == [1, 2]
    assert database.read_now(lambda c: pushes.failed(c, webhook.id, after=1, limit=10)) == [2]
    database.write_now(lambda c: pushes.replay(c, webhook.id, [2], clock.now()))
    again = begin(database, webhook, clock)
    assert places(again) == [2]
    assert again is not None
    assert (again.pushes[0].attempts, len(again.pushes[0].history)) == (0, 1)


def test_a_stretch_of_the_log_tells_what_the_endpoint_wants(
    database: Database, project: Project, mints: CountingMint, clock: StillClock
) -> None:
    narrow = add(database, project, mints, clock, types=("message.*",))
    tell(database, project, EventType.DELIVERED, EventType.DOMAIN_FAILED, EventType.BOUNCED, EventType.EXPIRED)
    found = database.read_now(lambda c: pushes.between(c, narrow, after=1, until=3, limit=10))
    assert found == [(2, False), (3, True)]


def test_pushes_are_listed_newest_first_with_their_types(
    database: Database, webhook: Webhook, project: Project, clock: StillClock
) -> None:
    tell(database, project, EventType.DELIVERED, EventType.BOUNCED, EventType.EXPIRED)
    found = begin(database, webhook, clock)
    assert found is not None
    settle(database, pushes.Settled(push=tried(found.pushes[0], PushState.DELIVERED, None, clock.now())))

    def listed(**filters: object) -> list[tuple[int, str | None]]:
        return [
            (push.seq, kind)
            for push, kind in database.read_now(lambda c: pushes.listed(c, webhook.id, limit=2, **filters))  # type: ignore[arg-type] # filters of several types
        ]

    assert listed(before=None) == [(3, "message.expired"), (2, "message.bounced")]
    assert listed(before=2) == [(1, "message.delivered")]
    assert listed(before=None, state=PushState.DELIVERED) == [(1, "message.delivered")]


def test_giving_up_ends_what_waits(database: Database, webhook: Webhook, project: Project, clock: StillClock) -> None:
    tell(database, project, EventType.DELIVERED)
    begin(database, webhook, clock)
    database.write_now(lambda c: pushes.give_up(c, webhook.id, clock.now()))
    assert database.read_now(lambda c: pushes.failed(c, webhook.id, after=0, limit=10)) == [1]
    assert begin(database, webhook, clock) is None


async def test_an_event_that_commits_late_is_never_skipped(
    database: Database, webhook: Webhook, project: Project, clock: StillClock, another: Callable[[], Database]
) -> None:
    """Writers on several nodes hold their transactions open after having drawn a place; the reader reads on."""
    writers, each = 6, 30
    nodes = [another() for _ in range(writers)]
    stop = threading.Event()
    taken: list[int] = []

    def write(node: Database, number: int) -> None:
        for n in range(each):

            def unit(connection: object, n: int = n) -> None:
                new = [NewEvent(project_id=project.id, type=EventType.DELIVERED, at=Instant(1)) for _ in range(3)]
                events.append(connection, new)  # type: ignore[arg-type] # the unit's connection
                stop.wait(0.001 * ((n + number) % 4))  # the commit comes late

            node.write_now(unit)

    def read() -> None:
        quiet = 0
        while quiet < 2:
            done = all(not thread.is_alive() for thread in threads)
            found = begin(database, webhook, clock, limit=7)
            for push in found.pushes if found is not None else ():
                taken.append(push.seq)
                settle(database, pushes.Settled(push=tried(push, PushState.DELIVERED, None, clock.now())))
            quiet = quiet + 1 if done and not places(found) else 0

    threads = [threading.Thread(target=write, args=(node, number)) for number, node in enumerate(nodes)]
    for thread in threads:
        thread.start()
    await asyncio.to_thread(read)
    for thread in threads:
        thread.join()
    everything = database.read_now(lambda c: events.feed(c, project.id, after=0, limit=10_000))
    assert taken == [event.seq for event in everything]
    assert len(taken) == writers * each * 3
