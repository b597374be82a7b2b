"""From a request to the Maildir of a real Postfix, found by MX records, over STARTTLS, verified by another's DKIM."""

from __future__ import annotations

import base64
import email
import email.policy
import random
import re
from email.message import EmailMessage
from typing import cast

import pytest

from integration.road.conftest import INBOX, SLOW, Road
from integration.road.living import api_of, signatures
from peers.mta import Behaviour, Rule

on_sqlite = pytest.mark.parametrize("road", ["sqlite"], indirect=True)
"""For what has nothing to do with the engine."""


def parsed(octets: bytes) -> EmailMessage:
    return cast("EmailMessage", email.message_from_bytes(octets, policy=email.policy.default))


def text_of(octets: bytes) -> str:
    """The text part of a message, with line ends as the application wrote them."""
    part = parsed(octets).get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def files(octets: bytes) -> dict[str, bytes]:
    """The attachments of a message, decoded, by file name."""
    return {
        part.get_filename() or "": cast("bytes", part.get_payload(decode=True))
        for part in parsed(octets).walk()
        if part.get_filename()
    }


def noise(octets: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(octets)


def test_a_domain_is_verified_once_dns_has_what_it_wants(road: Road) -> None:
    assert road.shown["state"] == "verified"
    found = {record["purpose"]: record["state"] for record in road.shown["records"]}
    assert found == dict.fromkeys(found, "ok")
    assert {"dkim", "return_path", "spf", "dmarc"} <= set(found)
    assert sorted(key["algorithm"] for key in road.shown["keys"]) == ["ed25519-sha256", "rsa-sha256"]


def test_mail_arrives_over_starttls_signed_twice_with_a_return_path_of_its_own(road: Road) -> None:
    message, copies = road.delivered(
        to=[f"Ann <ann@{INBOX}>"],
        cc=f"cc@{INBOX}",
        bcc=[f"secret@{INBOX}"],
        reply_to={"email": "desk@example.org", "name": "The Desk"},
        subject="Grüße",
        text="Hello.\n.\nA line that is a dot.\n",
        html="<p>Hello.</p>",
        headers={"X-Order": "42"},
        tags=["greeting"],
        metadata={"order": "42"},
    )
    assert {copy.recipient for copy in copies} == {f"{name}@{INBOX}" for name in ("ann", "cc", "secret")}
    paths = {copy.sender for copy in copies}
    assert len(paths) == 3
    assert all(re.fullmatch(rf"[^@]+@[a-z]+\.{road.domain}", path) for path in paths), paths
    for copy in copies:
        assert b"secret@" not in copy.octets
        assert b"\nbcc:" not in copy.octets.lower()
        assert "ESMTPS" in copy.received
        assert re.search(r"using TLSv1\.[23]", copy.received)
        mail = parsed(copy.octets)
        assert mail["subject"] == "Grüße"
        assert (mail["from"], mail["to"], mail["cc"]) == (road.sender, f"Ann <ann@{INBOX}>", f"cc@{INBOX}")
        assert mail["reply-to"] == "The Desk <desk@example.org>"
        assert mail["x-order"] == "42"
        assert text_of(copy.octets) == "Hello.\n.\nA line that is a dot.\n"
    assert len({copy.octets.partition(b"\r\n\r\n")[2] for copy in copies}) == 1
    assert [event["type"] for event in message["events"]].count("message.delivered") == 3


def test_what_arrived_is_what_the_api_gives_back(road: Road) -> None:
    message, (copy,) = road.delivered(to=f"raw@{INBOX}", subject="Same", text="Octets.")
    assert road.api.raw(message) == copy.octets
    (attempt,) = road.api.attempts(message)
    assert (attempt["outcome"], attempt["phase"], attempt["mx"], attempt["ip"]) == (
        "delivered",
        "dot",
        f"mx.{INBOX}",
        road.postfix.host,
    )
    assert attempt["tls"]["version"] in {"TLSv1.2", "TLSv1.3"}
    said = [line["text"] for line in attempt["conversation"]]
    assert "STARTTLS" in said or said[0].startswith("<message")  # where an earlier one left its connection
    assert any(line.startswith(f"RCPT TO:<raw@{INBOX}>") for line in said)
    assert attempt["reply"]["code"] == 250
    assert "queued as" in attempt["reply"]["text"]


def test_attachments_and_inline_images_come_out_as_they_went_in(road: Road) -> None:
    everything = bytes(range(256)) * 40 + b"\r\n.\r\n\n\r"
    blob = road.api.upload(noise(70_000))
    image = noise(3000, seed=2)
    _, (copy,) = road.delivered(
        to=f"files@{INBOX}",
        subject="Files",
        html='<p><img src="cid:logo@shop"></p>',
        attachments=[
            {"filename": "all.bin", "content": base64.b64encode(everything).decode()},
            {"filename": "Übersicht 2026 “final”.pdf", "blob": blob, "content_type": "application/pdf"},
            {
                "filename": "logo.png",
                "content": base64.b64encode(image).decode(),
                "content_type": "image/png",
                "content_id": "logo@shop",
            },
        ],
    )
    assert files(copy.octets) == {
        "all.bin": everything,
        "Übersicht 2026 “final”.pdf": noise(70_000),
        "logo.png": image,
    }
    (inline,) = [part for part in parsed(copy.octets).walk() if part["content-id"] == "<logo@shop>"]
    assert inline.get_content_disposition() == "inline"
    assert b"multipart/related" in copy.octets


def test_an_unknown_user_bounces_and_is_not_written_to_again(road: Road) -> None:
    nobody = f"nobody+{road.domain}@{INBOX}"
    message = road.api.ended(road.api.send(sender=road.sender, to=nobody, subject="1", text="x"), "bounced")
    reason = message["deliveries"][0]["reason"]
    assert (reason["class"], reason["action"], reason["permanence"]) == ("invalid_recipient", "suppress", "permanent")
    (listed,) = road.api.get(f"/v1/suppressions?address={nobody.replace('+', '%2B')}")["data"]
    assert (listed["cause"], listed["message_id"]) == ("bounce", message["id"])
    again = road.api.send(sender=road.sender, to=[nobody, f"ann@{INBOX}"], subject="2", text="x")
    assert {each["to"]: each["state"] for each in again["deliveries"]} == {
        nobody: "suppressed",
        f"ann@{INBOX}": "queued",
    }
    after = road.api.when(again, lambda found: found["deliveries"][1]["state"] == "delivered")
    assert after["deliveries"][0]["attempts"] == 0


def test_a_peer_that_says_later_is_asked_again(road: Road) -> None:
    road.sink.behave(Behaviour(keep=True, rules=(Rule("rcpt", "451 4.3.0 mailbox busy, try later", first=1),)))
    later = f"later@{SLOW}"
    message = road.api.ended(road.api.send(sender=road.sender, to=later, subject="Later", text="x"), "delivered")
    assert [event["type"] for event in message["events"]] == [
        "message.accepted",
        "message.deferred",
        "message.delivered",
    ]
    first, second = road.api.attempts(message)
    assert (first["outcome"], first["phase"], first["reply"]["code"]) == ("deferred", "rcpt", 451)
    assert second["outcome"] == "delivered"
    entries = [entry for entry in road.sink.ledger() if entry.message_id == f"<{message['header_id']}>"]
    assert [entry.recipient for entry in entries] == [later]
    assert road.api.raw(message) == road.sink.octets(entries[0])


def test_sending_from_a_domain_that_is_not_verified_is_refused(road: Road) -> None:
    problem = road.api.refused(sender="hello@elsewhere.test", to=f"ann@{INBOX}", subject="x", text="x")
    assert (problem["status"], problem["code"], problem["errors"][0]["pointer"]) == (
        403,
        "domain_not_verified",
        "/from",
    )


def test_mail_under_a_test_key_is_captured_in_production_too(road: Road) -> None:
    before = len(road.postfix.mail())
    with api_of(road.node, road.node.key("captured", mode="test")) as api:
        sent = api.send(sender=road.sender, to=f"nobody@{INBOX}", subject="x", text="x")
        message = api.ended(sent, "delivered")
        assert (message["mode"], message["latest_attempt"]["route"]) == ("test", "capture")
        assert signatures(api.raw(message), road.dns).keys() == {"rsa-sha256", "ed25519-sha256"}
    assert len(road.postfix.mail()) == before


def test_a_domain_with_a_null_mx_bounces_at_once_without_suppression(road: Road) -> None:
    message = road.api.ended(
        road.api.send(sender=road.sender, to="ann@null.test", subject="x", text="x"), "bounced", timeout_s=10
    )
    reason = message["deliveries"][0]["reason"]
    assert (reason["class"], reason["action"], reason["evidence"]["enhanced"]) == ("bad_domain", "stop", "5.1.10")
    assert road.api.get("/v1/suppressions?address=ann@null.test")["data"] == []


def test_a_domain_that_does_not_exist_is_looked_up_again_before_its_mail_bounces(road: Road) -> None:
    sent = road.api.send(sender=road.sender, to="ann@nowhere.test", subject="x", text="x")
    message = road.api.when(sent, lambda found: found["deliveries"][0]["state"] == "deferred")
    (delivery,) = message["deliveries"]
    assert (delivery["reason"]["class"], delivery["reason"]["action"]) == ("bad_domain", "retry")
    explained = road.api.get(f"/v1/messages/{sent['id']}/explain")
    assert "nowhere.test" in str(explained)


@on_sqlite
@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("jürgen.müller@inbox.test", "jürgen.müller@inbox.test"),
        ("用户@bücher.test", "用户@xn--bcher-kva.test"),
        ("ann@BÜCHER.test", "ann@xn--bcher-kva.test"),
        ('"two words"@inbox.test', '"two words"@inbox.test'),
        ('"an@at"@inbox.test', '"an@at"@inbox.test'),
        (r'"quote\"and\\slash"@inbox.test', r'"quote\"and\\slash"@inbox.test'),
        ('"..dots.."@inbox.test', '"..dots.."@inbox.test'),
        ('"needless"@inbox.test', "needless@inbox.test"),
        ("!#$%&'*+-/=?^_`{|}~@inbox.test", "!#$%&'*+-/=?^_`{|}~@inbox.test"),
        ("Case.Kept@Inbox.TEST", "Case.Kept@inbox.test"),
        (f"{'l' * 64}@inbox.test", f"{'l' * 64}@inbox.test"),
    ],
)
def test_an_odd_address_reaches_its_mailbox(road: Road, given: str, stored: str) -> None:
    message, (copy,) = road.delivered(to={"email": given, "name": "Odd, Näme"}, subject="Odd", text="x")
    assert message["deliveries"][0]["to"] == stored
    said = [line["text"] for line in road.api.attempts(message)[0]["conversation"]]
    assert any(line.startswith(f"RCPT TO:<{stored}>") for line in said), said
    assert copy.recipient == stored
    assert ("UTF8SMTPS" in copy.received) is not stored.isascii()


@on_sqlite
def test_a_body_of_5_mib_arrives_whole(road: Road) -> None:
    text = "".join(f"{n:07d} Zeile mit Umläuten: äöü\n" for n in range(5 * 2**20 // 36))
    _, (copy,) = road.delivered(to=f"large@{INBOX}", subject="5 MiB", text=text)
    assert text_of(copy.octets) == text


@on_sqlite
def test_an_attachment_of_10_mib_arrives_whole_through_a_blob(road: Road) -> None:
    octets = noise(10 * 2**20)
    attachments = [{"filename": "large.bin", "blob": road.api.upload(octets)}]
    message, (copy,) = road.delivered(to=f"large@{INBOX}", subject="10 MiB", text="See.", attachments=attachments)
    assert files(copy.octets) == {"large.bin": octets}
    assert road.api.raw(message) == copy.octets


@on_sqlite
def test_a_raw_message_goes_out_as_it_came_between_our_signatures_and_our_mark(road: Road) -> None:
    raw = (
        f"From: {road.sender}\r\nTo: shown@example.org\r\nDate: Sun, 22 Nov 2026 19:00:00 +0000\r\n"
        f"Message-ID: <own-{road.domain}@example.org>\r\nSubject: Raw\r\nX-Odd:  two  spaces \r\n\r\n"
        ".\r\n..\r\n.dots\r\nlast"
    ).encode()
    message, (copy,) = road.delivered(to=f"raw@{INBOX}", raw=base64.b64encode(raw).decode())
    assert message["header_id"] == f"own-{road.domain}@example.org"
    head, _, body = raw.partition(b"\r\n\r\n")
    ours, _, theirs = copy.octets.partition(head + b"\r\n")
    assert ours.startswith(b"DKIM-Signature:")
    assert theirs.startswith(b"X-Postroad-Delivery: ")
    assert theirs.partition(b"\r\n")[2] == b"\r\n" + body + b"\r\n"
    assert copy.recipient == f"raw@{INBOX}"


@on_sqlite
def test_a_recipient_who_needs_smtputf8_bounces_where_the_peer_has_none(road: Road) -> None:
    road.meet(Behaviour(extensions=("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")))
    sent = road.api.send(sender=road.sender, to=f"jürgen@{SLOW}", subject="x", text="x")
    reason = road.api.ended(sent, "bounced")["deliveries"][0]["reason"]
    assert (reason["class"], reason["evidence"]["enhanced"]) == ("smtputf8_unsupported", "5.6.7")


@on_sqlite
def test_a_message_over_the_size_of_the_peer_bounces_without_being_sent(road: Road) -> None:
    road.meet(Behaviour(extensions=("PIPELINING", "8BITMIME", "SIZE 20000", "ENHANCEDSTATUSCODES")))
    sent = road.api.send(sender=road.sender, to=f"small@{SLOW}", subject="x", text="x" * 30_000)
    reason = road.api.ended(sent, "bounced")["deliveries"][0]["reason"]
    assert (reason["class"], reason["evidence"]["enhanced"]) == ("message_too_large", "5.3.4")


def test_the_feed_tells_everything_once_and_in_order(road: Road) -> None:
    seen, after = [], ""
    while True:
        page = road.api.get(f"/v1/events?limit=100{after}")
        if not page["data"]:
            break
        seen += page["data"]
        after = f"&after={page['next']}"
    assert len({event["id"] for event in seen}) == len(seen)
    ends = [event for event in seen if event["type"] == "message.delivered"]
    assert len({event["data"]["delivery_id"] for event in ends}) == len(ends) > 0
    assert next(event["type"] for event in seen if event["type"].startswith("message.")) == "message.accepted"
