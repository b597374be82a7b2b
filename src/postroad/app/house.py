"""All parts of a server, as the roles and commands find them."""

import contextlib
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from postroad.app.node import Minter, Node
from postroad.app.retention import Retention
from postroad.app.rulebook import RuleFiles
from postroad.app.timekeeping import Timekeeper
from postroad.config import Settings
from postroad.features.accounts import Keys, Projects, Streams
from postroad.features.egress import Egress
from postroad.features.guard import Guard
from postroad.features.inbound import Arrivals, Inbound
from postroad.features.queue import Queue, Suspending
from postroad.features.senders import Senders
from postroad.features.sites import Sites
from postroad.features.suppressions import Suppressions, Undoing
from postroad.features.transport import ReportMailer, Transport
from postroad.features.webhooks import Notifier, Webhooks
from postroad.http.services import Readiness
from postroad.model.clock import Clock
from postroad.model.errors import Unavailable
from postroad.pipeline.intake import Intake
from postroad.pipeline.keeping import Keeper
from postroad.pipeline.recompose import Recomposer
from postroad.pipeline.sending import Sending
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.suspensions import Suspensions
from postroad.store.blobs import Blobs
from postroad.store.database import Database
from postroad.store.durability import Lookout
from postroad.store.ringing import Ringing
from postroad.store.room import Room
from postroad.store.vault import Vault
from postroad.store.wakeup import WakeUp


@dataclass(slots=True, kw_only=True)
class House:
    """All parts of a server, in the order in which they were built."""

    settings: Settings
    dev: bool
    node: Node
    clock: Clock
    mint: Minter
    vault: Vault
    database: Database
    blobs: Blobs
    due: WakeUp
    told: WakeUp
    ringing: Ringing
    projects: Projects
    keys: Keys
    streams: Streams
    senders: Senders
    suppressions: Suppressions
    undoing: Undoing
    webhooks: Webhooks
    notifier: Notifier
    egress: Egress
    room: Room
    lookout: Lookout
    readiness: Readiness
    intake: Intake
    sending: Sending
    recompose: Recomposer
    retention: Retention
    rules: RuleFiles
    suspensions: Suspensions
    queue: Queue
    suspending: Suspending
    guard: Guard
    shaping: Shaping
    keeper: Keeper
    sites: Sites
    arrivals: Arrivals
    inbound: Inbound
    transport: Transport
    tls_mail: ReportMailer | None
    """Sends TLS reports, where that is set up."""
    time: Timekeeper
    policy_egress: Egress
    """The way to recipients' MTA-STS policies."""
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    http_port: int = 0
    smtp_port: int = 0
    exchange_port: int = 0

    async def close(self) -> None:
        """Give everything back that was opened."""
        with contextlib.suppress(Unavailable):
            await self.transport.flush()
        await self.egress.aclose()
        await self.policy_egress.aclose()
        self.database.close()
        self.node.release()
