"""Taking from the queue: as much as there is room for in hand and where it goes, in the order of turns."""

import time
from collections.abc import Sequence

import msgspec

from postroad.model.clock import SECOND, Clock, Instant, after
from postroad.model.delivery import Hold, Lease
from postroad.pipeline.in_hand import InHand
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.suspensions import Suspensions
from postroad.pipeline.turns import Turns
from postroad.store import deliveries
from postroad.store.database import Database
from postroad.store.lines import Heads
from postroad.store.messages import NewMessage

_BATCH = 256


class TakingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much is taken in hand, and for how long."""

    hold: Hold
    concurrency: int
    idle_s: float
    """How long to wait for a wake-up before looking anyway."""


class Taking:
    """Takes leases for one node."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        shaping: Shaping,
        suspensions: Suspensions | None,
        settings: TakingSettings,
    ) -> None:
        """Begin with nothing in hand."""
        self._database = database
        self._clock = clock
        self._settings = settings
        self.hold = settings.hold
        self._turns = Turns(shaping, suspensions, clock)
        self._next_at: Instant | None = None
        self._beyond = ""
        self._heads = Heads()
        self.in_hand = InHand(settings.concurrency, shaping, suspensions, clock)
        self.moved = False
        """Whether another look at the queue is worth while at once: lines are left, or mail went into others."""

    async def lease(self) -> list[Lease]:
        """Lease what there is room for, and count it in."""
        limit = min(self.in_hand.room, _BATCH)
        self.moved = False
        if limit == 0:
            return []
        request = deliveries.LeaseRequest(
            now=self._clock.now(),
            limit=limit,
            hold=self.hold,
            beyond=self._beyond,
            heads=self._heads.known(self._clock.now()),
            choose=lambda: self._turns.choose(time.monotonic()),
        )
        taken = await self._database.write(lambda connection: deliveries.take(connection, request))
        self._next_at, self._beyond = taken.next_at, taken.beyond
        self._heads.learn(taken.left, request.now)
        self.moved = taken.parked > 0 or taken.beyond != ""
        self.in_hand.take(taken.leases)
        last = self._turns.last
        self.moved = self.in_hand.fell_short(last.fell_short(), last.projects) or self.moved
        return taken.leases

    def pause_s(self) -> float:
        """Return how long to sleep when nothing rings: until something is due or has room, at most the idle time."""
        now, idle_s = self._clock.now(), self._settings.idle_s
        waits = [self._turns.wait_us(time.monotonic()), None if self._next_at is None else self._next_at - now]
        left_s = min([wait / SECOND for wait in waits if wait is not None], default=idle_s)
        return min(max(left_s, 0.001), idle_s)

    def finds_room_at(self) -> Instant | None:
        """Return when what is due and found no room may find it by time alone."""
        wait = self._turns.wait_us(time.monotonic())
        return None if wait is None else after(self._clock.now(), wait)

    def offer(self, count: int, new: Sequence[NewMessage]) -> Hold | None:
        """Return the hold under which mail may be leased as it is accepted, or None when there is no room."""
        return self.hold if self.in_hand.promise(count, new, time.monotonic()) else None

    async def hand_back(self, leases: Sequence[Lease]) -> None:
        """Give back what was leased while the server began to stop."""
        now = self._clock.now()
        try:
            await self._database.write(lambda connection: deliveries.hand_back(connection, leases, now))
        finally:
            for lease in leases:
                self.in_hand.give(lease, time.monotonic())
