"""The capture route: a mail server inside Postroad that takes everything, joined to the client by memory.

It is the same client machine as for any other route and a server machine of full strictness, so what would be refused
for its form elsewhere is refused here, and the conversation that a developer reads is a real one. Nothing is kept:
the octets can be composed again from what is stored.
"""

from postroad.model.attempt import Attempt, Phase, Trouble
from postroad.model.composition import Composed
from postroad.pipeline.deliver.settings import BeforeDot
from postroad.pipeline.deliver.trip import Fact, Trip, read_outcome
from postroad.wire.smtp import server_events
from postroad.wire.smtp.client import Client
from postroad.wire.smtp.events import Event, TransactionEnded
from postroad.wire.smtp.phase import Phase as WirePhase
from postroad.wire.smtp.server import Server
from postroad.wire.smtp.server_settings import ServerSettings

HOST = "capture.postroad.invalid"
_MESSAGE_OCTETS = 1024 * 1024 * 1024
_QUESTIONS = (server_events.MailAsked, server_events.RecipientAsked, server_events.MessageAsked)


def capture(composed: Composed, trip: Trip, hostname: str, before_dot: BeforeDot | None = None) -> Attempt:
    """Hand one message to the server inside, from the banner to QUIT."""
    trip.at_host(HOST, None, None)
    client, server = Client(), Server(ServerSettings(HOST, message_octets=_MESSAGE_OCTETS))
    client.at(trip.began_ms)
    _talk(client, server)
    client.hello(hostname)
    _talk(client, server)
    found = client.transaction(composed.mail_from, (composed.rcpt_to,), composed.octets, smtputf8=composed.smtputf8)
    if not found:
        _talk(client, server, until=frozenset({WirePhase.BODY, WirePhase.DOT}))
        if before_dot is not None and not before_dot():
            trip.hear(client.take_conversation())
            unsent = Fact(Phase.BODY, trouble=Trouble.HANDED_BACK, detail="Given back before content was sent.")
            return trip.ended(unsent)
        found = _talk(client, server)
    (outcome,) = [event.outcome for event in found if isinstance(event, TransactionEnded)]
    client.quit()
    _talk(client, server)
    trip.hear(client.take_conversation())
    return trip.ended(read_outcome(outcome, None, ""))


def _talk(client: Client, server: Server, until: frozenset[WirePhase] = frozenset()) -> list[Event]:
    """Carry octets to and fro until both are silent or the client is in a phase; the server's answer is always yes."""
    found: list[Event] = []
    while True:
        if client.phase in until:
            return found
        up = client.outgoing()
        asked = server.receive(up)
        while asked:
            asked = server.accept() if isinstance(asked[-1], _QUESTIONS) else []
        down = server.outgoing()
        if not up and not down:
            return found
        found += client.receive(down)
