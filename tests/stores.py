"""A fresh, migrated store on each engine, and the few values that most tests of the store begin with."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from peers.postgres import PostgresServer
from postroad.model.clock import Instant
from postroad.model.delivery import Hold
from postroad.model.ids import DeliveryId, MessageId, ProjectId, mint
from postroad.model.message import Message, Mode, Role
from postroad.model.project import Project
from postroad.store import audit, bulk, projects
from postroad.store.database import Database
from postroad.store.messages import Acceptance, Idempotency, NewDelivery, NewMessage
from postroad.store.migrate import migrate

ENGINES = ("sqlite", "postgresql")
START = Instant(1_795_000_000_000_000)
_templates: dict[int, str] = {}


def prepare(url: str) -> None:
    """Bring the store at `url` to the newest schema."""
    database = Database(url)
    try:
        migrate(database)
    finally:
        database.close()


@dataclass(slots=True)
class StillClock:
    """A clock that moves only when told."""

    at: Instant = START

    def now(self) -> Instant:
        return self.at

    def pass_by(self, microseconds: int) -> None:
        self.at = Instant(self.at + microseconds)


@dataclass(slots=True)
class CountingMint:
    """Makes identifiers whose entropy is a counter."""

    clock: StillClock
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __call__(self, prefix: str) -> str:
        return mint(prefix, self.clock.now(), next(self.numbers).to_bytes(10, "big"))


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def mints(clock: StillClock) -> CountingMint:
    return CountingMint(clock)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    prepare(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """A migrated PostgreSQL database, to be copied; made once, though each conftest that has it has its own fixture."""
    if postgres.port not in _templates:
        _templates[postgres.port] = postgres.template("migrated", prepare)
    return _templates[postgres.port]


@pytest.fixture(params=ENGINES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, migrated store of this test's own, once for each engine."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.database(template=request.getfixturevalue("postgres_template"))
    yield url
    server.drop(url)


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """A fresh, migrated store, open."""
    opened = Database(store_url)
    yield opened
    opened.close()


@pytest.fixture
def another(store_url: str) -> Iterator[Callable[[], Database]]:
    """Opens further nodes on a PostgreSQL store; a test that asks for SQLite too is skipped there."""
    if store_url.startswith("sqlite"):
        pytest.skip("SQLite has one process")
    opened: list[Database] = []

    def connect() -> Database:
        opened.append(Database(store_url))
        return opened[-1]

    yield connect
    for database in opened:
        database.close()


@pytest.fixture
def project(database: Database, mints: CountingMint, clock: StillClock) -> Project:
    """A project in the store."""
    made = Project(id=ProjectId(mints("prj")), name="default", created_at=clock.now())
    entry = audit.Entry(project_id=made.id, at=clock.now(), actor="test", action="project.created", subject=made.id)
    database.write_now(lambda connection: projects.insert(connection, made, entry))
    return made


def new_message(
    mints: CountingMint,
    project: Project,
    *recipients: str,
    at: Instant = START,
    stream: str = "transactional",
    send_at: Instant | None = None,
    expires_at: Instant | None = None,
    tags: tuple[str, ...] = (),
) -> NewMessage:
    """Return a message about to be accepted, with one delivery for each recipient."""
    message = Message(
        id=MessageId(mints("msg")),
        project_id=project.id,
        mode=Mode.LIVE,
        stream=stream,
        sender="from@shop.test",
        subject="Hello",
        created_at=at,
        send_at=send_at,
        expires_at=expires_at or Instant(at + 86_400_000_000),
        tags=tags,
        metadata={"order": "7"},
        header_id="1@shop.test",
        size=5,
    )
    made = [NewDelivery(DeliveryId(mints("dlv")), to, to.rpartition("@")[2], Role.TO) for to in recipients]
    return NewMessage(message, tuple(made), b"content")


def acceptance(
    project: Project,
    *messages: NewMessage,
    at: Instant = START,
    idempotency: Idempotency | None = None,
    hold: Hold | None = None,
) -> Acceptance:
    """Return a request to accept messages, whose answer lists their deliveries' identifiers and states."""
    return Acceptance(
        project.id,
        at,
        messages,
        render=lambda accepted: msgspec.json.encode([[d.id, d.state] for each in accepted for d in each.deliveries]),
        idempotency=idempotency,
        hold=hold,
    )


def state_of(database: Database, delivery: str) -> str:
    """Return the state of a delivery as it stands in its row."""
    rows = database.read_now(lambda c: bulk.run(c, "SELECT state FROM deliveries WHERE id = ?", (delivery,)))
    found: str = rows[0][0]
    return found
