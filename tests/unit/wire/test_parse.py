"""Raw messages: taken apart without loss, and refused where two readers could differ."""

import pytest

from postroad.wire.address import Mailbox
from postroad.wire.parse import Prepared, RawMailError, TooLargeError, check_lines, parse, prepare

DATE = b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
RAW = b"From: Ann <ann@example.org>\r\nTo: Bob <bob@example.net>\r\nSubject: a\r\n folded\r\n\tone\r\n\r\nbody\r\n"


def prepared(octets: bytes) -> Prepared:
    check_lines(octets)
    return prepare(parse(octets), date=DATE, message_id="<id@example.org>")


def test_a_message_is_cut_into_fields_and_body_without_loss() -> None:
    message = parse(RAW)
    assert [field.name for field in message.fields] == [b"from", b"to", b"subject"]
    assert b"".join(field.octets for field in message.fields) + b"\r\n" + message.body == RAW
    assert message.all(b"subject")[0].value == "a folded\tone"
    assert message.all(b"cc") == []


@pytest.mark.parametrize(
    ("octets", "count", "body"),
    [
        (b"", 0, b""),
        (b"\r\nbody", 0, b"body"),
        (b"A: b\r\n", 1, b""),
        (b"A: b\r\n\r\n", 1, b""),
        (b"A : b\r\nA:\r\n\r\n\r\n", 2, b"\r\n"),
    ],
)
def test_a_header_may_be_empty_or_all_there_is(octets: bytes, count: int, body: bytes) -> None:
    message = parse(octets)
    assert (len(message.fields), message.body) == (count, body)


@pytest.mark.parametrize(
    "octets",
    [
        b"A: b",
        b"A\r\n\r\n",
        b" A: b\r\n\r\n",
        b": b\r\n\r\n",
        b"A\xc3\xa4: b\r\n\r\n",
        b"A: b\nB: c\r\n\r\n",
        b"A: b\rB: c\r\n\r\n",
        b"A: b\r\n\n",
    ],
)
def test_a_line_that_is_no_field_is_refused(octets: bytes) -> None:
    with pytest.raises(RawMailError):
        parse(octets)


def test_limits_hold() -> None:
    parse(b"A: b\r\n" * 10 + b"\r\n", header_count=10, header_octets=60, octets_limit=62)
    for limits in ({"header_count": 9}, {"header_octets": 30}, {"octets_limit": 61}):
        with pytest.raises(TooLargeError):
            parse(b"A: b\r\n" * 10 + b"\r\n", **limits)


@pytest.mark.parametrize(
    "octets",
    [
        b"a\nb",
        b"a\rb",
        b"a\r\r\n",
        b"\n",
        b"\r",
        b"a\n\r",
        b"a\r\n\r",
        b"a\0",
        b"a" * 999,
        b"x\r\n" + b"a" * 999 + b"\r\n",
    ],
)
def test_lines_that_cannot_travel_unchanged_are_refused(octets: bytes) -> None:
    with pytest.raises(RawMailError):
        check_lines(octets)


@pytest.mark.parametrize("octets", [b"", b"\r\n", b"a" * 998, (b"a" * 998 + b"\r\n") * 3, b"a\xff\r\n\r\n.\r\n"])
def test_lines_that_can_travel_are_taken(octets: bytes) -> None:
    check_lines(octets)


def test_what_is_missing_is_added_and_nothing_else_changes() -> None:
    message = prepared(RAW)
    octets = [field.octets for field in message.fields]
    assert b"".join(octets[:3]) == RAW.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert octets[3:] == [DATE, b"Message-ID: <id@example.org>\r\n"]
    assert (message.author, message.message_id) == (Mailbox("ann", "example.org"), "<id@example.org>")
    assert (message.smtputf8, message.eight_bit) == (False, False)


def test_what_is_there_stays() -> None:
    message = prepared(b"Date: yesterday\r\nMessage-Id: <own@x.example>\r\n" + RAW)
    assert len(message.fields) == 5
    assert message.message_id == "<own@x.example>"


@pytest.mark.parametrize(
    "field",
    [
        b"Bcc: eve@example.com\r\n",
        b"bcc: a,\r\n b\r\n",
        b"Return-Path: <a@b>\r\n",
        b"Resent-Bcc: a@b\r\n",
        b"X-Postroad-Id: 1\r\n",
    ],
)
def test_fields_that_must_not_travel_are_taken_out(field: bytes) -> None:
    assert prepared(field + RAW).fields == prepared(RAW).fields


@pytest.mark.parametrize(
    "name",
    [
        b"From",
        b"Sender",
        b"Reply-To",
        b"To",
        b"Cc",
        b"Subject",
        b"Date",
        b"Message-ID",
        b"MIME-Version",
        b"Content-Type",
        b"List-Unsubscribe",
    ],
)
def test_a_field_that_may_stand_once_is_refused_twice(name: bytes) -> None:
    with pytest.raises(RawMailError, match="only once"):
        prepared(name + b": a@b.example\r\n" + name.lower() + b": a@b.example\r\n" + RAW)


@pytest.mark.parametrize(
    "author",
    [
        b"ann@example.org",
        b"<ann@example.org>",
        b'"Bee, Ann" <ann@example.org>',
        b'"<x>" <ann@example.org>',
        b"=?utf-8?q?=C3=84?= <ann@example.org>",
        b"Ann B. <ann@example.org>",
    ],
)
def test_the_author_is_found(author: bytes) -> None:
    assert prepared(b"From: " + author + b"\r\n\r\n").author == Mailbox("ann", "example.org")


@pytest.mark.parametrize(
    "author",
    [
        b"",
        b"Ann",
        b"a@x.example, b@x.example",
        b"A <a@x.example>, B <b@x.example>",
        b"A <a@x.example> (c)",
        b"(c) <a@x.example>",
        b"b@x.example <a@x.example>",
        b"list: a@x.example;",
        b'"open <a@x.example>',
        b"<a@x..example>",
        b"=?utf-8?q?a=40b?=@x.example",
    ],
)
def test_an_author_with_two_readings_is_refused(author: bytes) -> None:
    with pytest.raises(RawMailError):
        prepared(b"From: " + author + b"\r\n\r\n")


def test_a_message_without_an_author_is_refused() -> None:
    with pytest.raises(RawMailError, match="no From"):
        prepared(b"Subject: a\r\n\r\n")


def test_line_ends_of_a_text_file_are_named() -> None:
    with pytest.raises(RawMailError, match="not CRLF"):
        parse(b"From: a@x.example\n\nHi\n")
    with pytest.raises(RawMailError, match="empty line"):
        parse(b"From: a@x.example")


def test_white_space_before_a_colon_is_refused() -> None:
    with pytest.raises(RawMailError, match="colon"):
        prepared(b"X-Thing : a\r\n" + RAW)


def test_utf8_in_a_header_and_eight_bits_in_a_body_are_noticed() -> None:
    message = prepared("From: Änn <ann@example.org>\r\n\r\nü".encode())
    assert (message.smtputf8, message.eight_bit) == (True, True)
    with pytest.raises(RawMailError, match="UTF-8"):
        prepared(b"X-Thing: \xe4\r\n" + RAW)
