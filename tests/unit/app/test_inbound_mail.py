"""What came in to the exchange, as the command line sees it."""

import base64

import pytest

from postroad.app.administration import administer
from postroad.model.clock import Instant
from postroad.model.errors import Refused
from postroad.model.ids import InboundId
from postroad.model.late import NewMail
from postroad.store import inbound
from postroad.store.database import Database
from postroad.store.migrate import migrate


@pytest.fixture
def arrived(settings):
    """Three mails, the middle one put aside."""
    settings.data.directory.mkdir()
    database = Database(settings.database_url)
    migrate(database)
    mails = [
        NewMail(
            id=InboundId(f"inb_{number}"),
            at=Instant(1_800_000_000_000_000 + number),
            sender="",
            recipient="abuse@bounces.test",
            ip="192.0.2.1",
            hello="mx.test",
            tls=None,
            size=2,
            raw=b"Hi",
            token=None,
        )
        for number in range(3)
    ]
    database.write_now(lambda c: inbound.keep(c, mails))
    database.write_now(lambda c: inbound.quarantine(c, InboundId("inb_1")))
    database.close()


def test_what_came_in_is_listed_newest_first_page_by_page(arrived, told):
    first = told("inbound.list", limit=2)
    assert [mail["id"] for mail in first["data"]] == ["inb_2", "inb_1"]
    rest = told("inbound.list", limit=2, after=first["next"])
    assert ([mail["id"] for mail in rest["data"]], rest["next"]) == (["inb_0"], None)
    assert [mail["id"] for mail in told("inbound.list", state="quarantined")["data"]] == ["inb_1"]
    assert told("inbound.list", project="default")["data"] == []


def test_a_mail_is_shown_with_its_octets(arrived, told):
    shown = told("inbound.show", mail="inb_1")
    assert (shown["from"], shown["to"], shown["state"]) == ("<>", "abuse@bounces.test", "quarantined")
    assert base64.b64decode(shown["raw"]) == b"Hi"


def test_what_was_put_aside_is_read_again_by_request(arrived, told, settings):
    assert told("inbound.release", mail="inb_1") == {"id": "inb_1", "released": True}
    assert told("inbound.show", mail="inb_1")["state"] == "pending"


@pytest.mark.parametrize("operation", ["inbound.show", "inbound.release"])
def test_a_mail_that_is_not_there_is_refused(settings, operation):
    with pytest.raises(Refused) as refused:
        administer(settings, operation, {"mail": "inb_9"})
    assert refused.value.code == "not_found"
