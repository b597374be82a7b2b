"""What shaping keeps: the state of sites node by node, pins, changes, and which nodes are alive to share the limits."""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import DAY, SECOND, Instant
from postroad.model.shaping import Change, Pin
from postroad.store import audit, bulk, engines, sites
from postroad.store.schema_shaping import shaping_changes

_MOST_CHANGES = 20_000
"""Changes that are kept, over all sites."""
ALIVE = 30 * SECOND
_STALE = DAY
_CHUNK = 64
_change = msgspec.json.Decoder(Change)


class Found(msgspec.Struct, frozen=True):
    """What a node has found out since it wrote that down last."""

    node: str
    states: Mapping[str, bytes]
    """By site, as JSON."""
    changes: Sequence[Change]
    domains: Mapping[str, str]
    """The sites of domains."""


def keep(connection: Connection, found: Found, now: Instant) -> None:
    """Write down what a node has found out."""
    save(connection, found.node, found.states, now)
    sites.note(connection, found.domains, now)
    if found.changes:
        add_changes(connection, found.changes)


def save(connection: Connection, node: str, states: Mapping[str, bytes], now: Instant) -> None:
    """Write down the states of sites, as JSON, for a node."""
    pairs = list(states.items())
    for start in range(0, len(pairs), _CHUNK):
        chunk = pairs[start : start + _CHUNK]
        values = ", ".join(["(?, ?, ?, ?)"] * len(chunk))
        bulk.run(
            connection,
            f"INSERT INTO site_states (node, site, document, updated_at) VALUES {values} "  # noqa: S608 - parameters are bound
            "ON CONFLICT (node, site) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at",
            tuple([value for site, document in chunk for value in (node, site, document.decode(), now)]),
        )


def saved(connection: Connection, node: str, now: Instant) -> dict[str, bytes]:
    """Return the states that a node wrote down within the last day, and drop older ones of any node."""
    bulk.run(connection, "DELETE FROM site_states WHERE updated_at < ?", (now - _STALE,))
    rows = bulk.run(connection, "SELECT site, document FROM site_states WHERE node = ?", (node,))
    return {row[0]: str(row[1]).encode() for row in rows}


def all_saved(connection: Connection) -> list[tuple[str, bytes]]:
    """Return the states that all nodes have written down, with their sites."""
    rows = bulk.run(connection, "SELECT site, document FROM site_states ORDER BY site")
    return [(row[0], str(row[1]).encode()) for row in rows]


def add_changes(connection: Connection, changes: Sequence[Change]) -> None:
    """Write changes down, and drop the oldest of more than are kept."""
    rows = [(change.site, change.at, msgspec.json.encode(change).decode()) for change in changes]
    bulk.insert(connection, shaping_changes, ("site", "at", "document"), rows)
    bulk.run(
        connection,
        "DELETE FROM shaping_changes WHERE id <= (SELECT max(id) FROM shaping_changes) - ?",
        (_MOST_CHANGES,),
    )


def changes(connection: Connection, site: str | None, *, limit: int) -> list[Change]:
    """Return the newest changes, of one site or of all, the newest first."""
    which, values = ("", ()) if site is None else ("WHERE site = ? ", (site,))
    rows = bulk.run(
        connection,
        f"SELECT document FROM shaping_changes {which}ORDER BY id DESC LIMIT ?",  # noqa: S608 - texts of ours
        (*values, limit),
    )
    return [_change.decode(row[0]) for row in rows]


def pins(connection: Connection) -> list[Pin]:
    """Return every pin."""
    rows = bulk.run(connection, "SELECT site, limit_name, value, author, at FROM site_pins ORDER BY site, limit_name")
    return [Pin(site=row[0], limit=row[1], value=row[2], author=row[3], at=Instant(row[4])) for row in rows]


def put_pin(connection: Connection, pin: Pin) -> None:
    """Pin a limit, in place of an earlier pin of it; writes the audit."""
    bulk.run(
        connection,
        "INSERT INTO site_pins (site, limit_name, value, author, at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (site, limit_name) DO UPDATE SET value = excluded.value, author = excluded.author, "
        "at = excluded.at",
        (pin.site, pin.limit, pin.value, pin.author, pin.at),
    )
    _audit(connection, "site.pinned", pin.site, pin.author, pin.at, {"limit": pin.limit, "value": pin.value})


def remove_pin(connection: Connection, site: str, limit: str, *, author: str, at: Instant) -> bool:
    """Take a pin away, and tell whether there was one; writes the audit."""
    gone = bulk.run(connection, "DELETE FROM site_pins WHERE site = ? AND limit_name = ? RETURNING site", (site, limit))
    if gone:
        _audit(connection, "site.unpinned", site, author, at, {"limit": limit})
    return bool(gone)


def alive(connection: Connection, node: str, now: Instant) -> list[str]:
    """Note that a node is alive, and return the names of all that are, in order."""
    clock = engines.now(connection, now)
    bulk.run(
        connection,
        "INSERT INTO nodes (name, seen_at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at",
        (node, clock),
    )
    rows = bulk.run(connection, "SELECT name FROM nodes WHERE seen_at > ? ORDER BY name", (clock - ALIVE,))
    return [row[0] for row in rows]


def gone(connection: Connection, node: str) -> None:
    """Note that a node has stopped, so that the others take its part at once."""
    bulk.run(connection, "DELETE FROM nodes WHERE name = ?", (node,))


def _audit(
    connection: Connection, action: str, site: str, author: str, at: Instant, data: Mapping[str, object]
) -> None:
    audit.record(connection, audit.Entry(project_id=None, at=at, actor=author, action=action, subject=site, data=data))
