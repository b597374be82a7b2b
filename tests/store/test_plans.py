"""How PostgreSQL goes about the hot statements while it knows nothing of the tables: never by reading whole ones."""

from __future__ import annotations

import pytest

from postroad.store import bulk, lines
from postroad.store.messages import accept
from postroad.store.schema import attempts, deliveries
from stores import START, acceptance, new_message


def plan(database, statement, values):
    return "\n".join(row[0] for row in database.write_now(lambda c: bulk.run(c, f"EXPLAIN {statement}", values)))


@pytest.mark.parametrize("count", [1, 64])
@pytest.mark.parametrize(
    ("table", "keys", "column", "condition", "index"),
    [
        (deliveries, ("id", "lease_token"), "state", "deliveries.state = 'sending'", "pk_deliveries"),
        (deliveries, ("id",), "line", "", "pk_deliveries"),
        (attempts, ("delivery_id", "number"), "outcome", "", "pk_attempts"),
    ],
)
def test_rows_are_changed_by_their_keys_however_little_is_known(database, table, keys, column, condition, index, count):
    if database.engine_name == "sqlite":
        pytest.skip("SQLite plans without statistics")
    text = bulk._update_text("postgresql", table, keys, (column,), condition, "", "", count)
    row = (*("x" if key in ("id", "delivery_id") else 1 for key in keys), "y")
    found = plan(database, text, row * count)
    assert f"Index Scan using {index}" in found
    assert "Seq Scan" not in found


def test_what_is_changed_meets_the_condition(database, project):
    rows = [(project.id, "new")]
    table = deliveries.metadata.tables["projects"]
    for condition, expected in (("projects.paused_at IS NOT NULL", []), ("projects.paused_at IS NULL", [("new",)])):
        changed = database.write_now(
            lambda c, condition=condition: bulk.update(
                c, table, keys=("id",), columns=("name",), rows=rows, condition=condition, returning="projects.name"
            )
        )
        assert [tuple(row) for row in changed] == expected


def test_a_line_is_read_in_the_index_of_lines_even_where_it_is_all_there_was(database, project, mints):
    found = [new_message(mints, project, f"r{n}@x.test") for n in range(60)]
    database.write_now(lambda c: accept(c, [acceptance(project, *found)]))
    database.write_now(lambda c: bulk.run(c, "ANALYZE"))
    values = ("0 x", START, "0 x", START, 10)
    if database.engine_name == "sqlite":
        rows = database.read_now(lambda c: bulk.run(c, f"EXPLAIN QUERY PLAN {lines._FIRST}", values))
        found_plan = "\n".join(row[3] for row in rows)
        assert "TEMP B-TREE" not in found_plan
    else:
        found_plan = plan(database, lines._FIRST, values)
        assert "Sort" not in found_plan
    assert "ix_deliveries_line" in found_plan
