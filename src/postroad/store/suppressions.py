"""Suppressions: put on the list, looked up, listed, taken off.

One address has one entry a scope. What is put there a second time changes the entry only when it says more: after the
old one ended, with a cause that weighs more, or for longer.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.engine import Connection

from postroad.model.clock import DAY, HOUR, Instant
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import ENTROPY_OCTETS, DeliveryId, MessageId, ProjectId, SuppressionId, mint
from postroad.model.reason import Class, Reason
from postroad.model.suppression import Cause, Suppression, fold
from postroad.store import audit, bulk, events, schema, sites


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
    incident: str | None = None
    reason_class: Class | None = None
    """Of the reply or report that was the cause."""
    rule: str | None = None
    """That decided on it."""
    site: str | None = None
    since: Instant | None = None
    until: Instant | None = None
    automatic: bool = False
    """Only what nobody put there by hand."""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """All that one rule put on lists at one site in one stretch of time."""

    id: str
    site: str
    rule: str
    reason_class: str
    began_at: Instant
    last_at: Instant
    count: int
    """How many entries are left of it."""


_NAMES = (
    "id", "project_id", "scope", "folded", "address", "cause", "author", "note", "evidence", "message_id",
    "delivery_id", "created_at", "expires_at", "site", "incident", "reason_class", "rule",
    "probe_at", "probe_delivery",
)  # fmt: skip
_COLUMNS = ", ".join(_NAMES)
_ENTRIES = f"{select(*[schema.suppressions.c[name] for name in _NAMES])} WHERE TRUE"
_CHUNK = 64
_AUTOMATIC = frozenset({Cause.BOUNCE, Cause.COMPLAINT})
_QUIET = HOUR
"""An incident in which nothing has happened for this long is over."""
_LONGEST = DAY
_REMOVE = "DELETE FROM suppressions WHERE id IN (:values) RETURNING id"
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
    caused: dict[tuple[str, str], Instant] = {}
    for rows in _chunks(_with_incidents(connection, entries)):
        ids = _upsert(connection, rows, now)
        for entry in rows:
            stored = ids.get(_key(entry))
            if stored is None:
                outcomes.append(Put.KEPT)
                continue
            outcomes.append(Put.ADDED if stored == entry.id else Put.CHANGED)
            told.append(_event(entry, EventType.SUPPRESSION_ADDED, entry.created_at, stored))
            if entry.incident is not None:
                caused.setdefault((entry.incident, entry.project_id), entry.created_at)
    _remember(connection, caused)
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
        f"{_ENTRIES} AND id = ? AND project_id = ?",
        (suppression_id, project_id),
    )
    return _read(rows[0]) if rows else None


def by_id(connection: Connection, suppression_id: SuppressionId) -> Suppression | None:
    """Return an entry of whichever project."""
    rows = bulk.run(connection, f"{_ENTRIES} AND id = ?", (suppression_id,))
    return _read(rows[0]) if rows else None


def find(connection: Connection, project_id: ProjectId, address: str, scope: str) -> Suppression | None:
    """Return the entry of an address in one scope."""
    rows = bulk.run(
        connection,
        f"{_ENTRIES} AND project_id = ? AND folded = ? AND scope = ?",
        (project_id, fold(address), scope),
    )
    return _read(rows[0]) if rows else None


def listed(
    connection: Connection,
    project_id: ProjectId | None,
    wanted: Filter,
    *,
    after: str = "",
    limit: int = 100,
    newest: bool = False,
) -> list[Suppression]:
    """Return entries of a project (None: of all) in the order they were made, behind the identifier `after`.

    With `newest`, in the order from the newest.
    """
    conditions, values = _conditions(project_id, wanted)
    if after:
        conditions += f" AND id {'<' if newest else '>'} ?"
        values.append(after)
    statement = f"{_ENTRIES}{conditions}"
    if project_id is not None and wanted.address is not None:
        # An address has an entry a scope. Asked for them in order, SQLite would look through the whole list instead.
        found = [_read(row) for row in bulk.run(connection, statement, tuple(values))]
        return sorted(found, key=lambda each: each.id, reverse=newest)[:limit]
    order = "id DESC" if newest else "id"
    rows = bulk.run(connection, f"{statement} ORDER BY {order} LIMIT ?", (*values, limit))
    return [_read(row) for row in rows]


def of_addresses(
    connection: Connection, project_id: ProjectId, addresses: Sequence[str], scope: str | None = None
) -> list[Suppression]:
    """Return a project's entries of many addresses, in all scopes or one, in no order."""
    statement = f"{_ENTRIES} AND project_id = ? AND folded IN (:values)"
    rows = bulk.select_in(
        connection, statement, list(dict.fromkeys(fold(each) for each in addresses)), before=(project_id,)
    )
    found = [_read(row) for row in rows]
    return [entry for entry in found if scope in (None, entry.scope)]


def incidents(connection: Connection, project_id: ProjectId | None, *, limit: int = 100) -> list[Incident]:
    """Return the incidents of which entries are left in a project (None: in any), the latest first."""
    conditions, values = _conditions(project_id, Filter(automatic=True))
    rows = bulk.run(
        connection,
        "SELECT incident, min(site), min(rule), min(reason_class), min(created_at), max(created_at), count(*) "  # noqa: S608 - names of ours
        f"FROM suppressions WHERE TRUE{conditions} GROUP BY incident ORDER BY 6 DESC, 1 LIMIT ?",
        (*values, limit),
    )
    return [
        Incident(
            id=row[0], site=row[1], rule=row[2], reason_class=row[3], began_at=Instant(row[4]), last_at=Instant(row[5]),
            count=row[6],
        )
        for row in rows
    ]  # fmt: skip


def is_incident(connection: Connection, project_id: ProjectId | None, incident: str) -> bool:
    """Whether an incident put something on a project's list (None: on any), be it still there or not."""
    rows = bulk.run(
        connection,
        "SELECT project_id FROM incidents WHERE id = ? UNION SELECT project_id FROM suppressions WHERE incident = ?",
        (incident, incident),
    )
    return bool(rows) if project_id is None else any(row[0] == project_id for row in rows)


def remove_incidents(connection: Connection, before: Instant, limit: int) -> int:
    """Forget up to `limit` incidents that began before an instant, and return how many; entries of theirs stay."""
    rows = bulk.run(
        connection,
        "DELETE FROM incidents WHERE (id, project_id) IN (SELECT id, project_id FROM incidents WHERE began_at < ? "
        "LIMIT ?) RETURNING id",
        (before, limit),
    )
    return len(rows)


def _remember(connection: Connection, caused: Mapping[tuple[str, str], Instant]) -> None:
    """Write down incidents, each with the project that it concerns and an instant at which it did."""
    rows = sorted((incident, project, at) for (incident, project), at in caused.items())
    bulk.insert_new(connection, schema.incidents, ("id", "project_id", "began_at"), rows)


def _conditions(project_id: ProjectId | None, wanted: Filter) -> tuple[str, list[Any]]:
    conditions, values = "", list[Any]()
    for condition, value in (
        ("project_id = ?", project_id),
        ("folded = ?", None if wanted.address is None else fold(wanted.address)),
        ("cause = ?", wanted.cause),
        ("scope = ?", wanted.scope),
        ("incident = ?", wanted.incident),
        ("reason_class = ?", wanted.reason_class),
        ("rule = ?", wanted.rule),
        ("site = ?", wanted.site),
        ("created_at >= ?", wanted.since),
        ("created_at < ?", wanted.until),
    ):
        if value is not None:
            conditions += f" AND {condition}"
            values.append(value if isinstance(value, int) else str(value))
    return conditions + (" AND incident IS NOT NULL" if wanted.automatic else ""), values


def remove(connection: Connection, suppression: Suppression, entry: audit.Entry) -> bool:
    """Take an entry off the list; False when it was gone already. Writes the event and the audit."""
    gone = bulk.run(connection, "DELETE FROM suppressions WHERE id = ? RETURNING id", (suppression.id,))
    if gone:
        audit.record(connection, entry)
        events.append(connection, [_event(suppression, EventType.SUPPRESSION_REMOVED, entry.at)])
    return bool(gone)


def remove_all(connection: Connection, entries: Sequence[Suppression], entry: audit.Entry) -> int:
    """Take entries off their lists, and return how many were still there. Writes the events and one audit entry."""
    gone = {row[0] for row in bulk.select_in(connection, _REMOVE, [each.id for each in entries])}
    removed = [each for each in entries if each.id in gone]
    if removed:
        audit.record(connection, entry)
        events.append(connection, [_event(each, EventType.SUPPRESSION_REMOVED, entry.at) for each in removed])
    return len(removed)


def _with_incidents(connection: Connection, entries: Sequence[Suppression]) -> list[Suppression]:
    """Give each entry that nobody put there by hand its site and its incident."""
    automatic = [entry for entry in entries if entry.cause in _AUTOMATIC and entry.evidence is not None]
    if not automatic:
        return list(entries)
    known = sites.of(connection, [_domain(entry) for entry in automatic])
    open_ones: dict[tuple[str, str], str] = {}
    named: dict[str, Suppression] = {}
    for entry in automatic:
        site = known.get(_domain(entry), _domain(entry))
        subject = (site, _rule(entry))
        if subject not in open_ones:
            open_ones[subject] = _open_incident(connection, *subject, entry.created_at) or f"inc_{entry.id[4:]}"
        named[entry.id] = msgspec.structs.replace(entry, site=site, incident=open_ones[subject])
    return [named.get(entry.id, entry) for entry in entries]


def _open_incident(connection: Connection, site: str, rule: str, at: Instant) -> str | None:
    """Return the incident that goes on: something of it happened within the last hour, and it began within a day."""
    rows = bulk.run(
        connection,
        "SELECT incident FROM suppressions WHERE site = ? AND rule = ? AND incident IS NOT NULL AND created_at > ? "
        "AND incident > ? ORDER BY created_at DESC LIMIT 1",
        (site, rule, at - _QUIET, mint("inc", Instant(at - _LONGEST), bytes(ENTROPY_OCTETS))),
    )
    return rows[0][0] if rows else None


def _domain(entry: Suppression) -> str:
    return entry.address.rpartition("@")[2].lower()


def _rule(entry: Suppression) -> str:
    return "" if entry.evidence is None else entry.evidence.rule


def unsubscribed(connection: Connection, suppression: Suppression) -> None:
    """Write that a recipient of a message wants no more of its stream."""
    events.append(connection, [_event(suppression, EventType.UNSUBSCRIBED, suppression.created_at)])


def _event(entry: Suppression, kind: EventType, at: Instant, stored: str | None = None) -> NewEvent:
    told = {"id": stored or entry.id, "address": entry.address, "cause": entry.cause, "scope": entry.scope}
    if entry.incident is not None:
        told["incident"] = entry.incident
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
        entry.site, entry.incident, None if entry.evidence is None else entry.evidence.cls.value,
        None if entry.evidence is None else entry.evidence.rule, entry.probe_at, entry.probe_delivery,
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
        site=row[13],
        incident=row[14],
        probe_at=row[17],
        probe_delivery=row[18],
    )
