"""A site as one process sends to it: its limits, how it flows, and what is under way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from postroad.model.clock import MINUTE, SECOND, Instant
from postroad.model.shaping import Flow, What
from postroad.model.stream import StreamKind
from postroad.pipeline.shaping.breaker import Breaker
from postroad.pipeline.shaping.controller import Controller
from postroad.pipeline.shaping.limits import Limits
from postroad.pipeline.shaping.warming import Day, WarmUp, next_day

_UNREACHABLE: Final = 5
"""Failures to get a conversation, in a row, that open the breaker."""
_SHARE: Final = 64
_STUMBLED_SHARE: Final = 4
"""In hand for each connection, at a site that is in trouble or goes slowly."""
_AHEAD_S: Final = 2.0
"""How far ahead of its rate a site's mail is taken from the queue."""
_WINDOW_S: Final = 1.0
_BOUNDLESS: Final = 1 << 30
_NEVER: Final = Instant(0)


@dataclass(frozen=True, slots=True)
class Slowness:
    """What a rule allows for a while."""

    until: Instant
    connections: int | None
    per_minute: float | None
    rule: str

    @property
    def words(self) -> str:
        """What it allows."""
        parts = []
        if self.connections is not None:
            parts.append(f"{self.connections} at a time")
        if self.per_minute is not None:
            parts.append(f"{self.per_minute:g} a minute")
        return " and ".join(parts) or "less"


@dataclass(slots=True)
class Bucket:
    """Tokens that come back with time, up to a second's worth or one."""

    rate: float
    tokens: float
    at_s: float

    def fill(self, now_s: float) -> float:
        """Return how many tokens there are now."""
        most = self.rate if self.rate > 1 else 1.0
        tokens = self.tokens + (now_s - self.at_s) * self.rate
        self.tokens = min(most, tokens)
        self.at_s = now_s
        return self.tokens

    def wait_s(self) -> float:
        """Return how long until there is a whole token, as of the last filling."""
        return max(1.0 - self.tokens, 0.0) / self.rate


class Told(Protocol):
    """Takes the changes of a site; the controllers of its kinds of mail speak through it."""

    def change(
        self, site: str, kind: StreamKind | None, what: What, sentence: str, connections: tuple[int, int] | None = None
    ) -> None:
        """Take one change."""
        ...


class Site:
    """One site from one source address; made and used on one event loop."""

    def __init__(self, name: str, limits: Limits, told: Told, *, pins: Mapping[str, float], part: float = 1.0) -> None:
        """Begin with a site that is not known; `part` is this node's of its rates."""
        self.name = name
        self.told = told
        self.kinds: dict[StreamKind, Controller] = {}
        self.breaker = Breaker()
        self.failures = 0
        self.slowness: Slowness | None = None
        self.held_until: Instant = _NEVER
        self.held_projects: dict[str, Instant] = {}
        self.busy = 0
        self.held = 0
        self.used_at: Instant = _NEVER
        self.warm_up: WarmUp | None = None
        self.day = Day()
        self.part = part
        self.changed = False
        """Whether it must be written down again."""
        self._moved = 0
        self._moved_before = 0
        self._window_began_s = 0.0
        self.messages = Bucket(1.0, 1.0, 0.0)
        self.dials = Bucket(1.0, 1.0, 0.0)
        self.set(limits, pins, part)
        self.messages.tokens, self.dials.tokens = self.messages.rate, self.limits.connections_per_minute

    # Limits

    def set(self, limits: Limits, pins: Mapping[str, float], part: float, connections: int | None = None) -> None:
        """Take limits and pins; `connections` is this node's share of them where there are several nodes."""
        self.limits, self.part = limits, part
        self.pinned = "connections" in pins
        self.connections = limits.connections if connections is None else connections
        self.rate = self.messages.rate = limits.messages_per_second * part
        self.dials.rate = limits.connections_per_minute * part / 60
        for controller in self.kinds.values():
            controller.window = max(min(controller.window, self.connections), 1)

    def kind(self, kind: StreamKind) -> Controller:
        """Return the controller of one kind of mail."""
        found = self.kinds.get(kind)
        if found is None:

            def tell(what: What, sentence: str, connections: tuple[int, int] | None) -> None:
                self.changed = True
                self.told.change(self.name, kind, what, sentence, connections)

            start = max(min(self.limits.start, self.connections), 1)
            found = self.kinds[kind] = Controller(start, tell)
        return found

    @property
    def troubled(self) -> bool:
        """Whether anything but limits and windows holds it back, or did lately."""
        return (
            self.breaker.openings > 0
            or self.slowness is not None
            or any(controller.breaker.openings for controller in self.kinds.values())
        )

    # What may begin

    def window(self, controller: Controller, now: Instant) -> int:
        """Return how many connections one kind of mail may have now."""
        if self.held_until > now:
            return 0
        most = self.connections
        slow = self._slow(now)
        if slow is not None and slow.connections is not None and slow.connections < most:
            most = slow.connections
        if self.breaker.openings or controller.breaker.openings:
            flow = self.flow(controller, now)
            if flow is not Flow.FLOWING:
                return 0 if flow is Flow.SUSPENDED else min(1, most)
        return most if self.pinned or controller.window > most else controller.window

    def flow(self, controller: Controller, now: Instant) -> Flow:
        """Return how one kind of mail flows now."""
        if self.breaker.look(now):
            self.told.change(self.name, None, What.PROBING, "Trying one message at a time")
        flows = (self.breaker.flow, controller.look(now))
        if Flow.SUSPENDED in flows:
            return Flow.SUSPENDED
        return Flow.PROBING if Flow.PROBING in flows else Flow.FLOWING

    def may_begin(self, controller: Controller, now: Instant, now_s: float) -> bool:
        """Tell whether a message may begin now, as far as connections under way and the rate go."""
        if self.busy >= self.connections or controller.busy >= self.window(controller, now):
            return False
        return self.messages.fill(now_s) >= 1

    def begin(self, controller: Controller) -> None:
        """Count a message that begins."""
        self.busy += 1
        controller.busy += 1
        self.messages.tokens -= 1

    def end(self, controller: Controller) -> None:
        """Count a message that has ended."""
        self.busy -= 1
        controller.busy -= 1

    def may_dial(self, now_s: float) -> bool:
        """Tell whether a new connection may be made, by the allowance of a minute."""
        dials = self.dials
        tokens = dials.tokens + (now_s - dials.at_s) * dials.rate
        dials.tokens = min(tokens, max(dials.rate * 60, 1.0))
        dials.at_s = now_s
        return dials.tokens >= 1

    def dial(self) -> None:
        """Count a new connection."""
        self.dials.tokens -= 1

    def wait_s(self) -> float:
        """Return how long until rate and allowance let another message begin; 0 when they do not hold it back."""
        return max(self.messages.wait_s(), self.dials.wait_s())

    # What the queue may bring

    def room(self, kind: StreamKind, project: str, now: Instant, now_s: float) -> int:
        """Return how many more messages of a kind are worth taking from the queue; any thread may ask."""
        if self.held_until > now or self.held_projects.get(project, 0) > now or self.connections == 0:
            return 0
        controller = self.kinds.get(kind)
        breakers = (self.breaker,) if controller is None else (self.breaker, controller.breaker)
        shut = [each for each in breakers if each.flow is not Flow.FLOWING]
        if shut:
            closed = any(each.flow is Flow.SUSPENDED and each.until > now for each in shut)
            return 0 if closed else max(1 - self.held, 0)
        window = self.limits.start if controller is None else controller.window
        fresh = now_s - self._window_began_s < 2 * _WINDOW_S
        moved = max(self._moved, self._moved_before) if fresh else 0
        share = max(moved, window * _STUMBLED_SHARE if self.troubled else _SHARE)
        if self.warm_up is not None:
            share = min(share, self._left_today(self.warm_up, now))
        messages = self.messages
        by_rate = int(messages.tokens + (now_s - messages.at_s + _AHEAD_S) * messages.rate)
        return max(min(share, by_rate) - self.held, 0)

    def take(self) -> None:
        """Count a message that was taken from the queue."""
        self.held += 1

    def give(self, now_s: float) -> None:
        """Count one that is settled."""
        self.held -= 1
        self._turn(now_s)
        self._moved += 1

    def wait_us(self, kind: StreamKind, now: Instant, now_s: float) -> int:
        """Return how long until there is room by time alone; 0 when something under way has to end first."""
        until = self.held_until
        for each in (self.breaker, self.kind(kind).breaker):
            if each.flow is Flow.SUSPENDED and each.until > until:
                until = each.until
        if self.warm_up is not None and self._left_today(self.warm_up, now) <= self.held:
            return next_day(now)
        self.messages.fill(now_s)
        by_rate = int((self.messages.wait_s() - _AHEAD_S) * SECOND)
        return max(until - now, by_rate, 0)

    def _left_today(self, warm_up: WarmUp, now: Instant) -> int:
        """Return how many messages a new address may still send today, of this node's part of them."""
        cap = warm_up.cap(now)
        return _BOUNDLESS if cap is None else max(int(cap * self.part), 1) - self.day.so_far(now)

    # What became of it

    def count(self, now: Instant) -> None:
        """Count a message against the day of a new address."""
        if self.warm_up is not None and (cap := self.warm_up.cap(now)) is not None and self.day.count(now):
            self._say(What.RAISED, f"Warming up: {cap} messages may go there today")
        self.changed = True

    def good(self, controller: Controller) -> None:
        """Count a message that the site took, or answered for."""
        self.failures = 0
        if self.breaker.openings and self.breaker.good():
            self._say(What.RESUMED, f"Resumed after: {self.breaker.because}")
        controller.good(self.connections)

    def unreachable(self, now: Instant, chance: float, because: str) -> None:
        """Count a conversation that did not come about; too many in a row mean that the site is away."""
        self.failures += 1
        self.breaker.look(now)
        if self.breaker.flow is Flow.PROBING or (self.failures >= _UNREACHABLE and self.breaker.flow is Flow.FLOWING):
            self.breaker.trip(now, chance, because)
            minutes = (self.breaker.until - now) / MINUTE
            self._say(What.SUSPENDED, f"Suspended for {minutes:.1f} minutes because: {because}")

    def slow_down(self, slowness: Slowness, now: Instant) -> None:
        """Keep to less for a while, as a rule says."""
        before = self._slow(now)
        if before is None or before.rule != slowness.rule:
            minutes = (slowness.until - now) / MINUTE
            self._say(What.SLOWED, f"Slowed to {slowness.words} for {minutes:.0f} minutes by the rule {slowness.rule}")
        self.obey(slowness)

    def obey(self, slowness: Slowness) -> None:
        """Keep to less, without a word about it."""
        self.slowness = slowness
        if slowness.per_minute is not None:
            self.messages.rate = min(self.rate, slowness.per_minute / 60)

    def _slow(self, now: Instant) -> Slowness | None:
        slow = self.slowness
        if slow is not None and slow.until <= now:
            self.slowness = slow = None
            self.messages.rate = self.rate
            self._say(What.RESUMED, "The time for which it was slowed down is over")
        return slow

    def _say(self, what: What, sentence: str) -> None:
        self.changed = True
        self.told.change(self.name, None, what, sentence)

    def _turn(self, now_s: float) -> None:
        """Begin a new second when the last one is over."""
        passed_s = now_s - self._window_began_s
        if passed_s >= _WINDOW_S:
            self._moved_before = self._moved if passed_s < 2 * _WINDOW_S else 0
            self._moved, self._window_began_s = 0, now_s
