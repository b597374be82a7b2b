"""Sending domains as a service, on both engines, over a DNS on paper."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key

from postroad.config import Settings, for_development
from postroad.features.senders import DomainWithKeys, Senders
from postroad.model.clock import DAY, HOUR, MINUTE
from postroad.model.domain import DomainSettings, DomainState, KeyState, RecordState
from postroad.model.errors import Refused, Unavailable
from postroad.model.event import Event
from postroad.model.ids import ProjectId
from postroad.model.message import Mode
from postroad.model.project import ApiKey, Caller, KeyScope, Project
from postroad.store import audit, events
from postroad.store.database import Database
from postroad.store.vault import Vault
from postroad.wire import dkim
from stores import CountingMint, StillClock
from worlds import PaperDns

VAULT = Vault(bytes(32))
SETTINGS = msgspec.convert(
    {
        "return_path": {"domain": "bounces.mail.test"},
        "http": {"public_url": "https://mail.test"},
        "delivery": {"hostname": "mail.test"},
    },
    Settings,
)


@pytest.fixture
def paper() -> PaperDns:
    return PaperDns()


@pytest.fixture
def senders(database: Database, clock: StillClock, mints: CountingMint, paper: PaperDns) -> Senders:
    return Senders(database=database, clock=clock, mint=mints, vault=VAULT, dns=paper, settings=SETTINGS)


def _publish(senders: Senders, paper: PaperDns, found: DomainWithKeys) -> None:
    for record in senders.shown(found).records:
        paper.publish(record.name, record.type, record.value)
    paper.publish("bounces.mail.test", "TXT", "v=spf1 ip4:192.0.2.1 -all")


async def _verified(senders: Senders, paper: PaperDns, project: Project, name: str = "shop.test") -> DomainWithKeys:
    _publish(senders, paper, await senders.create(project.id, name, actor="cli"))
    return await senders.inspect(project.id, name)


def _log(database: Database, project: Project) -> list[Event]:
    return database.read_now(lambda c: events.feed(c, project.id, after=0, limit=100))


def _types(database: Database, project: Project) -> list[str]:
    return [event.type.value for event in _log(database, project)]


def _caller(project: Project, mode: Mode) -> Caller:
    key = ApiKey(
        id="key_1", project_id=project.id, name="k", mode=mode, scope=KeyScope.FULL, created_at=project.created_at
    )
    return Caller(project=project, key=key, ip="127.0.0.1")


async def test_a_domain_comes_with_sealed_keys_and_the_records_to_publish(
    senders: Senders, project: Project, database: Database
) -> None:
    made = await senders.create(project.id, "Shop.Test", actor="cli")
    assert (made.domain.name, made.domain.state) == ("shop.test", DomainState.PENDING)
    assert [(key.algorithm, key.selector, key.state) for key in made.keys] == [
        ("rsa-sha256", "pr1-202611r", KeyState.PENDING),
        ("ed25519-sha256", "pr1-202611e", KeyState.PENDING),
    ]
    assert all(b"PRIVATE" not in key.sealed and key.sealed[:2] != b"\x30\x82" for key in made.keys)
    assert {record.state for record in senders.shown(made).records} == {"unknown"}
    assert _types(database, project) == ["domain.created"]
    assert database.read_now(lambda c: audit.entries(c, project.id))[0].action == "domain.created"


async def test_a_domain_is_made_once_in_a_project(senders: Senders, project: Project) -> None:
    await senders.create(project.id, "shop.test", actor="cli")
    with pytest.raises(Refused) as refused:
        await senders.create(project.id, "SHOP.test", actor="cli")
    assert refused.value.code == "already_exists"


async def test_a_domain_in_dns_is_verified_and_signs(
    senders: Senders, project: Project, paper: PaperDns, database: Database
) -> None:
    assert await senders.signing_keys(project.id, "shop.test") == ()
    found = await _verified(senders, paper, project)
    assert found.domain.state is DomainState.VERIFIED
    assert {finding.state for finding in found.domain.findings} == {RecordState.OK}
    assert _types(database, project) == [
        "domain.created", "domain.verified", "domain.key_activated", "domain.key_activated",
    ]  # fmt: skip
    keys = await senders.signing_keys(project.id, "shop.test")
    assert [(key.domain, key.selector, key.algorithm) for key in keys] == [
        ("shop.test", "pr1-202611r", "rsa-sha256"),
        ("shop.test", "pr1-202611e", "ed25519-sha256"),
    ]
    published = dkim.parse_record(found.keys[0].public.encode()).key
    private = load_der_private_key(keys[0].private, password=None)
    assert published is not None
    assert private.public_key() == published


async def test_a_second_check_tells_nothing_new(
    senders: Senders, project: Project, paper: PaperDns, database: Database
) -> None:
    await _verified(senders, paper, project)
    before = _types(database, project)
    await asyncio.gather(*[senders.inspect(project.id, "shop.test") for _ in range(3)])
    assert _types(database, project) == before


async def test_bounces_come_back_to_the_domain_s_own_host_once_dns_shows_it(
    senders: Senders, project: Project, paper: PaperDns
) -> None:
    await senders.create(project.id, "shop.test", actor="cli")
    assert (await senders.outfit(project.id, "shop.test")).return_path_domain == "bounces.mail.test"
    assert (await senders.outfit(project.id, "other.test")).return_path_domain == "bounces.mail.test"
    _publish(senders, paper, await senders.get(project.id, "shop.test"))
    await senders.inspect(project.id, "shop.test")
    assert (await senders.outfit(project.id, "shop.test")).return_path_domain == "bounce.shop.test"


async def test_mail_that_waits_may_not_go_out_from_a_domain_that_was_deleted(
    senders: Senders, project: Project, paper: PaperDns
) -> None:
    await _verified(senders, paper, project)
    assert (await senders.outfit(project.id, "shop.test")).speaks
    await senders.delete(project.id, "shop.test", actor="cli")
    assert not (await senders.outfit(project.id, "shop.test")).speaks


async def test_only_verified_domains_send_in_production(senders: Senders, project: Project, paper: PaperDns) -> None:
    live = _caller(project, Mode.LIVE)
    with pytest.raises(Refused) as refused:
        await senders.check(live, "shop.test")
    assert refused.value.code == "domain_not_verified"
    assert "POST /v1/domains" in refused.value.detail
    made = await senders.create(project.id, "shop.test", actor="cli")
    with pytest.raises(Refused) as refused:
        await senders.check(live, "shop.test")
    assert made.domain.id in refused.value.detail
    await senders.check(_caller(project, Mode.TEST), "shop.test")
    _publish(senders, paper, made)
    await senders.inspect(project.id, "shop.test")
    await senders.check(live, "shop.test")


async def test_a_domain_of_another_project_is_no_domain_of_ours(
    senders: Senders, project: Project, paper: PaperDns
) -> None:
    await _verified(senders, paper, project)
    stranger = ProjectId("prj_other")
    with pytest.raises(Refused):
        await senders.check(_caller(msgspec.structs.replace(project, id=stranger), Mode.LIVE), "shop.test")
    with pytest.raises(Refused) as refused:
        await senders.get(stranger, "shop.test")
    assert refused.value.code == "not_found"
    assert await senders.listed(stranger) == []


async def test_two_projects_with_one_domain_have_selectors_of_their_own(
    senders: Senders, project: Project, database: Database, clock: StillClock
) -> None:
    from postroad.features.accounts import Projects

    other = await Projects(database, clock, senders._mint).create("other", actor="cli")
    first = await senders.create(project.id, "shop.test", actor="cli")
    second = await senders.create(other.id, "shop.test", actor="cli")
    assert {key.selector for key in first.keys}.isdisjoint({key.selector for key in second.keys})


async def test_a_subdomain_is_sent_and_signed_as_its_parent_unless_switched_off(
    senders: Senders, project: Project, paper: PaperDns
) -> None:
    await _verified(senders, paper, project)
    live = _caller(project, Mode.LIVE)
    await senders.check(live, "news.shop.test")
    assert {key.domain for key in await senders.signing_keys(project.id, "news.shop.test")} == {"shop.test"}
    await senders.configure(project.id, "shop.test", DomainSettings(subdomains=False), actor="cli")
    with pytest.raises(Refused):
        await senders.check(live, "news.shop.test")
    await senders.check(live, "shop.test")


async def test_an_outage_of_dns_stops_nothing(
    senders: Senders, project: Project, paper: PaperDns, clock: StillClock
) -> None:
    live = _caller(project, Mode.LIVE)
    found = await _verified(senders, paper, project)
    paper.silent = {record.name for record in senders.shown(found).records}
    clock.pass_by(30 * DAY)
    assert (await senders.inspect(project.id, "shop.test")).domain.state is DomainState.VERIFIED
    await senders.check(live, "shop.test")


async def test_a_domain_that_loses_its_keys_fails_after_an_hour(
    senders: Senders, project: Project, paper: PaperDns, clock: StillClock, database: Database
) -> None:
    live = _caller(project, Mode.LIVE)
    await _verified(senders, paper, project)
    paper.records.clear()
    await senders.inspect(project.id, "shop.test")
    await senders.check(live, "shop.test")
    clock.pass_by(HOUR)
    assert (await senders.inspect(project.id, "shop.test")).domain.state is DomainState.FAILED
    with pytest.raises(Refused):
        await senders.check(live, "shop.test")
    last = _log(database, project)[-1]
    assert last.type.value == "domain.failed"
    assert {record["state"] for record in last.data["records"]} == {"missing"}


async def test_a_rotated_key_signs_only_once_dns_shows_it(
    senders: Senders, project: Project, paper: PaperDns, database: Database, clock: StillClock
) -> None:
    await _verified(senders, paper, project)
    before = await senders.signing_keys(project.id, "shop.test")
    rotated = await senders.rotate(project.id, "shop.test", actor="cli")
    assert [key.number for key in rotated.keys] == [1, 1, 2, 2]
    await senders.inspect(project.id, "shop.test")
    assert await senders.signing_keys(project.id, "shop.test") == before
    with pytest.raises(Refused) as refused:
        await senders.rotate(project.id, "shop.test", actor="cli")
    assert refused.value.code == "conflict"
    rsa = next(key for key in rotated.keys if key.number == 2 and key.algorithm == "rsa-sha256")
    paper.publish(f"{rsa.selector}._domainkey.shop.test", "TXT", rsa.public)
    clock.pass_by(MINUTE)
    await senders.inspect(project.id, "shop.test")
    signing = await senders.signing_keys(project.id, "shop.test")
    assert {(key.selector, key.algorithm) for key in signing} == {
        ("pr2-202611r", "rsa-sha256"), ("pr1-202611e", "ed25519-sha256"),
    }  # fmt: skip
    after = await senders.get(project.id, "shop.test")
    assert [key.state.value for key in after.keys] == ["retired", "active", "active", "pending"]
    assert after.domain.state is DomainState.VERIFIED
    assert _types(database, project)[-1] == "domain.key_activated"
    kept = await senders.keys(project.id, (before[0].id,))
    assert kept == before[:1]


async def test_keys_outlive_their_domain(senders: Senders, project: Project, paper: PaperDns) -> None:
    await _verified(senders, paper, project)
    before = await senders.signing_keys(project.id, "shop.test")
    await senders.delete(project.id, "shop.test", actor="cli")
    assert await senders.signing_keys(project.id, "shop.test") == ()
    with pytest.raises(Refused):
        await senders.get(project.id, "shop.test")
    assert await senders.keys(project.id, tuple([key.id for key in reversed(before)])) == before[::-1]
    assert await senders.keys(ProjectId("prj_other"), (before[0].id,)) == ()
    again = await senders.create(project.id, "shop.test", actor="cli")
    assert {key.number for key in again.keys} == {2}


async def test_in_development_keys_sign_before_dns_shows_them(
    database: Database, clock: StillClock, mints: CountingMint, project: Project, paper: PaperDns
) -> None:
    settings = for_development(Settings())
    senders = Senders(database=database, clock=clock, mint=mints, vault=VAULT, dns=paper, settings=settings)
    await senders.check(_caller(project, Mode.LIVE), "anything.test")
    assert await senders.outfit(project.id, "anything.test") == await senders.outfit(project.id, "else.test")
    assert (await senders.outfit(project.id, "anything.test")).speaks
    await senders.create(project.id, "shop.test", actor="cli")
    assert len(await senders.signing_keys(project.id, "shop.test")) == 2


async def test_due_domains_are_checked_and_put_off(
    senders: Senders, project: Project, paper: PaperDns, clock: StillClock
) -> None:
    _publish(senders, paper, await senders.create(project.id, "shop.test", actor="cli"))
    await senders.recheck_due()
    assert paper.asked == []
    clock.pass_by(MINUTE + DAY)
    await senders.recheck_due()
    found = await senders.get(project.id, "shop.test")
    assert found.domain.state is DomainState.VERIFIED
    assert found.domain.next_check_at == clock.now() + 6 * HOUR


async def test_the_loop_goes_on_when_the_store_is_away(senders: Senders, database: Database) -> None:
    backlog, database._backlog = database._backlog, 0
    loop = asyncio.ensure_future(senders.recheck_forever(every_s=0.001))
    await asyncio.sleep(0.02)
    database._backlog = backlog
    await asyncio.sleep(0.02)
    assert not loop.done()
    loop.cancel()


async def test_nodes_share_the_checks(
    another: Callable[[], Database], senders: Senders, project: Project, clock: StillClock, mints: CountingMint,
    paper: PaperDns,
) -> None:  # fmt: skip
    for n in range(6):
        await senders.create(project.id, f"shop{n}.test", actor="cli")
    clock.pass_by(DAY)
    elsewhere = Senders(database=another(), clock=clock, mint=mints, vault=VAULT, dns=paper, settings=SETTINGS)
    await asyncio.gather(senders.recheck_due(), elsewhere.recheck_due())
    questions = [name for name, kind in paper.asked if name.startswith("pr1-202611r") and name.count("shop") == 1]
    assert sorted(questions) == sorted(set(questions))
    assert len(questions) == 6


async def test_a_changed_master_key_says_so(
    senders: Senders, project: Project, paper: PaperDns, database: Database, clock: StillClock, mints: CountingMint
) -> None:
    await _verified(senders, paper, project)
    moved = Senders(
        database=database, clock=clock, mint=mints, vault=Vault(bytes(range(32))), dns=paper, settings=SETTINGS
    )
    with pytest.raises(Unavailable) as refused:
        await moved.outfit(project.id, "shop.test")
    assert refused.value.code == "master_key_changed"


async def test_domains_are_found_by_identifier_or_any_spelling(senders: Senders, project: Project) -> None:
    made = await senders.create(project.id, "bücher.test", actor="cli")
    for name in (made.domain.id, "BÜCHER.test", "xn--bcher-kva.test"):
        assert (await senders.get(project.id, name)).domain == made.domain
    for name in ("dom_unknown", "a b", "other.test"):
        with pytest.raises(Refused) as refused:
            await senders.get(project.id, name)
        assert refused.value.code == "not_found"
    assert senders.shown(made).unicode_name == "bücher.test"


async def test_domains_are_listed_page_by_page_and_everywhere(senders: Senders, project: Project) -> None:
    made = [await senders.create(project.id, f"shop{n}.test", actor="cli") for n in range(3)]
    first = await senders.listed(project.id, limit=2)
    assert first + await senders.listed(project.id, after=first[-1].domain.id, limit=2) == made
    assert await senders.everywhere() == made


async def test_a_retired_key_says_when_its_record_may_go(
    senders: Senders, project: Project, paper: PaperDns, clock: StillClock
) -> None:
    await _verified(senders, paper, project)
    _publish(senders, paper, await senders.rotate(project.id, "shop.test", actor="cli"))
    clock.pass_by(MINUTE)
    shown = senders.shown(await senders.inspect(project.id, "shop.test"))
    retired = [key for key in shown.keys if key.state == "retired"]
    assert len(retired) == 2
    assert all(key.dns_removable_at is not None and key.dns_removable_at > (key.retired_at or "") for key in retired)
    assert {record.name.split("-")[0] for record in shown.records if record.purpose == "dkim"} == {"pr2"}
