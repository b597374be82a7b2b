"""Variable envelope return paths: they say which delivery a bounce is about, and nobody else can make one.

The local part is `b+<id>.<mac>`: the delivery's 26 characters, then 80 bits of HMAC-SHA256 over them. It is 45 octets
long and survives systems that change the case of local parts. Without the key no bounce can be forged for a delivery.
With `u` in front it is the address to which a reader writes to unsubscribe; neither can be turned into the other.
"""

import hmac
import re
from enum import StrEnum
from functools import lru_cache
from typing import Final

_MAC_OCTETS: Final = 10
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"  # base 32 of RFC 4648 §6, in lower case
_PAIRS: Final = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_SHIFTS: Final = tuple(range(8 * _MAC_OCTETS - 10, -1, -10))
_LOCAL = re.compile(r"([bu])\+([0-9a-hjkmnp-tv-z]{26})\.([a-z2-7]{16})")
_ID = re.compile(r"dlv_([0-9a-hjkmnp-tv-z]{26})")


class Purpose(StrEnum):
    """What an address is for."""

    BOUNCE = "b"
    UNSUBSCRIBE = "u"


_SALTS: Final = {Purpose.BOUNCE: b"verp:", Purpose.UNSUBSCRIBE: b"verp:u:"}


def make(delivery_id: str, key: bytes, purpose: Purpose = Purpose.BOUNCE) -> str:
    """Return the local part of the return path of a delivery.

    Args:
        delivery_id: `dlv_` and 26 characters of Crockford's base 32 in lower case.
        key: The secret of the installation, 16 octets or more.
        purpose: What mail to it means.

    Raises:
        ValueError: The identifier has another shape.
    """
    found = _ID.fullmatch(delivery_id)
    if found is None:
        raise ValueError("a return path is for a delivery")
    return f"{purpose}+{found.group(1)}.{_mac(found.group(1), key, purpose)}"


def read(local: str, key: bytes) -> str | None:
    """Return the delivery that a return path was made for with this key, or None; in constant time for the MAC."""
    found = read_any(local, key)
    return found[1] if found is not None and found[0] is Purpose.BOUNCE else None


def read_any(local: str, key: bytes) -> tuple[Purpose, str] | None:
    """Return what an address made with this key is for, and its delivery, or None; in constant time for the MAC."""
    found = _LOCAL.fullmatch(local.lower()) if local.isascii() else None
    if found is None:
        return None
    purpose = Purpose(found.group(1))
    if not hmac.compare_digest(_mac(found.group(2), key, purpose), found.group(3)):
        return None
    return purpose, f"dlv_{found.group(2)}"


@lru_cache(8)
def _begun(key: bytes, purpose: Purpose) -> hmac.HMAC:
    """Return the part that all addresses share: copied, it costs half, and unlike `hmac.digest` keeps the lock."""
    return hmac.new(key, _SALTS[purpose], "sha256")


def _mac(identifier: str, key: bytes, purpose: Purpose) -> str:
    begun = _begun(key, purpose).copy()
    begun.update(identifier.encode())
    digest = begun.digest()
    number = int.from_bytes(digest[:_MAC_OCTETS], "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
