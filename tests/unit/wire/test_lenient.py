"""Mail that others wrote, read whatever it looks like."""

import tracemalloc

import pytest

from postroad.wire.charsets import decode
from postroad.wire.lenient import Limits, content_type, read, read_header, unencoded


def multipart(*parts: str, boundary: str = "b", closed: bool = True) -> bytes:
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + (f"--{boundary}--\r\n" if closed else "")
    return f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n{body}".encode()


def test_fields_are_unfolded_decoded_and_found_by_lower_case_names() -> None:
    mail = read(b"SUBJECT: =?utf-8?q?=C3=84?=\r\n =?iso-8859-1?b?5A==?= x\r\nTo: a\r\nTo: b\r\n\r\nbody")
    assert (mail.get("subject"), mail.all("to"), mail.get("cc"), mail.body) == ("Ää x", ["a", "b"], "", b"body")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_any_line_end_ends_a_line(end: bytes) -> None:
    mail = read(end.join([b"From x@y Mon Nov  2", b"A: 1", b"B: 2", b"", b"text"]))
    assert (mail.get("a"), mail.get("b"), mail.text()) == ("1", "2", "text")


def test_the_header_ends_at_a_line_that_is_no_field() -> None:
    assert read(b"A: 1\nno field\nB: 2\n").body == b"no field\nB: 2\n"
    assert read(b" folded nothing\nA: 1\n").body == b" folded nothing\nA: 1\n"


def test_parts_are_cut_at_their_boundary_and_preamble_and_epilogue_left_out() -> None:
    octets = multipart("Content-Type: TEXT/HTML\r\n\r\n<p>", "\r\nplain").replace(
        b"\r\n\r\n--b", b"\r\n\r\npre\r\n--b", 1
    )
    parts = read(octets + b"epilogue").children
    assert [(part.media_type, part.body) for part in parts] == [("text/html", b"<p>"), ("text/plain", b"plain")]


def test_a_boundary_that_begins_like_another_is_not_that_one() -> None:
    inner = "Content-Type: multipart/mixed; boundary=b2\r\n\r\n--b2\r\n\r\none\r\n--b2--\r\n"
    mail = read(multipart(inner, "\r\ntwo"))
    assert [part.body for part in mail.walk() if not part.children] == [b"one", b"two"]


@pytest.mark.parametrize("body", ["--bx", "--bx\n--by", "text\n--bx", "--b", "--b\n", "--b--", "--bx\n--b\n\na"])
def test_any_arrangement_of_boundaries_comes_to_an_end(body: str) -> None:
    parts = read(f"Content-Type: multipart/mixed; boundary=b\n\n{body}".encode()).children
    assert [part.body for part in parts] == (
        [b"a"] if body.endswith("a") else [b""] if body in {"--b", "--b\n"} else [body.encode()]
    )


def test_what_never_closes_is_read_to_its_end() -> None:
    assert [part.body for part in read(multipart("\r\none", "\r\ntwo", closed=False)).children] == [b"one", b"two\n"]
    assert [part.body for part in read(multipart(boundary="b", closed=False) + b"--b").children] == [b""]


@pytest.mark.parametrize("kind", ["multipart/mixed", "multipart/mixed; boundary=x", 'multipart/mixed; boundary=""'])
def test_a_multipart_without_its_boundary_is_one_text(kind: str) -> None:
    (part,) = read(f"Content-Type: {kind}\n\ntext\n--b\n\nc".encode()).children
    assert (part.media_type, part.body) == ("text/plain", b"text\n--b\n\nc")


@pytest.mark.parametrize("kind", ["multipart/mixed", "multipart/mixed; boundary=x"])
def test_parts_with_a_boundary_that_was_not_declared_are_found_by_their_headers(kind: str) -> None:
    mail = read(f"Content-Type: {kind}\n\n--other\nContent-Type: text/html\n\na\n--other\n\nb\n--other--\n".encode())
    assert [(part.media_type, part.body) for part in mail.children] == [("text/html", b"a"), ("text/plain", b"b")]


def test_what_stands_before_the_header_is_passed_over() -> None:
    assert read("\ufeff\r\n   \r\nSubject: x\r\n\r\n".encode()).get("subject") == "x"


def test_messages_within_are_opened_only_when_asked() -> None:
    mail = read(multipart("Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx"))
    assert [part.get("subject") for part in mail.walk(into_messages=True)] == ["", "", "inner"]
    assert len(list(mail.walk())) == 2
    digest = multipart("\r\nSubject: inner\r\n\r\nx").replace(b"mixed", b"digest")
    assert read(digest).children[0].children[0].get("subject") == "inner"


@pytest.mark.parametrize("kind", ["multipart/mixed; boundary=b{}", "message/rfc822"])
def test_an_octet_is_held_once_however_many_levels_it_is_below(kind: str) -> None:
    levels, size = 15, 1_000_000
    head = "".join(f"Content-Type: {kind.format(n)}\n\n{f'--b{n}' * ('b{}' in kind)}\n" for n in range(levels))
    octets = head.encode() + b"\n" + b"x" * size
    tracemalloc.start()
    try:
        mail = read(octets)
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(len(part.body) for part in mail.walk(into_messages=True)) == size
    assert len(list(mail.walk(into_messages=True))) == levels + 1
    assert held < 2 * size
    assert most < 5 * size


def test_beyond_the_limits_nothing_is_read() -> None:
    many = multipart(*["\r\nx"] * 10)
    assert len(read(many, Limits(parts=4)).children) == 3
    assert read(many, Limits(depth=0)).children == ()
    nested = b"Content-Type: message/rfc822\n\n" * 9
    assert len(list(read(nested, Limits(depth=3)).walk(into_messages=True))) == 4
    assert len(list(read(nested, Limits(parts=2)).walk(into_messages=True))) == 2
    assert read(b"A: 1\nB: 2\nC: 3\n\n", Limits(header_count=1)).get("c") == ""
    assert read(b"A: 1\nB: 2\n\n", Limits(header_octets=2)).get("b") == ""
    assert read(b"A: 12345\n\n", Limits(octets=5)).get("a") == "12"


@pytest.mark.parametrize(
    ("encoding", "body", "text"),
    [
        ("base64", "w6Q=", "ä"),
        ("base64", "YWI!", "ab"),
        ("base64", "YWJjZ", "abc"),
        ("quoted-printable", "=C3=A4=\nb=zz", "äb=zz"),
        ("7bit", "a\0b", "a b"),
    ],
)
def test_transfer_encodings_are_undone_as_far_as_they_go(encoding: str, body: str, text: str) -> None:
    mail = read(f"Content-Transfer-Encoding: {encoding}\nContent-Type: text/plain; charset=utf-8\n\n{body}".encode())
    assert mail.text().startswith(text)


def test_parameters_come_plain_quoted_and_extended() -> None:
    kind, parameters = content_type('Text/Plain; a=1; B="x \\"y\\"; z"; c*=utf-8\'\'%C3%A4; d*=%41; a=2', "x/y")
    assert (kind, parameters) == ("text/plain", {"a": "1", "b": 'x "y"; z', "c": "ä", "d": "A"})
    assert content_type("nonsense; boundary=b", "text/plain") == ("text/plain", {"boundary": "b"})


def test_a_header_alone_is_read_without_its_body() -> None:
    head = read_header(b"Subject: a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx")
    assert (head.get("subject"), head.children, head.body) == ("a", (), b"--b\n\nx")


def test_encoded_words_that_cannot_be_read_stay_or_are_guessed() -> None:
    assert unencoded("=?utf-8?x?abc?=") == "=?utf-8?x?abc?="
    assert unencoded("=?utf-8*en?q?a_b?=") == "a b"


@pytest.mark.parametrize(
    ("octets", "charset", "text"),
    [
        (b"abc", "utf-8", "abc"),
        ("日本".encode("iso2022_jp"), "ISO-2022-JP", "日本"),
        ("中文".encode("gb18030"), "gb2312", "中文"),
        ("ä".encode(), "us-ascii", "ä"),
        (b"\xe4", "iso-8859-1", "ä"),
        (b"\xe4", "", "ä"),
        ("ä".encode(), "no-such-charset", "ä"),
        ("ä".encode(), "rot13", "ä"),
        ("ä".encode(), "a\0b", "ä"),
        ("ä".encode(), "ä", "ä"),
        ("ß".encode(), "euc-jp", "ß"),
        (b"\xff\xff\xff", "euc-jp", "\ufffd\ufffd\ufffd"),
    ],
)
def test_octets_become_text_by_their_charset_or_the_one_that_they_are(octets: bytes, charset: str, text: str) -> None:
    assert decode(octets, charset) == text
