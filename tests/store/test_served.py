"""A store knows whether `postroad serve` ever ran on it."""

from __future__ import annotations

from postroad.store import served
from postroad.store.database import Database


def test_a_new_store_was_never_served(database: Database) -> None:
    assert database.read_now(served.since) is None


def test_the_first_start_is_remembered(database: Database) -> None:
    for at in ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"):
        database.write_now(lambda c, at=at: served.mark(c, at))
    assert database.read_now(served.since) == "2026-01-01T00:00:00Z"
