"""The capture route: a mail server inside Postroad that takes everything, joined to the client by memory.

It is the same client machine as for any other route and a server machine of full strictness, so what would be refused
for its form elsewhere is refused here, and the conversation that a developer reads is a real one. Nothing is kept:
the octets can be composed again from what is stored. The mailboxes of the reserved domain answer as `reserved` says.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from postroad.model.attempt import Attempt, Phase, Trouble
from postroad.model.composition import Composed
from postroad.model.route import ReservedRoute
from postroad.pipeline.deliver.reserved import Later, Reserved, mailbox
from postroad.pipeline.deliver.settings import BeforeDot
from postroad.pipeline.deliver.trip import Fact, Trip, read_outcome
from postroad.wire.smtp import server_events
from postroad.wire.smtp.client import Client
from postroad.wire.smtp.events import Event, TransactionEnded
from postroad.wire.smtp.phase import Phase as WirePhase
from postroad.wire.smtp.replies import Reply
from postroad.wire.smtp.server import Server
from postroad.wire.smtp.server_settings import ServerSettings

HOST = "capture.postroad.invalid"
_MESSAGE_OCTETS = 1024 * 1024 * 1024
_QUESTIONS = {
    server_events.MailAsked: Phase.MAIL,
    server_events.RecipientAsked: Phase.RCPT,
    server_events.MessageAsked: Phase.DOT,
}

ComesBack = Callable[[Later, Composed], None]
"""Told of a message to a reserved mailbox that something is to come back for."""


def capture(composed: Composed, trip: Trip, hostname: str, before_dot: BeforeDot | None = None) -> Attempt:
    """Hand one message to the server inside, from the banner to QUIT."""
    return _Meeting(composed, trip, hostname, before_dot, None).run()


async def rehearse(
    composed: Composed,
    trip: Trip,
    hostname: str,
    before_dot: BeforeDot | None,
    *,
    route: ReservedRoute,
    comes_back: ComesBack | None,
) -> Attempt:
    """Hand one message to a mailbox of the reserved domain, which fares as its name says."""
    found = mailbox(composed.rcpt_to)
    if found.wait_s:
        await asyncio.sleep(found.wait_s)
    fails = not (found.once and route.failures)
    attempt = _Meeting(
        composed, trip, hostname, before_dot, found if fails else None, began_ms=int(found.wait_s * 1000)
    ).run()
    if found.later is not None and attempt.delivered and comes_back is not None:
        comes_back(found.later, composed)
    return attempt


@dataclass(slots=True)
class _Meeting:
    """One message, one client and one server."""

    composed: Composed
    trip: Trip
    hostname: str
    before_dot: BeforeDot | None
    mailbox: Reserved | None
    began_ms: int = 0
    """How long after the trip."""

    def run(self) -> Attempt:
        """Hold the conversation and tell how it ended."""
        trip, composed, trouble = self.trip, self.composed, self._trouble()
        if trouble is not None and trouble.phase is not Phase.DOT:
            return trip.ended(trouble)
        trip.at_host(HOST, None, None)
        client, server = Client(), Server(ServerSettings(HOST, message_octets=_MESSAGE_OCTETS))
        client.at(trip.began_ms + self.began_ms)
        self._talk(client, server)
        client.hello(self.hostname)
        self._talk(client, server)
        found = client.transaction(
            composed.mail_from, (composed.rcpt_to,), composed.octets, smtputf8=composed.smtputf8
        ) or self._talk(client, server, until=frozenset({WirePhase.BODY, WirePhase.DOT}))
        if not found:
            if self.before_dot is not None and not self.before_dot():
                trip.hear(client.take_conversation())
                unsent = Fact(Phase.BODY, trouble=Trouble.HANDED_BACK, detail="Given back before content was sent.")
                return trip.ended(unsent)
            found = self._talk(client, server)
        if trouble is not None:
            trip.hear(client.take_conversation()[:-1])  # the acknowledgement never arrived
            return trip.ended(trouble)
        (outcome,) = [event.outcome for event in found if isinstance(event, TransactionEnded)]
        if client.phase is not WirePhase.CLOSED:
            client.quit()
            self._talk(client, server)
        trip.hear(client.take_conversation())
        return trip.ended(read_outcome(outcome, None, ""))

    def _trouble(self) -> Fact | None:
        box = self.mailbox
        if box is None or box.trouble is None:
            return None
        return Fact(box.phase, trouble=box.trouble, detail=box.detail)

    def _talk(self, client: Client, server: Server, until: frozenset[WirePhase] = frozenset()) -> list[Event]:
        """Carry octets to and fro until both are silent or the client is in a phase."""
        found: list[Event] = []
        while True:
            if client.phase in until:
                return found
            up = client.outgoing()
            asked = server.receive(up)
            while asked:
                asked = self._answer(server, asked[-1])
            down = server.outgoing()
            if not up and not down:
                return found
            found += client.receive(down)

    def _answer(self, server: Server, event: server_events.ServerEvent) -> list[server_events.ServerEvent]:
        """Answer a question: with yes, unless the mailbox has another answer in this phase."""
        phase = _QUESTIONS.get(type(event))
        if phase is None:
            return []
        reply = self._refusal(phase)
        return server.accept() if reply is None else server.refuse(reply)

    def _refusal(self, phase: Phase) -> Reply | None:
        return self.mailbox.reply if self.mailbox is not None and self.mailbox.phase is phase else None
