"""DANE: certificates that the DNS vouches for (RFC 6698, and for mail RFC 7672).

A mail server's TLSA records lie at `owner(host, port)`. `usable` picks those that mail can use; `flaw_of` holds the
certificates of a handshake against them. Whether the records came over DNSSEC is the resolver's knowledge, not ours.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

_MOST_RECORDS: Final = 100
_MOST_CERTIFICATES: Final = 12


class Usage(IntEnum):
    """How a record is meant (RFC 7218 §2.1); of the four only these two are for mail (RFC 7672 §3.1)."""

    DANE_TA = 2
    """It names an authority: the chain must lead to it, and the name and the time must hold."""
    DANE_EE = 3
    """It names the server's own certificate: nothing else of it counts, neither name nor time."""


class Selector(IntEnum):
    """What of a certificate is compared."""

    CERTIFICATE = 0
    KEY = 1


class Matching(IntEnum):
    """In which form it is compared."""

    FULL = 0
    SHA2_256 = 1
    SHA2_512 = 2


_DIGESTS: Final = {Matching.SHA2_256: (hashlib.sha256, 32), Matching.SHA2_512: (hashlib.sha512, 64)}


@dataclass(frozen=True, slots=True)
class Tlsa:
    """A TLSA record as it stands in the DNS, sensible or not (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes

    def __str__(self) -> str:
        """Return it as it is written in a zone."""
        return f"{self.usage} {self.selector} {self.matching} {self.data.hex()}"


def owner(host: str, port: int) -> str:
    """Return the name at which a mail server's records lie (RFC 7672 §2.2.3)."""
    return f"_{port}._tcp.{host}"


def usable(records: Iterable[Tlsa]) -> tuple[Tlsa, ...]:
    """Return the records that mail can use, of each kind only those of the strongest digest (RFC 7671 §9).

    The usages 0 and 1, which want public authorities besides, are not used for mail (RFC 7672 §3.1.3).
    """
    sound = [record for record in records if _sound(record)][:_MOST_RECORDS]
    strongest: dict[tuple[int, int], int] = {}
    for record in sound:
        kind = record.usage, record.selector
        strongest[kind] = max(strongest.get(kind, 0), record.matching)
    return tuple(
        record for record in sound if record.matching in (Matching.FULL, strongest[record.usage, record.selector])
    )


def flaw_of(records: Sequence[Tlsa], chain: Sequence[bytes], host: str, at: dt.datetime) -> str | None:
    """Return why none of the usable records vouches for a server, as a public sentence; None when one does.

    Args:
        records: from `usable`.
        chain: certificates as DER, as the server sent them, its own first.
        host: name under which the records were found.
        at: the time now, with its zone.
    """
    if not chain:
        return "The server showed no certificate."
    if any(record.usage == Usage.DANE_EE and _matches(record, chain[0]) for record in records):
        return None
    anchors = [record for record in records if record.usage == Usage.DANE_TA]
    if not anchors:
        return "The server's certificate is not the one that its TLSA records name."
    return _chain_flaw(anchors, chain[:_MOST_CERTIFICATES], host, at)


def _sound(record: Tlsa) -> bool:
    if record.usage not in tuple(Usage) or record.selector not in tuple(Selector):
        return False
    if record.matching == Matching.FULL:
        return bool(record.data)
    return record.matching in tuple(Matching) and len(record.data) == _DIGESTS[Matching(record.matching)][1]


def _matches(record: Tlsa, certificate: bytes) -> bool:
    octets = certificate if record.selector == Selector.CERTIFICATE else _key(certificate)
    if octets is None:
        return False
    if record.matching == Matching.FULL:
        return octets == record.data
    digest, _ = _DIGESTS[Matching(record.matching)]
    return digest(octets).digest() == record.data


def _key(certificate: bytes) -> bytes | None:
    """Return the public key of a certificate as SubjectPublicKeyInfo, or None when it cannot be read."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _chain_flaw(anchors: Sequence[Tlsa], chain: Sequence[bytes], host: str, at: dt.datetime) -> str | None:
    """Hold a chain against the authorities that the records name (RFC 7672 §3.1.2)."""
    given = [octets for octets in chain[1:] if any(_matches(record, octets) for record in anchors)]
    # a record may hold the authority itself, which the server then need not send
    given += [record.data for record in anchors if (record.selector, record.matching) == (0, 0)]
    if not given:
        return "No authority that the TLSA records name is in the server's chain."
    try:
        certificates = [x509.load_der_x509_certificate(octets) for octets in chain]
        store = Store([x509.load_der_x509_certificate(octets) for octets in given])
        verifier = PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName(host))
        verifier.verify(certificates[0], certificates[1:])
    except VerificationError:
        return f"The certificate does not lead to an authority that the TLSA records name, or is not for {host}."
    except (ValueError, UnsupportedAlgorithm):
        return "The server's certificates cannot be read."
    return None
