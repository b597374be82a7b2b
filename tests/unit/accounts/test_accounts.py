"""Projects, keys and streams, on both engines."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from postroad.config import Settings
from postroad.features.accounts import (
    Keys,
    Projects,
    StreamChange,
    Streams,
    built_in_streams,
    development_key,
    ensure_default_project,
)
from postroad.features.accounts import secret as form
from postroad.model.clock import DAY, HOUR, MINUTE, SECOND, after
from postroad.model.errors import Refused
from postroad.model.ids import KeyId, ProjectId
from postroad.model.message import Mode
from postroad.model.project import KeyLimits, KeyScope, Project
from postroad.model.stream import RetrySchedule, StreamKind
from postroad.store import audit
from postroad.store.database import Database
from stores import CountingMint, StillClock


@pytest.fixture
def projects(database: Database, clock: StillClock, mints: CountingMint) -> Projects:
    return Projects(database, clock, mints)


@pytest.fixture
def keys(database: Database, clock: StillClock, mints: CountingMint) -> Keys:
    return Keys(database, clock, mints)


@pytest.fixture
def streams(database: Database, clock: StillClock) -> Streams:
    return Streams(database, clock, built_in_streams(Settings()))


def _code(raised: pytest.ExceptionInfo[Refused]) -> str:
    return raised.value.code


def _actions(database: Database, project_id: str) -> list[tuple[str, str]]:
    found = database.read_now(lambda c: audit.entries(c, project_id))
    return [(entry.action, entry.actor) for entry in reversed(found)]


# --- projects --------------------------------------------------------------------------------------------------------


async def test_a_project_is_found_by_name_and_by_identifier(projects: Projects) -> None:
    made = await projects.create(" Shop ", actor="cli")
    assert made.name == "Shop"
    assert await projects.find("Shop") == await projects.find(made.id) == await projects.get(made.id) == made


async def test_a_name_is_given_once(projects: Projects) -> None:
    await projects.create("one", actor="cli")
    other = await projects.create("other", actor="cli")
    for attempt in (projects.create("one", actor="cli"), projects.rename(other.id, "one", actor="cli")):
        with pytest.raises(Refused) as refused:
            await attempt
        assert _code(refused) == "already_exists"
    assert (await projects.rename(other.id, "other", actor="cli")).name == "other"


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
async def test_a_name_is_for_people(projects: Projects, name: str) -> None:
    with pytest.raises(Refused) as refused:
        await projects.create(name, actor="cli")
    assert refused.value.flaws[0].pointer == "/name"


async def test_pausing_twice_keeps_the_first_time_and_resuming_ends_it(projects: Projects, clock: StillClock) -> None:
    made = await projects.create("one", actor="cli")
    heard: list[ProjectId] = []
    projects.on_change(heard.append)
    paused = await projects.pause(made.id, actor="cli")
    clock.pass_by(HOUR)
    assert paused.paused_at == (await projects.pause(made.id, actor="cli")).paused_at is not None
    assert (await projects.resume(made.id, actor="cli")).paused_at is None
    assert heard == [made.id] * 3


async def test_an_unknown_project_is_not_found(projects: Projects) -> None:
    unknown = ProjectId("prj_unknown")
    for attempt in (projects.get(unknown), projects.find("x"), projects.pause(unknown, actor="cli")):
        with pytest.raises(Refused) as refused:
            await attempt
        assert _code(refused) == "not_found"


async def test_projects_are_listed_page_by_page(projects: Projects) -> None:
    made = [await projects.create(f"p{n}", actor="cli") for n in range(5)]
    first = await projects.listed(limit=3)
    assert first + await projects.listed(after=first[-1].id, limit=3) == made


async def test_every_change_to_a_project_is_in_the_audit(projects: Projects, database: Database) -> None:
    made = await projects.create("one", actor="cli")
    await projects.rename(made.id, "two", actor="key_1")
    await projects.pause(made.id, actor="cli")
    await projects.resume(made.id, actor="cli")
    assert _actions(database, made.id) == [
        ("project.created", "cli"),
        ("project.renamed", "key_1"),
        ("project.paused", "cli"),
        ("project.resumed", "cli"),
    ]


# --- keys ------------------------------------------------------------------------------------------------------------


async def test_a_key_tells_who_calls(keys: Keys, project: Project) -> None:
    made = await keys.create(project.id, "ci", mode=Mode.TEST, scope=KeyScope.SEND, actor="cli")
    caller = await keys.authenticate(made.secret, "192.0.2.1")
    assert (caller.project, caller.key, caller.ip) == (project, made.key, "192.0.2.1")
    assert caller.key.mode is Mode.TEST
    assert made.secret.startswith("pr_test_")


async def test_the_secret_is_in_no_table(keys: Keys, project: Project, database: Database, store_url: str) -> None:
    made = await keys.create(project.id, "ci", actor="cli")
    if store_url.startswith("sqlite"):
        database.write_now(lambda c: c.exec_driver_sql("SELECT 1"))
        octets = b"".join(path.read_bytes() for path in Path(store_url.removeprefix("sqlite:///")).parent.iterdir())
        assert made.key.id.encode() in octets
        assert made.secret.encode() not in octets
    found = database.read_now(lambda c: audit.entries(c, project.id))
    assert made.secret not in repr(found)


async def test_unknown_revoked_expired_and_mistyped_keys_are_refused_alike(
    keys: Keys, project: Project, clock: StillClock
) -> None:
    revoked = await keys.create(project.id, "revoked", actor="cli")
    expiring = await keys.create(project.id, "expiring", expires_at=after(clock.now(), HOUR), actor="cli")
    await keys.authenticate(revoked.secret, "192.0.2.1")
    await keys.authenticate(expiring.secret, "192.0.2.1")
    await keys.revoke(project.id, revoked.key.id, actor="cli")
    clock.pass_by(HOUR)
    for secret in (revoked.secret, expiring.secret, form.make(Mode.LIVE, bytes(32)), "", "pr_live_x", "\udcff"):
        with pytest.raises(Refused) as refused:
            await keys.authenticate(secret, "192.0.2.1")
        assert _code(refused) == "unauthorized"


async def test_a_key_expires_while_it_is_remembered(keys: Keys, project: Project, clock: StillClock) -> None:
    made = await keys.create(project.id, "short", expires_at=after(clock.now(), SECOND), actor="cli")
    await keys.authenticate(made.secret, "192.0.2.1")
    clock.pass_by(SECOND)
    with pytest.raises(Refused):
        await keys.authenticate(made.secret, "192.0.2.1")


async def test_a_revoked_key_is_dead_on_other_nodes_within_five_seconds(
    another: Callable[[], Database], keys: Keys, project: Project, clock: StillClock, mints: CountingMint
) -> None:
    made = await keys.create(project.id, "ci", actor="cli")
    elsewhere = Keys(another(), clock, mints)
    await elsewhere.authenticate(made.secret, "192.0.2.1")
    await keys.revoke(project.id, made.key.id, actor="cli")
    with pytest.raises(Refused):
        await keys.authenticate(made.secret, "192.0.2.1")
    clock.pass_by(5 * SECOND)
    with pytest.raises(Refused):
        await elsewhere.authenticate(made.secret, "192.0.2.1")


async def test_the_address_is_checked_on_each_call(keys: Keys, project: Project) -> None:
    limits = KeyLimits(networks=("192.0.2.7/24", "2001:db8::/32"))
    made = await keys.create(project.id, "office", limits=limits, actor="cli")
    assert made.key.limits.networks == ("192.0.2.0/24", "2001:db8::/32")
    for inside in ("192.0.2.200", "2001:db8::1", "::ffff:192.0.2.9"):
        await keys.authenticate(made.secret, inside)
    for outside in ("192.0.3.1", "2001:db9::1", "", "unix", "::ffff:10.0.0.1"):
        with pytest.raises(Refused) as refused:
            await keys.authenticate(made.secret, outside)
        assert _code(refused) == "forbidden"


async def test_limits_are_made_uniform_and_wrong_ones_pointed_at(keys: Keys, project: Project) -> None:
    limits = KeyLimits(from_domains=("Bücher.example",), recipients=("*@Example.COM", "*"))
    made = await keys.create(project.id, "k", limits=limits, actor="cli")
    assert made.key.limits == KeyLimits(from_domains=("xn--bcher-kva.example",), recipients=("*@example.com", "*"))
    wrong = KeyLimits(from_domains=("a b",), recipients=("ok@x.org", "no at sign"), networks=("10.0.0.0/99",))
    with pytest.raises(Refused) as refused:
        await keys.create(project.id, "k", limits=wrong, actor="cli")
    assert [flaw.pointer for flaw in refused.value.flaws] == [
        "/limits/from_domains/0", "/limits/recipients/1", "/limits/networks/0",
    ]  # fmt: skip
    with pytest.raises(Refused) as refused:
        await keys.create(project.id, "k", limits=KeyLimits(recipients=("*",) * 101), actor="cli")
    assert refused.value.flaws[0].pointer == "/limits/recipients"


@pytest.mark.parametrize("pattern", ["a?b@x.org", "[ab]@x.org", "[!a]*@x.org", "*@[192.0.2.1]"])
async def test_only_a_star_stands_for_others(keys: Keys, project: Project, pattern: str) -> None:
    with pytest.raises(Refused) as refused:
        await keys.create(project.id, "k", limits=KeyLimits(recipients=(pattern,)), actor="cli")
    assert [flaw.pointer for flaw in refused.value.flaws] == ["/limits/recipients/0"]


async def test_a_pattern_may_name_an_international_domain(keys: Keys, project: Project) -> None:
    given = KeyLimits(recipients=("*@Bücher.example", "*@*.bücher.example"))
    made = await keys.create(project.id, "k", limits=given, actor="cli")
    assert made.key.limits.recipients == ("*@xn--bcher-kva.example", "*@*.xn--bcher-kva.example")


async def test_a_key_that_has_expired_already_is_not_made(keys: Keys, project: Project, clock: StillClock) -> None:
    with pytest.raises(Refused) as refused:
        await keys.create(project.id, "k", expires_at=clock.now(), actor="cli")
    assert refused.value.flaws[0].pointer == "/expires_at"


async def test_uses_are_written_at_most_once_a_minute(keys: Keys, project: Project, clock: StillClock) -> None:
    made = await keys.create(project.id, "ci", actor="cli")
    first = clock.now()
    await keys.authenticate(made.secret, "192.0.2.1")
    await keys.record_uses()
    clock.pass_by(MINUTE - 1)
    await keys.authenticate(made.secret, "192.0.2.1")
    await keys.record_uses()
    assert (await keys.get(project.id, made.key.id)).last_used_at == first
    clock.pass_by(1)
    await keys.authenticate(made.secret, "192.0.2.1")
    await keys.record_uses()
    assert (await keys.get(project.id, made.key.id)).last_used_at == clock.now()


async def test_uses_are_written_by_the_loop_and_once_more_at_its_end(keys: Keys, project: Project) -> None:
    made = await keys.create(project.id, "ci", actor="cli")
    loop = asyncio.ensure_future(keys.record_uses_forever(every_s=60))
    await asyncio.sleep(0)
    await keys.authenticate(made.secret, "192.0.2.1")
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
    assert (await keys.get(project.id, made.key.id)).last_used_at is not None


async def test_uses_that_cannot_be_written_now_are_written_later(
    keys: Keys, project: Project, database: Database
) -> None:
    made = await keys.create(project.id, "ci", actor="cli")
    await keys.authenticate(made.secret, "192.0.2.1")
    backlog, database._backlog = database._backlog, 0
    await keys.record_uses()
    database._backlog = backlog
    await keys.record_uses()
    assert (await keys.get(project.id, made.key.id)).last_used_at is not None


async def test_a_key_knows_a_change_to_its_project(keys: Keys, projects: Projects, project: Project) -> None:
    projects.on_change(keys.forget_project)
    made = await keys.create(project.id, "ci", actor="cli")
    await keys.authenticate(made.secret, "192.0.2.1")
    await projects.pause(project.id, actor="cli")
    assert (await keys.authenticate(made.secret, "192.0.2.1")).project.paused_at is not None


async def test_a_key_belongs_to_its_project_alone(keys: Keys, projects: Projects, project: Project) -> None:
    other = await projects.create("other", actor="cli")
    made = await keys.create(project.id, "ci", actor="cli")
    for attempt in (keys.get(other.id, made.key.id), keys.revoke(other.id, made.key.id, actor="cli")):
        with pytest.raises(Refused) as refused:
            await attempt
        assert _code(refused) == "not_found"
    assert await keys.listed(other.id) == []
    assert [key.id for key in await keys.listed(project.id)] == [made.key.id]


async def test_revoking_twice_keeps_the_first_time(keys: Keys, project: Project, clock: StillClock) -> None:
    made = await keys.create(project.id, "ci", actor="cli")
    first = await keys.revoke(project.id, made.key.id, actor="cli")
    clock.pass_by(HOUR)
    assert (await keys.revoke(project.id, made.key.id, actor="cli")).revoked_at == first.revoked_at
    with pytest.raises(Refused):
        await keys.revoke(project.id, KeyId("key_unknown"), actor="cli")


async def test_only_an_api_key_can_be_adopted(keys: Keys, project: Project) -> None:
    with pytest.raises(Refused) as refused:
        await keys.adopt(project.id, "k", "pr_live_mistyped", actor="cli")
    assert _code(refused) == "invalid_request"


async def test_the_loop_goes_on_when_a_write_fails(keys: Keys, project: Project, database: Database) -> None:
    made = await keys.create(project.id, "ci", actor="cli")
    await keys.authenticate(made.secret, "192.0.2.1")
    database.write_now(lambda c: c.exec_driver_sql("ALTER TABLE api_keys RENAME TO gone"))
    loop = asyncio.ensure_future(keys.record_uses_forever(every_s=0.001))
    await asyncio.sleep(0.05)
    assert not loop.done()
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop


# --- the first start -------------------------------------------------------------------------------------------------


async def test_the_default_project_is_made_once(projects: Projects) -> None:
    made = await asyncio.gather(*[ensure_default_project(projects) for _ in range(5)])
    assert len(set(made)) == 1
    assert made[0].name == "default"


async def test_the_development_key_stays_the_same_over_restarts(keys: Keys, project: Project, tmp_path: Path) -> None:
    first = await development_key(keys, project, tmp_path, bytes(32))
    again = await development_key(keys, project, tmp_path, bytes(range(32)))
    assert first == again
    assert stat.S_IMODE((tmp_path / "dev.key").stat().st_mode) == 0o600
    assert (await keys.authenticate(first, "127.0.0.1")).key.mode is Mode.LIVE


async def test_the_development_key_survives_a_new_store(keys: Keys, project: Project, tmp_path: Path) -> None:
    secret = form.make(Mode.LIVE, bytes(32))
    (tmp_path / "dev.key").write_text(secret + "\n")
    assert await development_key(keys, project, tmp_path, bytes(range(32))) == secret
    assert (await keys.authenticate(secret, "127.0.0.1")).project == project


async def test_a_revoked_or_broken_development_key_is_replaced(keys: Keys, project: Project, tmp_path: Path) -> None:
    first = await development_key(keys, project, tmp_path, bytes(32))
    (made,) = await keys.listed(project.id)
    await keys.revoke(project.id, made.id, actor="cli")
    second = await development_key(keys, project, tmp_path, bytes(range(32)))
    assert second != first
    (tmp_path / "dev.key").write_text("scribble")
    third = await development_key(keys, project, tmp_path, bytes(range(1, 33)))
    assert third not in {first, second}
    assert (tmp_path / "dev.broken").read_text() == "scribble"
    await keys.authenticate(third, "127.0.0.1")


# --- streams ---------------------------------------------------------------------------------------------------------


async def test_every_project_has_the_built_in_streams_as_the_settings_have_them(
    streams: Streams, project: Project
) -> None:
    transactional = await streams.get(project.id, "transactional")
    assert (transactional.kind, transactional.expire_after) == (StreamKind.TRANSACTIONAL, DAY)
    assert (await streams.get(project.id, "broadcast")).unsubscribe
    assert [stream.name for stream in await streams.listed(project.id)] == ["transactional", "broadcast"]


async def test_an_own_stream_follows_its_kind_in_what_it_does_not_set(streams: Streams, project: Project) -> None:
    await streams.get(project.id, "broadcast")
    change = StreamChange(expire_after=10 * MINUTE, retry_delays=(SECOND,))
    made = await streams.create(project.id, "otp", StreamKind.TRANSACTIONAL, change, actor="cli")
    assert made == await streams.get(project.id, "otp")
    assert (made.expire_after, made.retry, made.unsubscribe) == (10 * MINUTE, RetrySchedule((SECOND,), 0.2), False)
    news = await streams.create(project.id, "news", StreamKind.BROADCAST, StreamChange(), actor="cli")
    assert (news.expire_after, news.unsubscribe) == (3 * DAY, True)


async def test_a_stream_is_changed_piece_by_piece(streams: Streams, project: Project, database: Database) -> None:
    await streams.update(project.id, "broadcast", StreamChange(unsubscribe=False), actor="key_1")
    await streams.update(project.id, "broadcast", StreamChange(retry_jitter=0.0), actor="key_1")
    changed = await streams.update(project.id, "broadcast", StreamChange(expire_after=HOUR), actor="key_1")
    assert (changed.unsubscribe, changed.expire_after, changed.retry.jitter) == (False, HOUR, 0.0)
    assert await streams.get(project.id, "broadcast") == changed
    assert _actions(database, project.id)[1:] == [("stream.updated", "key_1")] * 3


async def test_a_stream_is_made_once_and_only_with_a_good_name(streams: Streams, project: Project) -> None:
    for name, code in (("transactional", "already_exists"), ("No Spaces", "invalid_request"), ("", "invalid_request")):
        with pytest.raises(Refused) as refused:
            await streams.create(project.id, name, StreamKind.TRANSACTIONAL, StreamChange(), actor="cli")
        assert _code(refused) == code


async def test_an_unknown_stream_is_refused(streams: Streams, project: Project) -> None:
    with pytest.raises(Refused) as refused:
        await streams.get(project.id, "nope")
    assert _code(refused) == "unknown_stream"
    with pytest.raises(Refused) as refused:
        await streams.update(project.id, "nope", StreamChange(), actor="cli")
    assert _code(refused) == "not_found"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (StreamChange(expire_after=0), "/expire_after_s"),
        (StreamChange(expire_after=31 * DAY), "/expire_after_s"),
        (StreamChange(retry_delays=()), "/retry_delays_s"),
        (StreamChange(retry_delays=(0,)), "/retry_delays_s"),
        (StreamChange(retry_jitter=0.95), "/retry_jitter"),
    ],
)
async def test_a_schedule_that_cannot_be_is_refused(
    streams: Streams, project: Project, change: StreamChange, pointer: str
) -> None:
    with pytest.raises(Refused) as refused:
        await streams.update(project.id, "transactional", change, actor="cli")
    assert [flaw.pointer for flaw in refused.value.flaws] == [pointer]


async def test_two_nodes_that_make_one_stream_make_it_once(
    another: Callable[[], Database], streams: Streams, project: Project, clock: StillClock
) -> None:
    elsewhere = Streams(another(), clock, built_in_streams(Settings()))
    results = await asyncio.gather(
        *[
            node.create(project.id, "news", StreamKind.BROADCAST, StreamChange(), actor="cli")
            for node in (streams, elsewhere)
        ],
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["Refused", "Stream"]
