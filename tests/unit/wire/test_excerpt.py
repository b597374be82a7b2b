"""What is kept of a large mail: the beginning of each part, so that a report is found wherever it stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire import lenient
from postroad.wire.excerpt import Excerpt

LIMIT = 4_096


def kept(mail: bytes, pieces: int = 1_000, limit: int = LIMIT) -> bytes:
    excerpt = Excerpt(limit)
    for at in range(0, len(mail), pieces):
        excerpt.add(mail[at : at + pieces])
    return excerpt.octets()


def multipart(*parts: bytes, boundary: str = "b/1", declared: str = '"b/1"') -> bytes:
    head = f"From: a@example.org\r\nContent-Type: multipart/report;\r\n\tboundary={declared}\r\n\r\n".encode()
    mark = f"--{boundary}\r\n".encode()
    return head + b"".join(mark + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


LARGE = b"Content-Type: message/rfc822\r\n\r\nSubject: ours\r\n\r\n" + b"QUJD-x--y\r\n" * 1_500
STATUS = (
    b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
    b"Final-Recipient: rfc822; a@b.example\r\n"
)


@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 64, 1_000, 1_000_000])
@pytest.mark.parametrize(
    "parts", [(LARGE, STATUS), (b"\r\nHi\r\n", LARGE, LARGE, STATUS, LARGE), (LARGE,) * 6 + (STATUS,)]
)
def test_a_report_is_kept_wherever_it_stands(parts: tuple[bytes, ...], pieces: int) -> None:
    short = kept(multipart(*parts), pieces)
    assert len(short) <= LIMIT
    found = lenient.read(short)
    assert [one.media_type for one in found.children][: len(parts)] == [
        one.media_type for one in lenient.read(multipart(*parts)).children
    ]
    status = found.children[parts.index(STATUS)]
    assert status.body.startswith(b"Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; a@b.ex")


@pytest.mark.parametrize("size", [0, 10, LIMIT])
def test_a_mail_within_the_limit_is_kept_as_it_came(size: int) -> None:
    mail = (multipart(STATUS) * 30)[:size]
    assert kept(mail, 100) == mail


def test_of_a_mail_without_parts_the_beginning_is_kept() -> None:
    mail = b"Subject: x\r\n\r\n" + b"--line\r\n" * 5_000
    assert kept(mail) == mail[:LIMIT]


def test_a_long_preamble_hides_no_part() -> None:
    short = kept(multipart(STATUS).replace(b"\r\n\r\n--b/1", b"\r\n\r\n" + b"preamble\r\n" * 3_000 + b"--b/1"))
    assert b"\r\n--b/1\r\n" + STATUS in short


def test_a_boundary_without_quotes_and_one_within_another_are_known() -> None:
    inner = (
        b"Content-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n" + LARGE + b"\r\n--in\r\n" + STATUS + b"\r\n--in--"
    )
    short = kept(multipart(inner, STATUS, boundary="out", declared="out"))
    assert short.count(b"Final-Recipient: rfc822; a@b.example") == 2


def test_only_so_many_boundaries_are_looked_for() -> None:
    declared = b"".join(b"X-Boundary-%d: boundary=b%d\r\n--\r\n" % (number, number) for number in range(80))
    assert len(kept(declared * 50, limit=100_000)) <= 100_000


def test_when_nothing_is_left_nothing_more_is_kept() -> None:
    short = kept(multipart(*[b"\r\n" + b"x" * 50 for _ in range(2_000)]), limit=1_000)
    assert len(short) == 1_000


@given(
    st.lists(st.sampled_from([b"\n", b"--", b"b", b"boundary=b", b"\r\n--b\r\n", b"x" * 40]), max_size=60),
    st.integers(1, 50),
)
def test_any_mail_is_kept_within_the_limit_however_it_comes(words: list[bytes], pieces: int) -> None:
    mail = b"".join(words)
    short = kept(mail, pieces, limit=200)
    assert len(short) <= 200
    if len(mail) <= 200:
        assert short == mail


@pytest.mark.parametrize("flood", [b"\n--", b"\r\n--\r\n", b" boundary=f\n--f", b"\n--b/1\n\nx"])
def test_a_flood_of_marks_is_read_in_as_many_looks_as_there_are_parts(
    flood: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    look = Excerpt._declare

    def counted(self: Excerpt) -> None:
        nonlocal looks
        looks += 1
        look(self)

    monkeypatch.setattr(Excerpt, "_declare", counted)
    mail = multipart() + flood * (200_000 // len(flood))
    assert len(kept(mail, limit=100_000)) <= 100_000
    assert looks < 2_500


@pytest.mark.parametrize("pieces", [1, 5, 33, 10_000])
def test_a_declaration_is_read_whole_however_it_comes(pieces: int) -> None:
    inner = b"Content-Type: multipart/alternative; boundary=inner\r\n\r\n--in\r\n" + b"x\r\n" * 2_000
    mail = multipart(inner, STATUS)
    assert b"Final-Recipient" in kept(mail, pieces)
    assert kept(mail, pieces).count(b"x\r\n") > 200


def test_behind_a_thousand_parts_the_rest_is_one() -> None:
    mail = multipart(*[b"\r\nx"] * 1_500, b"\r\n" + b"rest\r\n" * 2_000)
    short = kept(mail, limit=20_000)
    assert len(short) == 20_000
    assert short[-600:].count(b"rest") >= 99
