"""The injection corpus: payloads of the public advisories of systems like ours, in every field they could come through.

Each is either refused, or arrives as the harmless text that it is; never as a command, a field or a second message.
"""

from collections import Counter
from email import message_from_bytes, policy
from typing import Any

import msgspec
import pytest

from postroad.model.clock import Instant
from postroad.model.composition import Composed, ComposeFailed, ComposeJob
from postroad.model.message import Attachment, Content, Party, encode_content
from postroad.pipeline.compose import KeyRing, compose
from postroad.wire.address import AddressError, parse_address, parse_mailbox
from postroad.wire.headers import HeaderError, check_custom_name
from postroad.wire.parse import parse

# SMTP commands through addresses: aiosmtplib (GHSA-v3q9-hj7j-63hq), MimeKit (GHSA-g7hc-96xr-gvvx), nodemailer
# (CVE-2026-82853, CVE-2026-82854), Ruby mail (CVE-2015-9097), Mailpit (CVE-2026-23829), CPython (CVE-2023-27043).
ADDRESSES = [
    "a@x.example>\r\nRCPT TO:<eve@z.example",
    "a@x.example\r\nDATA",
    "a@x.example\nRCPT TO:<eve@z.example>",
    "a@x.example\rRSET",
    "a@x.example> SIZE=1\r\nRSET",
    "a@x.example> NOTIFY=NEVER",
    '"a\r\nRCPT TO:<eve@z.example>\r\n"@x.example',
    '"a\\\r\\\nRSET"@x.example',
    '"a\nb"@x.example',
    '"eve@z.example> "@x.example\r\n',
    '"xclow3n@gmail.com x"@internal.example\n',
    "a@x.example,eve@z.example",
    "a@x.example;eve@z.example",
    "a@x.example eve@z.example",
    "eve@z.example(<a@x.example>)",
    "<eve@z.example>a@x.example",
    "a@x.example\n",
    "a\n@x.example",
    "a@x.example\u2028RSET",
    "a@x.example\0.z.example",
    "a\0@x.example",
    "a\u560d\u560aRSET@[x.example]",
    "@z.example:a@x.example",
    "=?utf-8?q?eve=40z.example=3E=00?=foo@x.example",
    "a@=?utf-8?q?z.example?=",
    "alice@example.org)bob@example.org",
    "a@[127.0.0.1]\r\nRSET",
    "a@[IPv6:::1\r\n]",
]

# Header fields through values: Plunk (CVE-2026-34975), CPython (CVE-2024-6923, CVE-2026-1299).
VALUES = [
    "x\r\nBcc: eve@z.example",
    "x\nBcc: eve@z.example",
    "x\rBcc: eve@z.example",
    "x\r\n\r\n<script>alert(1)</script>",
    "x\r\n Bcc: eve@z.example",
    "x\n\tBcc: eve@z.example",
    "\r\nBcc: eve@z.example",
    "x\r\n",
    "x\0Bcc: eve@z.example",
    "x\x0bBcc: eve@z.example",
    "x\x0cBcc: eve@z.example",
    "x\x1cBcc: eve@z.example",
    "x\ud800Bcc: eve@z.example",
]
HARMLESS = [
    "=?utf-8?q?x=0D=0ABcc=3A_eve=40z.example?=",
    "=?utf-8?b?eA0KQmNjOiBldmVAei5leGFtcGxl?=",
    "x\u2028Bcc: eve@z.example",
    "x\u2029Bcc: eve@z.example",
    "x\x85Bcc: eve@z.example",
    "x\u560d\u560aBcc: eve@z.example",
    "x%0d%0aBcc: eve@z.example",
    'x"; filename="evil.exe',
    "x>, <eve@z.example",
]

BASE = Content(sender=Party("shop@x.example"), to=(Party("ann@example.org"),), subject="s", text="t")
BLOBS = {"aa": b"octets"}


def attempt(content: Content, **more: Any) -> Composed | ComposeFailed:
    job = ComposeJob(
        message_id="msg_1",
        delivery_id="dlv_1",
        recipient="ann@example.org",
        return_path="b@x.example",
        header_id="1@x.example",
        accepted_at=Instant(0),
        content=encode_content(content),
        blobs=BLOBS,
    )
    return compose(msgspec.structs.replace(job, **more), KeyRing())


def changed(field: str, payload: str) -> Content:
    """The message with a payload in one of the fields that an application fills."""
    changes: dict[str, dict[str, Any]] = {
        "subject": {"subject": payload},
        "sender name": {"sender": Party("shop@x.example", payload)},
        "recipient name": {"to": (Party("ann@example.org", payload),)},
        "reply name": {"reply_to": (Party("help@x.example", payload),)},
        "header value": {"headers": (("X-Custom", payload),)},
        "list header": {"headers": (("List-Id", payload),)},
        "references": {"headers": (("References", payload),)},
        "file name": {"attachments": (Attachment(payload, "text/plain", "aa", 6),)},
        "media type": {"attachments": (Attachment("a.txt", f"text/plain; name={payload}", "aa", 6),)},
        "content id": {"html": "<p>", "attachments": (Attachment("a.txt", "text/plain", "aa", 6, payload),)},
    }
    return msgspec.structs.replace(BASE, **changes[field])


FIELDS = [
    "subject",
    "sender name",
    "recipient name",
    "reply name",
    "header value",
    "list header",
    "references",
    "file name",
    "media type",
    "content id",
]


@pytest.mark.parametrize("payload", ADDRESSES)
def test_an_address_that_carries_a_command_is_refused(payload: str) -> None:
    for read in (parse_mailbox, parse_address):
        with pytest.raises(AddressError):
            read(payload)
    for name in ("Ann", '"Ann"'):
        with pytest.raises(AddressError):
            parse_address(f"{name} <{payload}>")


def test_letters_whose_low_octets_are_cr_and_lf_never_reach_the_wire() -> None:
    assert parse_mailbox("a@\u560d\u560ax.example").address == "a@xn--x-l09ai.example"


@pytest.mark.parametrize("payload", ADDRESSES)
@pytest.mark.parametrize("field", ["sender", "to", "cc", "reply_to"])
def test_an_address_that_slipped_into_stored_content_is_rejected(field: str, payload: str) -> None:
    party = Party(payload.encode(errors="replace").decode())
    content = msgspec.structs.replace(BASE, **{field: party if field == "sender" else (party,)})
    assert isinstance(attempt(content), ComposeFailed)


@pytest.mark.parametrize("payload", [value for value in VALUES if "\ud800" not in value])
@pytest.mark.parametrize("field", FIELDS)
def test_a_value_that_carries_a_field_is_rejected(field: str, payload: str) -> None:
    if field == "subject" and payload == "x\r\n":
        payload = "x\r\n "
    assert isinstance(attempt(changed(field, payload)), ComposeFailed)


@pytest.mark.parametrize("payload", HARMLESS)
@pytest.mark.parametrize("field", FIELDS)
def test_a_value_that_only_looks_like_one_stays_a_value(field: str, payload: str) -> None:
    result = attempt(changed(field, payload))
    if isinstance(result, ComposeFailed):
        assert field in {"list header", "references", "media type", "content id"}
        return
    expected = Counter(("date", "from", "to", "subject", "message-id", "mime-version", "content-type"))
    expected[{"reply name": "reply-to", "header value": "x-custom", "list header": "list-id"}.get(field, "from")] += 1
    expected["from"] = 1
    if field not in {"file name", "media type", "content id"}:
        expected["content-transfer-encoding"] = 1
    assert Counter(one.name.decode() for one in parse(result.octets).fields) == expected
    seen = message_from_bytes(result.octets, policy=policy.compat32)
    assert Counter(name.lower() for name in seen.keys()) == expected  # noqa: SIM118 - not a mapping: names repeat
    assert b"\nBcc" not in result.octets


@pytest.mark.parametrize("name", ["X\r\nBcc", "X: y\r\nBcc", "X\nBcc", "Bcc", "bCC", "X ", "X:", "\u0412cc", "X\0", ""])
def test_a_header_name_that_carries_a_field_is_refused(name: str) -> None:
    with pytest.raises(HeaderError):
        check_custom_name(name)
    assert isinstance(attempt(msgspec.structs.replace(BASE, headers=((name, "eve@z.example"),))), ComposeFailed)


@pytest.mark.parametrize("ending", ["\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\r\n\0.\r\n", "\r\n.\r\n"])
@pytest.mark.parametrize("field", ["text", "html"])
def test_no_body_ends_the_message_early_for_any_receiver(field: str, ending: str) -> None:
    smuggled = f"x{ending}MAIL FROM:<a@x.example>{ending}"
    result = attempt(msgspec.structs.replace(BASE, **{field: smuggled}))
    assert isinstance(result, Composed)
    assert result.octets.count(b"\r\n") == result.octets.count(b"\r") == result.octets.count(b"\n")
    stuffed = result.octets.replace(b"\r\n.", b"\r\n..")
    assert b"\n.\r" not in stuffed
    assert b"\n.\n" not in stuffed
    assert b"\r.\r" not in stuffed
