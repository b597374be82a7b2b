"""Fixtures: a store on each engine with a delivered message in it, and mail about it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from postroad.config import Settings
from postroad.features.accounts import Streams, built_in_streams
from postroad.features.inbound import Addresses, Arrivals, Envelope, Inbound, InboundSettings
from postroad.features.suppressions import Suppressions
from postroad.model.attempt import Attempt, Phase, SmtpReply
from postroad.model.clock import MINUTE, SECOND
from postroad.model.delivery import Hold, Lease, State
from postroad.model.event import Event
from postroad.model.ids import DeliveryId, MessageId
from postroad.model.late import Mail
from postroad.model.project import Project
from postroad.model.returned import Returned
from postroad.model.stream import TRANSACTIONAL
from postroad.model.suppression import Suppression
from postroad.pipeline.outcomes.judge import Policy, judge
from postroad.store import deliveries, events, inbound, late, messages, suppressions
from postroad.store.database import Database
from postroad.store.settlements import Settlement, settle
from postroad.store.wakeup import WakeUp
from postroad.wire import verp
from postroad.wire.address import parse_mailbox
from stores import (
    CountingMint,
    StillClock,
    acceptance,
    clock,
    database,
    mints,
    new_message,
    postgres_template,
    project,
    sqlite_template,
    state_of,
    store_url,
)

__all__ = [
    "clock",
    "database",
    "mints",
    "postgres_template",
    "project",
    "sqlite_template",
    "store_url",
]

KEY = b"k" * 32
RETURN_PATH = "bounces.test"
HOLD = Hold(node="node_1", boot="boot_1", duration=10 * MINUTE)
SETTINGS = Settings()


class Teller:
    """Reads what a test wrote down for these octets; an exception is raised."""

    def __init__(self) -> None:
        self.says: dict[bytes, Returned | BaseException] = {}
        self.closed = False

    async def read(self, octets: bytes) -> Returned:
        found = self.says[octets]
        if isinstance(found, BaseException):
            raise found
        return found

    async def close(self) -> None:
        self.closed = True


@dataclass
class Yard:
    """The exchange without its sockets."""

    database: Database
    clock: StillClock
    mint: CountingMint
    project: Project
    teller: Teller = field(default_factory=Teller)
    told: list[str] = field(default_factory=list)
    arrived: WakeUp = field(default_factory=WakeUp)

    def __post_init__(self) -> None:
        settings = replace(SETTINGS, return_path=replace(SETTINGS.return_path, domain=RETURN_PATH))
        self.streams = Streams(self.database, self.clock, built_in_streams(settings))
        self.suppressions = Suppressions(
            self.database, self.clock, self.mint, streams=self.streams, told=lambda: self.told.append("suppression")
        )
        self.addresses = Addresses(settings, KEY, "mx.test")
        self.arrivals = Arrivals(
            self.database, self.clock, self.mint, addresses=self.addresses, arrived=self.arrived.ring
        )
        self.inbound = self.role()

    def role(self, **changes: object) -> Inbound:
        """Return the role of a node."""
        settings = InboundSettings(**{"node": "node_1", **changes})  # type: ignore[arg-type]  # by name
        return Inbound(
            database=self.database,
            clock=self.clock,
            mint=self.mint,
            reader=self.teller,  # type: ignore[arg-type]  # the reader's process is the world outside
            streams=self.streams,
            suppressions=self.suppressions,
            key=KEY,
            arrived=self.arrived,
            told=lambda: self.told.append("events"),
            settings=settings,
        )

    def delivered(self, *recipients: str, stream: str = "transactional") -> list[DeliveryId]:
        """Accept a message and deliver it to its recipients."""
        self.deliver(leases := self.leased(*recipients, stream=stream))
        return [lease.delivery_id for lease in leases]

    def leased(self, *recipients: str, stream: str = "transactional") -> list[Lease]:
        """Accept a message and lease its deliveries."""
        new = new_message(self.mint, self.project, *recipients, at=self.clock.now(), stream=stream)
        given = acceptance(self.project, new, at=self.clock.now())
        self.database.write_now(lambda c: messages.accept(c, [given]))
        request = deliveries.LeaseRequest(now=self.clock.now(), limit=100, hold=HOLD)
        return self.database.write_now(lambda c: deliveries.lease(c, request))

    def deliver(self, leases: list[Lease], reply: SmtpReply | None = None) -> None:
        """Settle leases by a reply to the final dot."""
        now = self.clock.now()
        attempt = Attempt(phase=Phase.DOT, reply=reply or SmtpReply(250, "OK"), started_at=now, finished_at=now)
        ended = [
            Settlement(
                lease=lease,
                verdict=judge(attempt, lease, TRANSACTIONAL, now=now, chance=0.5, policy=Policy()),
                at=now,
                attempt=attempt,
            )
            for lease in leases
        ]
        self.database.write_now(lambda c: settle(c, ended))

    async def arrive(
        self, to: str | DeliveryId, says: Returned | BaseException | None, *, sender: str = "", raw: bytes | None = None
    ) -> Mail:
        """Let a mail come in for a return path or an address; gives it as it stands."""
        local = verp.make(to, KEY) if to.startswith("dlv_") else to
        recipient = parse_mailbox(local if "@" in local else f"{local}@{RETURN_PATH}")
        addressed = self.arrivals.find(recipient)
        assert addressed is not None, local
        octets = raw or f"Subject: mail {len(self.teller.says)}\r\n\r\n".encode()
        if says is not None:
            self.teller.says[octets] = says
        envelope = Envelope(
            sender=parse_mailbox(sender) if sender else None,
            recipients=((recipient, addressed),),
            ip="192.0.2.1",
            hello="mx.example",
            tls=True,
        )
        name = await self.arrivals.keep(envelope, octets, len(octets))
        return self.mail(name)

    async def come_back(self, to: str | DeliveryId, says: Returned, *, sender: str = "") -> Mail:
        """Let a mail come in and be read; gives it as it stands then."""
        mail = await self.arrive(to, says, sender=sender)
        await self.inbound.round()
        return self.mail(mail.id)

    def mail(self, name: str) -> Mail:
        found = self.database.read_now(lambda c: inbound.one(c, name))
        assert found is not None
        return found[0]

    def happened(self, *kinds: str) -> list[Event]:
        """Return the events of these types, or all."""
        found = self.database.read_now(lambda c: events.feed(c, self.project.id, after=0, limit=1000))
        return [event for event in found if not kinds or event.type in kinds]

    def listed(self) -> list[Suppression]:
        return self.database.read_now(lambda c: suppressions.listed(c, self.project.id, suppressions.Filter()))

    def state(self, delivery: str) -> State:
        return State(state_of(self.database, delivery))

    def message_of(self, delivery: str) -> MessageId:
        found = self.database.read_now(lambda c: late.standing(c, DeliveryId(delivery)))
        assert found is not None
        return found.message_id

    def pass_by(self, seconds: float) -> None:
        self.clock.pass_by(int(seconds * SECOND))


@pytest.fixture
def yard(database: Database, clock: StillClock, mints: CountingMint, project: Project) -> Yard:
    return Yard(database, clock, mints, project)
