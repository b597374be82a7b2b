"""Identifiers: a prefix that names the kind, then 26 characters that sort by time.

The 26 characters are 130 bits of Crockford's base 32 in lower case: 48 bits of milliseconds, 80 bits of entropy that
the caller draws, and two zero bits in front. Whoever makes many in a millisecond counts in the upper 30 bits of the 80.
Events differ: an event's identifier is its place in the log, so that it also serves as the cursor of the feed.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NewType

from postroad.model.clock import Instant

ProjectId = NewType("ProjectId", str)
KeyId = NewType("KeyId", str)
MessageId = NewType("MessageId", str)
DeliveryId = NewType("DeliveryId", str)
EventId = NewType("EventId", str)
DomainId = NewType("DomainId", str)
DkimKeyId = NewType("DkimKeyId", str)
SuppressionId = NewType("SuppressionId", str)
SuspensionId = NewType("SuspensionId", str)
WebhookId = NewType("WebhookId", str)
InboundId = NewType("InboundId", str)

Mint = Callable[[str], str]
"""Makes a new identifier for a prefix: `mint` with the clock and the entropy of the running server."""

ENTROPY_OCTETS = 10
COUNT_BITS = 30
TAIL_DIGITS = 10
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_DIGIT_OF_OCTET = bytes(ord(_ALPHABET[octet & 31]) for octet in range(256))
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_EVENT_DIGITS = 13
_MINTED_DIGITS = 26


def _base32(number: int, pairs: int) -> str:
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(10 * (pairs - 1), -1, -10)])


@lru_cache(64)
def _stamp(at_ms: int) -> str:
    return _base32(at_ms & 0xFFFF_FFFF_FFFF, 5)


def mint(prefix: str, at: Instant, entropy: bytes) -> str:
    """Return a new identifier such as `msg_01k…`; `entropy` is 10 random octets."""
    if len(entropy) != ENTROPY_OCTETS:
        raise ValueError("an identifier takes ten octets of entropy")
    return f"{prefix}_{_stamp(at // 1000)}{_base32(int.from_bytes(entropy, 'big'), 8)}"


def mint_counted(prefix: str, at: Instant, count: int, tail: str) -> str:
    """Return a new identifier whose entropy is `count` of `COUNT_BITS` bits, then `tail`, digits of `random_digits`."""
    return f"{prefix}_{_stamp(at // 1000)}{_PAIRS[count >> 20]}{_PAIRS[count >> 10 & 1023]}{_PAIRS[count & 1023]}{tail}"


def random_digits(entropy: bytes) -> str:
    """Return one digit for each octet of entropy: five bits of it."""
    return entropy.translate(_DIGIT_OF_OCTET).decode("ascii")


def minted_at(identifier: str) -> Instant:
    """Return when an identifier with a prefix and 26 characters was minted, to the millisecond.

    Raises:
        ValueError: It is none.
    """
    digits = identifier.partition("_")[2]
    if len(digits) != _MINTED_DIGITS or not all(character in _VALUES for character in digits):
        raise ValueError("not an identifier that was minted")
    number = 0
    for character in digits:
        number = number << 5 | _VALUES[character]
    return Instant((number >> 80) * 1000)


def event_id(seq: int) -> EventId:
    """Return the public identifier of the event at place `seq` of the log (1 and up)."""
    return EventId(f"evt_{_base32(seq, 7)[1:]}")


def event_seq(identifier: str) -> int | None:
    """Return the place in the log that an event identifier names, or None when it is not one."""
    digits = identifier[4:]
    if not identifier.startswith("evt_") or len(digits) != _EVENT_DIGITS:
        return None
    seq = 0
    for character in digits:
        value = _VALUES.get(character)
        if value is None:
            return None
        seq = seq << 5 | value
    return seq if seq < 1 << 63 else None
