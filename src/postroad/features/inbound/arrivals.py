"""Arrivals: a mail is kept, durably, before anybody says 250. What it means is found out later."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from postroad.features.inbound.addresses import Addressed, Addresses
from postroad.model.clock import Clock
from postroad.model.ids import InboundId, Mint
from postroad.model.late import NewMail
from postroad.store import Connection, inbound
from postroad.store.database import Database
from postroad.wire.address import Mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Where a mail came from, and whom it is for."""

    sender: Mailbox | None
    recipients: tuple[tuple[Mailbox, Addressed], ...]
    ip: str
    hello: str
    tls: bool


class Arrivals:
    """Takes mail in."""

    def __init__(
        self, database: Database, clock: Clock, mint: Mint, *, addresses: Addresses, arrived: Callable[[], None]
    ) -> None:
        """Take where mail is kept, and whom to tell that there is some."""
        self._database = database
        self._clock = clock
        self._mint = mint
        self._addresses = addresses
        self._arrived = arrived

    def find(self, mailbox: Mailbox) -> Addressed | None:
        """Return what an address is for, or None when no mail is taken for it."""
        return self._addresses.find(mailbox, self._clock.now())

    async def keep(self, envelope: Envelope, raw: bytes, size: int) -> InboundId:
        """Keep a mail for each of its recipients; once this returns it is durable.

        Args:
            envelope: its origin and its recipients, one or more.
            raw: its octets, or as many from the beginning as are kept.
            size: how long it was.

        Returns:
            The identifier of the first.

        Raises:
            Unavailable: the store cannot be written now.
        """
        mails = [self._mail(envelope, mailbox, addressed, raw, size) for mailbox, addressed in envelope.recipients]
        await self._database.write_each(_keep, mails)
        self._arrived()
        return mails[0].id

    def _mail(self, envelope: Envelope, mailbox: Mailbox, addressed: Addressed, raw: bytes, size: int) -> NewMail:
        return NewMail(
            id=InboundId(self._mint("inb")),
            at=self._clock.now(),
            sender="" if envelope.sender is None else envelope.sender.address,
            recipient=mailbox.address,
            ip=envelope.ip,
            hello=envelope.hello,
            tls="STARTTLS" if envelope.tls else None,
            size=size,
            raw=raw,
            token=addressed.delivery_id,
        )


def _keep(connection: Connection, groups: list[list[NewMail]]) -> Sequence[None]:
    inbound.keep(connection, [mail for group in groups for mail in group])
    return [None] * len(groups)
