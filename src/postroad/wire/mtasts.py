"""MTA-STS: a domain's word that mail for it is carried under TLS, to hosts it names (RFC 8461).

The story: `find_id` reads the TXT record that tells whether there is a policy and which; `read_policy` reads the policy
file that lies at `policy_url`; `permits` tells whether a mail exchanger is one that the policy names.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONGEST_AGE_S: Final = 31_557_600
"""The most that `max_age` may be, about a year (RFC 8461 §3.2)."""
MOST_OCTETS: Final = 65_536
"""The most of a policy file that is read (RFC 8461 §3.3)."""
_VERSION: Final = "STSv1"
_RECORD: Final = re.compile(r"v=STSv1[ \t]*(;|\Z)")
_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}")
_AGE: Final = re.compile(r"[0-9]{1,10}")
_PATTERN: Final = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*\.?")
_MOST_PATTERNS: Final = 1000


class Mode(StrEnum):
    """What follows when a host does not keep to the policy (RFC 8461 §5)."""

    ENFORCE = "enforce"
    """Mail is not handed to it."""
    TESTING = "testing"
    """It is reported."""
    NONE = "none"
    """Nothing; the domain takes its word back."""


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """A policy: `mx` are patterns in lower case, the age is at most `LONGEST_AGE_S`."""

    mode: Mode
    mx: tuple[str, ...]
    max_age_s: int


class StsError(ValueError):
    """A policy file that is none; the text is a public sentence."""


def find_id(texts: Iterable[str]) -> str | None:
    """Return the identifier among the TXT records at `_mta-sts.<domain>`.

    None when there is no record, more than one, or one without a usable `id` (RFC 8461 §3.1): then no policy is found.
    """
    records = [text for text in texts if _RECORD.match(text)]
    if len(records) != 1:
        return None
    for item in records[0].split(";")[1:]:
        name, equals, value = item.strip(" \t").partition("=")
        if name == "id":
            return value if equals and _ID.fullmatch(value) else None
    return None


def policy_url(domain: str, port: int = 443) -> str:
    """Return where a domain's policy lies (RFC 8461 §3.3)."""
    place = "" if port == 443 else f":{port}"
    return f"https://mta-sts.{domain}{place}/.well-known/mta-sts.txt"


def read_policy(octets: bytes) -> StsPolicy:
    """Read a policy file (RFC 8461 §3.2). Unknown fields are ignored, and of fields given twice all but the first.

    Raises:
        StsError: it is not a policy.
    """
    fields, patterns = _fields(octets)
    if fields.get("version") != _VERSION:
        raise StsError("The policy file does not say version: STSv1.")
    try:
        mode = Mode(fields.get("mode", ""))
    except ValueError:
        raise StsError("The policy file has no mode of enforce, testing or none.") from None
    age = fields.get("max_age", "")
    if not _AGE.fullmatch(age):
        raise StsError("The policy file has no max_age in seconds.")
    if not patterns and mode is not Mode.NONE:
        raise StsError("The policy file names no mx.")
    return StsPolicy(mode, tuple(patterns), min(int(age), LONGEST_AGE_S))


def write_policy(policy: StsPolicy) -> tuple[str, ...]:
    """Return a policy as the lines of its file."""
    patterns = [f"mx: {pattern}" for pattern in policy.mx]
    return (f"version: {_VERSION}", f"mode: {policy.mode.value}", *patterns, f"max_age: {policy.max_age_s}")


def permits(patterns: Sequence[str], host: str) -> bool:
    """Tell whether a mail exchanger matches a pattern; `*` stands for exactly one label (RFC 8461 §4.1)."""
    host = host.lower().removesuffix(".")
    _, dot, parent = host.partition(".")
    return any(
        pattern.removesuffix(".") == host or (bool(dot) and pattern.removesuffix(".") == f"*.{parent}")
        for pattern in patterns
    )


def _fields(octets: bytes) -> tuple[dict[str, str], list[str]]:
    """Return the first value of each field, and the patterns of all `mx` fields."""
    if len(octets) > MOST_OCTETS:
        raise StsError("The policy file is larger than 64 KiB.")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise StsError("The policy file is not UTF-8.") from None
    fields: dict[str, str] = {}
    patterns: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if not line.strip(" \t"):
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise StsError("The policy file has a line that is not a field and its value.")
        name, value = name.strip(" \t"), value.strip(" \t")
        fields.setdefault(name, value)
        if name == "mx":
            patterns.append(_pattern(value))
    if len(patterns) > _MOST_PATTERNS:
        raise StsError("The policy file names too many mail exchangers.")
    return fields, patterns


def _pattern(value: str) -> str:
    pattern = value.lower()
    if len(pattern) > 255 or not _PATTERN.fullmatch(pattern):
        raise StsError("The policy file has an mx that is neither a host name nor *. and a domain.")
    return pattern
