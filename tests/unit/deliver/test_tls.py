"""What a domain, its hosts or a message demand of TLS, against servers that have it, break it or lack it."""

import datetime as dt
import hashlib
import ssl
import time

import dns.flags
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from peers.certificate import issue
from postroad.model.attempt import BrokenTls, Phase, TlsPolicy, Trouble
from postroad.model.clock import Instant, to_rfc3339
from postroad.model.route import MxRoute, RelayRoute, Security
from postroad.pipeline.deliver import resolve
from postroad.pipeline.deliver.policy import BrokenHere, Knowledge
from postroad.wire.mtasts import Mode, StsPolicy
from postroad.wire.tlsrpt import PolicyType, Result

ROUTE = MxRoute("d.test")
STARTTLS = "250-fake\r\n250-PIPELINING\r\n250 STARTTLS"


class Policies:
    """MTA-STS policies on paper."""

    def __init__(self, **policies):
        self.policies = policies

    async def find(self, domain):
        return self.policies.get(domain.partition(".")[0])


class Reports(list):
    """TLS reports on paper."""

    def note(self, session):
        self.append(session)


def enforce(*hosts, mode=Mode.ENFORCE):
    return Policies(d=StsPolicy(mode, hosts, 86_400))


@pytest.fixture
def reports():
    return Reports()


@pytest.fixture
def spki(certificate):
    key = x509.load_pem_x509_certificate(certificate[0].read_bytes()).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def secure(names):
    """Let the DNS say that it has validated its answers."""
    names.flags = dns.flags.AD
    return names


def record(octets, usage=3):
    return f"{usage} 1 1 {hashlib.sha256(octets).hexdigest()}"


# --- opportunistic ---------------------------------------------------------------------------------------------------


async def test_the_certificate_is_told_and_why_it_was_not_checked(make, server, message, reports):
    server.script["EHLO"] = STARTTLS
    found = await make(tls=Knowledge(reports=reports)).deliver(ROUTE, message())
    assert found.delivered
    assert found.tls_policy is TlsPolicy.OPPORTUNISTIC
    assert (found.tls.subject, found.tls.issuer, found.tls.verified) == ("CN=mx.test", "CN=mx.test", False)
    assert dt.datetime.fromisoformat(found.tls.not_after) > dt.datetime.now(dt.UTC)
    assert "policy" in found.tls.unverified_because
    assert [(each.domain, each.kind, each.result) for each in reports] == [("d.test", PolicyType.NONE, None)]


async def test_a_later_connection_resumes_the_session(make, server, message, certificate):
    server.script["EHLO"] = STARTTLS
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(*certificate)
    deliverer = make(messages_per_connection=1)
    for _ in range(3):
        assert (await deliverer.deliver(ROUTE, message())).delivered
    assert server.connections == 3
    assert server.context.session_stats()["hits"] == 2


async def test_tls_that_breaks_is_remembered_and_counted(make, server, message, reports):
    server.script["EHLO"] = STARTTLS
    server.script["STARTTLS"] = "close"
    deliverer = make(messages_per_connection=1, tls=Knowledge(reports=reports))
    for _ in range(2):
        assert (await deliverer.deliver(ROUTE, message())).delivered
    assert server.connections == 3
    assert [each.result for each in reports] == [Result.VALIDATION_FAILURE] * 2


async def test_a_server_without_starttls_is_counted_as_one(make, server, message, reports):
    assert (await make(tls=Knowledge(reports=reports)).deliver(ROUTE, message())).delivered
    assert [(each.result, each.host) for each in reports] == [(Result.STARTTLS_NOT_SUPPORTED, "mx.test")]


async def test_what_is_under_no_policy_is_not_counted(make, server, message, reports):
    deliverer = make(tls=Knowledge(reports=reports))
    assert (await deliverer.deliver(ROUTE, message(tls_optional=True))).delivered
    assert not reports


def test_broken_tls_is_forgotten_in_time():
    class Clock:
        at = 0

        def now(self):
            return Instant(self.at)

    clock = Clock()
    broken = BrokenHere(clock, 10)
    broken.learn("192.0.2.1", "mx.test", "why")
    began, ends = to_rfc3339(clock.now()), to_rfc3339(Instant(10_000_000))
    assert broken.knows("192.0.2.1") == BrokenTls(since=began, until=ends, detail="why")
    assert not broken.knows("192.0.2.2")
    clock.at = 10_000_001
    assert not broken.knows("192.0.2.1")
    for number in range(10_001):
        broken.learn(str(number), "mx.test", "why")
    assert not broken.knows("0")
    assert broken.knows("1")


# --- MTA-STS ---------------------------------------------------------------------------------------------------------


async def test_under_an_enforced_policy_the_certificate_is_verified(make, server, message, reports):
    server.script["EHLO"] = STARTTLS
    found = await make(tls=Knowledge(enforce("mx.test"), reports)).deliver(ROUTE, message())
    assert found.delivered
    assert found.tls_policy is TlsPolicy.MTA_STS
    assert found.tls.verified
    assert found.tls.unverified_because == ""
    (session,) = reports
    assert (session.kind, session.result, session.hosts) == (PolicyType.STS, None, ("mx.test",))
    assert session.text[:2] == ("version: STSv1", "mode: enforce")


async def test_under_an_enforced_policy_nothing_goes_in_the_clear(make, server, message, reports):
    found = await make(tls=Knowledge(enforce("mx.test"), reports)).deliver(ROUTE, message())
    assert (found.phase, found.trouble) == (Phase.STARTTLS, Trouble.TLS)
    assert found.tls_policy is TlsPolicy.MTA_STS
    assert not server.messages
    assert not any(command.startswith("MAIL") for command in server.commands)
    assert [each.result for each in reports] == [Result.STARTTLS_NOT_SUPPORTED]


@pytest.mark.parametrize("how", ["close", "rst", "454 4.7.0 not now"])
async def test_under_an_enforced_policy_broken_tls_defers(make, server, message, reports, how):
    server.script["EHLO"] = STARTTLS
    server.script["STARTTLS"] = how
    deliverer = make(tls=Knowledge(enforce("mx.test"), reports))
    for _ in range(2):
        found = await deliverer.deliver(ROUTE, message())
        assert found.phase is Phase.STARTTLS
    assert not server.messages
    assert server.connections == 2
    assert None not in [each.result for each in reports]


async def test_a_host_that_the_policy_does_not_name_is_not_spoken_to(make, server, message, reports):
    found = await make(tls=Knowledge(enforce("*.example.test"), reports)).deliver(ROUTE, message())
    assert (found.phase, found.trouble) == (Phase.RESOLVE, Trouble.TLS)
    assert "mx.test" in found.detail
    assert server.connections == 0
    assert [each.result for each in reports] == [Result.VALIDATION_FAILURE]


async def test_a_certificate_for_another_host_defers(make, server, names, message, reports):
    names.records |= {("d.test", "MX"): ["10 other.test."], ("other.test", "A"): ["127.0.0.1"]}
    server.script["EHLO"] = STARTTLS
    found = await make(tls=Knowledge(enforce("other.test"), reports)).deliver(ROUTE, message())
    assert (found.phase, found.trouble) == (Phase.STARTTLS, Trouble.TLS)
    assert not server.messages
    assert [each.result for each in reports] == [Result.CERTIFICATE_HOST_MISMATCH]


@pytest.mark.parametrize("hosts", [("other.test",), ("elsewhere.test",)])
async def test_a_policy_on_trial_is_counted_and_mail_goes(make, server, names, message, reports, hosts):
    names.records |= {("d.test", "MX"): ["10 other.test."], ("other.test", "A"): ["127.0.0.1"]}
    server.script["EHLO"] = STARTTLS
    found = await make(tls=Knowledge(enforce(*hosts, mode=Mode.TESTING), reports)).deliver(ROUTE, message())
    assert found.delivered
    assert found.tls_policy is TlsPolicy.MTA_STS_TESTING
    assert not found.tls.verified
    assert len(reports) == 1
    assert reports[0].result in {Result.CERTIFICATE_HOST_MISMATCH, Result.VALIDATION_FAILURE}


async def test_a_policy_of_none_asks_for_nothing(make, server, message):
    found = await make(tls=Knowledge(enforce(mode=Mode.NONE))).deliver(ROUTE, message())
    assert found.delivered
    assert found.tls_policy is TlsPolicy.OPPORTUNISTIC


async def test_a_connection_in_the_clear_is_not_reused_under_a_policy(make, server, names, message):
    names.records["e.test", "MX"] = ["10 mx.test."]
    deliverer = make(tls=Knowledge(enforce("mx.test")))
    assert (await deliverer.deliver(MxRoute("e.test"), message("b@e.test"))).delivered
    found = await deliverer.deliver(ROUTE, message())
    assert found.trouble is Trouble.TLS
    server.script["EHLO"] = STARTTLS
    assert (await deliverer.deliver(ROUTE, message())).tls.verified
    before = server.connections
    again = await deliverer.deliver(ROUTE, message())
    assert again.tls.verified
    assert again.tls_policy is TlsPolicy.MTA_STS
    assert server.connections == before


# --- DANE ------------------------------------------------------------------------------------------------------------


async def test_a_secure_record_vouches_for_the_server(make, server, secure, spki, message, reports):
    secure.records["_25._tcp.mx.test", "TLSA"] = []
    server.script["EHLO"] = STARTTLS
    secure.records[f"_{server.port}._tcp.mx.test", "TLSA"] = [record(b"another"), record(spki)]
    found = await make(tls=Knowledge(enforce("elsewhere.test"), reports)).deliver(ROUTE, message())
    assert found.delivered
    assert (found.tls_policy, found.tls.verified) == (TlsPolicy.DANE, True)
    assert [(each.kind, each.result) for each in reports] == [(PolicyType.TLSA, None)]
    assert record(spki) in reports[0].text


async def test_a_record_for_another_key_defers(make, server, secure, message, reports):
    server.script["EHLO"] = STARTTLS
    secure.records[f"_{server.port}._tcp.mx.test", "TLSA"] = [record(b"another")]
    deliverer = make(tls=Knowledge(reports=reports))
    for _ in range(2):
        found = await deliverer.deliver(ROUTE, message())
        assert (found.phase, found.trouble, found.tls_policy) == (Phase.STARTTLS, Trouble.TLS, TlsPolicy.DANE)
    assert not found.tls.verified
    assert "TLSA" in found.tls.unverified_because
    assert not server.messages
    assert [each.result for each in reports] == [Result.VALIDATION_FAILURE] * 2


async def test_a_secure_record_makes_tls_mandatory(make, server, secure, spki, message):
    secure.records[f"_{server.port}._tcp.mx.test", "TLSA"] = [record(spki)]
    found = await make().deliver(ROUTE, message())
    assert (found.phase, found.trouble) == (Phase.STARTTLS, Trouble.TLS)
    assert not server.messages


async def test_an_authority_in_the_record_vouches_for_whom_it_issued(make, server, secure, message, tmp_path):
    issued = issue(tmp_path, ["mx.test"])
    server.certificate = (issued.chain_file, issued.key_file)
    server.script["EHLO"] = STARTTLS
    key = issued.authority.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    secure.records[f"_{server.port}._tcp.mx.test", "TLSA"] = [record(key, usage=2)]

    class Clock:
        def now(self):
            return Instant(int(time.time() * 1_000_000))

    found = await make(clock=Clock()).deliver(ROUTE, message())
    assert found.delivered
    assert found.tls.verified


async def test_records_that_cannot_be_used_ask_for_tls_of_any_kind(make, server, secure, message, reports):
    secure.records[f"_{server.port}._tcp.mx.test", "TLSA"] = ["1 1 1 " + "00" * 32]
    deliverer = make(tls=Knowledge(reports=reports))
    assert (await deliverer.deliver(ROUTE, message())).trouble is Trouble.TLS
    server.script["EHLO"] = STARTTLS
    found = await deliverer.deliver(ROUTE, message())
    assert found.delivered
    assert (found.tls_policy, found.tls.verified) == (TlsPolicy.DANE_UNUSABLE, False)
    assert [each.result for each in reports] == [Result.STARTTLS_NOT_SUPPORTED, Result.TLSA_INVALID]


async def test_records_that_the_dns_keeps_back_defer(make, server, secure, message, reports):
    server.script["EHLO"] = STARTTLS
    secure.records[f"_{server.port}._tcp.mx.test", "TLSA"] = "SERVFAIL"
    found = await make(tls=Knowledge(reports=reports)).deliver(ROUTE, message())
    assert (found.phase, found.trouble) == (Phase.RESOLVE, Trouble.DNS_FAILURE)
    assert server.connections == 0
    assert [each.result for each in reports] == [Result.DNSSEC_INVALID]


async def test_answers_that_are_not_secure_make_no_policy(make, server, names, message):
    names.records[f"_{server.port}._tcp.mx.test", "TLSA"] = [record(b"another")]
    found = await make(trust_ad=True).deliver(ROUTE, message())
    assert found.delivered
    assert not any(kind == "TLSA" for _, kind in names.questions)


async def test_a_resolver_that_is_not_trusted_makes_no_policy(make, server, secure, message):
    secure.records[f"_{server.port}._tcp.mx.test", "TLSA"] = [record(b"another")]
    found = await make(trust_ad=False).deliver(ROUTE, message())
    assert found.delivered
    assert found.tls_policy is TlsPolicy.OPPORTUNISTIC


async def test_a_secure_host_without_records_is_spoken_to_as_any(make, server, secure, message):
    found = await make().deliver(ROUTE, message())
    assert found.delivered
    assert (f"_{server.port}._tcp.mx.test", "TLSA") in secure.questions
    assert (await make().deliver(ROUTE, message())).delivered


@pytest.mark.parametrize(
    ("resolvers", "conf", "expected"),
    [
        ((("127.0.0.1", 53), ("::1", 53)), "", True),
        ((("127.0.0.1", 53), ("192.0.2.1", 53)), "", False),
        ((), "nameserver 127.0.0.53\noptions edns0 trust-ad\n", True),
        ((), "nameserver 127.0.0.53\noptions edns0\n", False),
        ((), "nameserver 192.0.2.1\noptions trust-ad\n", False),
        ((), None, False),
    ],
)
async def test_only_a_resolver_on_this_machine_is_trusted_unasked(monkeypatch, tmp_path, resolvers, conf, expected):
    file = tmp_path / "resolv.conf"
    if conf is not None:
        file.write_text(conf)
    monkeypatch.setattr(resolve, "_RESOLV_CONF", file)
    assert resolve.Resolver(resolvers).validates is expected


# --- the message's own -----------------------------------------------------------------------------------------------


async def test_a_message_that_requires_tls_goes_over_verified_tls_or_not_at_all(make, server, message):
    deliverer = make()
    found = await deliverer.deliver(ROUTE, message(), require_tls=True)
    assert (found.trouble, found.tls_policy) == (Trouble.TLS, TlsPolicy.REQUIRED)
    assert not server.messages
    server.script["EHLO"] = STARTTLS
    found = await deliverer.deliver(ROUTE, message(tls_required=True))
    assert found.delivered
    assert found.tls.verified


async def test_a_message_may_go_without_tls_whatever_the_policy(make, server, message):
    deliverer = make(tls=Knowledge(enforce("elsewhere.test")))
    found = await deliverer.deliver(ROUTE, message(tls_optional=True))
    assert found.delivered
    assert found.tls_policy is TlsPolicy.RELAXED
    refused = await deliverer.deliver(ROUTE, message(tls_optional=True), require_tls=True)
    assert refused.trouble is Trouble.TLS


async def test_a_relay_too_takes_such_a_message_over_verified_tls_only(make, server, message):
    route = RelayRoute("r", "localhost", server.port, Security.PLAIN)
    deliverer = make()
    assert (await deliverer.deliver(route, message())).delivered
    found = await deliverer.deliver(route, message(), require_tls=True)
    assert (found.phase, found.trouble) == (Phase.STARTTLS, Trouble.TLS)
    server.script["EHLO"] = STARTTLS
    found = await deliverer.deliver(route, message(), require_tls=True)
    assert found.delivered
    assert found.tls.verified
    assert found.tls_policy is TlsPolicy.REQUIRED
