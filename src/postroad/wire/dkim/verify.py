"""Verification: what a receiver makes of a message's signatures (RFC 6376 §6, RFC 8301, RFC 8463).

Pure: the public keys come from a `lookup` that the caller gives, and the instant too. Signatures with SHA-1, with keys
shorter than 1024 bits or with a body length (`l=`) are not accepted.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from postroad.wire.dkim.canonical import relaxed_body, relaxed_field, simple_body, simple_field
from postroad.wire.dkim.keys import Algorithm, KeyRecord, PublicKey, RecordError, parse_record, parse_tags, record_name
from postroad.wire.parse import Field, Message

Lookup = Callable[[str], bytes | None]
"""Gives the TXT record at a name, its strings joined, or None when there is none."""

_MOST_SIGNATURES: Final = 10  # beyond that a message only makes us work
_REQUIRED: Final = frozenset(("v", "a", "b", "bh", "d", "h", "s"))
_SIGNATURE_VALUE = re.compile(rb"(\A|;)([ \t\r\n]*b[ \t\r\n]*=)[^;]*")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL}){{0,126}}")


class Verdict(StrEnum):
    """What became of one signature, in the words of RFC 8601 §2.7.1."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    POLICY = "policy"
    NEUTRAL = "neutral"
    PERMERROR = "permerror"


@dataclass(frozen=True, slots=True)
class Result:
    """One signature's verdict, whose it was, and why."""

    verdict: Verdict
    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    reason: str = ""
    testing: bool = False


class _Unacceptable(Exception):  # noqa: N818 - carries a verdict to the one place that reports it
    def __init__(self, verdict: Verdict, reason: str) -> None:
        super().__init__(reason)
        self.verdict = verdict
        self.reason = reason


def verify(message: Message, lookup: Lookup, *, now_s: int) -> list[Result]:
    """Verify each DKIM-Signature of a message, top to bottom; at most ten of them.

    Args:
        message: The message, without dot-stuffing.
        lookup: Gives the TXT record at a name; what it raises passes through.
        now_s: The instant of verification, in seconds since 1970.
    """
    return [_verify_one(field, message, lookup, now_s) for field in message.all(b"dkim-signature")[:_MOST_SIGNATURES]]


def _verify_one(field: Field, message: Message, lookup: Lookup, now_s: int) -> Result:
    tags: dict[str, str] = {}
    record: KeyRecord | None = None
    try:
        tags = _read_tags(field)
        _check_tags(tags, now_s)
        _check_body(tags, message.body)
        record = _find_record(tags, lookup)
        _check_signature(tags, _key(tags, record), field, message)
        verdict, reason = Verdict.PASS, ""
    except _Unacceptable as unacceptable:
        verdict, reason = unacceptable.verdict, unacceptable.reason
    return Result(
        verdict,
        domain=tags.get("d", "").lower(),
        selector=tags.get("s", ""),
        algorithm=tags.get("a", ""),
        reason=reason,
        testing=record is not None and record.testing,
    )


def _read_tags(field: Field) -> dict[str, str]:
    try:
        tags = parse_tags(field.body.decode("utf-8").replace("\r\n", ""))
    except ValueError as problem:
        raise _Unacceptable(Verdict.PERMERROR, "The signature is not a list of tags.") from problem
    if not tags.keys() >= _REQUIRED:
        raise _Unacceptable(Verdict.PERMERROR, "The signature lacks a required tag.")
    return tags


def _check_tags(tags: dict[str, str], now_s: int) -> None:
    """Check all that needs neither the body nor the key (RFC 6376 §6.1.1)."""
    if tags["v"] != "1":
        raise _Unacceptable(Verdict.PERMERROR, "The signature is of an unknown version.")
    if tags["a"] not in set(Algorithm):
        raise _Unacceptable(Verdict.POLICY, "The signature's algorithm is not accepted.")
    if "l" in tags:
        raise _Unacceptable(Verdict.POLICY, "The signature leaves part of the body unsigned.")
    if len(tags["s"] + tags["d"]) > 240 or not (_NAME.fullmatch(tags["d"]) and _NAME.fullmatch(tags["s"])):
        raise _Unacceptable(Verdict.PERMERROR, "The signature's domain or selector is not a DNS name.")
    if "from" not in _names(tags):
        raise _Unacceptable(Verdict.PERMERROR, "The signature does not cover From.")
    identity = tags.get("i", "@" + tags["d"]).rpartition("@")[2].lower()
    if identity != tags["d"].lower() and not identity.endswith("." + tags["d"].lower()):
        raise _Unacceptable(Verdict.PERMERROR, "The signature's identity is not within its domain.")
    if not all(tags.get(tag, "0").isdecimal() for tag in "tx"):
        raise _Unacceptable(Verdict.PERMERROR, "The signature's times are not numbers.")
    if "x" in tags and now_s > int(tags["x"][:18]):
        raise _Unacceptable(Verdict.FAIL, "The signature has expired.")


def _names(tags: dict[str, str]) -> list[str]:
    return [name.strip().lower() for name in tags["h"].split(":")]


def _canonicalizations(tags: dict[str, str]) -> tuple[str, str]:
    header, _, body = tags.get("c", "simple/simple").partition("/")
    body = body or "simple"
    if not {header, body} <= {"simple", "relaxed"}:
        raise _Unacceptable(Verdict.PERMERROR, "The signature's canonicalization is unknown.")
    return header, body


def _check_body(tags: dict[str, str], body: bytes) -> None:
    reduced = relaxed_body(body) if _canonicalizations(tags)[1] == "relaxed" else simple_body(body)
    if not hmac.compare_digest(hashlib.sha256(reduced).digest(), _decoded(tags["bh"])):
        raise _Unacceptable(Verdict.FAIL, "The body is not the one that was signed.")


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError) as problem:
        raise _Unacceptable(Verdict.PERMERROR, "The signature is not base64.") from problem


def _find_record(tags: dict[str, str], lookup: Lookup) -> KeyRecord:
    octets = lookup(record_name(tags["s"], tags["d"]))
    if octets is None:
        raise _Unacceptable(Verdict.PERMERROR, "There is no key record for the signature.")
    try:
        record = parse_record(octets)
    except RecordError as problem:
        raise _Unacceptable(Verdict.PERMERROR, str(problem)) from problem
    return record


def _key(tags: dict[str, str], record: KeyRecord) -> PublicKey:
    """Return the record's key, provided that it is for this signature (RFC 6376 §6.1.2)."""
    if record.key is None:
        raise _Unacceptable(Verdict.PERMERROR, "The key has been revoked.")
    if record.algorithm != tags["a"]:
        raise _Unacceptable(Verdict.PERMERROR, "The key is for another algorithm.")
    if record.strict and tags.get("i", "@" + tags["d"]).rpartition("@")[2].lower() != tags["d"].lower():
        raise _Unacceptable(Verdict.PERMERROR, "The key is not for identities below its domain.")
    return record.key


def _check_signature(tags: dict[str, str], key: PublicKey, field: Field, message: Message) -> None:
    canonical = relaxed_field if _canonicalizations(tags)[0] == "relaxed" else simple_field
    left: dict[str, list[Field]] = {}
    for other in message.fields:
        left.setdefault(other.name.decode(), []).append(other)
    signed = [canonical(left[name].pop().octets) for name in _names(tags) if left.get(name)]
    # A name beyond the fields that are left stands for nothing at all (RFC 6376 §5.4.2).
    start = len(field.octets) - 2 - len(field.body)
    unsigned = field.octets[:start] + _SIGNATURE_VALUE.sub(rb"\1\2", field.body)
    signed.append(canonical(unsigned))
    if not _holds(key, b"\r\n".join(signed), _decoded(tags["b"])):
        raise _Unacceptable(Verdict.FAIL, "The signature does not fit the header and the key.")


def _holds(key: PublicKey, data: bytes, signature: bytes) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, hashlib.sha256(data).digest())
    except InvalidSignature:
        return False
    return True
