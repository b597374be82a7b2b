"""The form of an API key: `pr_live_` or `pr_test_`, 43 characters of 256 random bits, 6 of checksum.

The prefix says whose key it is and the checksum that it is one, so that scanners of leaked secrets find it without
false alarms, and a key that was cut off while copying is told from one that is unknown.
"""

import hashlib
import re
import zlib
from typing import Final

from postroad.model.message import Mode

ENTROPY_OCTETS: Final = 32
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARACTERS: Final = 43
_CHECK_CHARACTERS: Final = 6
_FORM = re.compile(r"pr_(?:live|test)_[0-9A-Za-z]{49}")


def make(mode: Mode, entropy: bytes) -> str:
    """Return a new secret; `entropy` is 32 random octets."""
    if len(entropy) != ENTROPY_OCTETS:
        raise ValueError("an API key takes 32 octets of entropy")
    text = f"pr_{mode.value}_{_base62(int.from_bytes(entropy, 'big'), _RANDOM_CHARACTERS)}"
    return text + _checksum(text)


def well_formed(text: str) -> bool:
    """Whether this is an API key in form and checksum; whether anybody knows it is another question."""
    return _FORM.fullmatch(text) is not None and _checksum(text[:-_CHECK_CHARACTERS]) == text[-_CHECK_CHARACTERS:]


def mode_of(text: str) -> Mode:
    """Return the mode that a well-formed secret names."""
    return Mode.TEST if text.startswith("pr_test_") else Mode.LIVE


def digest(text: str) -> bytes:
    """Return what is stored of a secret: its SHA-256. No salt, because 256 random bits cannot be guessed."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode("ascii")), _CHECK_CHARACTERS)


def _base62(number: int, characters: int) -> str:
    digits = []
    for _ in range(characters):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
