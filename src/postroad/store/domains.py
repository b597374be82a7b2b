"""Sending domains and their DKIM keys."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.domain import DkimKey, Domain, DomainSettings, DomainState, Finding, KeyState
from postroad.model.ids import DkimKeyId, DomainId, ProjectId
from postroad.store import bulk, engines
from postroad.store.schema import dkim_keys

_NAMES = (
    "id", "project_id", "name", "state", "created_at", "verified_at", "checked_at", "next_check_at", "failing_since",
    "findings", "settings",
)  # fmt: skip
_COLUMNS = ", ".join(_NAMES)
_KEY_NAMES = (
    "id", "project_id", "domain_id", "domain", "selector", "number", "algorithm", "state", "sealed", "public",
    "created_at", "activated_at", "retired_at",
)  # fmt: skip
_KEY_COLUMNS = ", ".join(_KEY_NAMES)
_findings = msgspec.json.Decoder(tuple[Finding, ...])
_settings = msgspec.json.Decoder(DomainSettings)


def insert(connection: Connection, domain: Domain) -> bool:
    """Add a domain; False when the project has it already."""
    written = bulk.run(
        connection,
        f"INSERT INTO domains ({_COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))}) "  # noqa: S608 - names of ours
        "ON CONFLICT DO NOTHING RETURNING id",
        (
            domain.id, domain.project_id, domain.name, domain.state.value, domain.created_at, domain.verified_at,
            domain.checked_at, domain.next_check_at, domain.failing_since, _text(domain.findings),
            _text(domain.settings),
        ),
    )  # fmt: skip
    return bool(written)


def one(connection: Connection, project_id: ProjectId, id_or_name: str) -> Domain | None:
    """Return a domain of a project by its identifier or its name."""
    rows = bulk.run(
        connection,
        f"SELECT {_COLUMNS} FROM domains WHERE project_id = ? AND (id = ? OR name = ?)",  # noqa: S608 - names of ours
        (project_id, id_or_name, id_or_name),
    )
    return _read(rows[0]) if rows else None


def named(connection: Connection, project_id: ProjectId, names: Sequence[str]) -> list[Domain]:
    """Return those domains of a project that have one of `names`."""
    rows = bulk.select_in(
        connection,
        f"SELECT {_COLUMNS} FROM domains WHERE project_id = ? AND name IN (:values)",  # noqa: S608 - names of ours
        names,
        before=(project_id,),
    )
    return [_read(row) for row in rows]


def listed(connection: Connection, project_id: ProjectId, *, after: str = "", limit: int = 100) -> list[Domain]:
    """Return the domains of a project in the order they were made, behind the identifier `after`."""
    rows = bulk.run(
        connection,
        f"SELECT {_COLUMNS} FROM domains WHERE project_id = ? AND id > ? ORDER BY id LIMIT ?",  # noqa: S608 - names of ours
        (project_id, after, limit),
    )
    return [_read(row) for row in rows]


def everywhere(connection: Connection, *, after: str = "", limit: int = 100) -> list[Domain]:
    """Return the domains of all projects, behind the identifier `after`."""
    rows = bulk.run(
        connection,
        f"SELECT {_COLUMNS} FROM domains WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608 - names of ours
        (after, limit),
    )
    return [_read(row) for row in rows]


def claim_due(connection: Connection, now: Instant, until: Instant, *, limit: int) -> list[Domain]:
    """Return domains whose next check has come, and put it off to `until`, so that no other node checks them too."""
    locked = " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    rows = bulk.run(
        connection,
        "UPDATE domains SET next_check_at = ? WHERE id IN (SELECT d.id FROM domains d WHERE d.next_check_at <= ? "  # noqa: S608 - names of ours
        f"ORDER BY d.next_check_at LIMIT ?{locked}) RETURNING {_COLUMNS}",
        (until, engines.now(connection, now), limit),
    )
    return [_read(row) for row in rows]


def update(connection: Connection, domain: Domain) -> bool:
    """Write everything of a domain that a check or its owner can change; False when it is gone."""
    rows = bulk.run(
        connection,
        "UPDATE domains SET state = ?, verified_at = ?, checked_at = ?, "
        "next_check_at = ?, failing_since = ?, findings = ?, settings = ? "
        "WHERE id = ? AND project_id = ? RETURNING id",
        (
            domain.state.value, domain.verified_at, domain.checked_at, domain.next_check_at, domain.failing_since,
            _text(domain.findings), _text(domain.settings), domain.id, domain.project_id,
        ),
    )  # fmt: skip
    return bool(rows)


def delete(connection: Connection, domain: Domain, at: Instant) -> None:
    """Take a domain away, its keys retired."""
    bulk.run(
        connection,
        "UPDATE dkim_keys SET state = 'retired', retired_at = coalesce(retired_at, ?) WHERE domain_id = ?",
        (at, domain.id),
    )
    bulk.run(connection, "DELETE FROM domains WHERE id = ? AND project_id = ?", (domain.id, domain.project_id))


# --- keys --------------------------------------------------------------------------------------------------------


def insert_keys(connection: Connection, keys: Sequence[DkimKey]) -> None:
    """Add DKIM keys."""
    bulk.insert(
        connection,
        dkim_keys,
        _KEY_NAMES,
        [
            (
                key.id, key.project_id, key.domain_id, key.domain, key.selector, key.number, key.algorithm,
                key.state.value, key.sealed, key.public, key.created_at, key.activated_at, key.retired_at,
            )
            for key in keys
        ],
    )  # fmt: skip


def last_number(connection: Connection, name: str) -> int:
    """Return the number of the last pair of keys made for a domain name in any project, 0 when there is none."""
    number: int = bulk.run(connection, "SELECT coalesce(max(number), 0) FROM dkim_keys WHERE domain = ?", (name,))[0][0]
    return number


def lock_name(connection: Connection, name: str) -> None:
    """Let nobody else number keys of a domain name until this transaction ends."""
    engines.lock_keys(connection, [f"dkim\x1f{name}"])


def keys_of(connection: Connection, domain_ids: Sequence[DomainId]) -> list[DkimKey]:
    """Return all keys of domains, retired ones too, oldest first."""
    rows = bulk.select_in(
        connection,
        f"SELECT {_KEY_COLUMNS} FROM dkim_keys WHERE domain_id IN (:values) ORDER BY id",  # noqa: S608 - names of ours
        domain_ids,
    )
    return [_read_key(row) for row in rows]


def keys_by_id(connection: Connection, project_id: ProjectId, key_ids: Sequence[str]) -> list[DkimKey]:
    """Return keys of a project by their identifiers, those of deleted domains too."""
    rows = bulk.select_in(
        connection,
        f"SELECT {_KEY_COLUMNS} FROM dkim_keys WHERE project_id = ? AND id IN (:values)",  # noqa: S608 - names of ours
        key_ids,
        before=(project_id,),
    )
    return [_read_key(row) for row in rows]


def activate(connection: Connection, key: DkimKey, at: Instant) -> bool:
    """Let a pending key sign, and retire the active ones of its algorithm; False when it is pending no more."""
    rows = bulk.run(
        connection,
        "UPDATE dkim_keys SET state = 'active', activated_at = ? WHERE id = ? AND state = 'pending' RETURNING id",
        (at, key.id),
    )
    if not rows:
        return False
    bulk.run(
        connection,
        "UPDATE dkim_keys SET state = 'retired', retired_at = ? "
        "WHERE domain_id = ? AND algorithm = ? AND state <> 'retired' AND id <> ? AND number < ?",
        (at, key.domain_id, key.algorithm, key.id, key.number),
    )
    return True


def drop_pending(connection: Connection, domain_id: DomainId, at: Instant) -> None:
    """Retire the keys of a domain that never came into use."""
    bulk.run(
        connection,
        "UPDATE dkim_keys SET state = 'retired', retired_at = ? WHERE domain_id = ? AND state = 'pending'",
        (at, domain_id),
    )


def _read(row: tuple[Any, ...]) -> Domain:
    return Domain(
        id=DomainId(row[0]),
        project_id=ProjectId(row[1]),
        name=row[2],
        state=DomainState(row[3]),
        created_at=row[4],
        verified_at=row[5],
        checked_at=row[6],
        next_check_at=row[7],
        failing_since=row[8],
        findings=_findings.decode(row[9]),
        settings=_settings.decode(row[10]),
    )


def _read_key(row: tuple[Any, ...]) -> DkimKey:
    return DkimKey(
        id=DkimKeyId(row[0]),
        project_id=ProjectId(row[1]),
        domain_id=None if row[2] is None else DomainId(row[2]),
        domain=row[3],
        selector=row[4],
        number=row[5],
        algorithm=row[6],
        state=KeyState(row[7]),
        sealed=bytes(row[8]),
        public=row[9],
        created_at=row[10],
        activated_at=row[11],
        retired_at=row[12],
    )


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
