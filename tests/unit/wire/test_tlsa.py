"""TLSA records and the certificates they vouch for (RFC 6698, RFC 7672)."""

import datetime as dt
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from peers.certificate import Issued, issue
from postroad.wire.tlsa import Tlsa, flaw_of, owner, usable

HOST = "mx.example.test"
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issue(tmp_path_factory.mktemp("certificates"), [HOST])


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def chain(issued: Issued) -> list[bytes]:
    return [der(issued.certificate), der(issued.authority)]


FORMS: list[tuple[int, Callable[[bytes], bytes]]] = [
    (0, lambda octets: octets),
    (1, lambda octets: hashlib.sha256(octets).digest()),
    (2, lambda octets: hashlib.sha512(octets).digest()),
]


@pytest.mark.parametrize(("matching", "form"), FORMS)
def test_a_record_vouches_for_the_servers_own_certificate_or_key(
    issued: Issued, matching: int, form: Callable[[bytes], bytes]
) -> None:
    for selector, octets in ((0, der(issued.certificate)), (1, key(issued.certificate))):
        records = usable([Tlsa(3, selector, matching, form(octets))])
        assert flaw_of(records, chain(issued), "another.name.test", NOW) is None
    wrong = usable([Tlsa(3, 1, matching, form(key(issued.authority)))])
    assert flaw_of(wrong, chain(issued), HOST, NOW) is not None


def test_the_servers_own_certificate_may_be_expired(tmp_path: Path) -> None:
    old = issue(tmp_path, [HOST], expired=True)
    records = usable([Tlsa(3, 1, 1, hashlib.sha256(key(old.certificate)).digest())])
    assert flaw_of(records, chain(old), HOST, NOW) is None


@pytest.mark.parametrize(("matching", "form"), FORMS)
def test_a_record_vouches_for_an_authority_in_the_chain(
    issued: Issued, matching: int, form: Callable[[bytes], bytes]
) -> None:
    for selector, octets in ((0, der(issued.authority)), (1, key(issued.authority))):
        records = usable([Tlsa(2, selector, matching, form(octets))])
        assert flaw_of(records, chain(issued), HOST, NOW) is None
        assert "is not for another.test" in str(flaw_of(records, chain(issued), "another.test", NOW))


def test_an_authority_in_the_record_itself_need_not_be_sent(issued: Issued) -> None:
    records = usable([Tlsa(2, 0, 0, der(issued.authority))])
    assert flaw_of(records, [der(issued.certificate)], HOST, NOW) is None
    by_digest = usable([Tlsa(2, 0, 1, hashlib.sha256(der(issued.authority)).digest())])
    assert "is in the server's chain" in str(flaw_of(by_digest, [der(issued.certificate)], HOST, NOW))


def test_under_an_authority_the_time_counts(issued: Issued) -> None:
    records = usable([Tlsa(2, 1, 1, hashlib.sha256(key(issued.authority)).digest())])
    assert flaw_of(records, chain(issued), HOST, NOW + dt.timedelta(days=90)) is not None


def test_a_chain_of_another_authority_of_the_same_name_does_not_hold(issued: Issued, tmp_path: Path) -> None:
    forged = issue(tmp_path, [HOST])
    records = usable([Tlsa(2, 1, 1, hashlib.sha256(key(issued.authority)).digest())])
    assert flaw_of(records, [der(forged.certificate), der(issued.authority)], HOST, NOW) is not None


def test_one_record_that_holds_is_enough(issued: Issued) -> None:
    records = usable([Tlsa(3, 1, 1, bytes(32)), Tlsa(3, 1, 1, hashlib.sha256(key(issued.certificate)).digest())])
    assert flaw_of(records, chain(issued), HOST, NOW) is None


def test_what_is_no_certificate_holds_against_nothing(issued: Issued) -> None:
    anchor = usable([Tlsa(2, 0, 0, b"no certificate")])
    assert flaw_of(anchor, chain(issued), HOST, NOW) == "The server's certificates cannot be read."
    assert flaw_of(usable([Tlsa(3, 1, 1, bytes(32))]), [b"no certificate"], HOST, NOW) is not None
    assert flaw_of(usable([Tlsa(3, 1, 1, bytes(32))]), [], HOST, NOW) == "The server showed no certificate."


@pytest.mark.parametrize(
    "record",
    [
        Tlsa(0, 0, 1, bytes(32)),
        Tlsa(1, 1, 1, bytes(32)),
        Tlsa(4, 1, 1, bytes(32)),
        Tlsa(3, 2, 1, bytes(32)),
        Tlsa(3, 1, 3, bytes(32)),
        Tlsa(3, 1, 1, bytes(31)),
        Tlsa(3, 1, 2, bytes(32)),
        Tlsa(3, 1, 0, b""),
    ],
)
def test_a_record_that_mail_cannot_use_is_left_out(record: Tlsa) -> None:
    assert usable([record]) == ()


def test_of_each_kind_only_the_strongest_digest_counts() -> None:
    weak, strong, full = Tlsa(3, 1, 1, bytes(32)), Tlsa(3, 1, 2, bytes(64)), Tlsa(3, 1, 0, b"x")
    other = Tlsa(2, 1, 1, bytes(32))
    assert usable([weak, strong, full, other]) == (strong, full, other)


def test_records_lie_below_the_port_and_are_written_as_in_a_zone() -> None:
    assert owner("mx.example.com", 25) == "_25._tcp.mx.example.com"
    assert str(Tlsa(3, 1, 1, b"\x0a\xff")) == "3 1 1 0aff"
