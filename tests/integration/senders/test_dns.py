"""A sending domain against a real resolver."""

from __future__ import annotations

import msgspec
import pytest

from peers.dns import DnsServer, Record, a, cname, mx, txt
from postroad.config import Settings
from postroad.features.senders import DomainWithKeys, Found, Lookup, Senders
from postroad.model.domain import DomainState
from postroad.model.project import Project
from postroad.store.database import Database
from postroad.store.vault import Vault
from stores import CountingMint, StillClock

SETTINGS = msgspec.convert({"return_path": {"domain": "bounces.mail.test"}}, Settings)


@pytest.fixture
def lookup(dns: DnsServer) -> Lookup:
    return Lookup([(dns.host, dns.port)], timeout_s=2)


@pytest.fixture
def senders(database: Database, clock: StillClock, mints: CountingMint, lookup: Lookup) -> Senders:
    return Senders(database=database, clock=clock, mint=mints, vault=Vault(bytes(32)), dns=lookup, settings=SETTINGS)


def _as_published(senders: Senders, found: DomainWithKeys) -> list[Record]:
    records = [
        txt(record.name, record.value) if record.type == "TXT" else cname(record.name, record.value)
        for record in senders.shown(found).records
    ]
    return [*records, txt("bounces.mail.test", "v=spf1 ip4:127.0.0.1 -all"), mx("bounces.mail.test", "mx.mail.test")]


async def test_a_domain_is_verified_by_what_dns_says(senders: Senders, project: Project, dns: DnsServer) -> None:
    made = await senders.create(project.id, "shop.test", actor="cli")
    dns.change(_as_published(senders, made))
    shown = senders.shown(await senders.inspect(project.id, "shop.test"))
    found = {record.purpose: (record.state, record.advice) for record in shown.records}
    assert found == dict.fromkeys(("dkim", "return_path", "spf", "dmarc"), ("ok", ""))
    assert shown.state == "verified"


async def test_nxdomain_is_missing_and_servfail_and_silence_are_unknown(
    senders: Senders, project: Project, dns: DnsServer
) -> None:
    await senders.create(project.id, "shop.test", actor="cli")
    dns.change([])
    shown = senders.shown(await senders.inspect(project.id, "shop.test"))
    assert {record.state for record in shown.records} == {"missing"}
    for trouble in ({"servfail": ["shop.test"]}, {"servfail": [], "silent": ["shop.test"]}):
        dns.change(**trouble)
        shown = senders.shown(await senders.inspect(project.id, "shop.test"))
        assert {record.state for record in shown.records} == {"unknown"}


async def test_a_verified_domain_stays_so_while_dns_fails(
    senders: Senders, project: Project, dns: DnsServer, clock: StillClock
) -> None:
    dns.change(_as_published(senders, await senders.create(project.id, "shop.test", actor="cli")))
    await senders.inspect(project.id, "shop.test")
    dns.change(servfail=["shop.test"])
    clock.pass_by(10**12)
    found = await senders.inspect(project.id, "shop.test")
    assert (found.domain.state, found.domain.failing_since) == (DomainState.VERIFIED, None)


async def test_the_lookup_tells_names_hosts_and_addresses(lookup: Lookup, dns: DnsServer) -> None:
    dns.change(
        [
            mx("a.test", "Second.a.test", 20),
            mx("a.test", "first.a.test", 10),
            a("first.a.test", "127.0.0.3"),
            a("first.a.test", "::1"),
            a("six.a.test", "::1"),
            cname("alias.a.test", "a.test"),
            Record("3.0.0.127.in-addr.arpa", "PTR", "first.a.test."),
        ],
        servfail=["broken.test"],
    )
    assert await lookup.exchanges("a.test") == Found(("first.a.test", "second.a.test"))
    assert await lookup.addresses("first.a.test") == Found(("127.0.0.3", "::1"))
    assert await lookup.addresses("six.a.test") == Found(("::1",))
    assert await lookup.alias("alias.a.test") == Found(("a.test",))
    assert await lookup.names("127.0.0.3") == Found(("first.a.test",))
    assert await lookup.texts("a.test") == Found()
    assert await lookup.texts("nowhere.test") == Found()
    assert not (await lookup.addresses("broken.test")).known
    assert "no usable answer" in (await lookup.texts("broken.test")).trouble
