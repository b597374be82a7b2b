"""The queue at a glance: how much waits, since when, and for whom."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.delivery import State
from postroad.store import bulk

MOST = 1_000_000
"""Deliveries that are looked at, those that are due first: a glance must not read a queue of any length."""

_WAITING = "state IN ('scheduled', 'queued', 'deferred')"
_FIRST = f"(SELECT state, domain, next_at FROM deliveries WHERE {_WAITING} ORDER BY next_at LIMIT ?) AS waiting"  # noqa: S608 - texts of ours


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for one recipient domain."""

    domain: str
    waiting: int
    deferred: int
    """Those of them that were tried before."""
    next_attempt_at: Instant
    """When the first of them is to be tried; that lies in the past when it could be tried now."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The queue as it stands."""

    states: dict[State, int]
    complete: bool
    """Whether the counts are of all that waits, and not of its first `MOST`."""
    first_due_at: Instant | None
    """When the first delivery that waits was, or is, to be tried."""
    destinations: tuple[Destination, ...]
    """Those for which the most waits, the most first."""


def overview(connection: Connection, *, destinations: int, most: int = MOST) -> Overview:
    """Return the queue at a glance, with up to `destinations` of those for which the most waits."""
    found = bulk.run(connection, f"SELECT state, count(*) FROM {_FIRST} GROUP BY state", (most,))  # noqa: S608 - texts of ours
    counts = {State(name): int(count) for name, count in found}
    sending = bulk.run(connection, "SELECT count(*) FROM deliveries WHERE state = 'sending'")
    held = bulk.run(connection, "SELECT count(*) FROM deliveries WHERE state = 'held'")
    first = bulk.run(connection, f"SELECT min(next_at) FROM deliveries WHERE {_WAITING}")  # noqa: S608 - texts of ours
    return Overview(
        states={
            **{state: counts.get(state, 0) for state in (State.SCHEDULED, State.QUEUED, State.DEFERRED)},
            State.SENDING: int(sending[0][0]),
            State.HELD: int(held[0][0]),
        },
        complete=sum(counts.values()) < most,
        first_due_at=None if first[0][0] is None else Instant(first[0][0]),
        destinations=tuple([_destination(row) for row in _longest(connection, destinations, most)]),
    )


def _longest(connection: Connection, limit: int, most: int) -> list[tuple[Any, ...]]:
    return bulk.run(
        connection,
        "SELECT domain, count(*) AS n, count(*) FILTER (WHERE state = 'deferred'), min(next_at) "  # noqa: S608 - texts of ours
        f"FROM {_FIRST} GROUP BY domain ORDER BY n DESC, domain LIMIT ?",
        (most, limit),
    )


def _destination(row: Sequence[Any]) -> Destination:
    return Destination(domain=row[0], waiting=int(row[1]), deferred=int(row[2]), next_attempt_at=Instant(row[3]))
