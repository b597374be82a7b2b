"""Sending domains and their DKIM keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.domain import DkimKey, Domain, DomainSettings, DomainState, Finding, KeyState
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import DkimKeyId, DomainId, ProjectId
from postroad.store import audit, bulk, engines, events
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


def create(
    connection: Connection, domain: Domain, pair: Callable[[int], Sequence[DkimKey]], entry: audit.Entry
) -> list[DkimKey] | None:
    """Add a domain with its first keys, made by `pair` from their number; None when the project has it already."""
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
    if not written:
        return None
    keys = _add_pair(connection, domain, pair)
    audit.record(connection, entry)
    event = NewEvent(
        project_id=domain.project_id,
        type=EventType.DOMAIN_CREATED,
        at=domain.created_at,
        data=msgspec.json.encode({"domain": {"id": domain.id, "name": domain.name, "state": domain.state}}),
    )
    events.append(connection, [event])
    return keys


def rotate(
    connection: Connection, domain: Domain, pair: Callable[[int], Sequence[DkimKey]], entry: audit.Entry
) -> list[DkimKey] | None:
    """Add a pair of keys that waits to be seen in DNS; None when one waits already."""
    engines.lock_keys(connection, [f"domain\x1f{domain.id}"])
    if any(key.state is KeyState.PENDING for key in keys_of(connection, [domain.id])):
        return None
    keys = _add_pair(connection, domain, pair)
    bulk.run(connection, "UPDATE domains SET next_check_at = ? WHERE id = ?", (entry.at, domain.id))
    audit.record(connection, entry)
    return keys


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


def everywhere(connection: Connection) -> list[Domain]:
    """Return the domains of all projects, in the order they were made."""
    return [_read(row) for row in bulk.run(connection, f"SELECT {_COLUMNS} FROM domains ORDER BY id")]  # noqa: S608 - names of ours


def claim_due(connection: Connection, now: Instant, until: Instant, *, limit: int) -> list[Domain]:
    """Return domains whose next check has come, and put it off to `until`, so that no other node checks them too."""
    locked = " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    rows = bulk.run(
        connection,
        "UPDATE domains SET next_check_at = ? WHERE id IN (SELECT d.id FROM domains d WHERE d.next_check_at <= ? "  # noqa: S608 - names of ours
        f"ORDER BY d.next_check_at LIMIT ?{locked}) RETURNING {_COLUMNS}",
        (until, now, limit),
    )
    return [_read(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Checked:
    """A domain after a check: as it was, as it is, and the keys that came into use."""

    before: Domain
    domain: Domain
    activated: tuple[DkimKey, ...]


def record_check(
    connection: Connection,
    domain_id: DomainId,
    seen: Sequence[DkimKey],
    at: Instant,
    *,
    judge: Callable[[Domain], Domain],
    tell: Callable[[Checked], Sequence[NewEvent]],
) -> Checked | None:
    """Write what a check found, let the seen keys sign, and tell of it; None when the domain is gone.

    `judge` and `tell` are pure: they are given the domain as it stands under a lock, so that two nodes that check at
    once tell of one change once.
    """
    locked = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    rows = bulk.run(connection, f"SELECT {_COLUMNS} FROM domains WHERE id = ?{locked}", (domain_id,))  # noqa: S608 - names of ours
    if not rows:
        return None
    before = _read(rows[0])
    domain = judge(before)
    bulk.run(
        connection,
        "UPDATE domains SET state = ?, verified_at = ?, checked_at = ?, next_check_at = ?, failing_since = ?, "
        "findings = ? WHERE id = ?",
        (
            domain.state.value, domain.verified_at, domain.checked_at, domain.next_check_at, domain.failing_since,
            _text(domain.findings), domain.id,
        ),
    )  # fmt: skip
    checked = Checked(before, domain, tuple([key for key in seen if activate(connection, key, at)]))
    events.append(connection, tell(checked))
    return checked


def set_settings(connection: Connection, domain: Domain, settings: DomainSettings, entry: audit.Entry) -> None:
    """Change what the owner may set; the domain is looked at again at once."""
    bulk.run(
        connection,
        "UPDATE domains SET settings = ?, next_check_at = ? WHERE id = ?",
        (_text(settings), entry.at, domain.id),
    )
    audit.record(connection, entry)


def delete(connection: Connection, domain: Domain, entry: audit.Entry) -> None:
    """Take a domain away; its keys are retired and kept."""
    bulk.run(
        connection,
        "UPDATE dkim_keys SET state = 'retired', retired_at = coalesce(retired_at, ?) WHERE domain_id = ?",
        (entry.at, domain.id),
    )
    bulk.run(connection, "DELETE FROM domains WHERE id = ? AND project_id = ?", (domain.id, domain.project_id))
    audit.record(connection, entry)


# --- keys --------------------------------------------------------------------------------------------------------


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


def _add_pair(connection: Connection, domain: Domain, pair: Callable[[int], Sequence[DkimKey]]) -> list[DkimKey]:
    """Number and add a pair; no two pairs of one domain name, in whatever projects, have the same selectors."""
    engines.lock_keys(connection, [f"dkim\x1f{domain.name}"])
    rows = bulk.run(connection, "SELECT coalesce(max(number), 0) FROM dkim_keys WHERE domain = ?", (domain.name,))
    keys = list(pair(rows[0][0] + 1))
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
    return keys


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
