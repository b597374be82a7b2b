"""Complaints, automatic answers, forgeries and crashes, over the sockets of a real server."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable

import pytest

from integration.exchange.conftest import RETURN_PATH, Circuit
from integration.road.living import PATIENCE_S, QUICK, Document, api_of, serving
from peers.postroad import postroad_server
from peers.process import LOOPBACK, free_port


def bring(port: int, recipient: str, octets: bytes, sender: str = "") -> None:
    """Hand a mail to an exchange as another server would."""
    with smtplib.SMTP(LOOPBACK, port, local_hostname="provider.test", timeout=30) as client:
        client.sendmail(sender or "<>", [recipient], octets)


def events(circuit: Circuit, sent: Document, kind: str, count: int = 1) -> list[Document]:
    """Wait for so many events of a type about a message."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = circuit.api.get(f"/v1/messages/{sent['id']}/events")["data"]
        wanted = [event for event in found if event["type"] == kind]
        if len(wanted) >= count:
            return wanted
        assert time.monotonic() < deadline, ([event["type"] for event in found], circuit.node.log())
        time.sleep(0.05)


def delivered(circuit: Circuit, to: str, **more: object) -> tuple[Document, Document, bytes]:
    """Send to somebody who takes mail; gives the answer, the message and its octets."""
    sent = circuit.api.send(sender=circuit.sender, to=[to], subject="News", text="Hello", **more)
    message = circuit.api.ended(sent, "delivered")
    return sent, message, circuit.api.raw(message)


def test_a_complaint_with_the_recipient_blacked_out_is_found_by_our_header(
    circuit: Circuit, postfix: Callable[[], str]
) -> None:
    sent, message, original = delivered(circuit, "carol@postfix.test", stream="broadcast")
    original = original.replace(b"carol@postfix.test", b"[redacted]@postfix.test")
    report = (
        b"From: <feedback@provider.test>\r\nTo: <fbl@" + RETURN_PATH.encode() + b">\r\nSubject: FW: News\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=arf\r\n\r\n"
        b"--arf\r\nContent-Type: text/plain\r\n\r\nThis is an email abuse report.\r\n"
        b"--arf\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: SomeFBL/1.0\r\n"
        b"Version: 1\r\n\r\n--arf\r\nContent-Type: message/rfc822\r\n\r\n" + original + b"\r\n--arf--\r\n"
    )
    for _ in range(2):
        bring(circuit.exchange_port, f"fbl@{RETURN_PATH}", report, "feedback@provider.test")
    (event,) = events(circuit, sent, "message.complained")
    assert event["data"]["inbound"]["proof"] == "header"
    (entry,) = circuit.api.get("/v1/suppressions?address=carol@postfix.test")["data"]
    assert (entry["cause"], entry["scope"], entry["author"]) == ("complaint", "*", "recipient")
    again = circuit.api.send(sender=circuit.sender, to=["carol@postfix.test"], subject="Again", text="Hello")
    assert circuit.api.ended(again, "suppressed")
    (answer,) = circuit.api.get(f"/v1/messages/{message['id']}/explain")["recipients"]
    assert [each["kind"] for each in answer["later"]] == ["complaint"]
    listed = circuit.api.get("/v1/inbound")["data"]
    ours = [mail for mail in listed if mail["message_id"] == message["id"]]
    assert sorted(mail["effect"] for mail in ours) == ["repeated", "told"]
    raw = circuit.api.client.get(f"/v1/inbound/{ours[0]['id']}/raw").content
    assert raw.endswith(b"--arf--\r\n")


def test_a_vacation_note_is_told_and_suppresses_nobody(circuit: Circuit, postfix: Callable[[], str]) -> None:
    sent, message, original = delivered(circuit, "dave@postfix.test")
    token = next(line for line in original.split(b"\r\n") if line.startswith(b"X-Postroad-Delivery: "))
    path = f"{token.partition(b': ')[2].decode()}@{RETURN_PATH}"
    note = (
        b"From: Dave <dave@postfix.test>\r\nSubject: Out of office: News\r\nAuto-Submitted: auto-replied\r\n"
        b"In-Reply-To: <" + message["header_id"].encode() + b">\r\n\r\nI am away until Monday.\r\n"
    )
    bring(circuit.exchange_port, path, note)
    (event,) = events(circuit, sent, "message.auto_replied")
    assert event["data"]["reason"]["class"] == "auto_reply"
    assert circuit.api.get("/v1/suppressions?address=dave@postfix.test")["data"] == []


def test_writing_to_the_unsubscribe_address_leaves_the_stream(circuit: Circuit, postfix: Callable[[], str]) -> None:
    sent, _, original = delivered(circuit, "erin@postfix.test", stream="broadcast")
    header = original.replace(b"\r\n ", b" ").partition(b"List-Unsubscribe: ")[2].partition(b"\r\n")[0].decode()
    address = header.partition("<mailto:")[2].partition(">")[0]
    bring(circuit.exchange_port, address, b"Subject: unsubscribe\r\n\r\n", "erin@postfix.test")
    events(circuit, sent, "message.unsubscribed")
    (entry,) = circuit.api.get("/v1/suppressions?address=erin@postfix.test")["data"]
    assert (entry["cause"], entry["scope"]) == ("unsubscribe", "broadcast")


@pytest.mark.parametrize("local", ["b+01k0abcdefghjkmnpqrstvwxyz.aaaaaaaaaaaaaaaa", "somebody", "b+"])
def test_what_is_forged_or_unknown_is_refused_when_it_is_named(circuit: Circuit, local: str) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        bring(circuit.exchange_port, f"{local}@{RETURN_PATH}", b"Subject: failed\r\n\r\n")
    ((code, text),) = refused.value.recipients.values()
    assert (code, text) == (550, b"5.1.1 There is no such address here")


def test_what_was_taken_is_read_after_a_kill() -> None:
    port, count = free_port(), 30
    more = {
        **QUICK,
        "POSTROAD_EXCHANGE_ENABLED": "true",
        "POSTROAD_EXCHANGE_HOST": LOOPBACK,
        "POSTROAD_EXCHANGE_PORT": str(port),
    }
    with postroad_server(more=more) as node:
        node.start()
        for number in range(count):
            bring(port, f"abuse@{RETURN_PATH}", b"Subject: %d\r\n\r\n" % number)
        node.kill()
        node.start()
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = node.tell("inbound", "list", "--limit", "100")["data"]
            assert isinstance(found, list)
            if len(found) == count and all(mail["state"] == "done" for mail in found):
                break
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
        assert node.stop() == 0


def test_reserved_mailboxes_send_back_what_their_names_say() -> None:
    outcomes = {
        "complained": "message.complained",
        "ooto": "message.auto_replied",
        "bouncedlater": "message.bounced_late",
    }
    with serving(command=("dev",), more={"POSTROAD_SMTP_PORT": "0"}) as node, api_of(node, node.key()) as api:
        for name, kind in outcomes.items():
            sent = api.send(sender="shop@shop.test", to=[f"{name}+1@simulator.test"], subject="Hi", text="Hello")
            told = api.when(sent, lambda found, kind=kind: kind in [event["type"] for event in found["events"]])
            assert [delivery["state"] for delivery in told["deliveries"]] == ["delivered"]
        assert api.get("/v1/suppressions")["data"] == []
