"""What reserved mailboxes send back is taken in for the delivery that it is about, and for no other."""

import asyncio

import pytest

from postroad.app.rehearsing import Rehearsal
from postroad.model.composition import Composed
from postroad.model.errors import Unavailable
from postroad.pipeline.deliver.reserved import Later
from postroad.wire import verp
from stores import StillClock

KEY = b"k" * 32
DELIVERY = "dlv_01k0abcdefghjkmnpqrstvwxyz"


class Arrivals:
    """Notes what is kept."""

    def __init__(self, error=None):
        self.kept, self.error = [], error

    async def keep(self, envelope, octets, size):
        if self.error is not None:
            raise self.error
        self.kept.append((envelope, octets, size))


def composed(token):
    octets = f"Subject: Hi\r\nX-Postroad-Delivery: {token}\r\n\r\nHello\r\n".encode()
    return Composed("from@shop.test", "ooto@simulator.test", octets, smtputf8=False, sha256=b"")


@pytest.mark.parametrize(
    ("later", "holds"),
    [
        (Later.BOUNCE, b"Status: 5.1.1"),
        (Later.COMPLAINT, b"Feedback-Type: abuse"),
        (Later.AUTO_REPLY, b"Auto-Submitted"),
    ],
)
async def test_a_mail_comes_back_for_its_delivery(later, holds):
    arrivals = Arrivals()
    Rehearsal(arrivals, KEY, StillClock())(later, composed(verp.make(DELIVERY, KEY)))
    await asyncio.sleep(0.01)
    ((envelope, octets, size),) = arrivals.kept
    assert holds in octets
    assert size == len(octets)
    assert [addressed.delivery_id for _, addressed in envelope.recipients] == [DELIVERY]


async def test_what_carries_no_token_of_ours_sends_nothing_back_and_a_store_that_is_away_is_no_harm():
    arrivals = Arrivals()
    Rehearsal(arrivals, KEY, StillClock())(Later.BOUNCE, composed("b+forged"))
    away = Rehearsal(Arrivals(Unavailable("store_unavailable", "away", retry_after_s=1)), KEY, StillClock())
    away(Later.BOUNCE, composed(verp.make(DELIVERY, KEY)))
    await asyncio.sleep(0.01)
    assert arrivals.kept == []
    assert not away._tasks
