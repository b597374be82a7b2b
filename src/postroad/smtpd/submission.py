"""Submission: what an application hands over by SMTP goes through the same intake as an HTTP request.

The development listener asks for no login, because it takes mail only from this machine; who gives an API key as
password sends as that key's project. Nothing is relayed that the intake would not take.
"""

from collections.abc import Awaitable, Callable

import msgspec

from postroad.model.errors import Refused, Unavailable
from postroad.model.project import Caller
from postroad.pipeline.intake import Intake
from postroad.smtpd.listener import refusal
from postroad.wire.address import Mailbox
from postroad.wire.smtp import server_events as events
from postroad.wire.smtp.server import Server

Authenticate = Callable[[str, str], Awaitable[Caller]]
"""From secret and address to the caller; raises `Refused`."""


class _Named(msgspec.Struct):
    id: str


class Submission:
    """One connection that hands mail over."""

    def __init__(
        self, *, intake: Intake, default: Callable[[], Awaitable[Caller]], authenticate: Authenticate, ip: str
    ) -> None:
        """Take who sends when nobody logs in, and how a login is checked."""
        self._intake = intake
        self._default = default
        self._authenticate = authenticate
        self._ip = ip
        self._caller: Caller | None = None
        self._recipients: list[Mailbox] = []
        self._content = bytearray()

    async def answer(self, machine: Server, event: events.ServerEvent) -> list[events.ServerEvent]:
        """Answer one event of the machine."""
        match event:
            case events.MailAsked():
                self._forget()
                return machine.accept()
            case events.RecipientAsked(recipient=recipient):
                self._recipients.append(recipient)
                return machine.accept()
            case events.ContentPiece(octets=octets):
                self._content += octets
            case events.MessageAsked():
                return await self._message(machine)
            case events.LoginAsked(credentials=credentials):
                return await self._login(machine, credentials.password)
            case events.TransactionDropped():
                self._forget()
            case _:
                pass
        return []

    async def _message(self, machine: Server) -> list[events.ServerEvent]:
        octets, recipients = bytes(self._content), tuple(self._recipients)
        self._forget()
        try:
            caller = self._caller or await self._default()
            answer = await self._intake.accept_mail(caller, octets, recipients)
        except Refused as refused:
            return machine.refuse(refusal(554, "5.6.0", refused.detail))
        except Unavailable as unavailable:
            return machine.refuse(refusal(451, "4.3.0", unavailable.detail))
        return machine.accept(f"Queued as {msgspec.json.decode(answer.body, type=_Named).id}")

    async def _login(self, machine: Server, password: str) -> list[events.ServerEvent]:
        if not password.startswith("pr_"):
            return machine.accept()  # any application's old credentials do: this listener serves this machine only
        try:
            self._caller = await self._authenticate(password, self._ip)
        except Refused:
            return machine.refuse(refusal(535, "5.7.8", "This API key is not known"))
        return machine.accept()

    def _forget(self) -> None:
        self._recipients = []
        self._content = bytearray()
