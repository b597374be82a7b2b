"""Projects: the tenants of an installation."""

from typing import Any

from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.errors import Refused
from postroad.model.ids import ProjectId
from postroad.model.project import Project
from postroad.store import audit, bulk

COLUMNS = "projects.id, projects.name, projects.created_at, projects.paused_at"


def insert(connection: Connection, project: Project, entry: audit.Entry) -> None:
    """Add a project.

    Raises:
        Refused: its name is taken (`already_exists`).
    """
    written = bulk.run(
        connection,
        "INSERT INTO projects (id, name, created_at, paused_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING RETURNING id",
        (project.id, project.name, project.created_at, project.paused_at),
    )
    if not written:
        raise _taken(project.name)
    audit.record(connection, entry)


def by_id(connection: Connection, project_id: ProjectId) -> Project | None:
    """Return a project by its identifier."""
    rows = bulk.run(connection, f"SELECT {COLUMNS} FROM projects WHERE id = ?", (project_id,))  # noqa: S608 - names of ours
    return read(rows[0]) if rows else None


def by_name(connection: Connection, name: str) -> Project | None:
    """Return a project by its name."""
    rows = bulk.run(connection, f"SELECT {COLUMNS} FROM projects WHERE name = ?", (name,))  # noqa: S608 - names of ours
    return read(rows[0]) if rows else None


def listed(connection: Connection, *, after: str = "", limit: int = 100) -> list[Project]:
    """Return projects in the order they were made, behind the identifier `after`."""
    rows = bulk.run(
        connection,
        f"SELECT {COLUMNS} FROM projects WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608 - names of ours
        (after, limit),
    )
    return [read(row) for row in rows]


def rename(connection: Connection, project_id: ProjectId, name: str, entry: audit.Entry) -> Project | None:
    """Give a project another name, and return it; None when there is no such project.

    Raises:
        Refused: the name is taken (`already_exists`).
    """
    owner = by_name(connection, name)
    if owner is not None and owner.id != project_id:
        raise _taken(name)
    return _update(connection, "name = ?", (name, project_id), entry)


def pause(connection: Connection, project_id: ProjectId, at: Instant, entry: audit.Entry) -> Project | None:
    """Stop leasing a project's mail; one that is paused already keeps its time. None when there is no such project."""
    return _update(connection, "paused_at = coalesce(paused_at, ?)", (at, project_id), entry)


def resume(connection: Connection, project_id: ProjectId, entry: audit.Entry) -> Project | None:
    """Lease a project's mail again, and return it; None when there is no such project."""
    return _update(connection, "paused_at = NULL", (project_id,), entry)


def _update(connection: Connection, assignment: str, values: tuple[object, ...], entry: audit.Entry) -> Project | None:
    rows = bulk.run(connection, f"UPDATE projects SET {assignment} WHERE id = ? RETURNING {COLUMNS}", values)  # noqa: S608 - texts of ours
    if not rows:
        return None
    audit.record(connection, entry)
    return read(rows[0])


def read(row: tuple[Any, ...]) -> Project:
    """Return the project of a row of `COLUMNS`."""
    return Project(
        id=ProjectId(row[0]), name=row[1], created_at=Instant(row[2]), paused_at=None if row[3] is None else row[3]
    )


def _taken(name: str) -> Refused:
    return Refused.field("/name", f"There is a project with the name {name!r} already.", code="already_exists")
