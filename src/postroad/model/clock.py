"""Instants and durations: integers of microseconds since 1970 in UTC, and their RFC 3339 text."""

from datetime import UTC, datetime, timedelta
from typing import NewType, Protocol

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01T00:00:00Z."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


class Clock(Protocol):
    """Where instants come from; the server's is the wall clock, a test's stands still."""

    def now(self) -> Instant:
        """Return the current instant."""
        ...


def after(at: Instant, microseconds: int) -> Instant:
    """Return the instant that lies `microseconds` later (or earlier, when negative)."""
    return Instant(at + microseconds)


def to_datetime(at: Instant) -> datetime:
    """Return `at` as an aware datetime in UTC; before the year 1 and after 9999 there is none, then the nearest.

    Such instants come of times near the ends that were given with an offset, and of moving a time that is near.
    """
    try:
        return _EPOCH + timedelta(microseconds=at)
    except OverflowError:
        return _FIRST if at < 0 else _LAST


def from_datetime(moment: datetime) -> Instant:
    """Return the instant of an aware datetime.

    Raises:
        ValueError: `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("A time needs a time zone, such as Z or +02:00.")
    return Instant((moment - _EPOCH) // timedelta(microseconds=1))


def to_rfc3339(at: Instant) -> str:
    """Return `at` as RFC 3339 text with microseconds and `Z` (RFC 3339 §5.6)."""
    return to_datetime(at).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
