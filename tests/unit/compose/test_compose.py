"""Stage 2: the same job gives the same envelope and octets, and nothing that should not be in them is."""

import hashlib
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

import msgspec
import pytest

from postroad.model.clock import Instant
from postroad.model.composition import Composed, ComposeFailed, ComposeJob, SigningKey
from postroad.model.message import Attachment, Content, Party, encode_content
from postroad.pipeline.compose import SIGNATURE_LIFETIME_S, KeyRing, compose
from postroad.wire import dkim

ANN = Party("ann@example.org", "Ann")
SHOP = Party("shop@x.example", "Shop")
ED = dkim.generate(dkim.Algorithm.ED25519_SHA256)
KEY = SigningKey("dkm_1", "x.example", "s1", "ed25519-sha256", dkim.private_der(ED))
AT = Instant(1_700_000_000_999_999)
CONTENT = Content(sender=SHOP, to=(ANN,), subject="Hello", text="Hi.\n")
JOB = ComposeJob(
    message_id="msg_01k0abcdefghjkmnpqrstvwxyz",
    delivery_id="dlv_01k0abcdefghjkmnpqrstvwxyz",
    recipient="ann@example.org",
    return_path="b+1.a@bounce.x.example",
    header_id="01k0@x.example",
    accepted_at=AT,
    content=encode_content(CONTENT),
)


def job(content: Content = CONTENT, **more: Any) -> ComposeJob:
    return msgspec.structs.replace(JOB, content=encode_content(content), **more)


def composed(content: Content = CONTENT, **more: Any) -> Composed:
    result = compose(job(content, **more), KeyRing([KEY]))
    assert isinstance(result, Composed), result
    return result


def failed(content: Content = CONTENT, **more: Any) -> ComposeFailed:
    result = compose(job(content, **more), KeyRing())
    assert isinstance(result, ComposeFailed)
    assert result.detail.endswith(".")
    return result


def read(result: Composed) -> EmailMessage:
    return cast("EmailMessage", message_from_bytes(result.octets, policy=policy.default))


def test_a_job_becomes_an_envelope_and_a_message() -> None:
    result = composed()
    assert (result.mail_from, result.rcpt_to) == ("b+1.a@bounce.x.example", "ann@example.org")
    assert not result.smtputf8
    assert result.sha256 == hashlib.sha256(result.octets).digest()
    assert result.octets == (
        b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
        b"From: Shop <shop@x.example>\r\n"
        b"To: Ann <ann@example.org>\r\n"
        b"Subject: Hello\r\n"
        b"Message-ID: <01k0@x.example>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Hi.\r\n"
    )


def test_the_same_job_gives_the_same_octets() -> None:
    content = msgspec.structs.replace(CONTENT, html="<p>Hi")
    assert composed(content, signers=("dkm_1",)) == composed(content, signers=("dkm_1",))


def test_deliveries_of_one_message_differ_in_their_envelope_only() -> None:
    content = msgspec.structs.replace(CONTENT, html="<p>Hi")
    one = composed(content)
    two = composed(content, delivery_id="dlv_2", recipient="bob@example.net", return_path="b+2.b@bounce.x.example")
    assert one.octets == two.octets
    assert one.rcpt_to != two.rcpt_to


def test_a_message_is_signed_from_the_instant_it_was_accepted_for_a_week() -> None:
    octets = composed(signers=("dkm_1",)).octets
    assert octets.startswith(b"DKIM-Signature: ")
    assert b"t=1700000000; x=1700604800;" in octets
    assert SIGNATURE_LIFETIME_S == 604_800


def test_a_signer_that_is_not_on_the_ring_is_a_bug() -> None:
    with pytest.raises(KeyError):
        compose(job(signers=("dkm_2",)), KeyRing([KEY]))


def test_a_key_is_loaded_once_and_must_be_what_it_claims() -> None:
    ring = KeyRing([KEY])
    first = ring.find("dkm_1")
    ring.add(KEY)
    assert ring.find("dkm_1") is first
    assert "dkm_1" in ring
    assert "dkm_2" not in ring
    with pytest.raises(ValueError, match="algorithm"):
        ring.add(SigningKey("dkm_2", "x.example", "s1", "rsa-sha256", KEY.private))
    with pytest.raises(ValueError, match="key"):
        ring.add(SigningKey("dkm_3", "x.example", "s1", "rsa-sha256", b"nonsense"))


@pytest.mark.parametrize(
    ("to", "cc", "shown"),
    [
        ((), (), b"To: undisclosed-recipients:;\r\n"),
        ((), (ANN,), b"Cc: Ann <ann@example.org>\r\n"),
        ((SHOP,), (ANN,), b"To: Shop <shop@x.example>\r\nCc: Ann <ann@example.org>\r\n"),
    ],
)
def test_hidden_recipients_stay_hidden(to: tuple[Party, ...], cc: tuple[Party, ...], shown: bytes) -> None:
    content = msgspec.structs.replace(CONTENT, to=to, cc=cc)
    octets = composed(content, recipient="hidden@z.example").octets
    assert shown in octets
    assert b"hidden" not in octets
    assert b"bcc" not in octets.lower()


def test_no_internal_identifier_is_in_the_message() -> None:
    octets = composed(msgspec.structs.replace(CONTENT, html="<p>")).octets
    assert b"msg_" not in octets
    assert JOB.delivery_id.encode() not in octets


def test_text_is_made_from_html_only_when_there_is_none() -> None:
    html = '<p>See <a href="https://x.example/">it</a>'
    made = read(composed(Content(sender=SHOP, to=(ANN,), html=html)))
    body = made.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "See it (https://x.example/)"
    given = read(composed(Content(sender=SHOP, to=(ANN,), html=html, text=""))).get_body(("plain",))
    assert given is not None
    assert given.get_content() == ""


def test_reply_addresses_headers_and_files_are_written() -> None:
    content = Content(
        sender=SHOP,
        to=(ANN,),
        reply_to=(Party("a@x.example"), Party("b@x.example")),
        html='<img src="cid:logo">',
        headers=(("X-One", "1"), ("x-one", "2"), ("References", "<1@x.example> <2@x.example>"), ("List-Id", "<a.b>")),
        attachments=(
            Attachment("logo.png", "image/png", "aa", 3, "logo"),
            Attachment("a.txt", "text/plain", "bb", 3),
        ),
    )
    message = read(composed(content, blobs={"aa": b"png", "bb": b"txt"}))
    assert str(message["Reply-To"]) == "a@x.example, b@x.example"
    assert message.get_all("X-One") == ["1", "2"]
    assert message["References"] == "<1@x.example> <2@x.example>"
    assert [part.get_filename() for part in message.walk() if part.get_filename()] == ["logo.png", "a.txt"]
    assert message.get_content_type() == "multipart/mixed"


UNSUBSCRIBE = (
    ("List-Unsubscribe", "<https://x.example/u/t>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ("Feedback-ID", "a:b:c:postroad"),
)


def test_our_own_headers_are_added() -> None:
    message = read(composed(extra_headers=UNSUBSCRIBE))
    assert [(name, message[name]) for name, _ in UNSUBSCRIBE] == list(UNSUBSCRIBE)


@pytest.mark.parametrize("own", [("list-unsubscribe", "<mailto:u@y.example>"), ("List-Unsubscribe-Post", "x=y")])
def test_an_application_that_writes_its_own_unsubscribe_header_keeps_it(own: tuple[str, str]) -> None:
    octets = composed(msgspec.structs.replace(CONTENT, headers=(own,)), extra_headers=UNSUBSCRIBE).octets
    assert octets.lower().count(b"list-unsubscribe:") + octets.lower().count(b"list-unsubscribe-post:") == 1
    assert b"Feedback-ID: a:b:c:postroad\r\n" in octets


@pytest.mark.parametrize(
    ("recipient", "party", "smtputf8"),
    [
        ("ann@example.org", ANN, False),
        ("пётр@example.org", ANN, True),
        ("ann@example.org", Party("пётр@example.org"), True),
        ("ann@example.org", Party("ann@example.org", "Пётр"), False),
    ],
)
def test_only_local_parts_beyond_ascii_need_smtputf8(recipient: str, party: Party, smtputf8: bool) -> None:
    assert composed(msgspec.structs.replace(CONTENT, to=(party,)), recipient=recipient).smtputf8 is smtputf8
    assert composed(return_path="ü@x.example").smtputf8


RAW = b"From: shop@x.example\r\nSubject: raw\r\nDate: x\r\nMessage-ID: <1@x>\r\n\r\nline\r\n..\r\nend"


def raw(octets: bytes, **more: Any) -> ComposeJob:
    return job(Content(sender=SHOP, raw_sha256="raw"), blobs={"raw": octets}, **more)


def test_a_raw_message_travels_as_it_was_given() -> None:
    result = compose(raw(RAW), KeyRing())
    assert isinstance(result, Composed)
    assert result.octets == RAW + b"\r\n"
    signed = compose(raw(RAW, signers=("dkm_1",), extra_headers=UNSUBSCRIBE[:2]), KeyRing([KEY]))
    assert isinstance(signed, Composed)
    head, _, body = signed.octets.partition(b"\r\n\r\n")
    assert head.startswith(b"DKIM-Signature: ")
    assert head.endswith(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    assert body == b"line\r\n..\r\nend\r\n"


def test_a_raw_message_may_have_no_body() -> None:
    result = compose(raw(b"From: shop@x.example\r\n\r\n"), KeyRing())
    assert isinstance(result, Composed)
    assert result.octets == b"From: shop@x.example\r\n\r\n"


@pytest.mark.parametrize("octets", [b"From: a\n\n", b"From: a\r\n\r\n\0", b"no field\r\n\r\n", b"From: a\r\n\r\na\rb"])
def test_a_raw_message_that_cannot_travel_is_not_repaired(octets: bytes) -> None:
    result = compose(raw(octets), KeyRing())
    assert isinstance(result, ComposeFailed)
    assert result.code == "invalid_raw"


def test_missing_octets_are_told() -> None:
    assert failed(Content(sender=SHOP, raw_sha256="raw")).code == "blob_missing"
    attachments = (Attachment("a", "text/plain", "aa", 1),)
    assert failed(msgspec.structs.replace(CONTENT, attachments=attachments)).code == "blob_missing"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sender": Party("nobody")}, "invalid_address"),
        ({"to": (Party("a@x.example\r\nBcc: eve@z.example"),)}, "invalid_address"),
        ({"subject": "a\r\nBcc: eve@z.example"}, "invalid_header"),
        ({"headers": (("Bcc", "eve@z.example"),)}, "invalid_header"),
        ({"headers": (("List-Id", "<a.b>"), ("list-id", "<a.b>"))}, "invalid_header"),
        ({"headers": (("References", "not an id"),)}, "invalid_header"),
        ({"attachments": (Attachment("a", "nonsense", "aa", 1),)}, "invalid_content"),
    ],
)
def test_content_that_slipped_through_is_rejected_with_a_code(change: dict[str, Any], code: str) -> None:
    assert failed(msgspec.structs.replace(CONTENT, **change), blobs={"aa": b"x"}).code == code


@pytest.mark.parametrize("signers", [(), ("dkm_1",)])
def test_a_token_proves_the_delivery_in_a_header_that_no_signature_covers(signers: tuple[str, ...]) -> None:
    told, plain = composed(delivery_token="b+proof.mac", signers=signers), composed(signers=signers)
    head, _, body = told.octets.partition(b"\r\n\r\n")
    assert head.endswith(b"\r\nX-Postroad-Delivery: b+proof.mac")
    assert b"X-Postroad-Delivery" not in plain.octets
    assert head.removesuffix(b"\r\nX-Postroad-Delivery: b+proof.mac") + b"\r\n\r\n" + body == plain.octets


def test_a_message_says_whether_it_needs_tls_or_may_go_without() -> None:
    assert not composed().tls_required
    assert not composed().tls_optional
    assert composed(msgspec.structs.replace(CONTENT, require_tls=True)).tls_required
    assert composed(msgspec.structs.replace(CONTENT, headers=(("TLS-Required", "No"),))).tls_optional
    assert not composed(msgspec.structs.replace(CONTENT, headers=(("TLS-Required", "Yes"),))).tls_optional


def test_a_raw_message_too_may_go_without_tls() -> None:
    result = compose(raw(b"From: a@x.example\r\ntls-required:  no\r\n\r\nHello\r\n"), KeyRing())
    assert isinstance(result, Composed)
    assert result.tls_optional
