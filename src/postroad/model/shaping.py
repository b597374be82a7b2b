"""Shaping: how mail to a site flows, and every change of that, as entries that can be read."""

from enum import StrEnum

import msgspec

from postroad.model.clock import Instant
from postroad.model.stream import StreamKind


class Flow(StrEnum):
    """Whether mail to a site moves."""

    FLOWING = "flowing"
    SUSPENDED = "suspended"
    """Nothing is sent for a while."""
    PROBING = "probing"
    """One message at a time finds out whether the site takes mail again."""
    RESTING = "resting"
    """A relay that the answering node could not reach, and for which it asks others first."""


class What(StrEnum):
    """What has changed."""

    RAISED = "raised"
    LOWERED = "lowered"
    SLOWED = "slowed"
    """A rule limits speed or connections for a while."""
    SUSPENDED = "suspended"
    PROBING = "probing"
    RESUMED = "resumed"
    PINNED = "pinned"
    UNPINNED = "unpinned"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of how a site is sent to: `Lowered from 10 to 5 connections because …`."""

    at: Instant
    site: str
    kind: StreamKind | None
    """The kind of mail that it concerns; None: all mail."""
    what: What
    sentence: str
    connections: tuple[int, int] | None = None
    """Before and after, when it is about connections."""
    until: Instant | None = None
    node: str = ""


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that somebody has fixed: nothing but another word of theirs moves it."""

    site: str
    limit: str
    value: float
    author: str
    at: Instant
