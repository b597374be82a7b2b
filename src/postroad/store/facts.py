"""What the engine says of itself."""

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.store import bulk, engines
from postroad.store.schema import dkim_keys, webhooks
from postroad.store.vault import SEALED_KEY_ID

_MENDED = (3, 51, 3)
"""The first SQLite without the defect by which several writers of one write-ahead log can lose commits."""


def answers(connection: Connection) -> None:
    """Ask the store the least that there is to ask."""
    bulk.run(connection, "SELECT 1")


def version(connection: Connection) -> str:
    """Return the version of the engine, such as `3.40.1` or `15.14`."""
    statement = "SELECT sqlite_version()" if connection.dialect.name == "sqlite" else "SHOW server_version"
    return str(bulk.run(connection, statement)[0][0]).split()[0]


def can_lose_commits(sqlite_version: str) -> bool:
    """Whether this SQLite has the write-ahead log's reset defect, which one writing process keeps clear of."""
    return tuple([int(part) for part in sqlite_version.split(".")[:3]]) < _MENDED


def sealed_by_others(connection: Connection, key_id: bytes) -> int:
    """Return how many secrets in use were sealed under another master key than the one with this identifier."""
    keys = select(func.count()).where(
        dkim_keys.c.state != "retired", func.substr(dkim_keys.c.sealed, *SEALED_KEY_ID) != key_id
    )
    hooks = select(func.count()).where(func.substr(webhooks.c.secrets, *SEALED_KEY_ID) != key_id)
    return connection.execute(keys).scalar_one() + connection.execute(hooks).scalar_one()


def clock_ahead(connection: Connection, clock: Instant) -> int:
    """Return by how many microseconds the database's clock is ahead of ours; 0 on SQLite, which has none."""
    return engines.now(connection, clock) - clock
