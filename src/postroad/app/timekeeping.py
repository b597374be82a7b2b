"""Time that can be moved ahead, for tests of an integration: five days of retries are watched in a minute.

A jump goes from one due thing to the next: the clock is moved to when the next delivery or webhook is due, what is due
is carried through, and so on until the time that was asked for. So every attempt is made at its own time, and not all
of them at the end. A stop takes as long as the work that is due there; only what stands still, such as mail of a paused
project or an endpoint that does not answer, is waited for a little. Leases, sockets and rate buckets stay with the
machine's time: nothing in flight lapses by a jump. Other nodes on the same store move theirs along.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec
import structlog

from postroad.model.clock import SECOND, Clock, Instant, after, to_rfc3339
from postroad.model.errors import Refused, Unavailable
from postroad.store import Connection, deliveries, events, lines, pushes
from postroad.store.database import Database
from postroad.store.wakeup import WakeUp

_log = structlog.get_logger("postroad.clock")
_LONGEST_S: Final = 60.0
"""How long one jump may take; what is left of it is told, and asked for again."""
_PATIENCE_S: Final = 10.0
"""How long one stop waits for mail in flight; a slow peer does not hold time up."""
_BREATH_S: Final = 0.004
_QUIET_S: Final = 0.1
"""How long one stop waits for what is due to begin or, at an endpoint of webhooks, to end."""
_HEARD_S: Final = 3.0
"""How long one stop waits for other nodes to begin what is due; what none of them begins stands still."""
MOST: Final = 366 * 24 * 3600
"""Most seconds of one jump."""


class MovableClock:
    """The machine's time, and how far it was moved ahead. It never goes back."""

    def __init__(self, ahead: int = 0) -> None:
        self.ahead = ahead

    def now(self) -> Instant:
        """Return the current instant."""
        return Instant(time.time_ns() // 1000 + self.ahead)


def steady(clock: Clock) -> Callable[[], float]:
    """Return seconds that only go ahead whatever the machine's clock does, and that jump where the clock is moved."""
    if isinstance(clock, MovableClock):
        return lambda: time.monotonic() + clock.ahead / SECOND
    return time.monotonic


class Mover(Protocol):
    """The delivery role, as far as time concerns it."""

    @property
    def in_hand(self) -> int:
        """How many deliveries are under way."""
        ...

    def moved(self, ahead: int) -> None:
        """Know that the clock was moved."""
        ...

    def finds_room_at(self) -> Instant | None:
        """Return when what is due and found no room may find it by time alone."""
        ...


class Pusher(Protocol):
    """The notifier, as far as time concerns it."""

    async def begin_now(self) -> bool:
        """Begin what is due without waiting for its own time to look, and tell whether anything is being pushed."""
        ...


class Time(msgspec.Struct, frozen=True, kw_only=True):
    """What time it is, and how far it was moved."""

    now: str
    ahead_s: float
    """How far the clock was moved ahead of the machine's, since the start of the server."""
    movable: bool
    stops: int = 0
    """How many times the jump stopped on its way for what was due."""
    left_s: float = 0
    """What is left of the jump, when it took too long: ask for it again."""


class Timekeeper:
    """Tells the time, and moves it where that is allowed."""

    def __init__(
        self,
        clock: Clock,
        database: Database,
        sending: Mover,
        *,
        told: WakeUp,
        pushing: Pusher | None = None,
        rounds: Sequence[Callable[[], Awaitable[object]]] = (),
        elsewhere: Callable[[int], None] | None = None,
    ) -> None:
        """Take the clock, who waits for it, and the rounds that are made after a jump.

        `elsewhere` tells other nodes by how much the clock is ahead; they `follow`.
        """
        self._elsewhere = elsewhere
        self._standing: set[lines.Line] = set()
        """What was due and no node began: its project is paused, or no node delivers."""
        self._clock = clock
        self._database = database
        self._sending = sending
        self._told = told
        self._pushing = pushing
        self._rounds = tuple(rounds)
        self._moving = asyncio.Lock()

    @property
    def ahead(self) -> int:
        """How far the clock was moved, in microseconds."""
        return self._clock.ahead if isinstance(self._clock, MovableClock) else 0

    def shown(self, *, stops: int = 0, left: int = 0) -> Time:
        """Return what time it is."""
        return Time(
            now=to_rfc3339(self._clock.now()),
            ahead_s=round(self.ahead / SECOND, 6),
            movable=isinstance(self._clock, MovableClock),
            stops=stops,
            left_s=round(left / SECOND, 6),
        )

    async def advance(self, by_s: float, *, at_once: bool = False) -> Time:
        """Move the clock ahead, stopping for all that is due on the way, or `at_once`.

        Raises:
            Refused: `clock_fixed`, this server's clock cannot be moved; or the span is none.
            Unavailable: the clock is being moved already.
        """
        clock = self._clock
        if not isinstance(clock, MovableClock):
            raise Refused(
                "clock_fixed",
                "The clock of this server cannot be moved; it can in `postroad dev`, and with testing.movable_clock.",
            )
        if not 0 < by_s <= MOST:
            raise Refused.field("/by_s", f"A jump is longer than 0 and at most {MOST} seconds.")
        if self._moving.locked():
            raise Unavailable("clock_moving", "The clock is being moved already.", retry_after_s=1)
        async with self._moving:
            target, stops = after(clock.now(), int(by_s * SECOND)), 0
            deadline_s = time.monotonic() + _LONGEST_S
            while not at_once and (stop := await self._next()) is not None and stop < target:
                if time.monotonic() > deadline_s:
                    return self.shown(stops=stops, left=target - clock.now())
                self._move(clock, stop)
                await self._quiet()
                stops += 1
            self._move(clock, target)
            await self._quiet()
            await self._make_rounds()
            _log.info("clock_moved", now=to_rfc3339(clock.now()), stops=stops)
            return self.shown(stops=stops)

    def _move(self, clock: MovableClock, to: Instant) -> None:
        self._set(clock, clock.ahead + max(0, to - clock.now()))
        if self._elsewhere is not None:
            self._elsewhere(clock.ahead)

    def follow(self, ahead: int) -> None:
        """Move the clock to where another node's stands, unless it is there already or cannot be moved."""
        if isinstance(self._clock, MovableClock) and ahead > self._clock.ahead:
            self._set(self._clock, ahead)

    def _set(self, clock: MovableClock, ahead: int) -> None:
        clock.ahead = ahead
        self._sending.moved(ahead)
        self._told.ring()

    async def _next(self) -> Instant | None:
        """Return when the next thing is due that is not due yet."""
        now = self._clock.now()

        def ask(connection: Connection) -> list[Instant | None]:
            return [deliveries.next_due(connection, now), pushes.next_turn(connection, now=now)]

        found = [*await self._database.read(ask), self._sending.finds_room_at()]
        return min((at for at in found if at is not None and at > now), default=None)

    async def _quiet(self) -> None:
        """Wait until what has become due was carried through, or stands still."""
        began_s = quiet_since = time.monotonic()
        while (now_s := time.monotonic()) < began_s + _PATIENCE_S:
            if self._sending.in_hand:
                quiet_since = now_s
            else:
                in_hand, due = await self._database.read(self._in_the_queue)
                pushing = self._pushing is not None and await self._pushing.begin_now()
                if not (in_hand or due or pushing):
                    return
                if now_s - quiet_since >= _QUIET_S:
                    if not self._awaits_others(in_hand, due, heard=now_s >= began_s + _HEARD_S):
                        return
                    quiet_since = now_s
            await asyncio.sleep(_BREATH_S)

    def _in_the_queue(self, connection: Connection) -> tuple[bool, set[lines.Line]]:
        """Return whether any node has mail in hand, and the lines in which something is due."""
        now = self._clock.now()
        found = lines.survey(connection)
        return deliveries.any_in_hand(connection), {line for line in found if not line.parked and line.first_at <= now}

    def _awaits_others(self, in_hand: bool, due: set[lines.Line], *, heard: bool) -> bool:
        """Tell whether other nodes have mail in hand or, unless all have `heard` by now, may yet begin what is due."""
        if self._elsewhere is None:
            return False
        due = due - self._standing
        if heard:
            self._standing |= due
        return in_hand or bool(due and not heard)

    async def _make_rounds(self) -> None:
        for make in self._rounds:
            try:
                await make()
            except Unavailable as error:
                _log.warning("round_waits", reason=error.code)


async def clock_of(database: Database) -> MovableClock:
    """Return a movable clock that does not go behind what was written under one that had been moved."""
    newest = await database.read(events.newest)
    ahead = 0 if newest is None else newest - time.time_ns() // 1000
    return MovableClock(max(0, ahead))
