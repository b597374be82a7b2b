"""The HTTP door over real stores, without a network: what most tests of the API begin with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest_asyncio

from postroad.app.timekeeping import Timekeeper
from postroad.config import Settings
from postroad.features.accounts import Keys, Projects, Streams, built_in_streams
from postroad.features.egress.target import Policy
from postroad.features.guard import Guard
from postroad.features.queue import Queue, Suspending
from postroad.features.senders import Senders
from postroad.features.sites import Sites
from postroad.features.suppressions import Suppressions, Undoing
from postroad.features.transport import TlsReports
from postroad.features.webhooks import Webhooks
from postroad.http.door import Door
from postroad.http.server import build
from postroad.http.services import Services
from postroad.model.clock import SECOND
from postroad.model.errors import Refused, Unavailable
from postroad.model.ids import DeliveryId, ProjectId
from postroad.model.project import Caller, KeyScope, Project
from postroad.pipeline.deliver import Relays
from postroad.pipeline.intake import Intake, IntakeLimits
from postroad.pipeline.keeping import Keeper
from postroad.pipeline.shaping.limits import Book, Limits
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.suspensions import Suspensions
from postroad.store import audit
from postroad.store import projects as project_rows
from postroad.store.blobs import Blobs
from postroad.store.database import Database
from postroad.store.vault import Vault
from postroad.store.wakeup import WakeUp
from stores import CountingMint, StillClock
from worlds import PaperDns

TOKEN_KEY = b"k" * 32


class OpenGate:
    """Lets every sender through but those of one domain."""

    async def check(self, caller: Caller, from_domain: str) -> None:
        if from_domain == "unverified.example":
            raise Refused("domain_not_verified", "The domain unverified.example is not verified.")


class Recomposer:
    """Gives the octets that a test laid down."""

    def __init__(self) -> None:
        self.octets: dict[str, bytes] = {}

    async def __call__(self, project: ProjectId, delivery: DeliveryId) -> bytes:
        if delivery not in self.octets:
            raise Refused("gone", "The content of this message is no longer kept.")
        return self.octets[delivery]


@dataclass(slots=True)
class Room:
    """Says whether there is room."""

    error: Unavailable | None = None

    def __call__(self) -> None:
        if self.error is not None:
            raise self.error


@dataclass(slots=True)
class House:
    """A door with what stands behind it."""

    services: Services
    app: Door
    keys: Keys
    project: Project
    secret: str
    clock: StillClock
    recomposer: Recomposer
    room: Room
    dns: PaperDns
    secrets: dict[KeyScope, str] = field(default_factory=dict)

    def client(self, secret: str | None = None, **options: object) -> httpx.AsyncClient:
        """Return a client with an API key, the full one when none is named; an empty one has none."""
        headers = {} if secret == "" else {"authorization": f"Bearer {secret or self.secret}"}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=True)
        return httpx.AsyncClient(transport=transport, base_url="http://postroad.test", headers=headers, **options)

    async def another_project(self, name: str) -> str:
        """Make a project and return the secret of a key to it."""
        made = Project(id=ProjectId(self.services.mint("prj")), name=name, created_at=self.clock.now())
        entry = audit.Entry(project_id=made.id, at=self.clock.now(), actor="test", action="made", subject=made.id)
        await self.services.database.write(lambda connection: project_rows.insert(connection, made, entry))
        return (await self.keys.create(made.id, "key", actor="test")).secret


class IdleHands:
    """A delivery role that has nothing to do."""

    in_hand = 0

    def moved(self, ahead: int) -> None:
        """Hear that the clock was moved."""

    def finds_room_at(self) -> None:
        """Nothing waits."""


async def open_house(
    database: Database, clock: StillClock, mints: CountingMint, project: Project, folder: Path, settings: Settings
) -> House:
    """Build a door over real stores."""
    keys = Keys(database, clock, mints)
    blobs = Blobs((folder / "blobs").absolute().as_uri())
    gate, room, recomposer = OpenGate(), Room(), Recomposer()
    due, told = WakeUp(), WakeUp()
    streams = Streams(database, clock, built_in_streams(settings))
    projects = Projects(database, clock, mints)
    projects.on_change(keys.forget_project)
    dns = PaperDns()
    domains = Senders(
        database=database, clock=clock, mint=mints, vault=Vault(TOKEN_KEY), dns=dns, settings=settings, told=told.ring
    )
    intake = Intake(
        database=database,
        blobs=blobs,
        clock=clock,
        mint=mints,
        streams=streams,
        senders=gate,
        limits=IntakeLimits(message_octets=1 << 20),
        batch_limit=settings.limits.batch_messages,
        gate=room,
        hands=None,
        due=due,
        told=told,
    )
    suspensions = Suspensions(database, clock)
    services = Services(
        database=database,
        clock=clock,
        mint=mints,
        settings=settings,
        keys=keys,
        intake=intake,
        senders=gate,
        blobs=blobs,
        recompose=recomposer,
        event_signal=told,
        projects=projects,
        streams=streams,
        domains=domains,
        suppressions=Suppressions(database, clock, mints, streams=streams, told=told.ring),
        webhooks=Webhooks(database, Vault(TOKEN_KEY), clock, mints, policy=Policy(), wake=told),
        undoing=Undoing(database, clock, mints, told=told.ring),
        queue=Queue(database, clock, mints, due=due.ring, told=told.ring),
        suspending=Suspending(database, clock, mints, changed=suspensions.refresh, told=told.ring),
        suspensions=suspensions,
        guard=Guard(
            database, clock, mints, settings.guard, streams=streams, changed=suspensions.refresh, told=told.ring
        ),
        sites=sites_over(database, clock, suspensions),
        tls_reports=TlsReports(database, clock, organization="mail.example"),
        time=Timekeeper(clock, database, IdleHands(), told=told),
        token_key=TOKEN_KEY,
        due=due,
        gate=room,
    )
    made = {scope: (await keys.create(project.id, scope.value, scope=scope, actor="test")).secret for scope in KeyScope}
    full = made[KeyScope.FULL]
    return House(services, build(services), keys, project, full, clock, recomposer, room, dns, made)


def sites_over(database: Database, clock: StillClock, suspensions: Suspensions) -> Sites:
    """Return the sites of a server that has sent nothing yet."""
    shaping = Shaping(Book(Limits()), clock=clock, chance=lambda: 0.0, node="n1")
    keeper = Keeper(shaping, database, clock, node="n1", reread=lambda: None, due=lambda: None)
    return Sites(shaping, keeper, clock, suspensions, Relays(lambda: clock.now() / SECOND))


@pytest_asyncio.fixture
async def house(
    database: Database, clock: StillClock, mints: CountingMint, project: Project, tmp_path: Path
) -> AsyncIterator[House]:
    """A door over a fresh store."""
    yield await open_house(database, clock, mints, project, tmp_path, Settings())
