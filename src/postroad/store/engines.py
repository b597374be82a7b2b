"""What must differ between the two engines, side by side: how to connect, how to lock, what an error means."""

import fcntl
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from postroad.model.clock import Instant

EngineName = Literal["sqlite", "postgresql"]

EVENT_LOCK = 0x706F7374_726F6164
"""Advisory lock under which events get their place in the log on PostgreSQL."""
MIGRATION_LOCK = EVENT_LOCK + 1

_TRANSIENT_STATES = frozenset({"40001", "40P01", "55P03"})
_AWAY_CLASSES = ("08", "53", "57", "58")
"""Of SQLSTATE: connection, resources, the operator's intervention, the system."""
_ENDING_STATES = frozenset({"25P03", "25P04", "57P01", "57P02", "57P03", "57P04", "57P05"})
"""With these the server ends the connection: it stood still in a transaction, one took too long (PostgreSQL 17), the
server stops, has crashed, is starting, drops the database, or the connection stood idle."""
_READ_ONLY = "25006"
"""What a standby answers to a write: after a fail-over the connection leads to the wrong server."""
_WAL_PAGES = 2000
_BY_INDEX = " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
"""Writers find few rows, always by an index. Left alone, PostgreSQL plans to read whole tables while these are new and
small, and keeps to that in prepared statements until it is told their sizes, a minute and 200,000 rows later."""
_NOT_COMPILED = " -c jit=off"
"""PostgreSQL compiles a statement whose estimated cost is high, which takes it 60 ms and more. Ours find few rows each,
and where `_BY_INDEX` rules a table's only plan out, that plan is given a cost beyond any."""
_PREPARED = 300
"""Statements that a connection to PostgreSQL keeps prepared."""
_COMPRESSION = (
    "SELECT set_config(name, 'lz4', false) FROM pg_settings "
    "WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)"
)
"""Where the server was built with LZ4 (PostgreSQL 14 and later), content is compressed by it, in a fraction of the
time that PostgreSQL's own way takes."""
_SILENCE_S = 10
"""How long a connection to PostgreSQL may be cut off, or stand still in a transaction, before each side ends it.

Without a limit a node that is cut off would keep its locks from the others, and wait on dead connections itself.
"""
_KEEPALIVES = {"keepalives_idle": _SILENCE_S, "keepalives_interval": 3, "keepalives_count": 3}


class AlreadyOpen(Exception):  # noqa: N818 - a sentence for the operator, raised at start only
    """Another process holds the database file."""


def engine_name(url: str) -> EngineName:
    """Return which engine `url` speaks of.

    Raises:
        ValueError: it is neither SQLite nor PostgreSQL.
    """
    name = make_url(url).get_backend_name()
    if name == "sqlite":
        return "sqlite"
    if name in ("postgresql", "postgres"):
        return "postgresql"
    raise ValueError(f"the database URL begins with {name!r}; use sqlite:///FILE or postgresql://…")


def sqlite_path(url: str) -> Path:
    """Return the file of an SQLite URL."""
    database = make_url(url).database
    if not database or database == ":memory:":
        raise ValueError("the SQLite database needs a file: sqlite:////absolute/path/postroad.db")
    return Path(database)


def hold_file(path: Path) -> int:
    """Take the lock file of an SQLite database for the life of this process and return its descriptor.

    One process owns all writes and checkpoints: that keeps clear of the defect by which SQLite before 3.51.3 can lose
    commits when several connections write or checkpoint one write-ahead log.

    Raises:
        AlreadyOpen: another process has it.
    """
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AlreadyOpen(
            f"{path} is already open in another Postroad process; stop that one, or give this one its own "
            "POSTROAD_DATA_DIRECTORY (several processes on one store need PostgreSQL)"
        ) from None
    return descriptor


def release_file(descriptor: int) -> None:
    """Give the lock file back."""
    os.close(descriptor)


def connect_writer(url: str, *, connections: int, connect_timeout_s: int = 10, node: str = "") -> Engine:
    """Return the engine for writes: one connection on SQLite, `connections` on PostgreSQL."""
    if engine_name(url) == "sqlite":
        return _sqlite(sqlite_path(url), read_only=False, connections=1)
    return _postgresql(
        url, connections=connections, read_only=False, connect_timeout_s=connect_timeout_s, name=application(node)
    )


def connect_readers(url: str, *, connections: int, connect_timeout_s: int = 10, node: str = "") -> Engine:
    """Return the engine for reads."""
    if engine_name(url) == "sqlite":
        return _sqlite(sqlite_path(url), read_only=True, connections=connections)
    return _postgresql(
        url, connections=connections, read_only=True, connect_timeout_s=connect_timeout_s, name=application(node)
    )


def application(node: str) -> str:
    """Return what a node's connections are called in `pg_stat_activity`."""
    return f"postroad/{node}" if node else "postroad"


def _sqlite(path: Path, *, read_only: bool, connections: int) -> Engine:
    pragmas = ["PRAGMA busy_timeout=10000", "PRAGMA mmap_size=0", "PRAGMA temp_store=MEMORY"]
    if read_only:
        pragmas += ["PRAGMA query_only=1", "PRAGMA wal_autocheckpoint=0", "PRAGMA cache_size=-8192"]
    else:
        pragmas += [
            "PRAGMA page_size=16384",
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "PRAGMA foreign_keys=ON",
            f"PRAGMA wal_autocheckpoint={_WAL_PAGES}",
            "PRAGMA journal_size_limit=67108864",
            "PRAGMA cache_size=-65536",
        ]

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=1024)
        for pragma in pragmas:
            connection.execute(pragma)
        return connection

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_reset_on_return=None,
        hide_parameters=True,
    )
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _postgresql(url: str, *, connections: int, read_only: bool, connect_timeout_s: int, name: str) -> Engine:
    parsed = make_url(url)
    psycopg_url: URL = parsed.set(drivername="postgresql+psycopg")
    options = "-c synchronous_commit=on -c timezone=UTC" + _NOT_COMPILED
    options += f" -c idle_in_transaction_session_timeout={_SILENCE_S}s -c tcp_user_timeout={_SILENCE_S}s"
    options += "".join(f" -c tcp_{name}={value}" for name, value in _KEEPALIVES.items())
    options += " -c default_transaction_read_only=on" if read_only else _BY_INDEX
    network = {**_KEEPALIVES, "tcp_user_timeout": _SILENCE_S * 1000}
    engine = create_engine(
        psycopg_url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=10,
        hide_parameters=True,
        pool_pre_ping=read_only,
        connect_args={
            "options": options,
            "connect_timeout": connect_timeout_s,
            "prepare_threshold": 3,
            "fallback_application_name": name,  # one that the URL or the environment gives goes before it
            **{name: value for name, value in network.items() if name not in parsed.query},
        },
    )

    ending = _ENDING_STATES if read_only else _ENDING_STATES | {_READ_ONLY}

    @event.listens_for(engine, "handle_error")
    def _failed(context: ExceptionContext) -> None:
        if _state(context.original_exception) in ending:
            context.is_disconnect = True  # psycopg may not know yet; the next try connects anew

    @event.listens_for(engine, "connect")
    def _connected(driver: Any, _: object) -> None:
        # One type for all integers: by default each magnitude has its own, and each mixture of those its own plan.
        driver.adapters.register_dumper(int, engine.dialect.loaded_dbapi.types.numeric.Int8Dumper)
        driver.prepared_max = _PREPARED
        if not read_only:
            driver.execute(_COMPRESSION)
            driver.commit()

    return engine


def order_events(connection: Connection) -> None:
    """Make this transaction the only one that adds to the log until it commits.

    A place in the log is drawn before the commit; without this a reader could pass a place whose transaction commits
    late, and never see it. SQLite's single writer has that order by itself.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({EVENT_LOCK})")


def lock_keys(connection: Connection, keys: Iterable[str]) -> None:
    """Let no other node decide on these keys until this transaction ends. SQLite's single writer needs no such lock."""
    if connection.dialect.name == "postgresql":
        for key in sorted(set(keys)):
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (key,))


def now(connection: Connection, clock: Instant) -> Instant:
    """Return the instant by which leases are counted: the database's own, which all nodes share.

    On SQLite there is one process, and its own `clock` serves.
    """
    if connection.dialect.name != "postgresql":
        return clock
    row = connection.exec_driver_sql("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").one()
    return Instant(row[0])


def is_transient(error: DBAPIError) -> bool:
    """Whether running the same transaction again can succeed at once (deadlock, serialisation)."""
    return _state(error.orig) in _TRANSIENT_STATES


def is_away(error: DBAPIError) -> bool:
    """Whether the engine cannot be reached or cannot store now: nothing of the transaction counts as done."""
    original: Any = error.orig
    if error.connection_invalidated:
        return True
    if isinstance(original, sqlite3.OperationalError):
        return original.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY)
    state = _state(original)
    if not state:
        return type(original).__name__ == "OperationalError"  # no server answered
    return state[:2] in _AWAY_CLASSES or state in _ENDING_STATES


def _state(original: BaseException | None) -> str:
    """Return the SQLSTATE of an error of PostgreSQL, or nothing where there is none."""
    return getattr(original, "sqlstate", None) or ""


def is_broken(error: DBAPIError) -> bool:
    """Whether the disk failed under SQLite: after a failed fsync nothing may be believed until a restart."""
    original: Any = error.orig
    return isinstance(original, sqlite3.OperationalError) and original.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR
