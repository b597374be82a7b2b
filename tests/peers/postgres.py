"""A private PostgreSQL cluster: durable or fast, with a fresh database for whoever asks."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from peers.process import LOOPBACK, Running, free_port, program, run, start, workplace

_VERSIONS = ("17", "16", "15", "14")
_BINARIES = tuple(f"/usr/lib/postgresql/{version}/bin" for version in _VERSIONS)
_OWNER = "postgres"
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_ALWAYS = ("max_connections=200", "shared_buffers=128MB", "autovacuum_naptime=10s", "log_min_messages=warning")


@dataclass(slots=True)
class PostgresServer:
    """A running cluster; `durable` keeps fsync on, so that a commit means what it says."""

    directory: Path
    port: int
    durable: bool
    hosts: str = LOOPBACK
    """Addresses to listen on, with commas between them."""
    _running: Running | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str = "postgres") -> str:
        """The address of a database as postroad's settings and psycopg take it."""
        return f"postgresql://{_OWNER}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> None:
        """Start the server process and wait until it answers queries."""
        settings = (*_ALWAYS, *(() if self.durable else _FAST))
        command: list[str | Path] = [program("postgres", *_BINARIES), "-D", self.directory / "data"]
        command += ["-p", str(self.port), "-k", self.directory, "-h", self.hosts]
        for setting in settings:
            command += ["-c", setting]
        self._running = start("postgres", command, log=self.directory / "log", user=_OWNER)
        self._running.ready_when(self._answers)

    def stop(self, *, immediate: bool = False) -> None:
        """Stop: fast (clients are disconnected, then a checkpoint), or immediate, which is a crash."""
        if self._running is not None:
            self._running.stop(signal.SIGQUIT if immediate else signal.SIGINT, timeout_s=60)
            self._running = None

    def restart(self, *, immediate: bool = False) -> None:
        """Stop and start again on the same port."""
        self.stop(immediate=immediate)
        self.start()

    def database(self, *, template: str = "template1") -> str:
        """Create a fresh database from `template` and return its URL."""
        name = f"fresh_{next(self._numbers)}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def template(self, name: str, prepare: Callable[[str], None]) -> str:
        """Make a database called `name` that `prepare(url)` fills once, to be copied by `database(template=name)`."""
        self._administer(f"CREATE DATABASE {name} TEMPLATE template1")
        prepare(self.url(name))
        return name

    def drop(self, url: str) -> None:
        """Remove a database made by `database`, disconnecting who is still there."""
        self._administer(f"DROP DATABASE IF EXISTS {url.rsplit('/', 1)[1]} WITH (FORCE)")

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Run a private cluster; raises `PartMissing` when PostgreSQL is not installed."""
    initdb = program("initdb", *_BINARIES)
    program("postgres", *_BINARIES)
    with workplace("postgres", owner=_OWNER) as place:
        command = [initdb, "-D", str(place / "data"), "-U", _OWNER, "-A", "trust", "-E", "UTF8"]
        command += ["--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        run(command, user=_OWNER, cwd=place)
        server = PostgresServer(place, free_port(), durable)
        server.start()
        try:
            yield server
        finally:
            server.stop()
