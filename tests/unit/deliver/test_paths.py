"""Over which relay and from which of our addresses mail goes."""

import pytest

from postroad.app.node import WallClock
from postroad.model.attempt import Phase, Trouble
from postroad.model.route import Family, MxRoute, ProviderRoute, RelayRoute, RelaysRoute, Security, Source
from postroad.pipeline.deliver.origin import arrange
from postroad.pipeline.shaping.limits import Book, Limits
from postroad.pipeline.shaping.shaping import Shaping

NOWHERE = RelayRoute("away", "127.0.0.1", 9, Security.PLAIN)


@pytest.fixture
def shaped():
    return Shaping(Book(Limits()), clock=WallClock(), chance=lambda: 0.0)


def relay(name, server, **more):
    return RelayRoute(name, "localhost", server.port, Security.PLAIN, **more)


# --- relays ----------------------------------------------------------------------------------------------------------


async def test_the_next_relay_takes_over_and_the_first_rests(make, server, message):
    deliverer = make()
    route = RelaysRoute((NOWHERE, relay("spare", server)))
    found = await deliverer.deliver(route, message())
    assert found.delivered
    assert found.route == "spare"
    assert found.conversation[0].text.startswith("<relay away:")
    assert [each.host for each in found.passed] == [NOWHERE.host]
    assert found.exchangers == ()
    ((rest, left_s),) = deliverer._relays.resting()
    assert (rest.relay, rest.times, rest.attempt.trouble) == (NOWHERE, 1, Trouble.REFUSED)
    assert 0 < left_s <= 30
    again = await deliverer.deliver(route, message())
    assert again.delivered
    assert not any("away" in line.text for line in again.conversation)


async def test_a_relay_that_rested_is_asked_first_again(make, server, start_server, message, monkeypatch):
    spare = await start_server()
    deliverer = make()
    now = [0.0]
    monkeypatch.setattr(deliverer._relays, "_time_s", lambda: now[0])
    route = RelaysRoute((relay("first", server), relay("spare", spare)))
    server.script["BANNER"] = ["421 4.3.2 not now", "220 fake"]
    assert (await deliverer.deliver(route, message())).route == "spare"
    assert (await deliverer.deliver(route, message())).route == "spare"
    now[0] = 31.0
    assert (await deliverer.deliver(route, message())).route == "first"


async def test_a_message_that_the_first_relay_refuses_is_not_offered_to_the_next(make, server, start_server, message):
    spare = await start_server()
    server.script["RCPT"] = "550 5.1.1 no"
    found = await make().deliver(RelaysRoute((relay("first", server), relay("spare", spare))), message())
    assert (found.route, found.phase) == ("first", Phase.RCPT)
    assert spare.connections == 0


async def test_refused_credentials_count_only_when_no_other_relay_is_left(
    make, server, start_server, message, certificate
):
    server.script["EHLO"] = "250-fake\r\n250-STARTTLS\r\n250 AUTH PLAIN"
    server.script["AUTH"] = "535 5.7.8 no"
    login = {"username": "u", "password": "p"}
    bad = RelayRoute("bad", "localhost", server.port, Security.STARTTLS, **login)
    deliverer = make()
    found = await deliverer.deliver(RelaysRoute((bad, NOWHERE)), message())
    assert (found.route, found.phase, found.trouble) == ("away", Phase.CONNECT, Trouble.REFUSED)
    for _ in range(2):
        found = await deliverer.deliver(RelaysRoute((bad, NOWHERE)), message())
        assert found.phase is Phase.CONNECT
    alone = await make().deliver(RelaysRoute((bad, bad)), message())
    assert alone.phase is Phase.AUTH
    spare = await start_server()
    assert (await make().deliver(RelaysRoute((bad, relay("spare", spare))), message())).delivered


async def test_when_all_rest_the_first_of_them_is_asked_all_the_same(make, message):
    deliverer = make()
    route = RelaysRoute((NOWHERE, RelayRoute("gone", "127.0.0.1", 10, Security.PLAIN)))
    for _ in range(2):
        found = await deliverer.deliver(route, message())
        assert (found.phase, found.trouble) == (Phase.CONNECT, Trouble.REFUSED)


# --- providers -------------------------------------------------------------------------------------------------------


async def test_mail_for_a_provider_goes_through_its_relay(make, server, start_server, names, message):
    names.records |= {
        ("o.test", "MX"): ["10 o-test.mail.protection.outlook.com."],
        ("o.test", "TXT"): [],
        ("noutlook.test", "MX"): ["10 mx.noutlook.com."],
        ("mx.noutlook.com", "A"): ["127.0.0.1"],
    }
    other = await start_server()
    case = ("outlook.com", relay("for-outlook", other))
    deliverer = make()
    found = await deliverer.deliver(ProviderRoute("o.test", (case,), MxRoute("o.test")), message("b@o.test"))
    assert (found.delivered, found.route) == (True, "for-outlook")
    for domain in ("d.test", "noutlook.test"):
        found = await deliverer.deliver(ProviderRoute(domain, (case,), MxRoute(domain)), message(f"b@{domain}"))
        assert (found.delivered, found.route) == (True, "mx")


async def test_a_domain_that_cannot_be_found_goes_the_other_way(make, server, message):
    case = ("outlook.com", CASE)
    found = await make().deliver(ProviderRoute("nx.test", (case,), relay("r", server)), message("b@nx.test"))
    assert found.route == "r"


CASE = RelayRoute("never", "127.0.0.1", 9)


# --- sources ---------------------------------------------------------------------------------------------------------


async def test_mail_leaves_from_its_source_under_its_name(make, server, message):
    deliverer = make()
    for number in (5, 6):
        source = Source(f"out{number}", ipv4=f"127.0.0.{number}", hostname=f"out{number}.example")
        found = await deliverer.deliver(MxRoute("d.test", source), message())
        assert found.delivered
        assert found.source == f"out{number}"
    assert server.peers == ["127.0.0.5", "127.0.0.6"]
    assert [line for line in server.commands if line.startswith("EHLO")] == ["EHLO out5.example", "EHLO out6.example"]


async def test_a_source_without_a_name_of_its_own_uses_ours(make, server, message):
    found = await make().deliver(MxRoute("d.test", Source("s", ipv4="127.0.0.5")), message())
    assert found.delivered
    assert "EHLO us.example" in server.commands


async def test_a_source_that_is_not_on_this_machine_is_told(make, server, message):
    found = await make().deliver(MxRoute("d.test", Source("s", ipv4="192.0.2.1")), message())
    assert (found.phase, found.trouble) == (Phase.CONNECT, Trouble.UNREACHABLE)
    assert "not one of this machine" in found.detail


async def test_a_host_of_the_other_family_cannot_be_reached(make, server, message):
    found = await make().deliver(MxRoute("d.test", family=Family.IPV6_ONLY), message())
    assert (found.phase, found.trouble) == (Phase.CONNECT, Trouble.UNREACHABLE)
    assert server.connections == 0


async def test_a_relay_is_reached_from_the_source_and_under_its_name(make, server, message, shaped):
    deliverer = make(shaping=shaped)
    for number in (5, 6, 5):
        source = Source(f"out{number}", ipv4=f"127.0.0.{number}", hostname=f"out{number}.example")
        found = await deliverer.deliver(relay("r", server, source=source, family=Family.IPV4_ONLY), message())
        assert found.delivered
        assert (found.route, found.source) == ("r", f"out{number}")
    assert server.peers == ["127.0.0.5", "127.0.0.6"]
    assert [line for line in server.commands if line.startswith("EHLO")] == ["EHLO out5.example", "EHLO out6.example"]
    # each source has limits of its own there
    assert {site.name for site in shaped} == {f"localhost:{server.port}@out{number}" for number in (5, 6)}


async def test_a_relay_of_the_other_family_cannot_be_reached(make, server, message):
    found = await make().deliver(relay("r", server, source=Source("s", ipv6="::1"), family=Family.IPV4_ONLY), message())
    assert (found.phase, found.trouble, found.source) == (Phase.CONNECT, Trouble.UNREACHABLE, "s")
    assert server.connections == 0


async def test_a_relay_that_one_source_cannot_reach_is_asked_from_another(make, server, start_server, message):
    spare = await start_server()
    deliverer = make()

    async def from_source(address):
        source = Source(address, ipv4=address)
        both = (relay("first", server, source=source), relay("spare", spare, source=source))
        return (await deliverer.deliver(RelaysRoute(both), message())).route

    server.script["BANNER"] = ["554 5.7.1 not you", "220 fake"]
    assert await from_source("127.0.0.5") == "spare"
    assert await from_source("127.0.0.5") == "spare"
    assert await from_source("127.0.0.6") == "first"


BOTH = ("2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2")
SIX, FOUR = BOTH[::2], BOTH[1::2]


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (Family.MIXED, BOTH),
        (Family.IPV4_FIRST, FOUR + SIX),
        (Family.IPV6_FIRST, SIX + FOUR),
        (Family.IPV4_ONLY, FOUR),
        (Family.IPV6_ONLY, SIX),
    ],
)
def test_addresses_are_tried_as_the_family_has_it(family, expected):
    assert arrange(BOTH, family, None) == expected
    assert arrange(BOTH, family, Source("s", ipv4="192.0.2.9")) == tuple(ip for ip in expected if ip in FOUR)
