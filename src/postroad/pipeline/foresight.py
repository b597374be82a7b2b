"""Foresight: on an idle server, what is being accepted is composed while its commit is under way.

Composing is pure, so it may begin before the message is durable: when the commit fails, or a suppression catches the
recipient, the octets are thrown away and nobody has seen them. Nothing is sent before the commit. Only where nothing
else waits to be composed is this worth it; under load it would only put mail that is not accepted yet first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from postroad.model.clock import Instant
from postroad.model.delivery import Hold, Lease
from postroad.pipeline.dressing import Dressed
from postroad.pipeline.press import Outcome
from postroad.store.messages import NewMessage, first_lease

Finished = tuple[Dressed, Outcome]
_MOST = 2
"""Deliveries of one request that are worth composing ahead."""


class Foresight:
    """Compositions begun ahead of the commit, by delivery."""

    def __init__(self, finish: Callable[[Lease], Awaitable[Finished | None]]) -> None:
        """`finish` dresses and composes one lease; None, or whatever it raises, means: do it again in the open."""
        self._finish = finish
        self._begun: dict[str, asyncio.Task[Finished | None]] = {}

    def begin(self, new: Sequence[NewMessage], at: Instant, hold: Hold) -> None:
        """Begin to compose what a request will leave to be sent at once."""
        if self._begun or sum([len(one.deliveries) for one in new]) > _MOST:
            return
        for one in new:
            if one.message.send_at is None:
                for delivery in one.deliveries:
                    lease = first_lease(one, delivery, at, Instant(at - hold.ahead + hold.duration))
                    self._begun[delivery.id] = asyncio.ensure_future(self._quietly(lease))

    def claim(self, lease: Lease) -> "asyncio.Task[Finished | None] | None":
        """Return what was begun for a lease that has become real, or None."""
        return self._begun.pop(lease.delivery_id, None) if self._begun else None

    def settle(self, new: Sequence[NewMessage], leases: Sequence[Lease]) -> None:
        """Throw away what was begun for a request and has not been leased."""
        if not self._begun:
            return
        real = {lease.delivery_id for lease in leases}
        for one in new:
            for delivery in one.deliveries:
                task = None if delivery.id in real else self._begun.pop(delivery.id, None)
                if task is not None:
                    task.cancel()

    def close(self) -> None:
        """Throw everything away."""
        for task in self._begun.values():
            task.cancel()
        self._begun.clear()

    async def _quietly(self, lease: Lease) -> Finished | None:
        try:
            return await self._finish(lease)
        except Exception:  # noqa: BLE001 - it is done again under the real lease, where troubles are judged
            return None
