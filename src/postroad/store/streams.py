"""Streams as projects have set them up: only what differs from the built-in stream of their kind."""

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.ids import ProjectId
from postroad.model.stream import RetrySchedule, StreamKind
from postroad.store import audit, bulk


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a project has set for one stream; None where the built-in stream of its kind holds."""

    kind: StreamKind
    expire_after: int | None = None
    """Microseconds."""
    retry: RetrySchedule | None = None
    unsubscribe: bool | None = None
    require_tls: bool | None = None


_document = msgspec.json.Decoder(StreamSettings)


def insert(
    connection: Connection, project_id: ProjectId, name: str, settings: StreamSettings, entry: audit.Entry
) -> bool:
    """Add a stream; False when the project has one of that name."""
    written = bulk.run(
        connection,
        "INSERT INTO streams (project_id, name, document, created_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING RETURNING name",
        (project_id, name, msgspec.json.encode(settings).decode(), entry.at),
    )
    if written:
        audit.record(connection, entry)
    return bool(written)


def replace(
    connection: Connection, project_id: ProjectId, name: str, settings: StreamSettings, entry: audit.Entry
) -> None:
    """Set what a project has set for a stream, whether or not there is a row for it yet."""
    bulk.run(
        connection,
        "INSERT INTO streams (project_id, name, document, created_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (project_id, name) DO UPDATE SET document = excluded.document",
        (project_id, name, msgspec.json.encode(settings).decode(), entry.at),
    )
    audit.record(connection, entry)


def of_project(connection: Connection, project_id: ProjectId) -> dict[str, StreamSettings]:
    """Return what a project has set, by the stream's name."""
    rows = bulk.run(connection, "SELECT name, document FROM streams WHERE project_id = ? ORDER BY name", (project_id,))
    return {row[0]: _document.decode(row[1]) for row in rows}
