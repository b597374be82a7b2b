"""Bodies: the nesting the content needs, the encoding each part needs, CRLF everywhere."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

import pytest

from postroad.wire.headers import HeaderError
from postroad.wire.mime import Entity, MimeError, Part, build, check_content_type


def read(entity: Entity) -> EmailMessage:
    return message_from_bytes(entity.octets, policy=policy.default)


def shape(message: EmailMessage) -> object:
    if message.is_multipart():
        return (message.get_content_subtype(), [shape(cast("EmailMessage", part)) for part in message.iter_parts()])
    return message.get_content_type()


IMAGE = Part(b"\x89PNG", "image/png", "logo.png", "logo", inline=True)
FILE = Part(b"%PDF", "application/pdf", "a.pdf")


@pytest.mark.parametrize(
    ("text", "html", "parts", "expected"),
    [
        (None, None, [], "text/plain"),
        ("t", None, [], "text/plain"),
        (None, "<p>h", [], "text/html"),
        ("t", "<p>h", [], ("alternative", ["text/plain", "text/html"])),
        (None, "<p>h", [IMAGE], ("related", ["text/html", "image/png"])),
        ("t", "<p>h", [IMAGE], ("related", [("alternative", ["text/plain", "text/html"]), "image/png"])),
        ("t", None, [IMAGE], ("mixed", ["text/plain", "image/png"])),
        (None, None, [FILE], ("mixed", ["text/plain", "application/pdf"])),
        (
            "t",
            "<p>h",
            [FILE, IMAGE],
            ("mixed", [("related", [("alternative", ["text/plain", "text/html"]), "image/png"]), "application/pdf"]),
        ),
    ],
)
def test_the_nesting_is_what_the_content_needs(
    text: str | None, html: str | None, parts: list[Part], expected: object
) -> None:
    assert shape(read(build(text, html, parts, seed=b"s"))) == expected


def encoding(text: str) -> bytes:
    return build(text, None, seed=b"s").fields[1].split(b": ")[1].strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", b"7bit"),
        ("plain text\nand = more\t\n", b"7bit"),
        ("a" * 998 + "\n" + "b" * 998, b"7bit"),
        ("a" * 999, b"quoted-printable"),
        ("short\n" + "a" * 999 + "\n", b"quoted-printable"),
        ("From here\n", b"quoted-printable"),
        ("x\nFrom here\n", b"quoted-printable"),
        ("nul \0 in a long line of text", b"quoted-printable"),
        ("caffè, a word of text among others", b"quoted-printable"),
        ("日本語", b"base64"),
        ("=" * 400 + "a" * 700, b"base64"),
    ],
)
def test_each_text_gets_the_encoding_that_suits_it(text: str, expected: bytes) -> None:
    assert encoding(text) == expected
    entity = build(text, None, seed=b"s")
    assert entity.body.isascii()
    assert read(entity).get_content().replace("\r\n", "\n") == text


@pytest.mark.parametrize("text", ["a\rb\nc\r\nd\n\re", "ä\rb\nc\r\nd\n\re und noch ein langer Satz", "日\r本\n語\r\n"])
def test_every_line_end_becomes_crlf(text: str) -> None:
    entity = build(text, None, seed=b"s")
    assert re.search(rb"\r(?!\n)|(?<!\r)\n", entity.octets) is None
    payload = read(entity).get_payload(decode=True)
    assert payload == re.sub(r"\r\n|\r|\n", "\r\n", text).encode()


def test_quoted_printable_hides_from_at_the_start_of_a_line_within_76_columns() -> None:
    text = "From ü " + "x" * 200 + "\nFrom " + "y" * 200 + "\nFrom\n"
    entity = build(text, None, seed=b"s")
    lines = entity.body.split(b"\r\n")
    assert max(map(len, lines)) <= 76
    assert not any(line.startswith(b"From ") for line in lines)
    assert read(entity).get_content().replace("\r\n", "\n") == text


def test_a_boundary_cannot_occur_in_the_content_and_follows_from_the_seed() -> None:
    first = build("t", "<p>", seed=b"one")
    boundary = re.search(rb'boundary="([^"]+)"', first.fields[0])
    assert boundary is not None
    assert len(boundary.group(1)) >= 32
    assert build("t", "<p>", seed=b"one") == first
    assert build("t", "<p>", seed=b"two") != first
    hostile = build(f"--{boundary.group(1).decode()}--\n", "<p>", seed=b"one")
    assert shape(read(hostile)) == ("alternative", ["text/plain", "text/html"])
    assert boundary.group(1) + b"x" in hostile.fields[0]


@pytest.mark.parametrize(
    ("filename", "fallback"),
    [
        ("a.pdf", "a.pdf"),
        ("Übersicht 1.pdf", "_bersicht_1.pdf"),
        ("日本語", "_"),
        (".hidden", "file.hidden"),
        ("x" * 70, "x" * 40),
    ],
)
def test_a_file_keeps_its_name_and_has_one_in_ascii(filename: str, fallback: str) -> None:
    part = read(build("t", None, [Part(b"x", "text/csv; charset=latin-1; name=old", filename)], seed=b"s"))
    attached = cast("EmailMessage", list(part.iter_parts())[1])
    assert attached.get_filename() == filename
    assert attached.get_param("name") == fallback
    assert attached.get_param("charset") == "latin-1"
    assert attached.get_content_disposition() == "attachment"


def test_a_file_may_have_no_name() -> None:
    octets = build("t", None, [Part(b"x")], seed=b"s").octets
    assert b"Content-Disposition: attachment\r\n" in octets
    assert b"name=" not in octets


def test_an_inline_part_is_found_by_its_content_id() -> None:
    octets = build("t", '<img src="cid:logo">', [IMAGE], seed=b"s").octets
    assert b"Content-ID: <logo>\r\n" in octets
    assert b"Content-Disposition: inline; filename=logo.png\r\n" in octets
    assert b'Content-Type: multipart/related; type="multipart/alternative"' in octets


@pytest.mark.parametrize(
    ("content_type", "content", "written"),
    [
        ("message/rfc822", b"Subject: a\r\n\r\nb\r\n", b"Content-Type: message/rfc822"),
        ("message/rfc822", b"Subject: a\n\nb\n", b"Content-Type: application/octet-stream"),
        ("message/rfc822", b"Subject: \xff\r\n\r\n", b"Content-Type: application/octet-stream"),
        ("message/rfc822", b"Subject: \0\r\n\r\n", b"Content-Type: application/octet-stream"),
        ("message/rfc822", b"Subject: \r \n\r\n", b"Content-Type: application/octet-stream"),
        ("message/rfc822", b"a" * 1000, b"Content-Type: application/octet-stream"),
        ("multipart/mixed; boundary=x", b"--x--", b"Content-Type: application/octet-stream"),
        ('Text/CSV; Charset="utf-8"; header=present', b"", b"Content-Type: text/csv; charset=utf-8; header=present"),
    ],
)
def test_media_types_are_written_only_with_an_encoding_they_allow(
    content_type: str, content: bytes, written: bytes
) -> None:
    octets = build("t", None, [Part(content, content_type)], seed=b"s").octets
    assert written in octets
    if written.endswith(b"message/rfc822"):
        assert content in octets


@pytest.mark.parametrize(
    "content_type", ["", "text", "text/", "text/plain\r\nBcc: x", "te xt/plain", "text/plain; =x", "text/plain; a=b\0"]
)
def test_a_malformed_media_type_is_refused(content_type: str) -> None:
    with pytest.raises(MimeError):
        build("t", None, [Part(b"", content_type)], seed=b"s")
    with pytest.raises(MimeError):
        check_content_type(content_type)


@pytest.mark.parametrize("content_id", ["", "<a>", "a b", "a\r\nBcc: x", "ü", "a@b@c", "a" * 901])
def test_a_malformed_content_id_is_refused(content_id: str) -> None:
    with pytest.raises(MimeError):
        build("t", "<p>", [Part(b"", "image/png", None, content_id, inline=True)], seed=b"s")


def test_what_no_encoding_can_carry_is_refused() -> None:
    with pytest.raises(MimeError):
        build("a\ud800", None, seed=b"s")
    with pytest.raises(HeaderError):
        build("a", None, [Part(b"", "image/png", "a\r\nBcc: x")], seed=b"s")
    with pytest.raises(HeaderError):
        build("a", None, [Part(b"", "image/png", "a\ud800")], seed=b"s")
