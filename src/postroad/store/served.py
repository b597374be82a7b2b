"""Whether mail in a store is meant for its recipients: `postroad serve` says so, and `postroad dev` keeps away then."""

from typing import Final

from sqlalchemy.engine import Connection

from postroad.store import bulk, schema

_FACT: Final = "served_since"


def mark(connection: Connection, at: str) -> None:
    """Write down that `postroad serve` ran on this store, with the time of the first start, RFC 3339."""
    bulk.insert_new(connection, schema.server_facts, ("name", "value"), [(_FACT, at)])


def since(connection: Connection) -> str | None:
    """Return when `postroad serve` first ran on this store, RFC 3339; None: never."""
    rows = bulk.run(connection, "SELECT value FROM server_facts WHERE name = ?", (_FACT,))
    return str(rows[0][0]) if rows else None
