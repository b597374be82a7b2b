"""What comes back for reserved mailboxes in test mode: taken in as the exchange would take it, and read like any."""

import asyncio
from typing import Final

import structlog

from postroad.features.inbound import Arrivals, Destination, Envelope
from postroad.features.inbound.addresses import Addressed
from postroad.model.clock import SECOND, Clock
from postroad.model.composition import Composed
from postroad.model.errors import Unavailable
from postroad.model.ids import DeliveryId
from postroad.model.returned import DELIVERY_HEADER
from postroad.pipeline.deliver.reserved import Later
from postroad.wire import verp
from postroad.wire.address import Mailbox

_log = structlog.get_logger("postroad.inbound")
_HEADER: Final = f"\r\n{DELIVERY_HEADER}: ".encode()
_HOST: Final = "mx.simulator.test"


class Rehearsal:
    """Makes the mail that comes back."""

    def __init__(self, arrivals: Arrivals, key: bytes, clock: Clock) -> None:
        """Take where mail is kept, the key of return paths, and the time."""
        self._arrivals = arrivals
        self._key = key
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, later: Later, composed: Composed) -> None:
        """Let a mail come back for a message that was taken."""
        token = composed.octets.partition(_HEADER)[2].partition(b"\r\n")[0].decode("ascii", "replace")
        delivery = verp.read(token, self._key)
        if delivery is None:
            return
        task = asyncio.create_task(self._come_back(later, composed, token, DeliveryId(delivery)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _come_back(self, later: Later, composed: Composed, token: str, delivery: DeliveryId) -> None:
        from postroad.simulator.personality import Returns
        from postroad.simulator.returning import come_back

        dialects = {
            Later.BOUNCE: Returns.POSTFIX,
            Later.COMPLAINT: Returns.COMPLAINT,
            Later.AUTO_REPLY: Returns.AUTO_REPLY,
        }
        octets = come_back(
            dialects[later],
            host=_HOST,
            sender=composed.mail_from,
            recipient=composed.rcpt_to,
            octets=composed.octets,
            at_s=self._clock.now() / SECOND,
        )
        envelope = Envelope(
            sender=None,
            recipients=((Mailbox(token, _HOST), Addressed(Destination.RETURN_PATH, delivery)),),
            ip="127.0.0.1",
            hello=_HOST,
            tls=False,
        )
        try:
            await self._arrivals.keep(envelope, octets, len(octets))
        except Unavailable as error:
            _log.warning("rehearsal_lost", delivery=delivery, error=error.detail)
