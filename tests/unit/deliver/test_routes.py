"""Which hosts are spoken to, and how."""

import random

import pytest

from postroad.model.attempt import Phase, Trouble
from postroad.model.route import CaptureRoute, MxRoute, RelayRoute, Security
from postroad.pipeline.deliver.guard import is_public

ROUTE = MxRoute("d.test")
STARTTLS = "250-fake\r\n250-AUTH PLAIN\r\n250 STARTTLS"


# MX


async def test_exchangers_are_tried_by_preference_then_by_chance(make, names, server, message):
    names.records["d.test", "MX"] = ["20 c.test.", "10 a.test.", "10 b.test."]
    names.records["c.test", "A"] = ["127.0.0.1"]
    for name in ("a.test", "b.test"):
        names.records[name, "A"] = ["127.0.0.9"]
    first = set()
    for _ in range(20):
        names.questions.clear()
        found = await make(chance=random.random).deliver(ROUTE, message())
        assert found.delivered
        assert (found.mx, found.site) == ("c.test", "a.test,b.test,c.test")
        assert {(each.preference, each.host) for each in found.exchangers} == {
            (10, "a.test"), (10, "b.test"), (20, "c.test"),
        }  # fmt: skip
        assert [(each.host, each.ip, each.phase) for each in found.passed] == [
            (each.host, "127.0.0.9", Phase.CONNECT) for each in found.exchangers[:2]
        ]
        asked = [name for name, kind in names.questions if kind == "A"]
        assert sorted(asked[:2]) == ["a.test", "b.test"]
        assert asked[2] == "c.test"
        first.add(asked[0])
    assert first == {"a.test", "b.test"}


async def test_without_mx_records_the_domain_is_the_host(make, names, message):
    names.records = {("d.test", "A"): ["127.0.0.1"]}
    found = await make().deliver(ROUTE, message())
    assert found.delivered
    assert found.mx == "d.test"
    assert [(each.preference, each.host) for each in found.exchangers] == [(0, "d.test")]
    assert found.passed == ()


async def test_the_null_mx_is_told(make, names, server, message):
    names.records["d.test", "MX"] = ["0 ."]
    names.records["d.test", "A"] = ["127.0.0.1"]
    found = await make().deliver(ROUTE, message())
    assert (found.phase, found.trouble) == (Phase.RESOLVE, Trouble.NULL_MX)
    assert server.connections == 0


@pytest.mark.parametrize(
    ("records", "trouble"),
    [
        ({}, Trouble.NO_SUCH_DOMAIN),
        ({("d.test", "TXT"): ['"x"']}, Trouble.NO_SUCH_DOMAIN),
        ({("d.test", "MX"): ["10 gone.test."]}, Trouble.NO_SUCH_DOMAIN),
        ({("d.test", "MX"): "SERVFAIL"}, Trouble.DNS_FAILURE),
        ({("d.test", "MX"): "REFUSED"}, Trouble.DNS_FAILURE),
        ({("d.test", "MX"): "silent"}, Trouble.DNS_TIMEOUT),
        ({("d.test", "MX"): ["10 192.0.2.1."]}, Trouble.DNS_FAILURE),
        (
            {
                ("d.test", "MX"): ["10 a.test.", "20 b.test."],
                ("a.test", "A"): "SERVFAIL",
                ("a.test", "AAAA"): "SERVFAIL",
            },
            Trouble.DNS_FAILURE,
        ),
        (
            {("d.test", "MX"): ["10 a.test."], ("a.test", "A"): "silent", ("a.test", "TXT"): ['"x"']},
            Trouble.DNS_TIMEOUT,
        ),
        ({("d.test", "MX"): ["10 a.test."], ("a.test", "AAAA"): "SERVFAIL"}, Trouble.DNS_FAILURE),
    ],
)
async def test_the_kinds_of_dns_failure_are_told_apart(make, names, server, message, records, trouble):
    names.records = records
    found = await make(dns_timeout_s=0.4).deliver(ROUTE, message())
    assert (found.phase, found.trouble, found.mx) == (Phase.RESOLVE, trouble, None)
    assert found.detail
    assert server.connections == 0


async def test_a_family_that_fails_does_not_hide_the_other(make, names, message):
    names.records["mx.test", "AAAA"] = "SERVFAIL"
    assert (await make().deliver(ROUTE, message())).delivered


async def test_a_host_without_addresses_gives_way_to_the_next(make, names, message):
    names.records["d.test", "MX"] = ["10 gone.test.", "20 mx.test."]
    found = await make().deliver(ROUTE, message())
    assert found.delivered
    (passed,) = found.passed
    assert (passed.host, passed.ip, passed.phase) == ("gone.test", None, Phase.RESOLVE)
    assert "gone.test" in passed.detail


async def test_a_host_that_refuses_us_is_told_with_its_words(make, names, server, message):
    names.records["d.test", "MX"] = ["10 mx.test.", "20 gone.test."]
    server.script["BANNER"] = "554 5.7.1 no thanks"
    found = await make().deliver(ROUTE, message())
    assert (found.mx, found.phase, found.tls_broken) == ("mx.test", Phase.BANNER, None)
    assert [(each.host, each.phase) for each in found.passed] == [
        ("mx.test", Phase.BANNER), ("gone.test", Phase.RESOLVE),
    ]  # fmt: skip
    assert found.passed[0].detail == "554 no thanks"


async def test_answers_are_kept_by_a_time_that_may_be_moved(make, names, message):
    ahead_s = [0.0]
    deliverer = make(time_s=lambda: ahead_s[0])
    for move, asked in ((0.0, 1), (1.0, 1), (100_000.0, 2)):
        ahead_s[0] += move
        assert (await deliverer.deliver(MxRoute("d.test"), message())).delivered
        assert names.questions.count(("d.test", "MX")) == asked


async def test_answers_are_cached_and_questions_shared(make, names, message):
    deliverer = make()
    assert deliverer.capacity("d.test") == 10
    for _ in range(3):
        await deliverer.deliver(ROUTE, message())
    assert names.questions.count(("d.test", "MX")) == 1


async def test_ipv6_and_ipv4_take_turns(make, names, server, message):
    names.records["mx.test", "AAAA"] = ["::1", "::2", "::3"]
    short = {"connect_s": 0.5}
    found = await make(addresses_per_attempt=2, timeouts=short).deliver(ROUTE, message())
    assert found.delivered
    assert found.ip == "127.0.0.1"
    found = await make(addresses_per_attempt=1, timeouts=short).deliver(ROUTE, message())
    assert not found.delivered
    assert found.ip in {"::1", "::2", "::3"}


async def test_ipv6_is_spoken(make, names, start_server, message):
    names.records["mx.test", "AAAA"] = ["::1"]
    six = await start_server(host="::1")
    found = await make(mx_port=six.port).deliver(ROUTE, message())
    assert found.delivered
    assert found.ip == "::1"


# Where strangers may not send us (T8)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.1.1", "100.64.0.1", "0.0.0.0"]
)
async def test_private_addresses_are_not_spoken_to(make, names, server, message, address):
    names.records["mx.test", "A"] = [address]
    found = await make(allow_private_addresses=False).deliver(ROUTE, message())
    assert (found.phase, found.trouble) == (Phase.RESOLVE, Trouble.FORBIDDEN_ADDRESS)
    assert server.connections == 0


async def test_our_own_addresses_and_names_are_not_spoken_to(make, names, server, message):
    found = await make(own_addresses=frozenset({"127.0.0.1"})).deliver(ROUTE, message())
    assert found.trouble is Trouble.FORBIDDEN_ADDRESS
    found = await make(own_names=frozenset({"mx.test"})).deliver(ROUTE, message())
    assert found.trouble is Trouble.FORBIDDEN_ADDRESS
    names.records["e.test", "MX"] = ["5 better.test.", "10 mx.test.", "20 worse.test."]
    names.records["better.test", "A"] = ["127.0.0.9"]
    names.records["worse.test", "A"] = ["127.0.0.1"]
    found = await make(own_names=frozenset({"mx.test"})).deliver(MxRoute("e.test"), message())
    assert (found.mx, found.trouble) == ("better.test", Trouble.REFUSED)
    assert server.connections == 0


async def test_address_literals_are_not_delivered_to(make, server, message):
    found = await make().deliver(MxRoute("[127.0.0.1]"), message())
    assert found.trouble is Trouble.FORBIDDEN_ADDRESS


async def test_a_failing_name_is_not_buried_under_a_forbidden_one(make, names, message):
    names.records["d.test", "MX"] = ["10 a.test.", "20 mx.test."]
    names.records["a.test", "A"] = "SERVFAIL"
    names.records["a.test", "AAAA"] = "SERVFAIL"
    found = await make(allow_private_addresses=False).deliver(ROUTE, message())
    assert found.trouble is Trouble.DNS_FAILURE


@pytest.mark.parametrize(
    "address",
    [
        "::",
        "::1",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "fc00::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.0.8",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.1",
    ],
)
def test_what_is_not_the_public_internet(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_what_is_the_public_internet(address):
    assert is_public(address)


# Relays


def relay(server, **changes):
    return RelayRoute(**({"name": "smart", "host": "localhost", "port": server.port} | changes))


async def test_a_relay_is_spoken_to(make, server, message):
    found = await make().deliver(relay(server), message())
    assert found.delivered
    assert (found.route, found.mx, found.site) == ("smart", "localhost", f"localhost:{server.port}")


async def test_a_relay_with_credentials_over_verified_starttls(make, server, message):
    server.script["EHLO"] = STARTTLS
    route = relay(server, security=Security.STARTTLS, username="user", password="secret")
    found = await make().deliver(route, message())
    assert found.delivered
    assert found.tls is not None
    assert found.tls.verified
    said = [line.text for line in found.conversation]
    assert "AUTH PLAIN <secret>" in said
    assert any(text.startswith("<TLS: TLSv1") for text in said)
    assert any(command.startswith("AUTH PLAIN ") for command in server.commands)


async def test_a_relay_with_tls_from_the_first_octet(make, start_server, message):
    secure = await start_server(tls=True)
    found = await make().deliver(relay(secure, security=Security.TLS), message())
    assert found.delivered
    assert found.tls is not None
    assert found.tls.verified


async def test_a_relay_whose_certificate_does_not_hold(make, start_server, message):
    server = await start_server(host="127.0.0.2")
    server.script["EHLO"] = STARTTLS
    secure = await start_server(host="127.0.0.2", tls=True)
    for route in (
        relay(server, host="127.0.0.2", security=Security.STARTTLS),
        relay(secure, host="127.0.0.2", security=Security.TLS),
    ):
        found = await make().deliver(route, message())
        assert (found.phase, found.trouble) == (Phase.STARTTLS, Trouble.TLS)
        assert "certificate" in found.detail
    found = await make().deliver(relay(server, host="127.0.0.2", security=Security.STARTTLS, verify=False), message())
    assert found.delivered
    assert not server.messages[1:]


async def test_a_relay_that_must_have_tls_and_does_not(make, server, message):
    found = await make().deliver(relay(server, security=Security.STARTTLS), message())
    assert (found.phase, found.trouble) == (Phase.STARTTLS, Trouble.TLS)
    server.script["EHLO"] = STARTTLS
    server.script["STARTTLS"] = "454 4.7.0 no"
    found = await make().deliver(relay(server, security=Security.STARTTLS), message())
    assert found.reply is not None
    assert (found.phase, found.reply.code) == (Phase.STARTTLS, 454)
    assert not server.messages


async def test_a_plain_relay_never_begins_tls(make, server, message):
    server.script["EHLO"] = STARTTLS
    assert (await make().deliver(relay(server, security=Security.PLAIN), message())).delivered
    assert "STARTTLS" not in server.commands


async def test_refused_credentials_are_the_deciding_reply(make, server, message):
    server.script["EHLO"] = STARTTLS
    server.script["AUTH"] = "535 5.7.8 no"
    route = relay(server, security=Security.STARTTLS, username="user", password="secret")
    found = await make().deliver(route, message())
    assert found.reply is not None
    assert (found.phase, found.reply.code) == (Phase.AUTH, 535)


async def test_credentials_are_not_shown_without_tls(make, server, message):
    server.script["EHLO"] = "250-fake\r\n250 AUTH PLAIN"
    route = relay(server, username="user", password="secret")
    found = await make().deliver(route, message())
    assert (found.phase, found.trouble) == (Phase.AUTH, Trouble.AUTH_UNAVAILABLE)
    assert not any("AUTH" in command for command in server.commands)


async def test_a_relay_that_cannot_be_found_or_reached(make, server, message):
    found = await make().deliver(relay(server, host="no-such-host.invalid"), message())
    assert found.phase is Phase.RESOLVE
    assert found.trouble in {Trouble.NO_SUCH_DOMAIN, Trouble.DNS_FAILURE}
    found = await make().deliver(relay(server, port=1), message())
    assert (found.phase, found.trouble) == (Phase.CONNECT, Trouble.REFUSED)


# Capture


async def test_capture_runs_a_whole_conversation(make, server, message):
    found = await make().deliver(CaptureRoute(), message())
    assert found.delivered
    assert (found.route, found.mx) == ("capture", "capture.postroad.invalid")
    said = [f"{line.side}: {line.text}" for line in found.conversation]
    assert said[0] == "S: 220 capture.postroad.invalid ESMTP"
    assert "C: RCPT TO:<b@d.test>" in said
    assert said[-2:] == ["C: QUIT", "S: 221 2.0.0 Bye"]
    assert server.connections == 0


async def test_capture_takes_large_and_odd_messages_and_can_be_taken_back(make, message):
    deliverer = make()
    large = message("ü@d.test", "ü\r\n".encode() * 200_000, smtputf8=True)
    assert (await deliverer.deliver(CaptureRoute(), large)).delivered
    found = await deliverer.deliver(CaptureRoute(), message(), before_dot=lambda: False)
    assert (found.phase, found.trouble) == (Phase.BODY, Trouble.HANDED_BACK)
    assert (await deliverer.deliver(CaptureRoute(), message(), before_dot=lambda: True)).delivered
