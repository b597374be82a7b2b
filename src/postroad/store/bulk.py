"""Many rows in one statement, on both engines.

A row a statement is slow for two reasons: each execution costs, and in CPython each SQLite call hands the interpreter
lock over, so a busy event loop makes every row wait for its turn. Statements here carry up to 512 rows as one `VALUES`
list: up to 64 any number of them, above that a few numbers only, and what SQLite inserts is filled up to one of these
with rows that it steps over. Their text is made once for each table and number of rows, both drivers keep it prepared,
and it goes to the driver's own cursor, past what SQLAlchemy does for statements it has to compile. PostgreSQL gets its
own `$1`, which psycopg passes on as they are instead of reading the statement for placeholders each time, and many rows
by COPY.
"""

import contextlib
import itertools
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import Table
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import BigInteger, Float, Integer, LargeBinary, SmallInteger, TypeEngine

Row: TypeAlias = tuple[Any, ...]
_SIZES = (512, 256, 128, 64)
_COPIED = 4
"""So many rows are worth a COPY, which takes PostgreSQL one round trip more and no planning."""


def insert(connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert `rows`, whose values stand in the order of `columns`; the first of these can never be NULL."""
    if len(rows) >= _COPIED and connection.dialect.name == "postgresql":
        _copy(connection, table, columns, rows)
        return
    _insert(connection, table, columns, rows)


def insert_new(connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert those of `rows` that violate no uniqueness; the first of `columns` can never be NULL."""
    _insert(connection, table, columns, rows, " ON CONFLICT DO NOTHING")


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


def _insert(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row], ending: str = ""
) -> None:
    dialect = connection.dialect.name
    for chunk in _lots(rows) if dialect == "sqlite" else _chunks(rows):
        size = _filled(len(chunk)) if dialect == "sqlite" else len(chunk)
        nothing = (None,) * (len(columns) * (size - len(chunk)))
        _execute(connection, _insert_text(dialect, table, columns, size, ending), _flat(chunk) + nothing)


def _execute(connection: Connection, statement: str, values: Row) -> list[Row]:
    """Run a statement on the driver's cursor and return the rows it gives, if any.

    Raises:
        DBAPIError: as SQLAlchemy would, so that whoever handles errors knows one kind.
    """
    with _cursor(connection, statement) as cursor:
        cursor.execute(statement, values)
        return [] if cursor.description is None else cursor.fetchall()


def _copy(connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Load rows into a table of PostgreSQL: in its binary form, in which octets are not written as digits."""
    statement, kinds = _copy_text(table, columns)
    with _cursor(connection, statement) as cursor, cursor.copy(statement) as copy:
        copy.set_types(kinds)
        for row in rows:
            copy.write_row(row)


@contextlib.contextmanager
def _cursor(connection: Connection, statement: str) -> Iterator[Any]:
    """Give the driver's own cursor, and raise its errors as SQLAlchemy does."""
    dialect = connection.dialect
    driver: Any = connection.connection.driver_connection
    cursor: Any = driver.cursor() if dialect.name == "sqlite" else dialect.loaded_dbapi.RawCursor(driver)
    try:
        yield cursor
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
    return statement if dialect == "sqlite" else _numbered(statement)


def _numbered(statement: str) -> str:
    """Return a statement with PostgreSQL's `$1`, `$2`, … for its `?`."""
    numbers = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", statement)


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    start = 0
    while left := len(rows) - start:
        size = next((size for size in _SIZES if size <= left), left)
        yield rows[start : start + size]
        start += size


def _lots(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """Return the rows in lots of the largest size, and the rest."""
    return [rows[start : start + _SIZES[0]] for start in range(0, len(rows), _SIZES[0])]


def _filled(count: int) -> int:
    """Return the number of rows that the statement has which takes so many."""
    return count if count <= _SIZES[-1] else min([size for size in _SIZES if size >= count])


def _flat(rows: Sequence[Row]) -> Row:
    return tuple(itertools.chain.from_iterable(rows))


@lru_cache(1024)
def _insert_text(dialect: str, table: Table, columns: tuple[str, ...], count: int, ending: str) -> str:
    """Return the statement for so many rows; SQLite's with many steps over rows whose first column is NULL."""
    row = f"({', '.join('?' * len(columns))})"
    before = behind = ""
    if dialect == "sqlite" and count > _SIZES[-1]:
        if table.c[columns[0]].nullable:
            raise ValueError(f"{table.name}.{columns[0]} may be NULL, so it cannot tell rows from what fills them up")
        before, behind = "SELECT * FROM (", ") WHERE column1 IS NOT NULL"
    rows = f"{before}VALUES {', '.join([row] * count)}{behind}"
    return _marked(dialect, f"INSERT INTO {table.name} ({', '.join(columns)}) {rows}{ending}")


@lru_cache(256)
def _copy_text(table: Table, columns: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the statement, and the types that its columns have on PostgreSQL."""
    kinds = tuple([_kind(table.c[name].type) for name in columns])
    return f"COPY {table.name} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)", kinds


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
    row = f"({', '.join('?' * len(named))})"
    first = row if dialect == "sqlite" else f"({', '.join([f'?::{_cast(table.c[name].type)}' for name in named])})"
    sets = ", ".join([f"{name} = v.{name}" for name in columns] + ([also] if also else []))
    matches = " AND ".join([f"{table.name}.{key} = v.{key}" for key in keys])
    text = (
        f"WITH v ({', '.join(named)}) AS (VALUES {', '.join([first] + [row] * (count - 1))}) "  # noqa: S608 - names of ours
        f"UPDATE {table.name} SET {sets} FROM v WHERE {matches}"
    )
    if condition:
        # In a CASE, so that no partial index over the condition is taken for a shorter way than the key: statistics
        # made while few rows met it say so, and then each row of `v` steps over all entries that are dead by now.
        text += f" AND CASE WHEN {table.name}.{keys[0]} = v.{keys[0]} THEN {condition} END"
    if returning:
        text += f" RETURNING {returning}"
    return _marked(dialect, text)


def _kind(kind: TypeEngine[Any]) -> str:
    """Return the very type of a column, which a binary form has to be of."""
    match kind:
        case BigInteger():
            return "int8"
        case SmallInteger():
            return "int2"
        case Integer():
            return "int4"
        case Float():
            return "float8"
        case LargeBinary():
            return "bytea"
        case _:
            return "text"


def _cast(kind: TypeEngine[Any]) -> str:
    if isinstance(kind, BigInteger | Integer):
        return "bigint"
    return "bytea" if isinstance(kind, LargeBinary) else "text"
