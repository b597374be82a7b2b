"""The two mechanisms of AUTH that every submission server has: PLAIN (RFC 4616) and LOGIN (never standardised)."""

import binascii
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from postroad.wire.smtp.errors import MisuseError

LINE_OCTETS: Final = 12_288
"""Longest line of an authentication exchange, with its CRLF (RFC 4954 §4)."""


class Mechanism(StrEnum):
    """A mechanism we have, best first."""

    PLAIN = "PLAIN"
    LOGIN = "LOGIN"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who somebody says they are; `authorize_as` is empty where it is the same as `username`."""

    username: str
    password: str
    authorize_as: str = ""


def choose(offered: AbstractSet[str]) -> Mechanism | None:
    """Return the best mechanism of ours among those offered."""
    return next((mechanism for mechanism in Mechanism if mechanism in offered), None)


def steps(mechanism: Mechanism, username: str, password: str) -> list[tuple[str, str]]:
    """Return what the client says, line by line, each with the form that may be shown.

    Raises:
        MisuseError: A credential holds NUL, which PLAIN cannot carry.
    """
    if "\0" in username or "\0" in password:
        raise MisuseError("credentials cannot hold NUL")
    if mechanism is Mechanism.PLAIN:
        return [(f"AUTH PLAIN {encode(f'{chr(0)}{username}{chr(0)}{password}')}", "AUTH PLAIN <secret>")]
    return [("AUTH LOGIN", "AUTH LOGIN"), (encode(username), "<secret>"), (encode(password), "<secret>")]


def encode(text: str) -> str:
    """Return text as it goes over the wire."""
    return binascii.b2a_base64(text.encode(), newline=False).decode()


def decode(octets: bytes) -> str | None:
    """Read one line of an exchange; None when it is not base64 of UTF-8."""
    try:
        return binascii.a2b_base64(octets, strict_mode=True).decode()
    except ValueError:  # binascii.Error and UnicodeDecodeError are both of it
        return None


def read_plain(octets: bytes) -> Credentials | None:
    """Read the one message of PLAIN (RFC 4616 §2); None when it is malformed."""
    parts = (decode(octets) or "").split("\0")
    if len(parts) != 3 or not parts[1]:
        return None
    return Credentials(parts[1], parts[2], parts[0])
