"""The log: events in the order in which they became true, read through a cursor that never skips one."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.event import Event, EventType, NewEvent
from postroad.model.ids import MessageId, ProjectId, event_id
from postroad.store import bulk
from postroad.store.engines import order_events
from postroad.store.schema import deliveries, events, messages

_COLUMNS = ("project_id", "type", "at", "message_id", "delivery_id", "data")


def append(connection: Connection, new: Sequence[NewEvent]) -> None:
    """Write events, in order. Call it last in a transaction: on PostgreSQL it takes the log's lock."""
    if not new:
        return
    order_events(connection)
    bulk.insert(
        connection,
        events,
        _COLUMNS,
        [(e.project_id, e.type.value, e.at, e.message_id, e.delivery_id, e.data.decode()) for e in new],
    )


_joined = (
    select(
        events.c.seq,
        events.c.type,
        events.c.project_id,
        events.c.at,
        events.c.message_id,
        events.c.delivery_id,
        events.c.data,
        messages.c.header_id,
        messages.c.stream,
        messages.c.mode,
        messages.c.sender,
        messages.c.subject,
        messages.c.tags,
        messages.c.metadata,
        deliveries.c.recipient,
        deliveries.c.in_doubt,
    )
    .select_from(
        events.outerjoin(messages, messages.c.id == events.c.message_id).outerjoin(
            deliveries, deliveries.c.id == events.c.delivery_id
        )
    )
    .order_by(events.c.seq)
)
_feed = _joined.where(events.c.project_id == bindparam("project"), events.c.seq > bindparam("after")).limit(
    bindparam("limit")
)
_of_message = _joined.where(events.c.message_id == bindparam("message"), events.c.project_id == bindparam("project"))
_one = _joined.where(events.c.seq == bindparam("seq"), events.c.project_id == bindparam("project"))
_at = _joined.where(events.c.seq.in_(bindparam("places", expanding=True)), events.c.project_id == bindparam("project"))


def feed(
    connection: Connection, project: ProjectId, *, after: int, limit: int, types: Sequence[str] = ()
) -> list[Event]:
    """Return up to `limit` events of a project whose place is behind `after`, in order."""
    statement = _feed if not types else _feed.where(events.c.type.in_(list(types)))
    rows = connection.execute(statement, {"project": project, "after": after, "limit": limit})
    return [_event(row) for row in rows]


def of_message(connection: Connection, project: ProjectId, message: MessageId) -> list[Event]:
    """Return all events of one message, in order."""
    return [_event(row) for row in connection.execute(_of_message, {"message": message, "project": project})]


def one(connection: Connection, project: ProjectId, seq: int) -> Event | None:
    """Return the event at a place of the log, if it is the project's."""
    row = connection.execute(_one, {"seq": seq, "project": project}).first()
    return None if row is None else _event(row)


def at(connection: Connection, project: ProjectId, places: Sequence[int]) -> list[Event]:
    """Return the events at these places of the log that are the project's and still kept, in order."""
    return [_event(row) for row in connection.execute(_at, {"places": list(places), "project": project})]


def last_seq(connection: Connection, project: ProjectId | None = None) -> int:
    """Return the last place in the log (of a project), 0 when it is empty."""
    statement = select(func.max(events.c.seq))
    if project is not None:
        statement = statement.where(events.c.project_id == project)
    return connection.execute(statement).scalar() or 0


def newest(connection: Connection) -> Instant | None:
    """Return the time of the last event; None when there is none."""
    found = connection.execute(select(events.c.at).order_by(events.c.seq.desc()).limit(1)).scalar()
    return None if found is None else Instant(found)


def _event(row: Any) -> Event:
    data: dict[str, object] = {}
    if row.message_id is not None:
        data["message_id"] = row.message_id
    if row.delivery_id is not None:
        data["delivery_id"] = row.delivery_id
        data["to"] = row.recipient
    if row.header_id is not None:
        data |= {
            "header_id": row.header_id,
            "from": row.sender,
            "subject": row.subject,
            "stream": row.stream,
            "mode": row.mode,
            "tags": msgspec.json.decode(row.tags),
            "metadata": msgspec.json.decode(row.metadata),
            "possible_duplicate": bool(row.in_doubt),
        }
    data |= msgspec.json.decode(row.data, type=dict[str, object])
    return Event(
        id=event_id(row.seq),
        seq=row.seq,
        type=EventType(row.type),
        project_id=row.project_id,
        created_at=Instant(row.at),
        data=data,
    )
