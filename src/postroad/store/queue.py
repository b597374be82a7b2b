"""The queue, for those who operate it: what waits, why, and until when; counted, and changed in bulk.

What a worker has in its hands (`sending`) is shown and counted, and never touched. A page looks at a bounded part of
the queue, so that a filter which fits little costs little: such a page may be empty and still have a next one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.delivery import Delivery, State
from postroad.model.errors import Refused
from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.message import Mode, Role
from postroad.model.reason import Class, Reason
from postroad.model.suppression import fold
from postroad.store import bulk, sites

LIVE: Final = (State.SENDING, State.SCHEDULED, State.QUEUED, State.DEFERRED, State.HELD)
"""States of what is in the queue."""
MOST_COUNTED: Final = 1_000_000
"""Deliveries of each kind that a count looks at."""
LOOK: Final = 5_000
"""Deliveries that one page looks at."""


class Filter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which deliveries of the queue are meant; all that is given must hold."""

    project_id: ProjectId | None = None
    site: str | None = None
    """Key of a site; a domain whose site is not known is a site of its own."""
    domain: str | None = None
    stream: str | None = None
    states: tuple[State, ...] = LIVE
    reason_class: Class | None = None
    """What last kept it back."""
    accepted_before: Instant | None = None
    message_id: MessageId | None = None
    recipient: str | None = None
    due_after: Instant | None = None
    """Only what is not due before or at this instant."""


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery in the queue."""

    delivery: Delivery
    site: str
    first_due_at: Instant
    reason_class: str | None
    token: int
    """Of its last lease: a change under an older one changes nothing."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the queue: what is being sent, what waits in the order in which it is due, what is held."""

    found: list[Queued]
    next: str | None
    """Where to look on, or None when nothing is left."""


class Grouping(StrEnum):
    """What a count goes by."""

    SITE = "site"
    PROJECT = "project"
    DOMAIN = "domain"
    STREAM = "stream"
    STATE = "state"
    CLASS = "class"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the queue has one thing in common."""

    name: str
    states: dict[State, int]
    next_at: Instant | None
    """When the first of what waits is due; None when nothing of it waits for a time."""
    oldest_at: Instant
    """When the oldest was accepted."""

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.states.values())


@dataclass(frozen=True, slots=True)
class _Section:
    """A part of the queue that an index of its own keeps in order."""

    order: int
    states: tuple[State, ...]
    condition: str
    key: str
    """The column it is ordered by, before the identifier."""


_SECTIONS: Final = (
    _Section(1, (State.SENDING,), "d.state = 'sending'", "lease_until"),
    _Section(2, (State.SCHEDULED, State.QUEUED, State.DEFERRED), "d.state IN ('scheduled', 'queued', 'deferred')",
             "next_at"),
    _Section(3, (State.HELD,), "d.state = 'held'", ""),
)  # fmt: skip
_COLUMNS: Final = (
    "id", "message_id", "project_id", "recipient", "domain", "role", "stream", "mode", "state", "attempts", "next_at",
    "expires_at", "created_at", "updated_at", "reason", "in_doubt", "first_due_at", "lease_token",
    "reason_class",
)  # fmt: skip
_COUNTED: Final = (
    "d.project_id, d.domain, d.folded, d.stream, d.state, d.reason_class, d.next_at, d.created_at, d.message_id"
)
_GROUPS: Final = {
    Grouping.SITE: "d.domain",
    Grouping.PROJECT: "d.project_id",
    Grouping.DOMAIN: "d.domain",
    Grouping.STREAM: "d.stream",
    Grouping.STATE: "d.state",
    Grouping.CLASS: "coalesce(d.reason_class, 'none')",
}
_CURSOR: Final = re.compile(r"([123])\.(\d{1,18})\.([0-9a-z_]{0,64})", re.ASCII)
_reason = msgspec.json.Decoder(Reason)


def page(connection: Connection, wanted: Filter, *, after: str = "", limit: int = 100, look: int = LOOK) -> Page:
    """Return up to `limit` deliveries that fit, of the next `look` behind the cursor `after`.

    Raises:
        Refused: the cursor is none of ours.
    """
    sections = [section for section in _SECTIONS if set(section.states) & set(wanted.states)]
    begin, place = _placed(after)
    found: list[Queued] = []
    for section in sections:
        if section.order < begin:
            continue
        behind = place if section.order == begin else None
        more, last = _look(connection, section, wanted, behind, limit - len(found), look)
        found += more
        if last is not None:
            return Page(found=found, next=last)
    return Page(found=found, next=None)


def count_sending(connection: Connection, wanted: Filter) -> int:
    """Return how many of what would fit are in a worker's hands."""
    conditions, values = _conditions(msgspec.structs.replace(wanted, states=LIVE, due_after=None))
    rows = bulk.run(connection, f"SELECT count(*) FROM deliveries d WHERE d.state = 'sending'{conditions}", values)  # noqa: S608 - texts of ours
    return int(rows[0][0])


def counts(
    connection: Connection, wanted: Filter, by: Grouping, *, most: int = MOST_COUNTED
) -> tuple[list[Group], bool]:
    """Return how much of the queue fits, by one thing it has in common, the most first, and whether that is all."""
    conditions, values = _conditions(wanted)
    states: dict[str, dict[State, int]] = {}
    times: dict[str, tuple[Instant | None, Instant]] = {}
    complete = True
    for section in _SECTIONS:
        if not set(section.states) & set(wanted.states):
            continue
        rows = bulk.run(
            connection,
            f"SELECT {_GROUPS[by]}, d.state, count(*), min(d.next_at), min(d.created_at) "
            f"{_first(connection, section)}{conditions} GROUP BY 1, 2",
            (most, *values),
        )
        names = _names(connection, by, {row[0] for row in rows})
        complete = complete and not _longer(connection, section, most)
        for raw, state, count, next_at, created_at in rows:
            name = names.get(str(raw), str(raw))
            into = states.setdefault(name, {})
            into[State(state)] = into.get(State(state), 0) + count
            known = times.get(name, (None, created_at))
            due = next_at if section.key == "next_at" else None
            times[name] = (min([t for t in (known[0], due) if t is not None], default=None), min(known[1], created_at))
    groups = [
        Group(name=name, states=found, next_at=times[name][0], oldest_at=times[name][1])
        for name, found in states.items()
    ]
    return sorted(groups, key=lambda group: (-group.total, group.name)), complete


def _first(connection: Connection, section: _Section) -> str:
    """Return FROM and WHERE for the first of a section, whose `LIMIT ?` is the first parameter.

    SQLite reads rows in the order in which they lie, where one page has many of them: that takes half the time or less
    of jumping to each as the index has it. PostgreSQL gains nothing by it.
    """
    columns = "d.rowid" if connection.dialect.name == "sqlite" else _COUNTED
    chosen = f"(SELECT {columns} FROM deliveries d WHERE {section.condition}{_ordered(section)} LIMIT ?)"  # noqa: S608 - texts of ours
    if connection.dialect.name == "sqlite":
        return f"FROM deliveries d WHERE d.rowid IN {chosen}"
    return f"FROM {chosen} AS d WHERE TRUE"


def _names(connection: Connection, by: Grouping, found: set[str]) -> dict[str, str]:
    """Return what the things that were counted are called, where that is not what they are stored under."""
    if by is Grouping.SITE:
        return sites.of(connection, found)
    if by is Grouping.PROJECT:
        rows = bulk.select_in(connection, "SELECT id, name FROM projects WHERE id IN (:values)", sorted(found))
        return {row[0]: row[1] for row in rows}
    return {}


def _longer(connection: Connection, section: _Section, most: int) -> bool:
    text = f"SELECT 1 FROM deliveries d WHERE {section.condition}{_ordered(section)} LIMIT 1 OFFSET ?"  # noqa: S608 - texts of ours
    return bool(bulk.run(connection, text, (most,)))


def _ordered(section: _Section) -> str:
    return f" ORDER BY d.{section.key or 'id'}"


def one(connection: Connection, delivery: DeliveryId, project_id: ProjectId | None = None) -> Queued | None:
    """Return a delivery, in the queue or not; of a project, when one is given."""
    owner, values = ("", ()) if project_id is None else (" AND d.project_id = ?", (project_id,))
    rows = bulk.run(connection, f"{_selected()} WHERE d.id = ?{owner}", (delivery, *values))
    return _read(rows[0]) if rows else None


def _look(
    connection: Connection, section: _Section, wanted: Filter, place: tuple[int, str] | None, limit: int, look: int
) -> tuple[list[Queued], str | None]:
    """Return what fits of a section behind a place, and the cursor behind the last that was looked at."""
    narrow = wanted.message_id is not None or (wanted.recipient is not None and wanted.project_id is not None)
    order = f"d.{section.key}, d.id" if section.key else "d.id"
    behind, place_values = _behind(section, place)
    conditions, values = _conditions(wanted)
    inner = f"FROM deliveries d WHERE {section.condition}{behind}"
    look = look if conditions else min(look, limit)
    if narrow:  # an index leads to them at once
        text = f"{_selected()} WHERE {section.condition}{behind}{conditions} ORDER BY {order} LIMIT ?"
        rows = bulk.run(connection, text, (*place_values, *values, limit))
    else:
        text = (
            f"{_selected(f'(SELECT d.* {inner} ORDER BY {order} LIMIT ?)')} "
            f"WHERE TRUE{conditions} ORDER BY {order} LIMIT ?"
        )
        rows = bulk.run(connection, text, (*place_values, look, *values, limit))
    found = [_read(row) for row in rows]
    if len(rows) == limit:
        return found, _cursor(section, rows[-1][-1], rows[-1][0])
    if narrow:
        return found, None
    key = f"d.{section.key}" if section.key else "0"
    last = bulk.run(
        connection,
        f"SELECT {key}, d.id {inner} ORDER BY {order} LIMIT 1 OFFSET ?",
        (*place_values, look - 1),
    )
    return found, _cursor(section, last[0][0], last[0][1]) if last else None


def _selected(source: str = "deliveries") -> str:
    """Return the beginning of a statement that reads deliveries with their sites, and the key of their order."""
    columns = ", ".join(f"d.{name}" for name in _COLUMNS)
    key = "CASE d.state WHEN 'sending' THEN d.lease_until WHEN 'held' THEN 0 ELSE d.next_at END"
    return (
        f"SELECT {columns}, coalesce(s.site, d.domain), {key} "  # noqa: S608 - texts of ours
        f"FROM {source} AS d LEFT JOIN domain_sites s ON s.domain = d.domain"
    )


def _conditions(wanted: Filter) -> tuple[str, tuple[Any, ...]]:
    """Return the conditions of a filter, each with an AND before it, and their values."""
    text, values = "", list[Any]()
    simple = (
        ("project_id", wanted.project_id),
        ("domain", None if wanted.domain is None else wanted.domain.lower()),
        ("stream", wanted.stream),
        ("reason_class", wanted.reason_class),
        ("message_id", wanted.message_id),
        ("folded", None if wanted.recipient is None else fold(wanted.recipient)),
    )
    for column, value in simple:
        if value is not None:
            text += f" AND d.{column} = ?"
            values.append(str(value))
    if wanted.site is not None:
        text += (
            " AND (d.domain IN (SELECT x.domain FROM domain_sites x WHERE x.site = ?) OR (d.domain = ? AND NOT EXISTS "
            "(SELECT 1 FROM domain_sites x WHERE x.domain = d.domain)))"
        )
        values += [wanted.site, wanted.site]
    if set(wanted.states) != set(LIVE):
        text += f" AND d.state IN ({', '.join('?' * len(wanted.states))})"
        values += [state.value for state in wanted.states]
    if wanted.accepted_before is not None:
        text += " AND d.created_at < ?"
        values.append(wanted.accepted_before)
    if wanted.due_after is not None:
        text += " AND d.next_at > ?"
        values.append(wanted.due_after)
    return text, tuple(values)


def _behind(section: _Section, place: tuple[int, str] | None) -> tuple[str, tuple[Any, ...]]:
    if place is None:
        return "", ()
    at, identifier = place
    if not section.key:
        return " AND d.id > ?", (identifier,)
    return f" AND (d.{section.key} > ? OR (d.{section.key} = ? AND d.id > ?))", (at, at, identifier)


def _cursor(section: _Section, key: int | None, identifier: str) -> str:
    return f"{section.order}.{key or 0}.{identifier}"


def _placed(cursor: str) -> tuple[int, tuple[int, str] | None]:
    """Return the section and the place within it that a cursor names."""
    if not cursor:
        return 0, None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise Refused.field("#/query/after", "This is not where a page ended.")
    order, key, identifier = found.groups()
    return int(order), (int(key), identifier) if identifier else None


def _read(row: Sequence[Any]) -> Queued:
    return Queued(
        delivery=Delivery(
            id=DeliveryId(row[0]),
            message_id=MessageId(row[1]),
            project_id=ProjectId(row[2]),
            recipient=row[3],
            domain=row[4],
            role=Role(row[5]),
            stream=row[6],
            mode=Mode(row[7]),
            state=State(row[8]),
            attempts=row[9],
            next_at=None if row[10] is None else Instant(row[10]),
            expires_at=Instant(row[11]),
            created_at=Instant(row[12]),
            updated_at=Instant(row[13]),
            reason=None if row[14] is None else _reason.decode(row[14]),
            possible_duplicate=bool(row[15]),
        ),
        first_due_at=Instant(row[16]),
        token=row[17],
        reason_class=row[18],
        site=row[19],
    )
