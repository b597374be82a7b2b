"""Connections by destination: reused, limited in number and rate, and never in each other's way.

A destination's messages wait in a lane of their own, so a slow destination holds up nobody else. Whoever is granted a
place in a lane gets an idle connection with it, or makes one.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from postroad.model.attempt import Trouble
from postroad.pipeline.deliver.connection import Connection
from postroad.pipeline.deliver.settings import DeliverSettings

Fits = Callable[[Connection], bool]
"""Tells whether an idle connection will do for a message."""

_SWEEP_S = 5.0
_STOPPING = "Given back: the server is stopping."


@dataclass(slots=True)
class Lane:
    """One destination; `tokens` are messages that may begin now."""

    key: str
    tokens: float
    refilled: float
    idle: list[Connection] = field(default_factory=list)
    busy: int = 0
    waiting: deque["Waiter"] = field(default_factory=deque)
    timer: asyncio.TimerHandle | None = None
    patience: asyncio.TimerHandle | None = None
    """Rings when the one who has waited longest has waited enough."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a lane; `connection` is idle and usable, or None: then the holder makes one."""

    lane: Lane
    connection: Connection | None


@dataclass(frozen=True, slots=True)
class Waiter:
    """Who waits for a place: the future holds it, or None when there will be none."""

    future: asyncio.Future[Place | None]
    until: float
    fits: Fits


class Pool:
    """All lanes of one process."""

    def __init__(self, settings: DeliverSettings) -> None:
        self._settings = settings
        self._lanes: dict[str, Lane] = {}
        self._busy: set[Connection] = set()
        self._idle = 0
        self._loop = asyncio.get_running_loop()
        self._sweeper: asyncio.TimerHandle | None = None
        self._draining = False

    def capacity(self, key: str) -> int:
        """Return how many transactions could begin now without waiting for one to end."""
        limit = self._settings.connections_per_destination
        lane = self._lanes.get(key)
        if lane is None:
            return limit
        return max(limit - lane.busy - len(lane.waiting), 0)

    async def acquire(self, key: str, fits: Fits) -> Place | None:
        """Return a place when there is one, or None when it takes too long, too many wait, or we drain.

        Its connection, if it has one, `fits`.
        """
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key, self._burst, self._loop.time())
        if self._draining or len(lane.waiting) >= self._settings.waiting_per_destination:
            return None
        if not lane.waiting and self._may_grant(lane):
            return Place(lane, self._grant(lane, fits))
        waiter = Waiter(self._loop.create_future(), self._loop.time() + self._settings.waiting_s, fits)
        lane.waiting.append(waiter)
        if lane.patience is None:
            lane.patience = self._loop.call_at(waiter.until, self._on_patience, lane)
        self._pump(lane)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            self._forsake(waiter.future)
            raise

    def hold(self, connection: Connection) -> None:
        """Note that a connection was made and is in somebody's hands, until it is released or closed."""
        self._busy.add(connection)
        connection.when_closed(lambda: self._busy.discard(connection))
        if self._draining:
            connection.give_up(Trouble.HANDED_BACK, _STOPPING)

    def release(self, lane: Lane, connection: Connection | None) -> None:
        """Give a place back, and its connection for the next to use if it may be used."""
        lane.busy -= 1
        if connection is not None:
            self._busy.discard(connection)
            self._keep(lane, connection)
        self._pump(lane)

    async def drain(self) -> None:
        """Close idle connections, give back what has not begun content, and wait for the rest."""
        self._draining = True
        for lane in self._lanes.values():
            _dismiss(lane)
        leaving = [connection for lane in self._lanes.values() for connection in lane.idle]
        for connection in leaving:
            connection.leave()
        leaving += self._busy
        for connection in tuple(self._busy):
            if not connection.content_begun:
                connection.give_up(Trouble.HANDED_BACK, _STOPPING)
        for lane in self._lanes.values():
            lane.idle.clear()
        self._idle = 0
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in leaving:
            await connection.wait_closed()

    # Inside

    @property
    def _burst(self) -> float:
        return max(self._settings.messages_per_second, 1.0)

    def _may_grant(self, lane: Lane) -> bool:
        """Tell whether a message may begin: a connection is free or may be made, and the rate allows it."""
        if lane.busy >= self._settings.connections_per_destination:
            return False
        now = self._loop.time()
        rate = self._settings.messages_per_second
        lane.tokens = min(lane.tokens + (now - lane.refilled) * rate, self._burst)
        lane.refilled = now
        return lane.tokens >= 1

    def _grant(self, lane: Lane, fits: Fits) -> Connection | None:
        lane.busy += 1
        lane.tokens -= 1
        for at in range(len(lane.idle) - 1, -1, -1):  # the one used last is the least likely to have been closed
            connection = lane.idle[at]
            if not fits(connection):
                continue
            self._idle -= 1
            del lane.idle[at]
            connection.on_end = None
            if connection.usable:
                self._busy.add(connection)
                return connection
            connection.abort()
        if lane.idle and lane.busy + len(lane.idle) > self._settings.connections_per_destination:
            oldest = lane.idle[0]
            self._forget(lane, oldest)
            oldest.leave()
        return None

    def _pump(self, lane: Lane) -> None:
        """Grant places to those who wait, in their order."""
        while lane.waiting and self._may_grant(lane):
            waiter = lane.waiting.popleft()
            if not waiter.future.done():
                waiter.future.set_result(Place(lane, self._grant(lane, waiter.fits)))
        if lane.waiting and lane.timer is None and lane.busy < self._settings.connections_per_destination:
            wait_s = (1 - lane.tokens) / self._settings.messages_per_second
            lane.timer = self._loop.call_later(max(wait_s, 0.001), self._on_tokens, lane)

    def _on_tokens(self, lane: Lane) -> None:
        lane.timer = None
        self._pump(lane)

    def _on_patience(self, lane: Lane) -> None:
        """Send those away who have waited long enough; they stand in the order in which they came."""
        now = self._loop.time()
        while lane.waiting and (lane.waiting[0].future.done() or lane.waiting[0].until <= now):
            _answer(lane.waiting.popleft(), None)
        lane.patience = self._loop.call_at(lane.waiting[0].until, self._on_patience, lane) if lane.waiting else None

    def _forsake(self, future: asyncio.Future[Place | None]) -> None:
        """Take back a place whose asker was cancelled, which may have been granted in the same moment."""
        if future.done() and not future.cancelled() and (place := future.result()) is not None:
            self.release(place.lane, place.connection)

    def _keep(self, lane: Lane, connection: Connection) -> None:
        settings = self._settings
        worn = connection.transactions >= settings.messages_per_connection
        if worn or self._draining or self._idle >= settings.idle_connections or settings.idle_s <= 0:
            connection.leave()
            return
        if not connection.usable:
            connection.abort()
            return
        connection.idle_since = self._loop.time()
        connection.on_end = lambda: self._forget(lane, connection)
        lane.idle.append(connection)
        self._idle += 1
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(min(_SWEEP_S, settings.idle_s), self._sweep)

    def _forget(self, lane: Lane, connection: Connection) -> None:
        """Drop an idle connection that its peer ended."""
        lane.idle.remove(connection)
        self._idle -= 1

    def _sweep(self) -> None:
        """Close what has been idle too long, and forget lanes that nobody uses."""
        self._sweeper = None
        now = self._loop.time()
        for lane in list(self._lanes.values()):
            old = [each for each in lane.idle if now - each.idle_since >= self._settings.idle_s]
            for connection in old:
                self._forget(lane, connection)
                connection.leave()
            if not (lane.idle or lane.busy or lane.waiting):
                self._may_grant(lane)
                if lane.tokens >= self._burst:
                    del self._lanes[lane.key]
        if self._lanes:
            self._sweeper = self._loop.call_later(min(_SWEEP_S, self._settings.idle_s), self._sweep)


def _dismiss(lane: Lane) -> None:
    """Send away everyone who waits in a lane."""
    while lane.waiting:
        _answer(lane.waiting.popleft(), None)
    for timer in (lane.timer, lane.patience):
        if timer is not None:
            timer.cancel()


def _answer(waiter: Waiter, place: Place | None) -> None:
    if not waiter.future.done():
        waiter.future.set_result(place)
