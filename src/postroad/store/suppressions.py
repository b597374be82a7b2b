"""Suppressions: put on the list, looked up, listed, taken off.

One address has one entry a scope. What is put there a second time changes the entry only when it says more: after the
old one ended, with a cause that weighs more, or for longer.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import DeliveryId, MessageId, ProjectId, SuppressionId
from postroad.model.reason import Reason
from postroad.model.suppression import Cause, Suppression, fold
from postroad.store import audit, bulk, events


class Put(StrEnum):
    """What became of an entry that was put on the list."""

    ADDED = "added"
    CHANGED = "changed"
    """An entry was there, and this one says more."""
    KEPT = "already_listed"


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are wanted; None: any."""

    address: str | None = None
    cause: Cause | None = None
    scope: str | None = None


_NAMES = (
    "id", "project_id", "scope", "folded", "address", "cause", "author", "note", "evidence", "message_id",
    "delivery_id", "created_at", "expires_at",
)  # fmt: skip
_COLUMNS = ", ".join(_NAMES)
_CHUNK = 64
_reason = msgspec.json.Decoder(Reason)


def _weight(table: str) -> str:
    return f"CASE {table}.cause WHEN 'complaint' THEN 2 WHEN 'unsubscribe' THEN 1 ELSE 0 END"


_SAYS_MORE = (
    "suppressions.expires_at <= ? "
    f"OR {_weight('excluded')} > {_weight('suppressions')} "
    f"OR ({_weight('excluded')} = {_weight('suppressions')} AND suppressions.expires_at IS NOT NULL "
    "AND (excluded.expires_at IS NULL OR excluded.expires_at > suppressions.expires_at))"
)
_SETS = ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name not in ("id", "project_id", "scope", "folded"))


def put(connection: Connection, entries: Sequence[Suppression], now: Instant) -> list[Put]:
    """Put entries on their projects' lists in order, and tell what became of each. Writes the events."""
    outcomes: list[Put] = []
    told: list[NewEvent] = []
    for rows in _chunks(entries):
        ids = _upsert(connection, rows, now)
        for entry in rows:
            stored = ids.get(_key(entry))
            if stored is None:
                outcomes.append(Put.KEPT)
                continue
            outcomes.append(Put.ADDED if stored == entry.id else Put.CHANGED)
            told.append(_event(entry, EventType.SUPPRESSION_ADDED, entry.created_at, stored))
    events.append(connection, told)
    return outcomes


def _chunks(entries: Sequence[Suppression]) -> Iterator[list[Suppression]]:
    """Cut so that no chunk holds an address twice in one scope: a statement must not touch a row twice."""
    chunk: list[Suppression] = []
    keys: set[tuple[str, str, str]] = set()
    for entry in entries:
        if len(chunk) == _CHUNK or _key(entry) in keys:
            yield chunk
            chunk, keys = [], set()
        chunk.append(entry)
        keys.add(_key(entry))
    if chunk:
        yield chunk


def _upsert(connection: Connection, rows: list[Suppression], now: Instant) -> dict[tuple[str, str, str], str]:
    """Write entries, and return the identifiers of those that were written; an entry that changes keeps its own."""
    marks = f"({', '.join('?' * len(_NAMES))})"
    written = bulk.run(
        connection,
        f"INSERT INTO suppressions ({_COLUMNS}) VALUES {', '.join([marks] * len(rows))} "  # noqa: S608 - names of ours
        f"ON CONFLICT (project_id, folded, scope) DO UPDATE SET {_SETS} WHERE {_SAYS_MORE} "
        "RETURNING project_id, folded, scope, id",
        (*(value for entry in rows for value in _row(entry)), now),
    )
    return {(row[0], row[1], row[2]): row[3] for row in written}


def one(connection: Connection, project_id: ProjectId, suppression_id: SuppressionId) -> Suppression | None:
    """Return an entry of a project."""
    rows = bulk.run(
        connection,
        f"SELECT {_COLUMNS} FROM suppressions WHERE id = ? AND project_id = ?",  # noqa: S608 - names of ours
        (suppression_id, project_id),
    )
    return _read(rows[0]) if rows else None


def find(connection: Connection, project_id: ProjectId, address: str, scope: str) -> Suppression | None:
    """Return the entry of an address in one scope."""
    rows = bulk.run(
        connection,
        f"SELECT {_COLUMNS} FROM suppressions WHERE project_id = ? AND folded = ? AND scope = ?",  # noqa: S608 - names of ours
        (project_id, fold(address), scope),
    )
    return _read(rows[0]) if rows else None


def listed(
    connection: Connection, project_id: ProjectId, wanted: Filter, *, after: str = "", limit: int = 100
) -> list[Suppression]:
    """Return entries of a project in the order they were made, behind the identifier `after`."""
    conditions, values = "", list[str]()
    for column, value in (
        ("folded", None if wanted.address is None else fold(wanted.address)),
        ("cause", wanted.cause),
        ("scope", wanted.scope),
    ):
        if value is not None:
            conditions += f" AND {column} = ?"
            values.append(str(value))
    rows = bulk.run(
        connection,
        f"SELECT {_COLUMNS} FROM suppressions WHERE project_id = ? AND id > ?{conditions} ORDER BY id LIMIT ?",  # noqa: S608 - names of ours
        (project_id, after, *values, limit),
    )
    return [_read(row) for row in rows]


def remove(connection: Connection, suppression: Suppression, entry: audit.Entry) -> bool:
    """Take an entry off the list; False when it was gone already. Writes the event and the audit."""
    gone = bulk.run(connection, "DELETE FROM suppressions WHERE id = ? RETURNING id", (suppression.id,))
    if gone:
        audit.record(connection, entry)
        events.append(connection, [_event(suppression, EventType.SUPPRESSION_REMOVED, entry.at)])
    return bool(gone)


def unsubscribed(connection: Connection, suppression: Suppression) -> None:
    """Write that a recipient of a message wants no more of its stream."""
    events.append(connection, [_event(suppression, EventType.UNSUBSCRIBED, suppression.created_at)])


def _event(entry: Suppression, kind: EventType, at: Instant, stored: str | None = None) -> NewEvent:
    told = {"id": stored or entry.id, "address": entry.address, "cause": entry.cause, "scope": entry.scope}
    return NewEvent(
        project_id=entry.project_id,
        type=kind,
        at=at,
        message_id=None if entry.message_id is None else MessageId(entry.message_id),
        delivery_id=None if entry.delivery_id is None else DeliveryId(entry.delivery_id),
        data=msgspec.json.encode({"suppression": told}),
    )


def _key(entry: Suppression) -> tuple[str, str, str]:
    return entry.project_id, fold(entry.address), entry.scope


def _row(entry: Suppression) -> bulk.Row:
    evidence = None if entry.evidence is None else msgspec.json.encode(entry.evidence).decode()
    return (
        entry.id, entry.project_id, entry.scope, fold(entry.address), entry.address, entry.cause.value, entry.author,
        entry.note, evidence, entry.message_id, entry.delivery_id, entry.created_at, entry.expires_at,
    )  # fmt: skip


def _read(row: Sequence[Any]) -> Suppression:
    return Suppression(
        id=SuppressionId(row[0]),
        project_id=ProjectId(row[1]),
        scope=row[2],
        address=row[4],
        cause=Cause(row[5]),
        author=row[6],
        note=row[7],
        evidence=None if row[8] is None else _reason.decode(row[8]),
        message_id=row[9],
        delivery_id=row[10],
        created_at=row[11],
        expires_at=row[12],
    )
