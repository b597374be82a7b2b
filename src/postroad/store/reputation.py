"""Reputation: counted from the log behind a cursor, in steps of a few thousand events, and read as windows.

Cursor and counters move in one transaction, so that each event counts once, whoever counts and whenever it dies.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.reason import Reason
from postroad.model.reputation import BUCKET, Counts
from postroad.model.suspension import Suspension
from postroad.store import audit, bulk, events, sites, suspensions

ALL: Final = "*"
"""Stands for all sites, or all streams."""
_CURSOR: Final = "guard.cursor"
_NUMBERS: Final = ("sent", "delivered", "hard", "blocked", "complained")
_ROWS: Final = 50
_ENDS: Final = (EventType.BOUNCED, EventType.BOUNCED_LATE, EventType.EXPIRED, EventType.COMPLAINED)


class _Tried(msgspec.Struct, frozen=True):
    phase: str = ""


class Told(msgspec.Struct, frozen=True):
    """What an event says of the end of a delivery."""

    reason: Reason | None = None
    attempt: _Tried | None = None


@dataclass(frozen=True, slots=True)
class End:
    """An event that is not a delivery, with what it is about."""

    project_id: ProjectId
    kind: EventType
    at: Instant
    stream: str
    domain: str
    told: Told
    attempts: int
    ended_at: Instant
    delivered: bool
    delivery_id: DeliveryId
    message_id: MessageId
    recipient: str
    kept_back_by: str | None
    """The class of what kept it back last."""


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the log."""

    before: int
    last: int
    """Place of its last event."""
    delivered: Sequence[tuple[ProjectId, str, str, int, int]]
    """Project, stream, domain, bucket and count."""
    ends: Sequence[End]
    sites: Mapping[str, str]
    """Of the domains in it, as far as they are known."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the guard remembers of a project."""

    counted_from: int = 0
    """The first bucket that counts; what came before was answered with a pause already."""
    warned: tuple[str, ...] = ()
    """What was warned of and has not become better since."""
    thresholds: Mapping[str, float | int | bool] = field(default_factory=dict)
    """What the project has of its own."""


_told = msgspec.json.Decoder(Told)


def step(connection: Connection, limit: int) -> Step | None:
    """Return the next part of the log, of up to `limit` events, or None when there is none."""
    before = _cursor(connection)
    rows = bulk.run(
        connection, "SELECT max(seq) FROM (SELECT seq FROM events WHERE seq > ? ORDER BY seq LIMIT ?) AS part",
        (before, limit),
    )  # fmt: skip
    last = rows[0][0]
    if last is None:
        return None
    joined = (
        "FROM events e JOIN deliveries d ON d.id = e.delivery_id WHERE e.seq > ? AND e.seq <= ? AND d.mode = 'live'"
    )
    delivered = bulk.run(
        connection,
        f"SELECT e.project_id, d.stream, d.domain, e.at / {BUCKET}, count(*) {joined} AND e.type = ? "
        "GROUP BY 1, 2, 3, 4",
        (before, last, EventType.DELIVERED.value),
    )
    ends = bulk.run(
        connection,
        "SELECT e.project_id, e.type, e.at, d.stream, d.domain, e.data, d.attempts, d.updated_at, d.state, "
        "d.id, d.message_id, d.recipient, d.reason_class "
        f"{joined} AND e.type IN ({', '.join('?' * len(_ENDS))}) ORDER BY e.seq",
        (before, last, *[kind.value for kind in _ENDS]),
    )
    found = sites.of(connection, {row[2] for row in delivered} | {row[4] for row in ends})
    counted = [(ProjectId(row[0]), row[1], row[2], row[3], row[4]) for row in delivered]
    return Step(before, last, counted, [_end(row) for row in ends], found)


def count(connection: Connection, part: Step, counted: Mapping[tuple[str, str, int, str], Counts]) -> bool:
    """Add what a part of the log came to, by project, site, bucket and stream; False when somebody else has."""
    bulk.run(
        connection, "INSERT INTO server_facts (name, value) VALUES (?, '0') ON CONFLICT (name) DO NOTHING", (_CURSOR,)
    )
    moved = bulk.run(
        connection,
        "UPDATE server_facts SET value = ? WHERE name = ? AND value = ? RETURNING name",
        (str(part.last), _CURSOR, str(part.before)),
    )
    if not moved:
        return False
    rows = [(*key, *[getattr(counts, name) for name in _NUMBERS]) for key, counts in sorted(counted.items())]
    sums = ", ".join(f"{name} = reputation.{name} + excluded.{name}" for name in _NUMBERS)
    for start in range(0, len(rows), _ROWS):
        chunk = rows[start : start + _ROWS]
        marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(chunk))
        bulk.run(
            connection,
            f"INSERT INTO reputation (project_id, site, bucket, stream, {', '.join(_NUMBERS)}) VALUES {marks} "  # noqa: S608 - names of ours
            f"ON CONFLICT (project_id, site, bucket, stream) DO UPDATE SET {sums}",
            tuple([value for row in chunk for value in row]),
        )
    return True


def by_stream(connection: Connection, project_id: ProjectId, since: int) -> dict[str, Counts]:
    """Return what became of a project's mail from a bucket on, stream by stream."""
    return _window(connection, "stream", "site = '*'", project_id, since)


def by_site(connection: Connection, project_id: ProjectId, since: int) -> dict[str, Counts]:
    """Return what became of a project's mail from a bucket on, site by site."""
    return _window(connection, "site", "site <> '*'", project_id, since)


def known_sites(connection: Connection, project_id: ProjectId, bucket: int) -> set[str]:
    """Return the sites of a project that have counters of their own in a bucket."""
    rows = bulk.run(
        connection,
        "SELECT DISTINCT site FROM reputation WHERE project_id = ? AND bucket = ? AND site <> '*'",
        (project_id, bucket),
    )
    return {row[0] for row in rows}


def standing(connection: Connection, project_id: ProjectId) -> Standing:
    """Return what the guard remembers of a project."""
    rows = bulk.run(
        connection, "SELECT counted_from, warned, thresholds FROM guard_projects WHERE project_id = ?", (project_id,)
    )
    if not rows:
        return Standing()
    return Standing(
        counted_from=rows[0][0],
        warned=msgspec.json.decode(rows[0][1], type=tuple[str, ...]),
        thresholds=msgspec.json.decode(rows[0][2], type=dict[str, float | int | bool]),
    )


def remember(
    connection: Connection,
    project_id: ProjectId,
    new: Standing,
    *,
    told: Sequence[NewEvent] = (),
    pauses: Iterable[Suspension] = (),
    entry: audit.Entry | None = None,
) -> None:
    """Write down what the guard remembers of a project, with what it decided."""
    bulk.run(
        connection,
        "INSERT INTO guard_projects (project_id, counted_from, warned, thresholds) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (project_id) DO UPDATE SET counted_from = excluded.counted_from, warned = excluded.warned, "
        "thresholds = excluded.thresholds",
        (
            project_id, new.counted_from, msgspec.json.encode(new.warned).decode(),
            msgspec.json.encode(dict(new.thresholds)).decode(),
        ),
    )  # fmt: skip
    if entry is not None:
        audit.record(connection, entry)
    for each in pauses:
        suspensions.put(connection, each)
    events.append(connection, told)


def remove_before(connection: Connection, before: Instant, limit: int) -> int:
    """Remove up to `limit` counters of buckets that ended before an instant, and return how many went."""
    chosen = "SELECT project_id, site, bucket, stream FROM reputation WHERE bucket < ? LIMIT ?"
    rows = bulk.run(
        connection,
        f"DELETE FROM reputation WHERE (project_id, site, bucket, stream) IN ({chosen}) RETURNING bucket",  # noqa: S608 - texts of ours
        (before // BUCKET, limit),
    )
    return len(rows)


def _cursor(connection: Connection) -> int:
    rows = bulk.run(connection, "SELECT value FROM server_facts WHERE name = ?", (_CURSOR,))
    return int(rows[0][0]) if rows else 0


def _window(connection: Connection, column: str, which: str, project_id: ProjectId, since: int) -> dict[str, Counts]:
    sums = ", ".join(f"CAST(sum({name}) AS BIGINT)" for name in _NUMBERS)
    rows = bulk.run(
        connection,
        f"SELECT {column}, {sums} FROM reputation WHERE project_id = ? AND {which} AND bucket >= ? GROUP BY {column}",  # noqa: S608 - names of ours
        (project_id, since),
    )
    return {row[0]: Counts(**dict(zip(_NUMBERS, row[1:], strict=True))) for row in rows}


def _end(row: Sequence[Any]) -> End:
    return End(
        project_id=ProjectId(row[0]),
        kind=EventType(row[1]),
        at=Instant(row[2]),
        stream=row[3],
        domain=row[4],
        told=_told.decode(row[5]),
        attempts=row[6],
        ended_at=Instant(row[7]),
        delivered=row[8] == "delivered",
        delivery_id=DeliveryId(row[9]),
        message_id=MessageId(row[10]),
        recipient=row[11],
        kept_back_by=row[12],
    )


def merged(parts: Iterable[tuple[tuple[str, str, int, str], Counts]]) -> dict[tuple[str, str, int, str], Counts]:
    """Return counts with those of the same subject added up."""
    sums: dict[tuple[str, str, int, str], Counter[str]] = {}
    for key, counts in parts:
        into = sums.setdefault(key, Counter())
        for name in _NUMBERS:
            into[name] += getattr(counts, name)
    return {key: Counts(**{name: into[name] for name in _NUMBERS}) for key, into in sums.items()}
