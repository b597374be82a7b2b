"""Migrations bring an empty store to what the tables say, on both engines, once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from postroad.model.errors import Unavailable
from postroad.store import bulk
from postroad.store.database import Database
from postroad.store.migrate import SchemaNewer, current, migrate
from postroad.store.migrations import HEAD
from postroad.store.schema import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store in which there is nothing yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


def test_the_migrated_schema_is_what_the_tables_say(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_an_empty_store_is_migrated_once(empty_url: str) -> None:
    database = Database(empty_url)
    assert database.read_now(current) is None
    assert migrate(database) is True
    assert migrate(database) is False
    assert database.read_now(current) == HEAD
    database.close()


def test_two_nodes_that_start_together_take_turns(postgres_url: str) -> None:
    nodes = [Database(postgres_url), Database(postgres_url)]
    meeting, results = threading.Barrier(2), []

    def start(node: Database) -> None:
        meeting.wait(10)
        results.append(migrate(node))

    threads = [threading.Thread(target=start, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == [False, True]
    for node in nodes:
        node.close()


def test_a_store_of_a_newer_release_is_left_alone(database: Database) -> None:
    database.write_now(lambda c: bulk.run(c, "UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaNewer, match="9999"):
        migrate(database)
    assert database.read_now(current) == "9999"


def test_an_option_of_the_url_that_there_is_not_is_told_with_the_setting() -> None:
    database = Database("postgresql://postroad@127.0.0.1:1/postroad?sslmod=require")
    with pytest.raises(Unavailable, match=r'invalid connection option "sslmod".*POSTROAD_DATABASE_URL'):
        migrate(database)
    database.close()
