"""The guard: counts what became of mail, warns once, pauses broadcast mail, and begins anew."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from doors import House
from postroad.config.guard import Guard as Settings
from postroad.features.accounts import StreamChange
from postroad.features.guard import Guard, ThresholdChange
from postroad.features.guard import guard as module
from postroad.model.clock import DAY, HOUR, Instant
from postroad.model.errors import Refused
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import DeliveryId
from postroad.model.message import Mode
from postroad.model.reputation import BUCKET, Counts
from postroad.model.stream import StreamKind
from postroad.store import Connection, audit, bulk, events, reputation, sites
from postroad.store.messages import accept
from stores import acceptance, new_message

REASONS = {
    "hard": {"class": "invalid_recipient", "permanence": "permanent", "scope": "recipient", "action": "suppress"},
    "block": {"class": "reputation_block", "permanence": "transient", "scope": "ip_reputation", "action": "slow_down"},
}


@pytest.fixture
def guard(house: House) -> Guard:
    return made(house)


def made(house: House, **settings: object) -> Guard:
    services = house.services
    return Guard(
        services.database, services.clock, services.mint, Settings(**{"least": 10, **settings}),
        streams=services.streams, changed=services.suspensions.refresh, told=services.event_signal.ring,
    )  # fmt: skip


@pytest.fixture
async def api(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as client:
        yield client


def end(
    house: House,
    count: int,
    outcome: str = "delivered",
    *,
    stream: str = "broadcast",
    domain: str = "a.test",
    mode: Mode = Mode.LIVE,
) -> list[str]:
    """Let deliveries come to an end, as a settle does, and return their identifiers."""
    now, project = house.clock.now(), house.project
    kind = EventType.BOUNCED if outcome in REASONS else EventType.DELIVERED
    new = new_message(house.services.mint, project, *[f"u{n}@{domain}" for n in range(count)], at=now, stream=stream)
    new = msgspec.structs.replace(new, message=msgspec.structs.replace(new.message, mode=mode))
    reason = {**REASONS[outcome], "rule": "r", "detail": "d"} if outcome in REASONS else None
    data = msgspec.json.encode({"reason": reason, "attempt": {"phase": "rcpt"}})
    ended = [delivery.id for delivery in new.deliveries]

    def write(connection: Connection) -> None:
        accept(connection, [acceptance(project, new, at=now)])
        bulk.run(
            connection,
            "UPDATE deliveries SET state = ?, attempts = 1, updated_at = ? WHERE message_id = ?",
            ("bounced" if outcome in REASONS else "delivered", now, new.message.id),
        )
        told = [NewEvent(project_id=project.id, type=kind, at=now, delivery_id=name, data=data) for name in ended]
        events.append(connection, told)

    house.services.database.write_now(write)
    return ended


def tell(house: House, kind: EventType, deliveries: list[str], reason: str | None = None) -> None:
    """Write what is learnt of deliveries after their end."""
    told = {"reason": {**REASONS[reason], "rule": "r", "detail": "d"}} if reason else {}
    house.services.database.write_now(
        lambda c: events.append(c, [
            NewEvent(project_id=house.project.id, type=kind, at=house.clock.now(), delivery_id=DeliveryId(name),
                     data=msgspec.json.encode(told))
            for name in deliveries
        ])
    )  # fmt: skip


async def follow(guard: Guard) -> None:
    while await guard.follow():
        pass


async def test_following_ends_where_the_log_ended(house: House, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes while it counts waits for the next time; under load it would go on without a pause."""
    monkeypatch.setattr("postroad.features.guard.guard._PART", 4)
    end(house, 3)  # two events each: accepted and ended
    assert [await guard.follow() for _ in range(3)] == [True, False, False]


def told(house: House) -> list[tuple[str, str]]:
    log = house.services.database.read_now(lambda c: events.feed(c, house.project.id, after=0, limit=10_000))
    return [
        (event.type.value, f"{event.data['guard']['subject']}: {event.data['guard']['rate']}")
        for event in log
        if event.type.value.startswith("guard.")
    ]


def paused(house: House) -> set[str]:
    return {name for name in ("broadcast", "transactional", "news")
            if house.services.suspensions.find(house.project.id, name) is not None}  # fmt: skip


async def test_what_became_of_mail_is_counted_by_stream_and_site(house: House, guard: Guard) -> None:
    house.services.database.write_now(lambda c: sites.note(c, {"a.test": "google"}, house.clock.now()))
    names = end(house, 5)
    end(house, 2, "hard")
    end(house, 1, "block", domain="b.test")
    end(house, 3, stream="transactional")
    end(house, 4, mode=Mode.TEST)
    await follow(guard)
    tell(house, EventType.COMPLAINED, names[:1])
    tell(house, EventType.BOUNCED_LATE, names[1:2], "hard")
    await follow(guard)
    shown = await guard.show(house.project.id)
    assert {each.name: each.day for each in shown.streams} == {
        "broadcast": Counts(sent=8, delivered=5, hard=3, blocked=1, complained=1),
        "transactional": Counts(sent=3, delivered=3),
    }
    assert [(each.name, each.day) for each in shown.sites] == [
        ("google", Counts(sent=10, delivered=8, hard=3, complained=1)),
        ("b.test", Counts(sent=1, blocked=1)),
    ]


async def test_each_event_counts_once_whoever_counts(house: House, guard: Guard) -> None:
    end(house, 3)
    database = house.services.database
    part = database.read_now(lambda c: reputation.step(c, 100))
    assert part is not None
    await follow(guard)
    late = {(house.project.id, "*", 1, "broadcast"): Counts(sent=9)}
    assert database.write_now(lambda c: reputation.count(c, part, late)) is False
    shown = await guard.show(house.project.id)
    assert [each.day.sent for each in shown.streams] == [3]


async def test_a_bad_rate_is_warned_of_once(house: House, guard: Guard) -> None:
    end(house, 96)
    end(house, 4, "hard")
    await follow(guard)
    assert sorted(told(house)) == [
        ("guard.warned", "project: hard_bounce"),
        ("guard.warned", "site a.test: hard_bounce"),
        ("guard.warned", "stream broadcast: hard_bounce"),
    ]
    end(house, 20)
    await follow(guard)  # 3.3 %, still beyond
    end(house, 30)
    await follow(guard)  # 2.7 %: below the level, not yet clearly
    end(house, 3, "hard")
    await follow(guard)
    assert len(told(house)) == 3
    assert paused(house) == set()


async def test_a_worse_one_pauses_broadcast_mail_and_nothing_else(house: House, guard: Guard) -> None:
    end(house, 94)
    end(house, 6, "hard")
    await follow(guard)
    assert paused(house) == {"broadcast"}
    assert told(house) == [("guard.paused", "project: hard_bounce")]
    shown = await guard.show(house.project.id)
    (suspension,) = shown.paused
    assert suspension.reason == (
        "6 % of what was sent was refused for good because there is no such recipient (6 of 100, project). "
        "Clean the list: mail only addresses that were confirmed."
    )
    assert suspension.evidence == {
        "rate": "hard_bounce", "subject": "project", "count": 6, "of": 100, "threshold": 0.05,
    }  # fmt: skip
    assert suspension.until is None


async def test_complaints_count_with_the_time_of_delivery(house: House, guard: Guard) -> None:
    names = end(house, 1000)
    house.clock.pass_by(3 * DAY)
    end(house, 20)
    tell(house, EventType.COMPLAINED, names[:4])
    await follow(guard)
    assert told(house) == [("guard.paused", "project: complaint")]
    assert paused(house) == {"broadcast"}


async def test_after_a_pause_the_count_begins_anew(house: House, guard: Guard) -> None:
    end(house, 50, "hard")
    await follow(guard)
    (suspension,) = (await guard.show(house.project.id)).paused
    await house.services.suspending.lift(suspension.id, author="cli", force=True)
    assert paused(house) == set()
    house.clock.pass_by(BUCKET)
    end(house, 100)
    end(house, 2, "hard")
    await follow(guard)
    assert paused(house) == set()
    shown = await guard.show(house.project.id)
    assert shown.counted_from is not None
    assert [each.day.sent for each in shown.streams] == [152]
    assert shown.findings == []
    end(house, 8, "hard")
    await follow(guard)
    assert paused(house) == {"broadcast"}


async def test_the_window_moves_on(house: House, guard: Guard) -> None:
    end(house, 96)
    end(house, 4, "hard")
    house.clock.pass_by(DAY + BUCKET)
    end(house, 100)
    await follow(guard)
    assert told(house) == []


async def test_transactional_mail_alone_is_warned_of_and_never_paused(house: House, guard: Guard) -> None:
    end(house, 50, "hard", stream="transactional")
    await follow(guard)
    assert paused(house) == set()
    assert ("guard.warned", "stream transactional: hard_bounce") in told(house)


async def test_every_broadcast_stream_is_paused(house: House, guard: Guard) -> None:
    await house.services.streams.create(house.project.id, "news", StreamKind.BROADCAST, StreamChange(), actor="test")
    end(house, 20, "block", stream="news")
    await follow(guard)
    assert paused(house) == {"broadcast", "news"}
    end(house, 20, "block", stream="news")
    house.clock.pass_by(BUCKET)
    end(house, 20, "block", stream="news")
    await follow(guard)
    assert [kind for kind, _ in told(house)].count("guard.paused") == 1
    assert ("guard.warned", "stream news: block") in told(house)


async def test_a_pause_may_end_by_itself(house: House) -> None:
    guard = made(house, resume_after_hours=2)
    end(house, 20, "hard")
    await follow(guard)
    assert (await guard.show(house.project.id)).paused[0].until == house.clock.now() + 2 * HOUR
    house.clock.pass_by(2 * HOUR)
    assert paused(house) == set()


async def test_a_guard_that_only_warns_pauses_nothing(house: House) -> None:
    guard = made(house, pause=False)
    end(house, 20, "hard")
    await follow(guard)
    assert paused(house) == set()
    assert {kind for kind, _ in told(house)} == {"guard.warned"}


async def test_a_project_has_numbers_of_its_own(house: House, guard: Guard) -> None:
    project = house.project.id
    change = ThresholdChange(hard_bounce_warn=0.5, hard_bounce_pause=0.6, least=5)
    shown = await guard.adjust(project, change, author="cli")
    assert (shown.thresholds.hard_bounce_pause, set(shown.own)) == (
        0.6, {"hard_bounce_warn", "hard_bounce_pause", "least"},
    )  # fmt: skip
    end(house, 8)
    end(house, 2, "hard")
    await follow(guard)
    assert told(house) == []
    (entry,) = house.services.database.read_now(lambda c: audit.entries(c, project, limit=1))
    assert (entry.action, entry.data["least"]) == ("guard.set", 5)
    assert (await guard.adjust(project, ThresholdChange(), author="cli", reset=True)).own == ()
    with pytest.raises(Refused) as refused:
        await guard.adjust(project, ThresholdChange(block_pause=2, least=0), author="cli")
    assert [flaw.pointer for flaw in refused.value.flaws] == ["/block_pause", "/least"]


async def test_many_small_sites_count_together(house: House, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SITES", 2)
    for n in range(4):
        end(house, 1, domain=f"d{n}.test")
        await follow(guard)
    shown = await guard.show(house.project.id)
    assert {each.name: each.day.sent for each in shown.sites} == {"d0.test": 1, "d1.test": 1, "other": 2}


async def test_old_counters_are_removed(house: House, guard: Guard) -> None:
    end(house, 1)
    await follow(guard)
    database = house.services.database
    assert database.write_now(lambda c: reputation.remove_before(c, house.clock.now(), 10)) == 0
    later = Instant(house.clock.now() + BUCKET)
    assert database.write_now(lambda c: reputation.remove_before(c, later, 10)) == 2


async def test_the_role_follows_until_it_is_canceled(house: House, guard: Guard) -> None:
    end(house, 3)
    task = asyncio.create_task(guard.run())
    async with asyncio.timeout(10):
        while not (await guard.show(house.project.id)).streams:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await made(house, enabled=False).run()


async def test_the_api_shows_how_the_project_stands(house: House, api: httpx.AsyncClient) -> None:
    end(house, 1100)
    end(house, 100, "hard")
    await follow(house.services.guard)
    shown = (await api.get("/v1/guard")).json()
    assert shown["streams"][0]["hard_bounce"] == {"count": 100, "of": 1200, "share": pytest.approx(0.0833, abs=1e-4)}
    assert shown["streams"][0]["complaint"] == {"count": 0, "of": 1100, "share": 0.0}
    assert shown["counted_from"] is not None
    assert shown["paused"][0]["cause"] == "guard"
    assert shown["findings"] == []
