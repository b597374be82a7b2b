"""The exchange: mail for return paths and complaint addresses is kept, and nothing else is taken.

Whom mail is taken for is decided by the address alone (RCPT), whether it is taken when it has been stored. What it
means is read later, by somebody else. Nothing is ever sent from here: no bounce, no answer, so that no loop can begin.
"""

from postroad.features.inbound import Arrivals, Envelope
from postroad.features.inbound.addresses import Addressed
from postroad.model.errors import Unavailable
from postroad.smtpd.listener import refusal
from postroad.wire.address import Mailbox
from postroad.wire.excerpt import Excerpt
from postroad.wire.smtp import server_events as events
from postroad.wire.smtp.server import Server


class Exchange:
    """One connection that brings mail."""

    def __init__(self, arrivals: Arrivals, *, ip: str, kept_octets: int) -> None:
        """Take where mail is kept, who brings it, and how much of each is kept."""
        self._arrivals = arrivals
        self._ip = ip
        self._kept_octets = kept_octets
        self._sender: Mailbox | None = None
        self._recipients: list[tuple[Mailbox, Addressed]] = []
        self._content = Excerpt(kept_octets)

    async def answer(self, machine: Server, event: events.ServerEvent) -> list[events.ServerEvent]:
        """Answer one event of the machine."""
        match event:
            case events.MailAsked(sender=sender):
                self._forget()
                self._sender = sender
                return machine.accept()
            case events.RecipientAsked(recipient=recipient):
                return self._recipient(machine, recipient)
            case events.ContentPiece(octets=octets):
                self._content.add(octets)
            case events.MessageAsked(size=size):
                return await self._message(machine, size)
            case events.TransactionDropped():
                self._forget()
            case _:
                pass
        return []

    def _recipient(self, machine: Server, recipient: Mailbox) -> list[events.ServerEvent]:
        """Take an address that is ours; one that is forged, unknown or out of date is told nothing more than that."""
        addressed = self._arrivals.find(recipient)
        if addressed is None:
            return machine.refuse(refusal(550, "5.1.1", "There is no such address here"))
        self._recipients.append((recipient, addressed))
        return machine.accept()

    async def _message(self, machine: Server, size: int) -> list[events.ServerEvent]:
        envelope = Envelope(
            sender=self._sender,
            recipients=tuple(self._recipients),
            ip=self._ip,
            hello=machine.hello or "",
            tls=machine.tls,
        )
        content = self._content.octets()
        self._forget()
        try:
            kept = await self._arrivals.keep(envelope, content, size)
        except Unavailable as unavailable:
            return machine.refuse(refusal(451, "4.3.0", unavailable.detail))
        return machine.accept(f"Kept as {kept}")

    def _forget(self) -> None:
        self._sender = None
        self._recipients = []
        self._content = Excerpt(self._kept_octets)
