"""DKIM signatures: what they cover, how they look, and what a verifier makes of them."""

import re
from collections.abc import Callable
from itertools import product

import pytest

from postroad.wire.dkim import Algorithm, SigningKey, Verdict, generate, public_record, sign, verify
from postroad.wire.dkim.canonical import relaxed_body, relaxed_field, simple_body, simple_field
from postroad.wire.parse import parse

RSA = SigningKey("x.example", "rsa1", generate(Algorithm.RSA_SHA256))
ED = SigningKey("x.example", "ed1", generate(Algorithm.ED25519_SHA256))
RECORDS = {f"{key.selector}._domainkey.x.example": public_record(key.private).encode() for key in (RSA, ED)}
FIELDS = [
    b"From: Ann <ann@x.example>\r\n",
    b"To: bob@y.example\r\n",
    b"Subject: a  long\r\n folded\t one\r\n",
    b"List-Id: <a.x.example>\r\n",
    b"X-Other: free\r\n",
]
BODY = b"Hello  there \r\n\tindented\t\r\n\r\n\r\n"
AT = 1_700_000_000


def signed(fields: list[bytes] = FIELDS, body: bytes = BODY, keys: tuple[SigningKey, ...] = (RSA, ED)) -> bytes:
    header = sign(fields, body, keys, at_s=AT, expires_s=AT + 604_800)
    return header + b"".join(fields) + b"\r\n" + body


def verdicts(octets: bytes, lookup: Callable[[str], bytes | None] = RECORDS.get, now_s: int = AT) -> list[str]:
    return [str(result.verdict) for result in verify(parse(octets), lookup, now_s=now_s)]


def test_both_signatures_verify() -> None:
    results = verify(parse(signed()), RECORDS.get, now_s=AT)
    assert [(r.verdict, r.domain, r.selector, r.algorithm, r.reason, r.testing) for r in results] == [
        (Verdict.PASS, "x.example", "rsa1", "rsa-sha256", "", False),
        (Verdict.PASS, "x.example", "ed1", "ed25519-sha256", "", False),
    ]


def test_no_key_makes_no_signature_and_no_signature_no_result() -> None:
    assert sign(FIELDS, BODY, (), at_s=AT, expires_s=AT) == b""
    assert verdicts(b"".join(FIELDS) + b"\r\n") == []


def test_the_same_message_gets_the_same_signatures() -> None:
    assert signed() == signed()


def test_a_signature_is_folded_neatly_and_never_leaves_part_of_the_body_unsigned() -> None:
    header = sign(FIELDS, BODY, (RSA,), at_s=AT, expires_s=AT + 604_800)
    assert max(map(len, header.split(b"\r\n"))) <= 78
    tags = dict(re.findall(rb"(\w+)=([^;]*)", header))
    assert b"l" not in tags
    assert (tags[b"t"], tags[b"x"], tags[b"i"]) == (b"1700000000", b"1700604800", b"@x.example")
    names = re.sub(rb"\s", b"", tags[b"h"]).split(b":")
    assert names.count(b"From") == names.count(b"Subject") == names.count(b"To") == 2
    assert names.count(b"Cc") == names.count(b"List-Unsubscribe") == names.count(b"Content-Type") == 1
    assert names.count(b"List-Id") == 1
    assert b"X-Other" not in names


def test_an_identity_may_be_given() -> None:
    header = sign(FIELDS, BODY, (ED,), at_s=AT, expires_s=AT + 9, identity="ann@x.example")
    assert b"i=ann@x.example;" in header
    assert verdicts(header + b"".join(FIELDS) + b"\r\n" + BODY) == ["pass"]


OVERSIGNED = (
    "From To Cc Subject Date Reply-To Message-ID MIME-Version Content-Type List-Unsubscribe List-Unsubscribe-Post"
)


@pytest.mark.parametrize(("name", "at_top"), list(product(OVERSIGNED.split(), [True, False])))
def test_a_field_added_later_breaks_every_signature(name: str, at_top: bool) -> None:
    octets = signed()
    added = f"{name}: eve@z.example\r\n".encode()
    header, gap, body = octets.partition(b"\r\n\r\n")
    changed = added + octets if at_top else header + b"\r\n" + added.removesuffix(b"\r\n") + gap + body
    assert verdicts(changed) == ["fail", "fail"]


def test_several_fields_of_one_name_are_signed_from_the_last() -> None:
    fields = [*FIELDS, b"References: <1@a>\r\n", b"References: <2@a>\r\n", b"To: second@x.example\r\n"]
    assert verdicts(signed(fields)) == ["pass", "pass"]
    swapped = [*FIELDS, b"References: <2@a>\r\n", b"References: <1@a>\r\n", b"To: second@x.example\r\n"]
    header = sign(fields, BODY, (RSA,), at_s=AT, expires_s=AT)
    assert verdicts(header + b"".join(swapped) + b"\r\n" + BODY) == ["fail"]


def test_relays_may_change_white_space_but_nothing_else() -> None:
    octets = signed()
    assert verdicts(octets.replace(b"Hello  there \r\n", b"Hello there\r\n")) == ["pass", "pass"]
    assert verdicts(octets.replace(b"Subject: a  long\r\n folded\t one", b"SUBJECT:a long folded one ")) == ["pass"] * 2
    assert verdicts(octets + b"\r\n\r\n") == ["pass", "pass"]
    assert verdicts(octets.replace(b"Hello", b"hello")) == ["fail", "fail"]
    assert verdicts(octets.replace(b"folded", b"Folded")) == ["fail", "fail"]
    assert verdicts(octets.replace(b"X-Other: free", b"X-Other: changed")) == ["pass", "pass"]


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (b"v=1;", b"v=2;", "permerror"),
        (b"a=ed25519-sha256", b"a=rsa-sha1", "policy"),
        (b"a=ed25519-sha256", b"a=rsa-sha256", "permerror"),
        (b"t=17", b"l=5; t=17", "policy"),
        (b"t=17", b"t=x17", "permerror"),
        (b"d=x.example", b"d=-x.example", "permerror"),
        (b"s=ed1", b"s=none", "permerror"),
        (b"s=ed1", b"s=..", "permerror"),
        (b"s=ed1", b"s=" + b"a" * 64, "permerror"),
        (b"s=ed1", b"s=" + b"a." * 119 + b"a", "permerror"),
        (b"i=@x.example", b"i=@y.example", "permerror"),
        (b"i=@x.example", b"i=@sub.x.example", "fail"),
        (b"h=From:From:", b"h=", "permerror"),
        (b"c=relaxed/relaxed", b"c=odd/relaxed", "permerror"),
        (b"c=relaxed/relaxed", b"c=relaxed", "fail"),
        (b"c=relaxed/relaxed", b"c=simple/relaxed", "fail"),
        (b"bh=", b"bh=!", "permerror"),
        (b"bh=", b"bh=AA", "permerror"),
        (b"\tb=", b"\tb=\xc3\xbc", "permerror"),
        (b"\tbh=", b"\tq=", "permerror"),
        (b"v=1;", b"v=1; v=1;", "permerror"),
        (b"v=1;", b"v=\xff;", "permerror"),
    ],
)
def test_a_malformed_or_changed_signature_gets_its_verdict(old: bytes, new: bytes, verdict: str) -> None:
    octets = signed(keys=(ED,))
    assert old in octets
    assert verdicts(octets.replace(old, new, 1)) == [verdict]


def test_an_expired_signature_fails() -> None:
    assert verdicts(signed(keys=(ED,)), now_s=AT + 604_800) == ["pass"]
    assert verdicts(signed(keys=(ED,)), now_s=AT + 604_801) == ["fail"]


@pytest.mark.parametrize(
    ("record", "verdict"), [(None, "permerror"), (b"nonsense", "permerror"), (b"v=DKIM1; k=ed25519; p=", "permerror")]
)
def test_without_a_usable_key_nothing_passes(record: bytes | None, verdict: str) -> None:
    assert verdicts(signed(keys=(ED,)), lambda name: record) == [verdict]


def test_a_strict_key_is_not_for_subdomains_and_a_testing_one_says_so() -> None:
    record = RECORDS["ed1._domainkey.x.example"] + b"; t=s:y"
    assert verify(parse(signed(keys=(ED,))), lambda name: record, now_s=AT)[0].testing
    header = sign(FIELDS, BODY, (ED,), at_s=AT, expires_s=AT, identity="@sub.x.example")
    octets = header + b"".join(FIELDS) + b"\r\n" + BODY
    assert verdicts(octets) == ["pass"]
    assert verdicts(octets, lambda name: record) == ["permerror"]


def test_only_the_first_ten_signatures_are_looked_at() -> None:
    octets = signed(keys=(ED,))
    header = octets.partition(b"\r\nFrom")[0] + b"\r\n"
    assert len(verdicts(header * 20 + octets)) == 10


@pytest.mark.parametrize(
    ("field", "relaxed"),
    [
        (b"A: X\r\n", b"a:X"),
        (b"B : Y\t\r\n\tZ  \r\n", b"b:Y Z"),
        (b"C:\r\n", b"c:"),
        (b"D: \r\n \r\n x", b"d:x"),
    ],
)
def test_fields_are_reduced_as_the_standards_examples_are(field: bytes, relaxed: bytes) -> None:
    assert relaxed_field(field) == relaxed
    assert simple_field(field) == field.removesuffix(b"\r\n")


@pytest.mark.parametrize(
    ("body", "relaxed", "simple"),
    [
        (b"", b"", b"\r\n"),
        (b"\r\n\r\n", b"", b"\r\n"),
        (b" \t\r\n\r\n", b"", b" \t\r\n"),
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n", b" C \r\nD \t E\r\n"),
        (b"x", b"x\r\n", b"x\r\n"),
        (b"x \t", b"x\r\n", b"x \t\r\n"),
        (b"x" + b" " * 77 + b"y\r\n", b"x y\r\n", b"x" + b" " * 77 + b"y\r\n"),
        (b"x" + b"\r\n" * 10_000, b"x\r\n", b"x\r\n"),
        (b"x\n\r\n", b"x\n\r\n", b"x\n\r\n"),
    ],
)
def test_bodies_are_reduced_as_the_standards_examples_are(body: bytes, relaxed: bytes, simple: bytes) -> None:
    assert relaxed_body(body) == relaxed
    assert simple_body(body) == simple
