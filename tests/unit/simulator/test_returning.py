"""What comes back from simulated providers, read by the code that reads what comes back from real ones."""

import asyncio

import pytest

from peers.process import wait_until
from postroad.model.clock import Instant
from postroad.model.composition import Composed
from postroad.model.reason import Class
from postroad.model.returned import AutoReply, Complaint, Report
from postroad.model.route import MxRoute
from postroad.pipeline.deliver import Deliverer, DeliverSettings
from postroad.pipeline.outcomes.returned.cause import classify_report
from postroad.pipeline.outcomes.returned.reading import read_returned
from postroad.simulator import PROVIDERS, Simulator
from postroad.simulator.personality import Returns
from postroad.simulator.returning import come_back

MAIL = b"Message-ID: <1@us.example>\r\nFrom: <a@us.example>\r\nSubject: Hi\r\n\r\nHello.\r\n"


def returned(kind):
    octets = come_back(
        kind, host="mx.their.test", sender="b+1@us.example", recipient="ann@their.test", octets=MAIL, at_s=1.7e9
    )
    assert b"\n" not in octets.replace(b"\r\n", b"")
    return read_returned(octets)


@pytest.mark.parametrize("kind", [Returns.POSTFIX, Returns.EXIM, Returns.EXCHANGE, Returns.QMAIL])
def test_a_bounce_of_every_dialect_is_read_as_one(kind):
    found = returned(kind)
    assert isinstance(found, Report)
    (recipient,) = found.recipients
    assert recipient.address == "ann@their.test"
    assert classify_report(recipient).cls is Class.INVALID_RECIPIENT
    assert found.original.message_id == "<1@us.example>"


def test_a_complaint_is_read_as_one():
    found = returned(Returns.COMPLAINT)
    assert isinstance(found, Complaint)
    assert found.original.message_id == "<1@us.example>"


def test_an_automatic_reply_is_read_as_one():
    assert isinstance(returned(Returns.AUTO_REPLY), AutoReply)


class StandingClock:
    def now(self):
        return Instant(1_700_000_000_000_000)


async def send(simulator, domain, sender):
    host, port = simulator.resolver.split(":")
    settings = DeliverSettings(
        hostname="us.example",
        mx_port=simulator.mx_port,
        resolvers=((host, int(port)),),
        allow_private_addresses=True,
    )
    deliverer = Deliverer(settings, clock=StandingClock(), chance=lambda: 0.5)
    try:
        return await deliverer.deliver(MxRoute(domain), Composed(sender, f"ann@{domain}", MAIL, False, b""))
    finally:
        await deliverer.drain()


async def test_what_comes_back_is_sent_to_the_exchange_with_no_sender():
    returning = [provider for provider in PROVIDERS if provider.returns is not None]
    with Simulator([]) as exchange:
        where = ("127.42.0.1", exchange.mx_port)
        with Simulator(returning, exchange=where, returns_after_s=0.05) as simulator:
            for provider in returning:
                assert (await send(simulator, provider.domain, f"b+{provider.returns}@us.example")).delivered
            assert (await send(simulator, "complaint.test", "")).delivered  # nothing comes back to nobody
            wait = asyncio.to_thread(
                wait_until, lambda: simulator.returned == len(returning), timeout_s=20, what="what comes back"
            )
            await wait
        assert {taken.recipient for taken in exchange.taken} == {f"b+{each.returns}@us.example" for each in returning}
        assert {taken.sender for taken in exchange.taken} == {""}


async def test_an_exchange_that_takes_nothing_ends_nothing():
    returning = [provider for provider in PROVIDERS if provider.domain == "complaint.test"]
    with Simulator(returning, exchange=("127.0.0.1", 1), returns_after_s=0.0) as simulator:
        assert (await send(simulator, "complaint.test", "b+1@us.example")).delivered
        await asyncio.sleep(0.2)
        assert (await send(simulator, "complaint.test", "b+2@us.example")).delivered
    assert simulator.returned == 0
