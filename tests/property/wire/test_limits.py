"""Hostile length costs time in proportion, and hostile octets never raise what nobody expects."""

import contextlib
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire import dmarc, spf
from postroad.wire.address import AddressError, parse_address, parse_domain, parse_mailbox
from postroad.wire.dkim import Algorithm, RecordError, SigningKey, generate, parse_record, public_record, sign, verify
from postroad.wire.headers import HeaderError, custom, mailboxes, unstructured
from postroad.wire.mime import MimeError, Part, build
from postroad.wire.parse import RawMailError, check_lines, parse, prepare
from postroad.wire.verp import read

ED = SigningKey("x.example", "s", generate(Algorithm.ED25519_SHA256))
RECORD = public_record(ED.private).encode()
EXPECTED = (AddressError, HeaderError, MimeError, RawMailError, RecordError, spf.SpfError)

READERS: dict[str, Callable[[str], object]] = {
    "mailbox": parse_mailbox,
    "address": parse_address,
    "domain": parse_domain,
    "subject": lambda text: unstructured("Subject", text),
    "references": lambda text: custom("References", text),
    "list": lambda text: custom("List-Id", text),
    "people": lambda text: mailboxes("To", [parse_address(f"{text} <a@x.example>")]),
    "media type": lambda text: build("", None, [Part(b"", f"a/b; {text}")], seed=b""),
    "content id": lambda text: build("", "", [Part(b"", "a/b", None, text, inline=True)], seed=b""),
    "file name": lambda text: build("", None, [Part(b"", "a/b", text)], seed=b""),
    "return path": lambda text: read(text, b"k"),
    "spf": lambda text: spf.parse("v=spf1 " + text),
    "dmarc": lambda text: dmarc.parse("v=DMARC1;" + text),
    "key record": lambda text: parse_record(text.encode()),
    "raw": lambda text: prepare(
        parse(b"From: a@x.example\r\nX: " + text.encode() + b"\r\n\r\n"), date=b"Date: x\r\n", message_id="<a@b>"
    ),
    "raw author": lambda text: prepare(
        parse(b"From: " + text.encode() + b"<a@x.example>\r\n\r\n"), date=b"Date: x\r\n", message_id="<a@b>"
    ),
    "lines": lambda text: check_lines(text.encode()),
    "signature": lambda text: verify(
        parse(b"DKIM-Signature: " + text.encode() + b"\r\nFrom: a\r\n\r\n"), lambda name: RECORD, now_s=0
    ),
}
SHAPES = [
    "a",
    "a.",
    "-",
    " ",
    "\t ",
    "a ",
    '"',
    "\\",
    '\\"',
    "=?",
    "=?a?q?",
    "a=b;",
    "<",
    "<a@b> ",
    "é",
    "日",
    ",",
    "ip4:",
    "b=",
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reader", list(READERS))
def test_a_hundred_thousand_characters_are_read_or_refused_at_once(reader: str, shape: str) -> None:
    text = shape * (100_000 // len(shape))
    assert min(_cost_s(reader, text) for _ in range(3)) < 0.5


def _cost_s(reader: str, text: str) -> float:
    """Processor time of this thread alone; the least of a few is free of what else the process has to do."""
    begun = time.thread_time()
    with contextlib.suppress(*EXPECTED):
        READERS[reader](text)
    return time.thread_time() - begun


@given(
    st.sampled_from(list(READERS)),
    st.lists(st.sampled_from(SHAPES) | st.characters(exclude_categories=["Cs"])).map("".join),
)
def test_whatever_comes_is_read_or_refused(reader: str, text: str) -> None:
    with contextlib.suppress(*EXPECTED):
        READERS[reader](text)


@given(st.data())
def test_a_damaged_signature_is_judged_and_never_raises(data: st.DataObject) -> None:
    fields, body = [b"From: a@x.example\r\n"], b"x\r\n"
    octets = sign(fields, body, (ED,), at_s=0, expires_s=9) + b"".join(fields) + b"\r\n" + body
    end = octets.index(b"From: a@")
    at = data.draw(st.integers(0, end - 3))
    damage = data.draw(st.binary(max_size=3) | st.sampled_from([b"=", b";", b"", b"\r\n\t", b"b=", b"9"]))
    with contextlib.suppress(RawMailError):
        verify(parse(octets[:at] + damage + octets[at + 1 :]), lambda name: RECORD, now_s=5)
