"""What the HTTP door needs from the rest of the house, filled in by the composition root."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from postroad.config import Settings
from postroad.model.clock import Clock
from postroad.model.ids import DeliveryId, Mint, ProjectId
from postroad.model.project import Caller
from postroad.pipeline.intake import Intake
from postroad.store.database import Database

Recompose = Callable[[ProjectId, DeliveryId], Awaitable[bytes]]
"""Gives the exact octets of a delivery, checked against the digest of what was sent; raises `Refused`."""


class Keys(Protocol):
    """Who tells API keys apart."""

    async def authenticate(self, secret: str, ip: str) -> Caller:
        """Return who calls with this secret from this address.

        The same path is taken, in the same time, for a key that is unknown, revoked or expired.

        Raises:
            Refused: `unauthorized`, or `forbidden` when the key may not be used from this address.
        """
        ...


class Blobs(Protocol):
    """Where attachments and raw mail lie, by the SHA-256 of their octets."""

    async def put(self, octets: bytes) -> str:
        """Keep the octets durably and return their SHA-256 in hexadecimal."""
        ...

    async def get(self, sha256: str) -> bytes:
        """Return the octets."""
        ...


class Wakeup(Protocol):
    """Tells that events were committed. A beat missed between `beat` and `wait` ends the wait at once."""

    @property
    def beat(self) -> int:
        """How many times it has told so far."""
        ...

    async def wait(self, seen: int, timeout_s: float) -> None:
        """Return once `beat` is past `seen`, or after `timeout_s`."""
        ...


@dataclass(slots=True)
class Readiness:
    """Whether the server takes work; `/readyz` and the door look at it."""

    ready: bool = True
    draining: bool = False
    low_disk: bool = False
    backlog: int = 0
    """Deliveries that wait, as last counted."""
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
    blobs: Blobs
    recompose: Recompose
    event_signal: Wakeup
    projects: object
    domains: object
    suppressions: object
    webhooks: object
    readiness: Readiness
    checks: Sequence[Callable[[], Awaitable[str | None]]] = ()
    """Asked by `/readyz`: each returns what is wrong, or None."""
