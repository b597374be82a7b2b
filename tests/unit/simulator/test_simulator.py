"""The simulated internet, met by our own client as it delivers."""

import asyncio
import json
import socket

import dns.message
import dns.query
import dns.rcode
import pytest

from postroad.config.tree import Timeouts
from postroad.model.attempt import Phase, Trouble
from postroad.model.clock import Instant
from postroad.model.composition import Composed
from postroad.model.route import MxRoute
from postroad.pipeline.deliver import Deliverer, DeliverSettings
from postroad.simulator import PROVIDERS, Move, Personality, Simulator
from postroad.simulator.personality import At

SENDER = "b+1@us.example"
MAIL = b"Message-ID: <1@us.example>\r\nFrom: <a@us.example>\r\nSubject: Hi\r\n\r\nHello.\r\n" + b"x\r\n" * 400


class StandingClock:
    def now(self):
        return Instant(1_700_000_000_000_000)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    return tmp_path_factory.mktemp("simulator") / "ledger"


@pytest.fixture(scope="module")
def simulator(ledger):
    with Simulator(seed=7, ledger=ledger) as running:
        yield running


@pytest.fixture
async def send(simulator):
    deliverers = []

    async def run(domain, sender=SENDER, where=simulator, connection=None):
        if connection is None:
            host, port = where.resolver.split(":")
            settings = DeliverSettings(
                hostname="us.example",
                mx_port=where.mx_port,
                resolvers=((host, int(port)),),
                allow_private_addresses=True,
                dns_timeout_s=1.0,
                timeouts=Timeouts(connect_s=0.5, banner_s=0.5, quit_s=0.1),
            )
            connection = Deliverer(settings, clock=StandingClock(), chance=lambda: 0.5)
            deliverers.append(connection)
        composed = Composed(sender, f"ann@{domain}", MAIL, False, b"")
        return await asyncio.wait_for(connection.deliver(MxRoute(domain), composed), 30)

    yield run
    for deliverer in deliverers:
        await deliverer.drain()


REPLIES = {
    "everybody.test": (Phase.DOT, 250, "2.0.0"),
    "anything.example": (Phase.DOT, 250, "2.0.0"),
    "no-tls.test": (Phase.DOT, 250, "2.0.0"),
    "broken-tls.test": (Phase.DOT, 250, "2.0.0"),
    "close-quit.test": (Phase.DOT, 250, "2.0.0"),
    "reset-quit.test": (Phase.DOT, 250, "2.0.0"),
    "late-exim.test": (Phase.DOT, 250, "2.0.0"),
    "late-postfix.test": (Phase.DOT, 250, "2.0.0"),
    "late-exchange.test": (Phase.DOT, 250, "2.0.0"),
    "late-qmail.test": (Phase.DOT, 250, "2.0.0"),
    "complaint.test": (Phase.DOT, 250, "2.0.0"),
    "out-of-office.test": (Phase.DOT, 250, "2.0.0"),
    "gmail.test": (Phase.DOT, 250, "2.0.0"),
    "greylist.test": (Phase.RCPT, 450, "4.2.0"),
    "outlook.test": (Phase.MAIL, 550, "5.7.1"),
    "hotmail.test": (Phase.MAIL, 550, "5.7.1"),
    "yahoo.test": (Phase.MAIL, 421, "4.7.0"),
    "full.test": (Phase.RCPT, 452, "4.2.2"),
    "unknown.test": (Phase.RCPT, 550, "5.1.1"),
    "unknown-data.test": (Phase.DOT, 550, "5.1.1"),
    "blocked.test": (Phase.RCPT, 554, "5.7.1"),
    "turned-away.test": (Phase.BANNER, 554, "5.7.1"),
    "spam.test": (Phase.DOT, 554, "5.7.1"),
    "deferred.test": (Phase.RCPT, 451, "4.3.0"),
    "full-disk.test": (Phase.DATA, 452, "4.3.1"),
}
TROUBLES = {
    "small.test": (Phase.MAIL, Trouble.TOO_LARGE),
    "tarpit.test": (Phase.BANNER, Trouble.TIMEOUT),
    "silent.test": (Phase.BANNER, Trouble.TIMEOUT),
    "slow.test": (Phase.BANNER, Trouble.TIMEOUT),  # slower than these tests are patient
    "blackhole.test": (Phase.CONNECT, Trouble.TIMEOUT),
    "refused.test": (Phase.CONNECT, Trouble.REFUSED),
    "garbage.test": (Phase.BANNER, Trouble.PROTOCOL),
    "lost-reply.test": (Phase.DOT, Trouble.CLOSED),
    "null-mx.test": (Phase.RESOLVE, Trouble.NULL_MX),
    "absent.test": (Phase.RESOLVE, Trouble.NO_SUCH_DOMAIN),
    "servfail.test": (Phase.RESOLVE, Trouble.DNS_FAILURE),
    "dns-timeout.test": (Phase.RESOLVE, Trouble.DNS_TIMEOUT),
    **{
        f"{how}-{at}.test": (Phase(at), Trouble.CLOSED)
        for how in ("close", "reset")
        for at in ("banner", "ehlo", "mail", "rcpt", "data", "body", "dot")
    },
}


def test_every_provider_is_met_here():
    assert {provider.domain for provider in PROVIDERS} - {"flaky.test"} <= REPLIES.keys() | TROUBLES.keys()


@pytest.mark.parametrize("domain", REPLIES)
async def test_a_provider_gives_the_reply_of_its_description(send, domain):
    found = await send(domain)
    assert found.reply is not None, (found.trouble, found.detail)
    assert (found.phase, found.reply.code, found.reply.enhanced) == REPLIES[domain]


@pytest.mark.parametrize("domain", TROUBLES)
async def test_a_provider_makes_the_trouble_of_its_description(send, domain):
    found = await send(domain)
    phase, trouble = TROUBLES[domain]
    assert found.reply is None
    if domain.endswith(("-body.test", "-dot.test")):  # how much was written when the end was noticed is chance
        assert found.phase in (Phase.BODY, Phase.DOT)
    elif domain.startswith("reset-"):  # a reset may overtake the reply before it
        assert found.phase in (phase, list(Phase)[list(Phase).index(phase) - 1])
    else:
        assert found.phase is phase
    assert found.trouble is trouble


async def test_the_words_are_those_of_the_providers(send):
    assert "(S3140)" in (await send("outlook.test")).reply.text
    assert "(S3150)" in (await send("hotmail.test")).reply.text
    assert "[TSS04]" in (await send("yahoo.test", "words@us.example")).reply.text


async def test_the_hosts_are_called_as_those_of_the_providers(send):
    assert (await send("gmail.test")).site == "google"
    assert (await send("outlook.test")).site == "outlook"
    assert (await send("yahoo.test", "site@us.example")).site == "yahoo"


async def test_greylisting_ends_with_the_second_attempt_of_the_same_message(send):
    assert (await send("greylist.test", "one@us.example")).reply.code == 450
    assert (await send("greylist.test", "two@us.example")).reply.code == 450
    assert (await send("greylist.test", "one@us.example")).delivered


async def test_gmail_slows_down_who_sends_too_much(send):
    with Simulator([provider for provider in PROVIDERS if provider.domain == "gmail.test"]) as simulator:
        replies = [(await send("gmail.test", where=simulator)).reply for _ in range(11)]
    assert [reply.code for reply in replies] == [250] * 10 + [421]
    assert replies[-1].enhanced == "4.7.28"
    assert "has been temporarily rate limited" in replies[-1].text


async def test_tls_is_spoken_where_it_is_offered(send):
    assert (await send("everybody.test")).tls is not None
    assert (await send("no-tls.test")).tls is None
    assert (await send("broken-tls.test")).tls is None


async def test_what_was_taken_is_in_the_ledger_and_what_was_refused_is_not(simulator, ledger, send):
    await send("everybody.test", "ledger@us.example")
    await send("lost-reply.test", "ledger@us.example")
    await send("spam.test", "ledger@us.example")
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    mine = [line for line in lines if line["sender"] == "ledger@us.example"]
    assert [(line["provider"], line["answered"]) for line in mine][:1] == [("everybody.test", True)]
    assert {(line["provider"], line["answered"]) for line in mine[1:]} == {("lost-reply.test", False)}
    assert mine[0]["message_id"] == "<1@us.example>"
    assert mine[0]["size"] == len(MAIL)
    assert [entry.number for entry in simulator.taken][-len(lines) :] == [line["number"] for line in lines]


async def test_chance_is_the_same_for_the_same_seed(send):
    def flaky(seed):
        return Simulator([provider for provider in PROVIDERS if provider.domain == "flaky.test"], seed=seed)

    seen = []
    for _ in range(2):
        with flaky(3) as simulator:
            seen.append([(await send("flaky.test", where=simulator)).reply.code for _ in range(12)])
    assert seen[0] == seen[1]
    assert set(seen[0]) == {250, 451}


async def test_a_personality_of_ones_own_is_as_good_as_those_that_ship(send):
    mine = Personality(
        domain="mine.test",
        says="Refuses.",
        moves={At.EHLO: Move(reply="550 5.5.0 No|EHLO"), At.QUIT: Move(wait_s=0.01)},
    )
    with Simulator([mine]) as simulator:
        found = await send("mine.test", where=simulator)
    assert found.delivered  # HELO does
    assert not found.tls


def test_the_name_server_answers_over_tcp_too_and_ignores_nonsense(simulator):
    host, port = simulator.resolver.split(":")
    query = dns.message.make_query("gmail.test", "MX")
    answer = dns.query.tcp(query, host, port=int(port), timeout=10)
    assert answer.answer[0][0].to_text() == "10 gmail-smtp-in.l.google.com."
    with socket.create_connection((host, int(port))) as nonsense:
        nonsense.sendall(b"\x00\x02xx")
        assert nonsense.recv(10) == b""
    absent = dns.query.udp(dns.message.make_query("www.absent.test", "A"), host, port=int(port), timeout=10)
    assert absent.rcode() is dns.rcode.NXDOMAIN
    assert not dns.query.udp(dns.message.make_query("gmail.test", "A"), host, port=int(port), timeout=10).answer


def test_the_environment_points_a_postroad_at_it(simulator):
    assert simulator.environment == {
        "POSTROAD_DELIVERY_RESOLVERS": simulator.resolver,
        "POSTROAD_DELIVERY_MX_PORT": str(simulator.mx_port),
    }


def test_a_port_that_is_taken_is_an_error_at_the_start(simulator):
    with pytest.raises(OSError, match="in use"):
        Simulator(mx_port=0, dns_port=int(simulator.resolver.split(":")[1])).start()
