"""Many rows in one statement, on both engines.

A row a statement is slow for two reasons: each execution costs, and in CPython each SQLite call hands the interpreter
lock over, so a busy event loop makes every row wait for its turn. Statements here carry up to 64 rows as one `VALUES`
list. Their text is made once for each table and number of rows, both drivers keep it prepared, and it goes to the
driver's own cursor, past what SQLAlchemy does for statements it has to compile.
"""

import contextlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import Table
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import BigInteger, Integer, LargeBinary, TypeEngine

Row: TypeAlias = tuple[Any, ...]
_MOST = 64


def insert(connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert `rows`, whose values stand in the order of `columns`."""
    for chunk in _chunks(rows):
        statement = _insert_text(connection.dialect.name, table.name, columns, len(chunk))
        _execute(connection, statement, _flat(chunk))


def insert_new(connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert those of `rows` that violate no uniqueness."""
    for chunk in _chunks(rows):
        statement = _insert_text(connection.dialect.name, table.name, columns, len(chunk)) + " ON CONFLICT DO NOTHING"
        _execute(connection, statement, _flat(chunk))


def update(
    connection: Connection,
    table: Table,
    *,
    keys: tuple[str, ...],
    columns: tuple[str, ...],
    rows: Sequence[Row],
    condition: str = "",
    returning: str = "",
    also: str = "",
) -> list[Row]:
    """Set `columns` of the rows named by `keys`; a row is the values of `keys`, then of `columns`.

    Args:
        connection: of a write transaction.
        table: to change; stands under its name in `condition`, the given rows as `v`.
        keys: columns that name a row.
        columns: columns to set.
        rows: key values, then new values.
        condition: further SQL that must hold, without parameters.
        returning: columns of the table to give back, qualified by its name, for each row changed.
        also: further assignments, without parameters.
    """
    changed: list[Row] = []
    for chunk in _chunks(rows):
        statement = _update_text(connection.dialect.name, table, keys, columns, condition, returning, also, len(chunk))
        changed += _execute(connection, statement, _flat(chunk))
    return changed


def select_in(connection: Connection, statement: str, values: Sequence[Any], *, before: Row = ()) -> list[Row]:
    """Run `statement`, in which `:values` stands in an IN list, for all `values`, and return every row.

    `before` are parameters whose `?` stand in front of the list.
    """
    found: list[Row] = []
    for chunk in _chunks([(value,) for value in values]):
        text = statement.replace(":values", ", ".join("?" * len(chunk)))
        found += run(connection, text, before + _flat(chunk))
    return found


def run(connection: Connection, statement: str, values: Row = ()) -> list[Row]:
    """Run one statement, whose parameters are written `?` on both engines, and return the rows it gives, if any."""
    return _execute(connection, _marked(connection.dialect.name, statement), values)


@contextlib.contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """Undo what the body did when it raises, and leave the rest of the transaction as it is."""
    _execute(connection, "SAVEPOINT unit", ())
    try:
        yield
    except BaseException:
        if not connection.invalidated:
            _execute(connection, "ROLLBACK TO SAVEPOINT unit", ())
            _execute(connection, "RELEASE SAVEPOINT unit", ())
        raise
    _execute(connection, "RELEASE SAVEPOINT unit", ())


def _execute(connection: Connection, statement: str, values: Row) -> list[Row]:
    """Run a statement on the driver's cursor and return the rows it gives, if any.

    Raises:
        DBAPIError: as SQLAlchemy would, so that whoever handles errors knows one kind.
    """
    dialect = connection.dialect
    driver: Any = connection.connection.driver_connection
    cursor = driver.cursor()
    try:
        cursor.execute(statement, values)
        return [] if cursor.description is None else cursor.fetchall()
    except dialect.loaded_dbapi.Error as error:
        gone = dialect.is_disconnect(error, driver, cursor)
        if gone:
            connection.invalidate(error)
        raise DBAPIError.instance(
            statement,
            None,
            error,
            dialect.loaded_dbapi.Error,
            hide_parameters=True,
            connection_invalidated=gone,
            dialect=dialect,
        ) from error
    finally:
        cursor.close()


@lru_cache(512)
def _marked(dialect: str, statement: str) -> str:
    return statement if dialect == "sqlite" else statement.replace("?", "%s")


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), _MOST):
        yield rows[start : start + _MOST]


def _flat(rows: Sequence[Row]) -> Row:
    return tuple([value for row in rows for value in row])


def _marker(dialect: str) -> str:
    return "?" if dialect == "sqlite" else "%s"


@lru_cache(1024)
def _insert_text(dialect: str, table: str, columns: tuple[str, ...], count: int) -> str:
    row = f"({', '.join([_marker(dialect)] * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * count)}"  # noqa: S608 - names of ours


@lru_cache(1024)
def _update_text(
    dialect: str,
    table: Table,
    keys: tuple[str, ...],
    columns: tuple[str, ...],
    condition: str,
    returning: str,
    also: str,
    count: int,
) -> str:
    named = keys + columns
    marker = _marker(dialect)
    if dialect == "sqlite":
        first = f"({', '.join([marker] * len(named))})"
    else:
        first = f"({', '.join([f'{marker}::{_cast(table.c[name].type)}' for name in named])})"
    rows = [first] + [f"({', '.join([marker] * len(named))})"] * (count - 1)
    sets = ", ".join([f"{name} = v.{name}" for name in columns] + ([also] if also else []))
    matches = " AND ".join([f"{table.name}.{key} = v.{key}" for key in keys])
    text = (
        f"WITH v ({', '.join(named)}) AS (VALUES {', '.join(rows)}) "  # noqa: S608 - names of ours
        f"UPDATE {table.name} SET {sets} FROM v WHERE {matches}"
    )
    if condition:
        text += f" AND {condition}"
    if returning:
        text += f" RETURNING {returning}"
    return text


def _cast(kind: TypeEngine[Any]) -> str:
    if isinstance(kind, BigInteger | Integer):
        return "bigint"
    return "bytea" if isinstance(kind, LargeBinary) else "text"
