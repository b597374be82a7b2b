"""MTA-STS records and policies (RFC 8461)."""

import pytest

from postroad.wire.mtasts import (
    LONGEST_AGE_S,
    MOST_OCTETS,
    Mode,
    StsError,
    StsPolicy,
    find_id,
    permits,
    policy_url,
    read_policy,
    write_policy,
)

POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 604800\r\n"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=STSv1 ;\tid=1"], "1"),
        (["v=STSv1; new=thing; id=a1"], "a1"),
        (["something else", "v=STSv1;id=x"], "x"),
        (["v=STSv1; id=x", "v=STSv1; id=y"], None),
        (["v=STSv1;"], None),
        (["v=STSv1"], None),
        (["v=STSv1; id"], None),
        (["v=STSv1; id=has space"], None),
        (["v=STSv1; id=" + "a" * 33], None),
        (["v=STSv10; id=x"], None),
        (["id=x; v=STSv1"], None),
        ([], None),
    ],
)
def test_the_record_names_a_policy_by_its_identifier(texts: list[str], expected: str | None) -> None:
    assert find_id(texts) == expected


def test_a_policy_is_read_field_by_field() -> None:
    assert read_policy(POLICY) == StsPolicy(Mode.ENFORCE, ("mail.example.com", "*.example.net"), 604_800)


def test_what_is_read_is_what_was_written() -> None:
    policy = read_policy(POLICY)
    assert read_policy("\n".join(write_policy(policy)).encode()) == policy


def test_bare_line_feeds_unknown_fields_blank_lines_and_repetitions_do_no_harm() -> None:
    policy = read_policy(b"version: STSv1\nversion: STSv2\n\nmode:testing\nmode: enforce\nx: y\nmx: a\nmax_age:\t5")
    assert policy == StsPolicy(Mode.TESTING, ("a",), 5)


def test_a_policy_of_none_needs_no_hosts() -> None:
    assert read_policy(b"version: STSv1\nmode: none\nmax_age: 0\n") == StsPolicy(Mode.NONE, (), 0)


def test_a_policy_lives_a_year_at_most() -> None:
    assert read_policy(b"version: STSv1\nmode: none\nmax_age: 9999999999\n").max_age_s == LONGEST_AGE_S


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"mode: enforce\nmx: a\nmax_age: 1",
        b"version: STSv2\nmode: enforce\nmx: a\nmax_age: 1",
        b"version: STSv1\nmode: strict\nmx: a\nmax_age: 1",
        b"version: STSv1\nmx: a\nmax_age: 1",
        b"version: STSv1\nmode: enforce\nmax_age: 1",
        b"version: STSv1\nmode: enforce\nmx: a\nmax_age: soon",
        b"version: STSv1\nmode: enforce\nmx: a\nmax_age: 12345678901",
        b"version: STSv1\nmode: enforce\nmx: *\nmax_age: 1",
        b"version: STSv1\nmode: enforce\nmx: a.*.b\nmax_age: 1",
        b"version: STSv1\nmode: enforce\nmx: " + b"a" * 256 + b"\nmax_age: 1",
        b"version: STSv1\nmode: enforce\nno field\nmax_age: 1",
        b"version: STSv1\nmode: enforce\nmx: \xff\nmax_age: 1",
        b"version: STSv1\nmode: none\nmax_age: 1\n" + b"\n" * MOST_OCTETS,
        b"version: STSv1\nmode: enforce\nmax_age: 1\n" + b"mx: a\n" * 1001,
        b"<html>not found</html>",
    ],
)
def test_what_is_no_policy_is_refused(octets: bytes) -> None:
    with pytest.raises(StsError):
        read_policy(octets)


def test_a_star_stands_for_exactly_one_label() -> None:
    patterns = ("mail.example.com", "*.example.net.")
    assert permits(patterns, "MAIL.example.com.")
    assert permits(patterns, "a.example.net")
    assert not permits(patterns, "example.net")
    assert not permits(patterns, "a.b.example.net")
    assert not permits(patterns, "amail.example.com")
    assert not permits(patterns, "com")
    assert not permits((), "mail.example.com")


def test_the_policy_lies_at_a_host_of_its_own() -> None:
    assert policy_url("example.com") == "https://mta-sts.example.com/.well-known/mta-sts.txt"
    assert policy_url("example.com", 8443) == "https://mta-sts.example.com:8443/.well-known/mta-sts.txt"
