"""Which addresses the exchange takes mail for.

That is decided without a look at the store: a guess costs a guesser the same whatever it is, and nobody learns which
deliveries there are.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from postroad.config import Settings
from postroad.model.clock import DAY, SECOND, Instant
from postroad.model.ids import DeliveryId, minted_at
from postroad.wire import verp
from postroad.wire.address import Mailbox

_POSTMASTER: Final = "postmaster"


class Destination(Enum):
    """What an address is for."""

    RETURN_PATH = auto()
    UNSUBSCRIBE = auto()
    COMPLAINTS = auto()
    POSTMASTER = auto()


@dataclass(frozen=True, slots=True)
class Addressed:
    """An address that is ours: what it is for, and the delivery that it proves."""

    destination: Destination
    delivery_id: DeliveryId | None = None


class Addresses:
    """Knows the addresses of the exchange."""

    def __init__(self, settings: Settings, key: bytes, hostname: str) -> None:
        """Take the settings, the key under which return paths are made, and the name of the exchange."""
        domain = settings.return_path.domain
        self._domain = None if domain is None else domain.lower().removesuffix(".")
        self._hostname = hostname.lower()
        self._mailboxes = frozenset(name.lower() for name in settings.exchange.complaint_mailboxes)
        self._key = key
        # A delivery may wait for its time, is tried for days, and its report comes when another server has given up.
        self._lifetime = int(settings.limits.schedule_ahead_s * SECOND + settings.exchange.window_days * DAY)

    def find(self, mailbox: Mailbox, now: Instant) -> Addressed | None:
        """Return what an address is for, or None when it is not ours, was never ours, or is no longer.

        A return path is good at every domain: sending domains have return paths of their own, and whose it is stands
        in it.
        """
        found = verp.read_any(mailbox.local, self._key)
        if found is not None:
            purpose, identifier = found
            delivery_id = DeliveryId(identifier)
            if purpose is verp.Purpose.UNSUBSCRIBE:
                return Addressed(Destination.UNSUBSCRIBE, delivery_id)
            if now - minted_at(delivery_id) > self._lifetime:
                return None
            return Addressed(Destination.RETURN_PATH, delivery_id)
        local, domain = mailbox.local.lower(), mailbox.domain
        if local == _POSTMASTER and domain in (self._domain, self._hostname):  # RFC 5321 §4.5.1
            return Addressed(Destination.POSTMASTER)
        if domain == self._domain and local in self._mailboxes:
            return Addressed(Destination.COMPLAINTS)
        return None
