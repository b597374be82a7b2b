"""Real mail servers take mail and cannot deliver it: their reports end as the right fact of the right delivery."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from integration.exchange.conftest import REPLIES, Circuit
from integration.road.living import PATIENCE_S, Document

CLASSES = {"nobody": "invalid_recipient", "full": "mailbox_full", "spam": "content_rejected"}
PERMANENCE = {"nobody": "permanent", "full": "transient", "spam": "permanent"}


def told_late(circuit: Circuit, sent: Document, count: int, log: Callable[[], str]) -> dict[str, Document]:
    """Wait for so many late bounces of a message, and return their events by recipient."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        events = circuit.api.get(f"/v1/messages/{sent['id']}/events")["data"]
        found = {each["data"]["to"]: each for each in events if each["type"] == "message.bounced_late"}
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, f"{[each['type'] for each in events]}\n{log()}\n{circuit.node.log()}"
        time.sleep(0.05)


def circulate(circuit: Circuit, domain: str, log: Callable[[], str], tls: bool) -> None:
    """Send to every kind of recipient of a domain, and check what came back of each."""
    to = [f"{name}@{domain}" for name in REPLIES]
    sent = circuit.api.send(sender=circuit.sender, to=to, subject="There and back", text="Hello")
    message = circuit.api.ended(sent, "delivered")
    found = told_late(circuit, sent, len(to), log)
    explained = circuit.api.get(f"/v1/messages/{sent['id']}/explain")["recipients"]
    for at, delivery in enumerate(message["deliveries"]):
        name = delivery["to"].partition("@")[0]
        event = found[delivery["to"]]
        assert event["data"]["delivery_id"] == delivery["id"]
        reason = event["data"]["reason"]
        assert (reason["class"], reason["permanence"]) == (CLASSES[name], PERMANENCE[name]), reason
        assert event["data"]["inbound"]["proof"] == "return_path"
        answer = next(each for each in explained if each["delivery_id"] == delivery["id"])
        assert answer["state"] == "delivered"
        assert [each["kind"] for each in answer["later"]] == ["bounce"]
        assert "could not deliver it" in answer["sentence"]
        assert (answer["suppression"] is not None) == (name == "nobody"), answer
        attempt = circuit.api.attempts(message, at)[-1]
        assert (attempt["tls"] is not None) == tls, attempt


def test_postfix_takes_our_mail_and_its_reports_find_their_deliveries(
    circuit: Circuit, postfix: Callable[[], str]
) -> None:
    circulate(circuit, "postfix.test", postfix, tls=True)


def test_exim_takes_our_mail_and_its_reports_find_their_deliveries(circuit: Circuit, exim: Callable[[], str]) -> None:
    circulate(circuit, "exim.test", exim, tls=True)


def test_opensmtpd_takes_our_mail_and_its_reports_find_their_deliveries(
    circuit: Circuit, opensmtpd: Callable[[], str]
) -> None:
    # Debian's own cannot finish a handshake with OpenSSL 3, so that mail reaches it in plain text only.
    circulate(circuit, "opensmtpd.test", opensmtpd, tls=False)


@pytest.mark.parametrize(("name", "cls"), [("quota", "mailbox_full"), ("alias", "inactive_mailbox")])
def test_what_exim_finds_out_by_itself_comes_back_too(
    circuit: Circuit, exim: Callable[[], str], name: str, cls: str
) -> None:
    sent = circuit.api.send(sender=circuit.sender, to=[f"{name}@exim.test"], subject="There", text="Hello")
    circuit.api.ended(sent, "delivered")
    reason = told_late(circuit, sent, 1, exim)[f"{name}@exim.test"]["data"]["reason"]
    assert reason["class"] == cls, reason
