"""Any value is refused or arrives as it was given, in one field of legal lines."""

import contextlib
import re
from email import message_from_bytes, policy
from email.header import decode_header

from hypothesis import example, given
from hypothesis import strategies as st

from postroad.wire.address import Address, Mailbox
from postroad.wire.headers import HeaderError, mailboxes, parameterised, structured, unstructured
from postroad.wire.parse import parse

PIECES = st.sampled_from(
    [
        "\r\nBcc: eve@z.example",
        "=?utf-8?q?=0D=0ABcc:x?=",
        "\u2028",
        "\0",
        "\ud800",
        "\r",
        "\n",
        "\t",
        "   ",
        '"',
        "\\",
        "ü",
        "日本",
        "😀",
        "a" * 90,
        "word ",
        "=?",
        "?=",
    ]
)
TEXTS = st.lists(PIECES | st.characters() | st.text(max_size=30), max_size=12).map("".join)
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126, blacklist_characters=":"), min_size=1, max_size=76)


def check(field: bytes) -> None:
    """One field, in lines that may travel."""
    assert field.endswith(b"\r\n")
    assert field.count(b"\r\n") == field.count(b"\n") == field.count(b"\r")
    assert b"\0" not in field
    assert len(parse(field).fields) == 1
    lines = field[:-2].split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert all(line.strip() for line in lines)


def decoded(field: bytes) -> str:
    value = parse(field).fields[0].value
    return "".join(
        piece.decode(charset or "ascii") if isinstance(piece, bytes) else piece
        for piece, charset in decode_header(value)
    )


@given(NAMES, TEXTS)
@example("X-A", "a" * 998)
@example("X-A", " ".join(["ab"] * 600))
def test_text_arrives_as_it_was_given(name: str, value: str) -> None:
    try:
        field = unstructured(name, value)
    except HeaderError:
        assert re.search("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]", value)
        return
    check(field)
    assert parse(field).fields[0].octets[: len(name)].decode() == name
    assert decoded(field) == value.strip(" \t")
    for word in re.findall(rb"=\?utf-8\?[qb]\?[^ ]*\?=", field):
        assert len(word) <= 75


@given(NAMES, TEXTS)
def test_structured_values_are_refused_or_unchanged(name: str, value: str) -> None:
    with contextlib.suppress(HeaderError):
        field = structured(name, value)
        check(field)
        assert parse(field).fields[0].value == value.strip(" \t")


@given(st.lists(TEXTS, max_size=4))
def test_display_names_arrive_as_they_were_given(names: list[str]) -> None:
    addresses = [Address(Mailbox(f"a{n}", "x.example"), name) for n, name in enumerate(names)]
    with contextlib.suppress(HeaderError):
        field = mailboxes("To", addresses)
        check(field)
        message = message_from_bytes(field + b"\r\n", policy=policy.default)
        read = message["To"].addresses
        assert [one.addr_spec for one in read] == [one.mailbox.address for one in addresses]


@given(TEXTS)
def test_file_names_arrive_as_they_were_given(name: str) -> None:
    with contextlib.suppress(HeaderError):
        field = parameterised("Content-Disposition", "attachment", [("filename", name)])
        check(field)
        assert max(map(len, field.split(b"\r\n"))) <= 78
        if name and not re.search(r"[\t]", name):
            message = message_from_bytes(field + b"\r\n", policy=policy.compat32)
            assert (message.get_filename() or "").strip() == name.strip()
