"""API keys: found by the digest of their secret, which is stored nowhere."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.ids import KeyId, ProjectId
from postroad.model.message import Mode
from postroad.model.project import ApiKey, KeyLimits, KeyScope, Project
from postroad.store import audit, bulk, projects
from postroad.store.schema import api_keys

_NAMES = (
    "id", "project_id", "name", "mode", "scope", "limits", "created_at", "expires_at", "revoked_at", "last_used_at",
)  # fmt: skip
_COLUMNS = ", ".join(f"api_keys.{name}" for name in _NAMES)
_limits = msgspec.json.Decoder(KeyLimits)


def insert(connection: Connection, key: ApiKey, digest: bytes, entry: audit.Entry) -> None:
    """Add a key, whose secret has this SHA-256 digest."""
    row = (
        key.id, key.project_id, key.name, key.mode.value, key.scope.value, msgspec.json.encode(key.limits).decode(),
        key.created_at, key.expires_at, key.revoked_at, key.last_used_at, digest,
    )  # fmt: skip
    bulk.insert(connection, api_keys, (*_NAMES, "digest"), [row])
    audit.record(connection, entry)


def by_digest(connection: Connection, digest: bytes) -> tuple[ApiKey, Project] | None:
    """Return the key whose secret has this digest, revoked or not, with its project."""
    rows = bulk.run(
        connection,
        f"SELECT {_COLUMNS}, {projects.COLUMNS} FROM api_keys JOIN projects ON projects.id = api_keys.project_id "  # noqa: S608 - names of ours
        "WHERE api_keys.digest = ?",
        (digest,),
    )
    return (_read(rows[0]), projects.read(rows[0][len(_NAMES) :])) if rows else None


def one(connection: Connection, project_id: ProjectId, key_id: KeyId) -> ApiKey | None:
    """Return a key of a project."""
    rows = bulk.run(
        connection,
        f"SELECT {_COLUMNS} FROM api_keys WHERE id = ? AND project_id = ?",  # noqa: S608 - names of ours
        (key_id, project_id),
    )
    return _read(rows[0]) if rows else None


def listed(connection: Connection, project_id: ProjectId, *, after: str = "", limit: int = 100) -> list[ApiKey]:
    """Return the keys of a project in the order they were made, revoked ones too, behind the identifier `after`."""
    rows = bulk.run(
        connection,
        f"SELECT {_COLUMNS} FROM api_keys WHERE project_id = ? AND id > ? ORDER BY id LIMIT ?",  # noqa: S608 - names of ours
        (project_id, after, limit),
    )
    return [_read(row) for row in rows]


def revoke(connection: Connection, project_id: ProjectId, key_id: KeyId, entry: audit.Entry) -> ApiKey | None:
    """End a key, and return it; one that was revoked before keeps its time. None when there is no such key."""
    rows = bulk.run(
        connection,
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?) "  # noqa: S608 - names of ours
        f"WHERE id = ? AND project_id = ? RETURNING {_COLUMNS}",
        (entry.at, key_id, project_id),
    )
    if not rows:
        return None
    audit.record(connection, entry)
    return _read(rows[0])


def note_uses(connection: Connection, uses: Mapping[KeyId, Instant]) -> None:
    """Write when keys were last used; an instant that another node has written later stays."""
    bulk.update(
        connection,
        api_keys,
        keys=("id",),
        columns=("last_used_at",),
        rows=sorted(uses.items()),
        condition="(api_keys.last_used_at IS NULL OR api_keys.last_used_at < v.last_used_at)",
    )


def _read(row: tuple[Any, ...]) -> ApiKey:
    return ApiKey(
        id=KeyId(row[0]),
        project_id=ProjectId(row[1]),
        name=row[2],
        mode=Mode(row[3]),
        scope=KeyScope(row[4]),
        limits=_limits.decode(row[5]),
        created_at=row[6],
        expires_at=row[7],
        revoked_at=row[8],
        last_used_at=row[9],
    )
