"""Who changed what: one row for every administrative change, in the change's own transaction."""

from collections.abc import Mapping

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.store import bulk
from postroad.store.schema import audit

_COLUMNS = ("project_id", "at", "actor", "action", "subject", "data")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One administrative change. `data` never holds a secret."""

    project_id: str | None
    at: Instant
    actor: str
    """Identifier of the API key, or `cli`, `admin` (the admin key) or `system`."""
    action: str
    """Such as `key.created`."""
    subject: str
    """Identifier of what was changed."""
    data: Mapping[str, object] = {}


def record(connection: Connection, entry: Entry) -> None:
    """Write down a change."""
    data = msgspec.json.encode(entry.data).decode()
    row = (entry.project_id, entry.at, entry.actor, entry.action, entry.subject, data)
    bulk.insert(connection, audit, _COLUMNS, [row])


def entries(connection: Connection, project_id: str | None, *, limit: int = 100) -> list[Entry]:
    """Return the newest changes of a project (or, with None, those that belong to no project), newest first."""
    which = "project_id = ?" if project_id is not None else "project_id IS NULL"
    values = () if project_id is None else (project_id,)
    rows = bulk.run(
        connection,
        f"SELECT project_id, at, actor, action, subject, data FROM audit WHERE {which} ORDER BY id DESC LIMIT ?",  # noqa: S608 - texts of ours
        (*values, limit),
    )
    return [
        Entry(
            project_id=row[0], at=Instant(row[1]), actor=row[2], action=row[3], subject=row[4],
            data=msgspec.json.decode(row[5]),
        )
        for row in rows
    ]  # fmt: skip
