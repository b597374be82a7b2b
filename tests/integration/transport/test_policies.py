"""MTA-STS and DANE against a real Postfix, a real validating resolver and a policy over real HTTPS."""

from __future__ import annotations

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from integration.transport.conftest import DOMAIN, HOST, MX_HOST, POLICY, PolicyServer, Sender
from peers.dns import DnsServer, Record, a, mx, txt
from peers.postfix import PostfixServer
from postroad.app.transporting import transport_of
from postroad.config import Settings
from postroad.features.transport import BrokenKeeper
from postroad.model.attempt import Attempt, BrokenTls, Phase, TlsPolicy, Trouble
from postroad.model.clock import DAY, HOUR, MINUTE, Instant, to_rfc3339
from postroad.model.route import MxRoute
from postroad.store import transport as rows
from postroad.store.database import Database
from postroad.wire.mtasts import Mode
from stores import StillClock

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


async def deliver(sender: Sender, domain: str = DOMAIN) -> Attempt:
    return await sender.deliverer.deliver(MxRoute(domain), sender.message(domain))


def announce(zone: DnsServer, policy_id: str = "1") -> None:
    kept = [record for record in zone.records if not record.name.startswith("_mta-sts.")]
    zone.change([*kept, txt(f"_mta-sts.{DOMAIN}", f"v=STSv1; id={policy_id};")])


def vouch(zone: DnsServer, postfix: PostfixServer, data: str) -> None:
    zone.add(Record(f"_{postfix.port}._tcp.{HOST}", "TLSA", data))


def key_of(postfix: PostfixServer) -> bytes:
    key = x509.load_pem_x509_certificate(postfix.certificate.read_bytes()).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


async def tally(sender: Sender) -> list[tuple[str, int, list[str]]]:
    """Policy type, sessions that went well, and why others failed, of the domain's report."""
    found = await sender.transport.reports.read(domain=DOMAIN)
    return [
        (
            each["policy"]["policy-type"],
            each["summary"]["total-successful-session-count"],
            [failure["result-type"] for failure in each["failure-details"]],
        )
        for report in found
        for each in report["policies"]
    ]


async def test_a_policy_is_fetched_once_kept_and_obeyed(
    sender: Sender, zone: DnsServer, policy_server: PolicyServer, database: Database
) -> None:
    announce(zone)
    for _ in range(2):
        found = await deliver(sender)
        assert found.delivered, found
        assert found.tls is not None
        assert found.tls.verified
        assert found.tls_policy is TlsPolicy.MTA_STS
    assert policy_server.paths == [f"mta-sts.{DOMAIN}:{policy_server.port}/.well-known/mta-sts.txt"]
    kept = await database.read(lambda connection: rows.policy_of(connection, DOMAIN))
    assert kept is not None
    assert (kept.policy_id, kept.mode, kept.mx) == ("1", "enforce", (HOST,))
    assert await tally(sender) == [("sts", 1, [])]


async def test_a_policy_that_is_kept_holds_when_everything_about_it_is_gone(
    sender: Sender, zone: DnsServer, policy_server: PolicyServer
) -> None:
    announce(zone)
    assert (await deliver(sender)).delivered
    policy_server.status = 404
    zone.change([mx(DOMAIN, f"evil.{DOMAIN}"), a(f"evil.{DOMAIN}", MX_HOST)])
    sender.clock.at = Instant(sender.clock.at + HOUR)
    sender.deliverer._resolver._cache.clear()
    found = await deliver(sender)
    assert (found.phase, found.trouble, found.tls_policy) == (Phase.RESOLVE, Trouble.TLS, TlsPolicy.MTA_STS)
    sender.clock.at = Instant(sender.clock.at + 2 * DAY)
    assert (await deliver(sender)).delivered


async def test_a_new_identifier_brings_the_new_policy_and_a_failed_fetch_keeps_the_old(
    sender: Sender, zone: DnsServer, policy_server: PolicyServer, database: Database
) -> None:
    announce(zone)
    assert (await deliver(sender)).delivered
    policy_server.body = "<html>"
    announce(zone, "2")
    sender.clock.at = Instant(sender.clock.at + HOUR)
    sender.transport.policies._resolver._cache.clear()
    assert (await deliver(sender)).tls_policy is TlsPolicy.MTA_STS
    policy_server.body = POLICY.replace("enforce", "none")
    sender.clock.at = Instant(sender.clock.at + 6 * MINUTE)
    withdrawn = await sender.transport.policies.find(DOMAIN)
    assert withdrawn is not None
    assert withdrawn.mode is Mode.NONE
    kept = await database.read(lambda connection: rows.policy_of(connection, DOMAIN))
    assert kept is not None
    assert (kept.policy_id, kept.mode) == ("2", "none")
    assert ("sts", 0, ["sts-policy-invalid"]) in await tally(sender)


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"status": 301}, "sts-policy-fetch-error"),
        ({"kind": "text/html"}, "sts-policy-invalid"),
        ({"body": POLICY + "\n" * 65536}, "sts-policy-invalid"),
        ({"certificate": None}, "sts-webpki-invalid"),
    ],
)
async def test_a_policy_that_cannot_be_had_is_counted_and_mail_goes(
    sender: Sender, zone: DnsServer, policy_server: PolicyServer, changes: dict[str, object], result: str
) -> None:
    announce(zone)
    if "certificate" in changes:
        domain = "other.test"
        zone.add(mx(domain, HOST), a(f"mta-sts.{domain}"), txt(f"_mta-sts.{domain}", "v=STSv1; id=1;"))
        assert await sender.transport.policies.find(domain) is None
        found = await sender.transport.reports.read(domain=domain)
        assert found[0]["policies"][0]["failure-details"][0]["result-type"] == result
        return
    for name, value in changes.items():
        setattr(policy_server, name, value)
    assert (await deliver(sender)).delivered
    assert ("sts", 0, [result]) in await tally(sender)


async def test_policies_are_fetched_again_before_they_expire(
    sender: Sender, zone: DnsServer, policy_server: PolicyServer, database: Database
) -> None:
    announce(zone)
    assert (await deliver(sender)).delivered
    policies = sender.transport.policies
    assert await policies.refresh() == 0
    sender.clock.at = Instant(sender.clock.at + 13 * HOUR)
    assert await policies.refresh() == 1
    assert len(policy_server.paths) == 2
    policy_server.status = 503
    sender.clock.at = Instant(sender.clock.at + 13 * HOUR)
    assert await policies.refresh() == 1
    assert await policies.refresh() == 0
    kept = await database.read(lambda connection: rows.policy_of(connection, DOMAIN))
    assert kept is not None
    assert kept.expires_at > sender.clock.at


async def test_a_policy_server_on_a_private_address_is_not_asked(
    settings: Settings, database: Database, zone: DnsServer
) -> None:
    announce(zone)
    closed = replace(settings, delivery=replace(settings.delivery, allow_private_addresses=False))
    transport, egress = transport_of(closed, database, StillClock())
    assert await transport.policies.find(DOMAIN) is None
    (report,) = await transport.reports.read(domain=DOMAIN)
    (failure,) = report["policies"][0]["failure-details"]
    assert failure["result-type"] == "sts-policy-fetch-error"
    assert "may not be sent to" in failure["additional-information"]
    await egress.aclose()


async def test_a_signed_record_vouches_for_the_servers_key(
    sender: Sender, zone: DnsServer, postfix: PostfixServer
) -> None:
    vouch(zone, postfix, f"3 1 1 {hashlib.sha256(key_of(postfix)).hexdigest()}")
    found = await deliver(sender)
    assert found.delivered, found
    assert found.tls is not None
    assert (found.tls_policy, found.tls.verified) == (TlsPolicy.DANE, True)
    assert found.tls.subject == f"CN=mx.{DOMAIN}"
    assert await tally(sender) == [("tlsa", 1, [])]


async def test_a_signed_record_for_another_key_defers_whatever_mta_sts_says(
    sender: Sender, zone: DnsServer, postfix: PostfixServer, policy_server: PolicyServer
) -> None:
    announce(zone)
    vouch(zone, postfix, f"3 1 1 {'00' * 32}")
    before = len(postfix.mail())
    found = await deliver(sender)
    assert (found.phase, found.trouble, found.tls_policy) == (Phase.STARTTLS, Trouble.TLS, TlsPolicy.DANE)
    assert len(postfix.mail()) == before
    assert await tally(sender) == [("tlsa", 0, ["validation-failure"])]


async def test_a_forged_answer_defers(sender: Sender, zone: DnsServer, postfix: PostfixServer) -> None:
    zone.change(servfail=(f"_{postfix.port}._tcp.{HOST}",))
    found = await deliver(sender)
    assert (found.phase, found.trouble) == (Phase.RESOLVE, Trouble.DNS_FAILURE)
    assert [results for _, _, results in await tally(sender)] == [["dnssec-invalid"]]


async def test_records_outside_dnssec_make_no_policy(sender: Sender, zone: DnsServer, postfix: PostfixServer) -> None:
    zone.add(
        mx("unsigned.test", "mx.unsigned.test"),
        a("mx.unsigned.test", MX_HOST),
        Record(f"_{postfix.port}._tcp.mx.unsigned.test", "TLSA", f"3 1 1 {'00' * 32}"),
    )
    found = await sender.deliverer.deliver(MxRoute("unsigned.test"), sender.message(DOMAIN))
    assert found.delivered, found
    assert found.tls_policy is TlsPolicy.OPPORTUNISTIC


async def test_broken_tls_is_remembered_over_restarts(sender: Sender, database: Database) -> None:
    sender.transport.broken.learn("192.0.2.7", HOST, "The TLS handshake failed.")
    await sender.transport.flush()
    again = BrokenKeeper(database, sender.clock)
    await again.load()
    assert again.knows("192.0.2.7") == sender.transport.broken.knows("192.0.2.7")
    began, ends = to_rfc3339(sender.clock.at), to_rfc3339(Instant(sender.clock.at + 3 * DAY))
    assert again.knows("192.0.2.7") == BrokenTls(since=began, until=ends, detail="The TLS handshake failed.")
    sender.clock.at = Instant(sender.clock.at + 3 * DAY)
    assert not again.knows("192.0.2.7")
