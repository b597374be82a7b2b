"""What is kept of transport security, on both engines."""

from __future__ import annotations

import msgspec

from postroad.model.clock import DAY, HOUR, Instant
from postroad.store import transport
from postroad.store.database import Database
from postroad.store.transport import Counted, KeptPolicy
from stores import START

POLICY = KeptPolicy(
    domain="x.test",
    policy_id="1",
    mode="enforce",
    mx=("mx.x.test", "*.y.test"),
    max_age_s=86_400,
    expires_at=Instant(START + DAY),
    refresh_at=Instant(START + HOUR),
    used_at=START,
)
COUNTED = Counted("2026-01-31", "x.test", "d1", "", "", "", "", "{}", "", 3)


async def test_the_policy_of_a_domain_takes_the_place_of_the_one_before(database: Database) -> None:
    await database.write(lambda c: transport.save_policy(c, POLICY))
    newer = msgspec.structs.replace(POLICY, policy_id="2", mode="none", mx=())
    await database.write(lambda c: transport.save_policy(c, newer))
    assert await database.read(lambda c: transport.policy_of(c, "x.test")) == newer
    assert await database.read(lambda c: transport.policy_of(c, "y.test")) is None
    assert await database.read(lambda c: transport.policies(c, limit=10)) == [newer]


async def test_policies_are_refreshed_while_they_are_of_use(database: Database) -> None:
    await database.write(lambda c: transport.save_policy(c, POLICY))

    async def due(now: Instant, used_since: Instant = START) -> list[KeptPolicy]:
        return await database.read(lambda c: transport.policies_to_refresh(c, now, used_since=used_since, limit=5))

    later = Instant(START + 2 * HOUR)
    assert await due(START) == []
    assert await due(later) == [POLICY]
    assert await due(later, used_since=later) == []
    assert await due(Instant(START + 2 * DAY)) == []
    await database.write(lambda c: transport.touch_policy(c, "x.test", refresh_at=Instant(later + 1), used_at=later))
    assert await due(later) == []
    assert await database.write(lambda c: transport.remove_policies(c, POLICY.expires_at, 5)) == 0
    assert await database.write(lambda c: transport.remove_policies(c, Instant(START + 2 * DAY), 5)) == 1


async def test_broken_tls_is_kept_until_its_time_is_over(database: Database) -> None:
    soon, late = Instant(START + 1), Instant(START + DAY)
    await database.write(lambda c: transport.note_broken(c, [("192.0.2.1", "mx.test", "old", soon)]))
    rows = [("192.0.2.1", "mx.test", "why", late), ("192.0.2.2", "mx.test", "why", soon)]
    await database.write(lambda c: transport.note_broken(c, rows))
    assert await database.read(lambda c: transport.broken(c, START, limit=5)) == rows
    assert await database.read(lambda c: transport.broken(c, soon, limit=5)) == rows[:1]
    assert await database.write(lambda c: transport.remove_broken(c, late, 5)) == 1


async def test_counts_of_sessions_add_up(database: Database) -> None:
    failed = msgspec.structs.replace(COUNTED, result="validation-failure", host="mx", ip="192.0.2.1", sessions=1)
    other = msgspec.structs.replace(COUNTED, domain="y.test", sessions=1)
    for rows in ([COUNTED, failed], [COUNTED, other]):
        await database.write(lambda c, rows=rows: transport.count_sessions(c, rows))
    day = COUNTED.day
    added = msgspec.structs.replace(COUNTED, sessions=6)
    assert await database.read(lambda c: transport.sessions(c, day)) == [added, failed, other]
    assert await database.read(lambda c: transport.sessions(c, day, "y.test")) == [other]
    assert await database.read(lambda c: transport.sessions(c, "2026-01-30")) == []
    assert await database.write(lambda c: transport.remove_sessions(c, day, 5)) == 0
    assert await database.write(lambda c: transport.remove_sessions(c, "2026-02-01", 2)) == 2
