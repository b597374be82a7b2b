"""Suspensions: put in force, lifted, listed. One subject has one suspension of each cause.

A rule or the guard that suspends again only lengthens what is there; an operator's word replaces an operator's word.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant, to_rfc3339
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import ProjectId, SuspensionId
from postroad.model.suspension import ANY, Suspension, SuspensionCause
from postroad.store import audit, bulk, events

_NAMES = "id, site, project_id, stream, cause, reason, author, evidence, created_at, until"
_evidence = msgspec.json.Decoder(dict[str, str | int | float | None])


def put(connection: Connection, suspension: Suspension) -> Suspension | None:
    """Put a suspension in force, and return it as it is stored; None when one that lasts as long was there already.

    Writes the audit, and the project's event when it is one project's.
    """
    s = suspension
    evidence = msgspec.json.encode(s.evidence).decode()
    stored = bulk.run(
        connection,
        f"INSERT INTO suspensions ({_NAMES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608 - names of ours
        "ON CONFLICT (site, project_id, stream, cause) DO UPDATE SET reason = excluded.reason, "
        "author = excluded.author, evidence = excluded.evidence, created_at = excluded.created_at, "
        "until = excluded.until WHERE suspensions.cause = 'operator' OR suspensions.until <= ? OR "
        "(suspensions.until IS NOT NULL AND (excluded.until IS NULL OR excluded.until > suspensions.until)) "
        f"RETURNING {_NAMES}",
        (s.id, s.site, s.project_id, s.stream, s.cause.value, s.reason, s.author, evidence, s.created_at, s.until,
         s.created_at),
    )  # fmt: skip
    if not stored:
        return None
    kept = _read(stored[0])
    audit.record(connection, _entry(kept, "sending.suspended", kept.author, kept.created_at))
    _tell(connection, kept, EventType.SENDING_SUSPENDED, kept.created_at)
    return kept


def lift(connection: Connection, suspension: Suspension, *, author: str, at: Instant) -> bool:
    """End a suspension before its time; False when it was gone already. Writes the audit and the event."""
    gone = bulk.run(connection, "DELETE FROM suspensions WHERE id = ? RETURNING id", (suspension.id,))
    if gone:
        audit.record(connection, _entry(suspension, "sending.resumed", author, at))
        _tell(connection, suspension, EventType.SENDING_RESUMED, at)
    return bool(gone)


def one(connection: Connection, identifier: SuspensionId) -> Suspension | None:
    """Return a suspension, whether or not it is in force."""
    rows = bulk.run(connection, f"SELECT {_NAMES} FROM suspensions WHERE id = ?", (identifier,))  # noqa: S608 - names of ours
    return _read(rows[0]) if rows else None


def in_force(connection: Connection, now: Instant, project_id: str | None = None) -> list[Suspension]:
    """Return what is suspended, oldest first; of a project, what concerns its mail."""
    which, values = ("", ()) if project_id is None else (" AND project_id IN (?, ?)", (project_id, ANY))
    rows = bulk.run(
        connection,
        f"SELECT {_NAMES} FROM suspensions WHERE (until IS NULL OR until > ?){which} ORDER BY created_at, id",  # noqa: S608 - names of ours
        (now, *values),
    )
    return [_read(row) for row in rows]


def remove_lapsed(connection: Connection, before: Instant, limit: int) -> int:
    """Remove up to `limit` suspensions that ended before an instant, and return how many went."""
    rows = bulk.run(
        connection,
        "DELETE FROM suspensions WHERE id IN (SELECT id FROM suspensions WHERE until < ? LIMIT ?) RETURNING id",
        (before, limit),
    )
    return len(rows)


def shown(suspension: Suspension) -> dict[str, object]:
    """Return a suspension as events, audit and answers show it."""
    s = suspension
    return {
        "id": s.id,
        "site": s.site,
        "stream": s.stream,
        "cause": s.cause.value,
        "reason": s.reason,
        "author": s.author,
        "created_at": to_rfc3339(s.created_at),
        "until": None if s.until is None else to_rfc3339(s.until),
        "evidence": s.evidence,
    }


def _entry(s: Suspension, action: str, author: str, at: Instant) -> audit.Entry:
    project = None if s.project_id == ANY else s.project_id
    return audit.Entry(project_id=project, at=at, actor=author, action=action, subject=s.id, data=shown(s))


def _tell(connection: Connection, s: Suspension, kind: EventType, at: Instant) -> None:
    """Write the event into the log of the project; what concerns all projects is nobody's in particular."""
    if s.project_id == ANY:
        return
    data = msgspec.json.encode({"suspension": shown(s)})
    events.append(connection, [NewEvent(project_id=ProjectId(s.project_id), type=kind, at=at, data=data)])


def _read(row: Sequence[Any]) -> Suspension:
    return Suspension(
        id=SuspensionId(row[0]),
        site=row[1],
        project_id=row[2],
        stream=row[3],
        cause=SuspensionCause(row[4]),
        reason=row[5],
        author=row[6],
        evidence=_evidence.decode(row[7]),
        created_at=Instant(row[8]),
        until=None if row[9] is None else Instant(row[9]),
    )
