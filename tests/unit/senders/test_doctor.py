"""The doctor says what would keep mail from arriving."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest
from sqlalchemy.exc import OperationalError

from postroad.config import RouteKind, Settings
from postroad.config.paths import Source
from postroad.features.senders import Senders
from postroad.features.senders.doctor import Advice, Level, Patient, examine
from postroad.model.clock import SECOND, Instant
from postroad.model.errors import Unavailable
from postroad.model.project import Project
from postroad.store import facts
from postroad.store.database import Database
from postroad.store.vault import Vault
from stores import CountingMint, StillClock
from worlds import PaperDns


def _settings(folder: Path, **delivery: object) -> Settings:
    replace, plain = msgspec.structs.replace, Settings()
    return replace(
        plain,
        delivery=replace(plain.delivery, **{"hostname": "Mail.example.com", **delivery}),
        data=replace(plain.data, directory=folder / "not" / "yet"),
        limits=replace(plain.limits, min_free_disk_octets=0, min_free_disk_percent=0),
    )


@pytest.fixture
def dns() -> PaperDns:
    paper = PaperDns()
    paper.publish("mail.example.com", "A", "8.8.8.8")
    paper.publish("8.8.8.8", "PTR", "mail.example.com")
    return paper


@pytest.fixture
def patient(
    database: Database, clock: StillClock, mints: CountingMint, dns: PaperDns, tmp_path: Path, project: Project
) -> Patient:
    settings = _settings(tmp_path)
    senders = Senders(database=database, clock=clock, mint=mints, vault=Vault(bytes(32)), dns=dns, settings=settings)
    if database.engine_name == "postgresql":
        clock.at = database.read_now(lambda c: Instant(facts.clock_ahead(c, Instant(0))))
    return Patient(settings=settings, database=database, clock=clock, dns=dns, senders=senders)


async def _found(patient: Patient) -> dict[str, Advice]:
    return {advice.name: advice for advice in (await examine(patient)).findings}


async def test_a_healthy_installation_has_nothing_but_ok(patient: Patient) -> None:
    found = await _found(patient)
    durable = found.pop("durability", Advice("durability", Level.OK, ""))
    assert {advice.state for advice in found.values()} == {Level.OK}
    # PostgreSQL runs without fsync in these tests
    assert durable.state is (Level.OK if patient.database.engine_name == "sqlite" else Level.PROBLEM)
    assert set(found) == {"reverse DNS of 8.8.8.8", "database", "clock", "disk"}


async def test_what_is_known_already_comes_first(patient: Patient) -> None:
    known = Advice("settings", Level.WARNING, "x")
    assert (await examine(patient, [known])).findings[0] is known


@pytest.mark.parametrize(("names", "said"), [((), "does not exist"), (("host.isp.example",), "is host.isp.example")])
async def test_reverse_dns_must_be_the_host_name(
    patient: Patient, dns: PaperDns, names: tuple[str, ...], said: str
) -> None:
    dns.publish("8.8.8.8", "PTR", *names)
    advice = (await _found(patient))["reverse DNS of 8.8.8.8"]
    assert advice.state is Level.PROBLEM
    assert said in advice.detail


@pytest.mark.parametrize(("silent", "name"), [("mail.example.com", "host name"), ("8.8.8.8", "reverse DNS of 8.8.8.8")])
async def test_no_answer_is_a_warning_only(patient: Patient, dns: PaperDns, silent: str, name: str) -> None:
    dns.silent.add(silent)
    assert (await _found(patient))[name].state is Level.WARNING


async def test_a_host_name_without_an_address_is_a_problem(patient: Patient, dns: PaperDns) -> None:
    dns.withdraw("mail.example.com", "A")
    assert (await _found(patient))["host name"].state is Level.PROBLEM


async def test_a_private_address_is_warned_of(patient: Patient, dns: PaperDns) -> None:
    dns.publish("mail.example.com", "A", "10.0.0.1")
    assert (await _found(patient))["reverse DNS of 10.0.0.1"].state is Level.WARNING


@pytest.mark.parametrize(
    ("url", "trusted", "told"),
    [("https://mail.test", (), True), ("https://mail.test", ("::1",), False), ("http://mail.test", (), False)],
)
async def test_a_proxy_that_is_not_trusted_is_warned_of(
    patient: Patient, url: str, trusted: tuple[str, ...], told: bool
) -> None:
    http = msgspec.structs.replace(patient.settings.http, public_url=url, trusted_proxies=trusted)
    found = await _found(dataclasses.replace(patient, settings=msgspec.structs.replace(patient.settings, http=http)))
    assert ("proxy" in found) is told
    if told:
        assert "http.trusted_proxies is empty" in found["proxy"].detail


async def test_behind_a_relay_the_host_name_does_not_matter(patient: Patient, tmp_path: Path) -> None:
    behind = _settings(tmp_path, route=RouteKind.RELAY)
    patient = Patient(**{**_parts(patient), "settings": behind})
    assert (await _found(patient))["host name"].state is Level.OK


async def test_no_host_name_is_a_problem(patient: Patient, tmp_path: Path) -> None:
    nameless = _settings(tmp_path, hostname=None)
    assert (await _found(Patient(**{**_parts(patient), "settings": nameless})))["host name"].state is Level.PROBLEM


async def test_a_clock_that_is_wrong_is_told(patient: Patient, clock: StillClock) -> None:
    clock.pass_by(-5 * SECOND)
    found = (await _found(patient))["clock"]
    if patient.database.engine_name == "postgresql":
        assert (found.state, "ahead of" in found.detail) == (Level.WARNING, True)
    clock.at = Instant(0)
    assert (await _found(patient))["clock"].state is Level.PROBLEM


@pytest.mark.parametrize(("octets", "state"), [(1 << 60, Level.PROBLEM), (None, Level.WARNING)])
async def test_a_full_disk_is_told(patient: Patient, tmp_path: Path, octets: int | None, state: Level) -> None:
    import shutil

    least = octets if octets is not None else int(shutil.disk_usage(tmp_path).free * 0.75)
    limits = msgspec.structs.replace(patient.settings.limits, min_free_disk_octets=least)
    settings = msgspec.structs.replace(patient.settings, limits=limits)
    assert (await _found(Patient(**{**_parts(patient), "settings": settings})))["disk"].state is state


async def test_domains_are_looked_up_and_told(patient: Patient, dns: PaperDns, project: Project) -> None:
    made = await patient.senders.create(project.id, "shop.test", actor="cli")
    examined = await examine(patient)
    assert examined.findings[-1].state is Level.PROBLEM
    assert "pr1-" in examined.findings[-1].detail
    records = patient.senders.shown(made).records
    for record in records[:2]:
        dns.publish(record.name, record.type, record.value)
    examined = await examine(patient)
    assert examined.findings[-1].state is Level.WARNING
    assert examined.domains[0].state == "verified"
    for record in records:
        dns.publish(record.name, record.type, record.value)
    assert (await _found(patient))["domain shop.test"].state is Level.OK


async def test_many_domains_are_told_as_they_were(patient: Patient, dns: PaperDns, project: Project) -> None:
    for n in range(21):
        await patient.senders.create(project.id, f"shop{n}.test", actor="cli")
    dns.asked.clear()
    assert len((await examine(patient)).domains) == 21
    assert not [name for name, _ in dns.asked if "shop" in name]


@pytest.mark.parametrize(
    ("version", "affected"), [("3.40.1", True), ("3.51.2", True), ("3.51.3", False), ("4.0", False)]
)
def test_the_defect_of_sqlite_is_known_by_version(version: str, affected: bool) -> None:
    assert facts.can_lose_commits(version) is affected


def _parts(patient: Patient) -> dict[str, object]:
    return {name: getattr(patient, name) for name in ("settings", "database", "clock", "dns", "senders")}


def _returning(patient: Patient, *, enabled: bool = True) -> Patient:
    """Return the installation with a return path of its own."""
    replace, plain = msgspec.structs.replace, patient.settings
    settings = replace(
        plain,
        return_path=replace(plain.return_path, domain="Bounces.example.com"),
        exchange=replace(plain.exchange, enabled=enabled),
    )
    return Patient(
        settings=settings, database=patient.database, clock=patient.clock, dns=patient.dns, senders=patient.senders
    )


async def test_bounces_that_nobody_reads_are_warned_of(patient: Patient) -> None:
    advice = (await _found(_returning(patient, enabled=False)))["way back"]
    assert advice.state is Level.WARNING
    assert "exchange.enabled" in advice.detail


@pytest.mark.parametrize(
    ("exchanges", "level", "said"),
    [
        (("mail.example.com",), Level.OK, "come back to mail.example.com"),
        (("a.example", "mail.example.com"), Level.OK, "come back"),
        (("mail.isp.example",), Level.PROBLEM, "is mail.isp.example"),
        ((), Level.PROBLEM, "does not exist"),
    ],
)
async def test_the_mx_of_the_return_path_must_lead_to_the_exchange(
    patient: Patient, dns: PaperDns, exchanges: tuple[str, ...], level: Level, said: str
) -> None:
    dns.publish("bounces.example.com", "MX", *exchanges)
    advice = (await _found(_returning(patient)))["way back"]
    assert (advice.state, said in advice.detail) == (level, True), advice


async def test_an_exchange_without_an_address_cannot_be_reached(patient: Patient, dns: PaperDns) -> None:
    dns.publish("bounces.example.com", "MX", "mail.example.com")
    dns.withdraw("mail.example.com", "A")
    assert "no address" in (await _found(_returning(patient)))["way back"].detail


async def test_an_mx_that_cannot_be_looked_up_is_a_warning_only(patient: Patient, dns: PaperDns) -> None:
    dns.silent.add("bounces.example.com")
    assert (await _found(_returning(patient)))["way back"].state is Level.WARNING


async def test_a_source_is_of_this_machine_and_its_names_agree(patient: Patient, dns: PaperDns) -> None:
    sources = (
        Source("ours", ipv4="127.0.0.1", hostname="Out.example.com"),
        Source("lost", ipv4="127.0.0.2", hostname="lost.example.com"),
        Source("theirs", ipv6="2001:db8::1"),
    )
    dns.publish("out.example.com", "A", "127.0.0.1")
    dns.publish("lost.example.com", "A", "8.8.4.4")
    changed = dataclasses.replace(patient, settings=msgspec.structs.replace(patient.settings, sources=sources))
    found = await _found(changed)
    assert found["source ours"].state is Level.OK
    assert found["source lost"].state is Level.PROBLEM
    assert "does not lead back" in found["source lost"].detail
    assert found["source theirs"].state is Level.PROBLEM
    assert "not an address of this machine" in found["source theirs"].detail
    assert found["reverse DNS of 127.0.0.1"].state is Level.WARNING


async def test_a_database_that_is_away_is_told_with_what_it_said(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        said = OperationalError("SELECT 1", None, Exception("connection refused\nIs it running?"))
        raise Unavailable("store_unavailable", "The store cannot be read now.", retry_after_s=2) from said

    monkeypatch.setattr(Database, "read", away)
    monkeypatch.setattr(Database, "write", away)
    found = await examine(patient)
    told = {advice.name: advice for advice in found.findings}
    assert told["database"].state is Level.PROBLEM
    assert told["database"].detail == "It does not answer (connection refused). Start it, or correct database.url."
    assert "disk" in told
    assert found.domains == []
