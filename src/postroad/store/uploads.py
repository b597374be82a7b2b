"""Which project uploaded which blob, and when: what it may name in a message, and what nobody named in the end.

Blobs leave the blob store by way of this table only: what retention frees is noted here as an old upload, and a row
goes when its blob is gone. So none is forgotten there when the store is away, or the server stops in between.
"""

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


def leave(connection: Connection, freed: Iterable[tuple[ProjectId, str]]) -> None:
    """Note blobs that no message needs any more, to be removed at once; what was uploaded anew stays that."""
    for project, sha256 in freed:
        bulk.run(
            connection,
            "INSERT INTO uploads (project_id, sha256, at) VALUES (?, ?, 0) ON CONFLICT (project_id, sha256) DO NOTHING",
            (project, sha256),
        )


def old(
    connection: Connection, before: Instant, limit: int, *, behind: tuple[str, str] = ("", "")
) -> list[tuple[ProjectId, str]]:
    """Return up to `limit` uploads older than an instant, each with its project, behind one of them."""
    rows = bulk.run(
        connection,
        "SELECT project_id, sha256 FROM uploads WHERE at < ? AND (project_id, sha256) > (?, ?) "
        "ORDER BY project_id, sha256 LIMIT ?",
        (before, *behind, limit),
    )
    return [(ProjectId(project), sha256) for project, sha256 in rows]


def forget(connection: Connection, gone: Iterable[tuple[ProjectId, str]], before: Instant) -> int:
    """Forget uploads that were not uploaded again since an instant, and return how many."""
    statement = "DELETE FROM uploads WHERE project_id = ? AND sha256 = ? AND at < ? RETURNING sha256"
    return sum([len(bulk.run(connection, statement, (*each, before))) for each in gone])


def is_used(connection: Connection, sha256: str, before: Instant) -> bool:
    """Whether any message needs a blob, or somebody uploaded it since an instant and may still name it."""
    statement = "SELECT 1 FROM blob_uses WHERE sha256 = ? UNION ALL SELECT 1 FROM uploads WHERE sha256 = ? AND at >= ?"
    return bool(bulk.run(connection, f"{statement} LIMIT 1", (sha256, sha256, before)))
