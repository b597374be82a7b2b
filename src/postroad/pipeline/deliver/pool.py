"""Connections by destination: reused, limited in number and rate, and never in each other's way.

A destination's messages wait in a lane of their own, so a slow destination holds up nobody else. Whoever is granted a
place in a lane gets an idle connection with it, or makes one.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from postroad.model.attempt import Trouble
from postroad.model.clock import Clock
from postroad.model.stream import PRECEDENCE, StreamKind
from postroad.pipeline.deliver.connection import Connection
from postroad.pipeline.deliver.settings import DeliverSettings
from postroad.pipeline.shaping.controller import Controller
from postroad.pipeline.shaping.site import Site

Fits = Callable[[Connection], bool]
"""Tells whether an idle connection will do for a message."""

_SWEEP_S = 5.0
_LOOK_S = 0.25
"""How often those who wait are looked at when nothing else will bring them on."""
_STOPPING = "Given back: the server is stopping."


@dataclass(slots=True)
class Lane:
    """One destination: its site says how much may be under way, and each kind of mail waits apart."""

    site: Site
    idle: list[Connection] = field(default_factory=list)
    busy: int = 0
    waiting: dict[StreamKind, deque["Waiter"]] = field(
        default_factory=lambda: {kind: deque() for kind in PRECEDENCE},
    )
    """Those of the first kind are granted a place before those of the next."""
    waiters: int = 0
    timer: asyncio.TimerHandle | None = None
    patience: asyncio.TimerHandle | None = None
    """Rings when somebody has waited enough."""


class Place(msgspec.Struct, frozen=True):
    """A place in a lane; `connection` is idle and usable, or None: then the holder makes one."""

    lane: Lane
    connection: Connection | None
    controller: Controller


class Waiter(msgspec.Struct, frozen=True):
    """Who waits for a place: the future holds it, or None when there will be none."""

    future: asyncio.Future[Place | None]
    until: float
    fits: Fits


class Pool:
    """All lanes of one process."""

    def __init__(self, settings: DeliverSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._busy: set[Connection] = set()
        self._idle = 0
        self._loop = asyncio.get_running_loop()
        self._sweeper: asyncio.TimerHandle | None = None
        self._draining = False

    def capacity(self, key: str, site: Site) -> int:
        """Return how many transactions could begin now without waiting for one to end."""
        lane = self._lanes.get((key, site.name))
        return site.connections if lane is None else max(site.connections - lane.busy - lane.waiters, 0)

    async def acquire(self, key: str, fits: Fits, site: Site, kind: StreamKind) -> Place | None:
        """Return a place when there is one, or None: it takes too long, too many wait, mail there stops, or we drain.

        Its connection, if it has one, `fits`.
        """
        lane = self._lanes.get((key, site.name))
        if lane is None:
            lane = self._lanes[key, site.name] = Lane(site)
        elif lane.site is not site and not lane.busy:
            lane.site = site  # the old one was forgotten while nobody used it
        if self._draining or lane.waiters >= self._settings.waiting_per_destination:
            return None
        controller = site.kind(kind)
        if not lane.waiting[kind] and self._may_grant(lane, controller):
            return self._grant(lane, controller, fits)
        if site.window(controller, self._clock.now()) == 0:
            return None
        waiter = Waiter(self._loop.create_future(), self._loop.time() + self._settings.waiting_s, fits)
        lane.waiting[kind].append(waiter)
        lane.waiters += 1
        if lane.patience is None:
            lane.patience = self._loop.call_at(waiter.until, self._on_patience, lane)
        self._pump(lane)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            self._forsake(waiter.future)
            raise

    def stop(self, site: str) -> None:
        """Send those away who wait for a site to which mail has stopped."""
        now = self._clock.now()
        for lane in self._lanes.values():
            if lane.site.name == site:
                for kind, waiting in lane.waiting.items():
                    if waiting and lane.site.window(lane.site.kind(kind), now) == 0:
                        _send_away(lane, waiting)

    def hold(self, connection: Connection) -> None:
        """Note that a connection was made and is in somebody's hands, until it is released or closed."""
        self._busy.add(connection)
        connection.when_closed(lambda: self._busy.discard(connection))
        if self._draining:
            connection.give_up(Trouble.HANDED_BACK, _STOPPING)

    def release(self, place: Place, connection: Connection | None) -> None:
        """Give a place back, and its connection for the next to use if it may be used."""
        lane = place.lane
        lane.busy -= 1
        lane.site.end(place.controller)
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

    def _may_grant(self, lane: Lane, controller: Controller) -> bool:
        """Tell whether a message may begin: a connection is free or may be made, and the rate allows it."""
        now_s = self._loop.time()
        if not lane.site.may_begin(controller, self._clock.now(), now_s):
            return False
        return bool(lane.idle) or lane.site.may_dial(now_s)

    def _grant(self, lane: Lane, controller: Controller, fits: Fits) -> Place:
        lane.busy += 1
        lane.site.begin(controller)
        return Place(lane, self._idle_one(lane, fits), controller)

    def _idle_one(self, lane: Lane, fits: Fits) -> Connection | None:
        """Return an idle connection that fits, or None, with room for one to be made."""
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
        if lane.idle and lane.busy + len(lane.idle) > lane.site.connections:
            oldest = lane.idle[0]
            self._forget(lane, oldest)
            oldest.leave()
        lane.site.dial()
        return None

    def _pump(self, lane: Lane) -> None:
        """Grant places to those who wait, in their order."""
        if not lane.waiters:
            return
        for kind, waiting in lane.waiting.items():
            if not waiting:
                continue
            controller = lane.site.kind(kind)
            while waiting and self._may_grant(lane, controller):
                waiter = waiting.popleft()
                lane.waiters -= 1
                if not waiter.future.done():
                    waiter.future.set_result(self._grant(lane, controller, waiter.fits))
        if lane.waiters and lane.timer is None:
            wait_s = lane.site.wait_s() or (0.0 if lane.busy else _LOOK_S)
            if wait_s:
                lane.timer = self._loop.call_later(max(wait_s, 0.001), self._on_time, lane)

    def _on_time(self, lane: Lane) -> None:
        lane.timer = None
        self._pump(lane)

    def _on_patience(self, lane: Lane) -> None:
        """Send those away who have waited long enough; of a kind they stand in the order in which they came."""
        now = self._loop.time()
        firsts = []
        for waiting in lane.waiting.values():
            while waiting and (waiting[0].future.done() or waiting[0].until <= now):
                _answer(waiting.popleft())
                lane.waiters -= 1
            if waiting:
                firsts.append(waiting[0].until)
        lane.patience = self._loop.call_at(min(firsts), self._on_patience, lane) if firsts else None

    def _forsake(self, future: asyncio.Future[Place | None]) -> None:
        """Take back a place whose asker was cancelled, which may have been granted in the same moment."""
        if future.done() and not future.cancelled() and (place := future.result()) is not None:
            self.release(place, place.connection)

    def _keep(self, lane: Lane, connection: Connection) -> None:
        limits = lane.site.limits
        worn = connection.transactions >= limits.messages_per_connection
        if worn or self._draining or self._idle >= self._settings.idle_connections or limits.idle_s <= 0:
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
            self._sweeper = self._loop.call_later(min(_SWEEP_S, limits.idle_s), self._sweep)

    def _forget(self, lane: Lane, connection: Connection) -> None:
        """Drop an idle connection that its peer ended."""
        lane.idle.remove(connection)
        self._idle -= 1

    def _sweep(self) -> None:
        """Close what has been idle too long, and forget lanes that nobody uses."""
        self._sweeper = None
        now = self._loop.time()
        soon_s = _SWEEP_S
        for key, lane in list(self._lanes.items()):
            soon_s = min(soon_s, max(lane.site.limits.idle_s, 0.01))
            old = [each for each in lane.idle if now - each.idle_since >= lane.site.limits.idle_s]
            for connection in old:
                self._forget(lane, connection)
                connection.leave()
            if not (lane.idle or lane.busy or lane.waiters):
                del self._lanes[key]
        if self._lanes:
            self._sweeper = self._loop.call_later(soon_s, self._sweep)


def _dismiss(lane: Lane) -> None:
    """Send away everyone who waits in a lane."""
    for waiting in lane.waiting.values():
        _send_away(lane, waiting)
    for timer in (lane.timer, lane.patience):
        if timer is not None:
            timer.cancel()


def _send_away(lane: Lane, waiting: deque[Waiter]) -> None:
    lane.waiters -= len(waiting)
    while waiting:
        _answer(waiting.popleft())


def _answer(waiter: Waiter) -> None:
    """Tell who waited that there will be no place."""
    if not waiter.future.done():
        waiter.future.set_result(None)
