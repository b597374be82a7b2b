"""What the HTTP door needs from the rest of the house, filled in by the composition root."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client import CollectorRegistry

from postroad.config import Settings
from postroad.features.accounts import Keys, Projects, Streams
from postroad.features.guard import Guard
from postroad.features.queue import Queue, Suspending
from postroad.features.senders import Senders
from postroad.features.sites import Sites
from postroad.features.suppressions import Suppressions, Undoing
from postroad.features.transport import TlsReports
from postroad.features.webhooks import Webhooks
from postroad.model.clock import Clock
from postroad.model.ids import DeliveryId, Mint, ProjectId
from postroad.pipeline.intake import Intake
from postroad.pipeline.intake.intake import SenderGate
from postroad.pipeline.suspensions import Suspensions
from postroad.store.blobs import Blobs
from postroad.store.database import Database
from postroad.store.wakeup import WakeUp

Recompose = Callable[[ProjectId, DeliveryId], Awaitable[bytes]]
"""Gives the exact octets of a delivery, checked against the digest of what was sent; raises `Refused`."""


class Time(Protocol):
    """What time it is, and how far the clock was moved ahead; see `postroad.app.timekeeping`."""

    @property
    def now(self) -> str:
        """RFC 3339."""
        ...

    @property
    def ahead_s(self) -> float:
        """Since the start of the server."""
        ...

    @property
    def movable(self) -> bool:
        """Whether it may be moved."""
        ...

    @property
    def stops(self) -> int:
        """How often a jump stopped on its way."""
        ...

    @property
    def left_s(self) -> float:
        """What is left of a jump that took too long."""
        ...


class Timekeeping(Protocol):
    """Tells the time, and moves it where that is allowed."""

    @property
    def ahead(self) -> int:
        """How far the clock was moved, in microseconds."""
        ...

    def shown(self) -> Time:
        """Return what time it is."""
        ...

    async def advance(self, by_s: float, *, at_once: bool = False) -> Time:
        """Move the clock ahead; raises `Refused` where that is not allowed."""
        ...


@dataclass(slots=True)
class Readiness:
    """Whether the server takes work; `/readyz` tells."""

    ready: bool = True
    draining: bool = False
    streams: int = 0
    """Event streams that are open."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server stops: streams end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a handler may use. The owner of a feature gives its field the feature's own type."""

    database: Database
    clock: Clock
    mint: Mint
    settings: Settings
    keys: Keys
    intake: Intake
    senders: SenderGate
    blobs: Blobs
    recompose: Recompose
    event_signal: WakeUp
    """Rung after a commit that wrote events."""
    projects: Projects
    streams: Streams
    domains: Senders
    suppressions: Suppressions
    undoing: Undoing
    webhooks: Webhooks
    queue: Queue
    suspending: Suspending
    guard: Guard
    sites: Sites
    suspensions: Suspensions
    tls_reports: TlsReports
    time: Timekeeping
    token_key: bytes
    """Seals the tokens of unsubscribe links."""
    due: WakeUp
    """Rung after a commit that made deliveries due."""
    gate: Callable[[], None]
    """Raises `Unavailable` when there is no room for more."""
    readiness: Readiness = field(default_factory=Readiness)
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    """What `/metrics` shows."""
