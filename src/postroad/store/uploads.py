"""Which project uploaded which blob, and when: what it may name in a message, and what nobody named in the end."""

from collections.abc import Iterable

from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.ids import ProjectId
from postroad.store import bulk


def note(connection: Connection, project: ProjectId, blobs: Iterable[str], at: Instant) -> None:
    """Note that a project uploads blobs; once more makes them young again."""
    for sha256 in blobs:
        bulk.run(
            connection,
            "INSERT INTO uploads (project_id, sha256, at) VALUES (?, ?, ?) "
            "ON CONFLICT (project_id, sha256) DO UPDATE SET at = excluded.at",
            (project, sha256, at),
        )


def may_name(connection: Connection, project: ProjectId, sha256: str) -> bool:
    """Whether a project uploaded a blob, or has a message with it: knowing a digest does not open another's file."""
    found = bulk.run(
        connection,
        "SELECT 1 FROM uploads WHERE project_id = ? AND sha256 = ? UNION ALL "
        "SELECT 1 FROM blob_uses u JOIN messages m ON m.id = u.message_id WHERE u.sha256 = ? AND m.project_id = ? "
        "LIMIT 1",
        (project, sha256, sha256, project),
    )
    return bool(found)


def remove(connection: Connection, before: Instant, limit: int) -> tuple[int, list[str]]:
    """Forget up to `limit` uploads older than an instant.

    Returns:
        How many went, and their blobs; some may be needed all the same.
    """
    rows = bulk.run(
        connection,
        "DELETE FROM uploads WHERE (project_id, sha256) IN (SELECT project_id, sha256 FROM uploads WHERE at < ? "
        "ORDER BY at LIMIT ?) RETURNING sha256",
        (before, limit),
    )
    return len(rows), sorted({row[0] for row in rows})
