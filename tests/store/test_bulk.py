"""Many rows in one statement, on both engines, in any number."""

from __future__ import annotations

import pytest

from postroad.store import bulk
from postroad.store.database import Database
from postroad.store.schema import idempotency_keys, projects, server_facts, shaping_changes, site_pins

COUNTS = [0, 1, 2, 63, 64, 65, 128, 200, 960]
COLUMNS = ("name", "value")


def facts(database: Database) -> dict[str, str]:
    rows = database.read_now(
        lambda c: bulk.run(c, "SELECT name, value FROM server_facts WHERE substr(name, 1, 1) = 'n'")
    )
    return {row[0]: row[1] for row in rows}


def numbered(count: int, value: str = "old") -> list[bulk.Row]:
    return [(f"n{n:03}", f"{value}{n}") for n in range(count)]


@pytest.mark.parametrize("count", COUNTS)
def test_any_number_of_rows_is_inserted_changed_and_found(database: Database, count: int) -> None:
    database.write_now(lambda c: bulk.insert(c, server_facts, COLUMNS, numbered(count)))
    assert facts(database) == dict(numbered(count))
    changed = database.write_now(
        lambda c: bulk.update(
            c, server_facts, keys=("name",), columns=("value",), rows=numbered(count, "new"),
            returning="server_facts.name",
        )
    )  # fmt: skip
    assert sorted(row[0] for row in changed) == [f"n{n:03}" for n in range(count)]
    assert facts(database) == dict(numbered(count, "new"))
    found = database.read_now(
        lambda c: bulk.select_in(
            c,
            "SELECT name FROM server_facts WHERE value <> ? AND name IN (:values)",
            [row[0] for row in numbered(count)],
            before=("new0",),
        )
    )
    assert len(found) == max(0, count - 1)


@pytest.mark.parametrize("count", COUNTS)
def test_rows_are_written_in_their_order(database: Database, count: int) -> None:
    rows = [("x.test", n, f"{n}") for n in range(count)]
    database.write_now(lambda c: bulk.insert(c, shaping_changes, ("site", "at", "document"), rows))
    found = database.read_now(lambda c: bulk.run(c, "SELECT document FROM shaping_changes ORDER BY id"))
    assert [row[0] for row in found] == [str(n) for n in range(count)]


def test_what_fills_a_statement_up_is_told_from_rows_by_a_column_that_is_never_null(database: Database) -> None:
    rows = [(f"n{n:03}", f"n{n:03}", n) for n in range(100)]
    if database.engine_name == "sqlite":
        with pytest.raises(ValueError, match=r"projects\.paused_at may be NULL"):
            database.write_now(lambda c: bulk.insert(c, projects, ("paused_at", "id", "name"), rows))
    database.write_now(lambda c: bulk.insert(c, projects, ("id", "name", "created_at"), rows))
    found = database.read_now(lambda c: bulk.run(c, "SELECT id FROM projects WHERE created_at < 100 ORDER BY id"))
    assert [row[0] for row in found] == [row[0] for row in rows]


@pytest.mark.parametrize("count", [1, 100])
def test_values_of_every_kind_of_column_are_kept(database: Database, count: int) -> None:
    pins = [(f"s{n:03}", "höchstens\t\\N\n", n / 3, "", -(2**62) + n) for n in range(count)]
    names = ("site", "limit_name", "value", "author", "at")
    keys = [("p", "r", f"k{n:03}", bytes(range(256)), 202, b"", n) for n in range(count)]
    columns = ("project_id", "route", "key", "digest", "status", "response", "created_at")
    database.write_now(lambda c: bulk.insert(c, site_pins, names, pins))
    database.write_now(lambda c: bulk.insert(c, idempotency_keys, columns, keys))
    found = database.read_now(lambda c: bulk.run(c, f"SELECT {', '.join(names)} FROM site_pins ORDER BY site"))
    kept = database.read_now(lambda c: bulk.run(c, f"SELECT {', '.join(columns)} FROM idempotency_keys ORDER BY key"))
    assert [tuple(row) for row in found] == pins
    assert [tuple(row) for row in kept] == keys


def test_rows_that_are_there_already_stay_as_they_are(database: Database) -> None:
    database.write_now(lambda c: bulk.insert(c, server_facts, COLUMNS, numbered(3)))
    database.write_now(lambda c: bulk.insert_new(c, server_facts, COLUMNS, numbered(5, "new")))
    assert facts(database) == {**dict(numbered(5, "new")), **dict(numbered(3))}


def test_an_update_keeps_to_its_condition_and_names_the_rows_it_changed(database: Database) -> None:
    database.write_now(lambda c: bulk.insert(c, server_facts, COLUMNS, numbered(4)))
    changed = database.write_now(
        lambda c: bulk.update(
            c,
            server_facts,
            keys=("name",),
            columns=("value",),
            rows=[*numbered(4, "new"), ("nobody", "x")],
            condition="server_facts.value <> 'old2'",
            returning="server_facts.name, server_facts.value",
        )
    )
    assert sorted(changed) == [row for n, row in enumerate(numbered(4, "new")) if n != 2]
    assert facts(database)["n002"] == "old2"


def test_an_update_sets_what_it_computes_too(database: Database) -> None:
    database.write_now(lambda c: bulk.insert(c, server_facts, COLUMNS, numbered(2)))
    nothing = database.write_now(
        lambda c: bulk.update(
            c, server_facts, keys=("name", "value"), columns=(), rows=numbered(1),
            also="value = server_facts.value || '!'",
        )
    )  # fmt: skip
    assert nothing == []
    assert facts(database) == {"n000": "old0!", "n001": "old1"}


@pytest.mark.parametrize("value", ["?", "%s", "'; DROP TABLE server_facts; --", ":values", "%", "é\u2028"])
def test_a_value_is_never_part_of_a_statement(database: Database, value: str) -> None:
    database.write_now(lambda c: bulk.insert(c, server_facts, COLUMNS, [("n1", value)]))
    assert facts(database) == {"n1": value}
    found = database.read_now(
        lambda c: bulk.select_in(c, "SELECT name FROM server_facts WHERE value IN (:values)", [value])
    )
    assert found == [("n1",)]
