"""Streams: kinds of mail within a project that have their own schedule, expiry and unsubscribe rules."""

from enum import StrEnum

import msgspec

from postroad.model.clock import HOUR, MINUTE


class StreamKind(StrEnum):
    """What a stream is for; it decides the defaults."""

    TRANSACTIONAL = "transactional"
    BROADCAST = "broadcast"


PRECEDENCE = (StreamKind.TRANSACTIONAL, StreamKind.BROADCAST)
"""Which kind of mail goes before which, everywhere that mail waits."""


class RetrySchedule(msgspec.Struct, frozen=True):
    """How long to wait after each failed attempt, in microseconds; the last delay repeats until expiry."""

    delays: tuple[int, ...] = (5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, 80 * MINUTE, 160 * MINUTE, 4 * HOUR)
    jitter: float = 0.2
    """Each delay is multiplied by a factor drawn from 1 - jitter to 1 + jitter."""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of a project."""

    name: str
    kind: StreamKind
    expire_after: int
    """Microseconds from the time a message is due until we give up on it."""
    retry: RetrySchedule = RetrySchedule()
    unsubscribe: bool = False
    """Whether its messages carry List-Unsubscribe headers with one-click (RFC 8058)."""
    require_tls: bool = False
    """Whether its messages may only be handed over under verified TLS."""


TRANSACTIONAL = Stream(name="transactional", kind=StreamKind.TRANSACTIONAL, expire_after=24 * HOUR)
BROADCAST = Stream(name="broadcast", kind=StreamKind.BROADCAST, expire_after=72 * HOUR, unsubscribe=True)
BUILT_IN = {stream.name: stream for stream in (TRANSACTIONAL, BROADCAST)}
