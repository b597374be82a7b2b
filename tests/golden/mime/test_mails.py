"""Whole mails as they go over the wire: looked at once, kept octet by octet, and verified by two DKIM verifiers."""

from collections.abc import Callable
from pathlib import Path

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from postroad.model.clock import Instant
from postroad.model.composition import Composed, ComposeJob, SigningKey
from postroad.model.message import Attachment, Content, Party, encode_content
from postroad.pipeline.compose import KeyRing, compose
from postroad.wire import dkim
from postroad.wire.parse import parse
from postroad.wire.unsubscribe import list_id_header, unsubscribe_headers

AT = Instant(1_767_225_600_000_000)
RSA = dkim.load_private_key((Path(__file__).parent / "signing-key-of-these-tests.pem").read_bytes())
ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = (
    SigningKey("dkm_rsa", "shop.example", "r1", "rsa-sha256", dkim.private_der(RSA)),
    SigningKey("dkm_ed", "shop.example", "e1", "ed25519-sha256", dkim.private_der(ED)),
)
RECORDS = {
    "r1._domainkey.shop.example": dkim.public_record(RSA).encode(),
    "e1._domainkey.shop.example": dkim.public_record(ED).encode(),
}
SHOP = Party("orders@shop.example", "The Shop")
ANN = Party("ann@example.org", "Ann Bee")
LOGO = bytes.fromhex("89504e470d0a1a0a0000000d49484452")

MAILS: dict[str, tuple[Content, dict[str, object]]] = {
    "plain": (Content(sender=SHOP, to=(ANN,), subject="Your code", text="Your code is 123456.\n"), {}),
    "html-with-text-made-from-it": (
        Content(
            sender=SHOP,
            to=(ANN,),
            subject="Grüße aus dem Laden: Ihre Bestellung mit der Nummer 4711 ist heute an Sie unterwegs",
            html=(
                "<html><body>\n<h1>Schöne Grüße</h1>\n<p>Ihre <b>Bestellung</b> ist unterwegs.</p>\n"
                '<ul><li>Käse<li>Brot</ul><p><a href="https://shop.example/o/4711?a=1&amp;b=2">Verfolgen</a></p>\n'
                "</body></html>\n"
            ),
        ),
        {},
    ),
    "everything": (
        Content(
            sender=Party("orders@shop.example", 'The "Shop", Köln'),
            to=(ANN, Party("bob@xn--bcher-kva.example")),
            cc=(Party("cleo@example.net", "Cleo, Accounting"),),
            reply_to=(Party("help@shop.example"),),
            subject="Invoice 4711",
            text="See attached.\n.\nFrom here on, dots and Froms.\n",
            html='<p><img src="cid:logo"> See attached.</p>',
            headers=(("X-Order", "4711"), ("In-Reply-To", "<1@shop.example>"), ("X-Note", "=?utf-8?q?=0D=0ABcc:?=")),
            attachments=(
                Attachment("logo.png", "image/png", "logo", len(LOGO), "logo"),
                Attachment("Übersicht für März – 日本語.csv", "text/csv; charset=utf-8", "csv", 5),
                Attachment("mail.eml", "message/rfc822", "eml", 5),
            ),
        ),
        {"blobs": {"logo": LOGO, "csv": "ä;b\n".encode(), "eml": b"Subject: inner\r\n\r\ntext\r\n"}},
    ),
    "broadcast": (
        Content(sender=SHOP, to=(ANN,), subject="News", html="<p>News!", text="News!"),
        {
            "extra_headers": (
                *unsubscribe_headers("https://shop.example/u/opaque-token", "mailto:u+opaque-token@shop.example"),
                list_id_header("news", "shop.example"),
                ("Feedback-ID", "news:prj:broadcast:postroad"),
            )
        },
    ),
    "only-hidden-recipients": (Content(sender=SHOP, subject="", text="=" * 80), {"recipient": "eve@example.com"}),
    "international": (
        Content(
            sender=Party("заказы@shop.example", "Магазин"),
            to=(Party("アン@xn--r8jz45g.xn--zckzah", "アン"),),
            subject="ご注文ありがとうございます。商品は本日発送されました。到着までしばらくお待ちください。",
            text="ご注文ありがとうございます。\n" * 3,
        ),
        {"recipient": "アン@xn--r8jz45g.xn--zckzah", "return_path": "b+x@shop.example"},
    ),
    "raw": (
        Content(sender=SHOP, raw_sha256="raw"),
        {
            "blobs": {
                "raw": b"From: The Shop <orders@shop.example>\r\nSubject: as\r\n  given\r\nX-Odd:\tkept \r\n"
                b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <own@shop.example>\r\n\r\n.\r\nbody"
            },
            "extra_headers": unsubscribe_headers("https://shop.example/u/token"),
        },
    ),
}


def composed(name: str) -> Composed:
    content, more = MAILS[name]
    job = ComposeJob(
        message_id="msg_01kdxbfc000000000000000000",
        delivery_id="dlv_01kdxbfc000000000000000001",
        **{
            "recipient": "ann@example.org",
            "return_path": "b+01kdxbfc000000000000000001.aaaaaaaaaaaaaaaa@bounce.shop.example",
            "header_id": "01kdxbfc000000000000000000@shop.example",
            "accepted_at": AT,
            "content": encode_content(content),
            "signers": ("dkm_rsa", "dkm_ed"),
            **more,
        },  # type: ignore[arg-type] # the cases say what differs
    )
    result = compose(job, KeyRing(KEYS))
    assert isinstance(result, Composed), result
    return result


@pytest.mark.parametrize("name", list(MAILS))
def test_the_wire_octets_are_those_that_were_looked_at(name: str, golden: Callable[[str, bytes], None]) -> None:
    golden(f"{name}.eml", composed(name).octets)


@pytest.mark.parametrize("name", list(MAILS))
def test_both_signatures_of_a_golden_mail_verify_here_and_by_dkimpy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: AT / 1_000_000)  # dkimpy asks whether the signature has expired
    octets = (Path(__file__).parent / f"{name}.eml").read_bytes()
    results = dkim.verify(parse(octets), RECORDS.get, now_s=AT // 1_000_000)
    assert [result.verdict for result in results] == [dkim.Verdict.PASS, dkim.Verdict.PASS]
    for index in range(2):
        assert dkimpy.DKIM(octets).verify(
            idx=index, dnsfunc=lambda name, timeout=5: RECORDS.get(name.decode().rstrip("."))
        )
