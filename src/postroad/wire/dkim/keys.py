"""Key pairs and the DNS records that publish them (RFC 6376 §3.6, RFC 8463 §3)."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

RSA_BITS: Final = 2048
_SHORTEST_RSA: Final = 1024  # RFC 8301 §3.2
_LONGEST_RSA: Final = 4096  # RFC 8301 §3.2: verifiers must take up to this
_LONGEST_RECORD: Final = 4096

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class Algorithm(StrEnum):
    """How a signature is made, as it stands in `a=`."""

    RSA_SHA256 = "rsa-sha256"
    ED25519_SHA256 = "ed25519-sha256"


class RecordError(ValueError):
    """A DNS text that is no usable DKIM key record; the text is a public sentence."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A loaded private key and where its public half is published."""

    domain: str
    selector: str
    private: PrivateKey

    @property
    def algorithm(self) -> Algorithm:
        """How this key signs."""
        return Algorithm.RSA_SHA256 if isinstance(self.private, rsa.RSAPrivateKey) else Algorithm.ED25519_SHA256

    def signature(self, data: bytes) -> bytes:
        """Sign canonical header octets; Ed25519 signs their SHA-256 digest (RFC 8463 §3)."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.private.sign(hashlib.sha256(data).digest())


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What a key record says.

    Attributes:
        key: The public key, or None when the key is revoked (an empty `p=`).
        testing: The domain is still trying DKIM out (`t=y`).
        strict: The identity must be of this very domain, not of one below it (`t=s`).
    """

    key: PublicKey | None
    testing: bool = False
    strict: bool = False

    @property
    def algorithm(self) -> Algorithm:
        """The only algorithm this key is for."""
        return Algorithm.ED25519_SHA256 if isinstance(self.key, ed25519.Ed25519PublicKey) else Algorithm.RSA_SHA256


def generate(algorithm: Algorithm) -> PrivateKey:
    """Make a new private key; the one place in this package that draws chance, inside the cryptographic library."""
    match algorithm:
        case Algorithm.RSA_SHA256:
            return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        case Algorithm.ED25519_SHA256:
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            assert_never(algorithm)


def load_private_key(octets: bytes) -> PrivateKey:
    """Load a private key from PEM or DER, unencrypted.

    Raises:
        ValueError: It is neither an RSA key of 1024 to 4096 bits nor an Ed25519 key.
    """
    load = serialization.load_pem_private_key if octets.startswith(b"-----") else serialization.load_der_private_key
    try:
        key = load(octets, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        raise ValueError("This is not an unencrypted private key in PEM or DER.") from problem
    if isinstance(key, rsa.RSAPrivateKey) and _SHORTEST_RSA <= key.key_size <= _LONGEST_RSA:
        return key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    raise ValueError("A DKIM key is RSA of 1024 to 4096 bits or Ed25519.")


def private_der(key: PrivateKey) -> bytes:
    """Return the key as unencrypted PKCS #8 DER."""
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def private_pem(key: PrivateKey) -> bytes:
    """Return the key as unencrypted PKCS #8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def record_name(selector: str, domain: str) -> str:
    """Return the DNS name at which a key is published (RFC 6376 §3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def public_record(key: PrivateKey) -> str:
    """Return the value of the TXT record that publishes the public half of a key."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        public = key.public_key().public_bytes_raw()
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}"
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


def parse_tags(text: str) -> dict[str, str]:
    """Read a tag list such as `v=1; a=rsa-sha256` (RFC 6376 §3.2); inner white space of values stays.

    Raises:
        ValueError: It is no tag list, or a tag stands twice.
    """
    tags: dict[str, str] = {}
    items = text.split(";")
    if not items[-1].strip():
        items.pop()
    for item in items:
        name, equals, value = item.partition("=")
        name = name.strip()
        if not equals or not name.replace("_", "a").isalnum() or name in tags:
            raise ValueError("This is not a list of tags, each written once as name=value.")
        tags[name] = value.strip()
    return tags


def parse_record(octets: bytes) -> KeyRecord:
    """Read a key record as found in DNS, its strings joined (RFC 6376 §3.6.1).

    Raises:
        RecordError: It cannot be used to verify with.
    """
    if len(octets) > _LONGEST_RECORD:
        raise RecordError("The key record is too long.")
    try:
        tags = parse_tags(octets.decode("ascii"))
    except ValueError as problem:
        raise RecordError("The key record is not a list of tags.") from problem
    if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        raise RecordError("The key record does not begin with v=DKIM1.")
    if "p" not in tags:
        raise RecordError("The key record has no p=.")
    if "h" in tags and "sha256" not in _words(tags["h"]):
        raise RecordError("The key record does not allow SHA-256.")
    if not {"*", "email"} & set(_words(tags.get("s", "*"))):
        raise RecordError("The key record is not for email.")
    flags = _words(tags.get("t", ""))
    key = _public_key(tags.get("k", "rsa"), "".join(tags["p"].split()))
    return KeyRecord(key, testing="y" in flags, strict="s" in flags)


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.split(":")]


def _public_key(kind: str, encoded: str) -> PublicKey | None:
    """Load the key of a record; None when it is revoked."""
    if kind not in {"rsa", "ed25519"}:
        raise RecordError("The key record is for an unknown kind of key.")
    if not encoded:
        return None
    try:
        octets = base64.b64decode(encoded, validate=True)
        if kind == "ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(octets)
        key = serialization.load_der_public_key(octets)
    except (binascii.Error, ValueError, UnsupportedAlgorithm) as problem:
        raise RecordError("The public key in the record cannot be read.") from problem
    if not isinstance(key, rsa.RSAPublicKey):
        raise RecordError("The record says rsa but holds another kind of key.")
    if not _SHORTEST_RSA <= key.key_size <= _LONGEST_RSA:
        raise RecordError("The RSA key in the record is not of 1024 to 4096 bits.")
    return key
