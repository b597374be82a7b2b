"""The controller: how many connections one kind of mail may have to a site now, found by trying.

It begins low, adds one connection after each round in which all went well, and halves them when the site asks for
less. When that does not help it opens its breaker. Time and chance come in; what happened goes out as changes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from postroad.model.clock import MINUTE, SECOND, Instant
from postroad.model.shaping import Flow, What
from postroad.pipeline.shaping.breaker import Breaker

_THROTTLES: Final = 3
_THROTTLED_WITHIN: Final = MINUTE
_HUNDRED: Final = 100
_BLOCKED_MOST: Final = 50
_ONCE_WITHIN: Final = 10 * SECOND
"""Connections that are told the same at the same time count once."""
_BECAUSE_CHARACTERS: Final = 200
_NEVER: Final = Instant(-_ONCE_WITHIN)

Tell = Callable[[What, str, tuple[int, int] | None], None]
"""Takes what changed, the sentence, and the connections before and after."""


def _silence(what: What, sentence: str, connections: tuple[int, int] | None) -> None:
    """Take a change that nobody listens to."""


@dataclass(slots=True)
class Controller:
    """One kind of mail to one site from one address. `window` is how many connections it may have."""

    window: int
    tell: Tell = _silence
    breaker: Breaker = field(default_factory=Breaker)
    cohort: int = 0
    """How many went well since the window last changed."""
    lowered_at: Instant = _NEVER
    throttles: list[Instant] = field(default_factory=list)
    seen: int = 0
    blocked: int = 0
    busy: int = 0
    """Messages that are under way."""

    def good(self, ceiling: int) -> None:
        """Count a success: a round of them adds a connection, up to `ceiling`."""
        self._count()
        if self.breaker.openings and self.breaker.good():
            self.cohort = 0
            self.tell(What.RESUMED, f"Resumed with {_connections(self.window)} after: {self.breaker.because}", None)
            return
        self.cohort += 1
        if self.cohort >= self.window and self.window < ceiling and self.breaker.flow is Flow.FLOWING:
            self.cohort = 0
            self.window += 1
            before = self.window - 1
            self.tell(
                What.RAISED,
                f"Raised from {before} to {_connections(self.window)}: all went well",
                (before, self.window),
            )

    def throttled(self, now: Instant, chance: float, because: str) -> None:
        """Halve the connections, and pause when that has not helped."""
        self._count()
        because = because[:_BECAUSE_CHARACTERS]
        self.breaker.look(now)
        if self.breaker.flow is Flow.PROBING:
            self._open(now, chance, because)
            return
        recent = [at for at in self.throttles if now - at < _THROTTLED_WITHIN]
        self.throttles = [*recent[-_THROTTLES:], now]
        self._lower(self.window // 2, now, because)
        if len(self.throttles) >= _THROTTLES and self.breaker.flow is Flow.FLOWING:
            self._open(now, chance, because)

    def refused(self, now: Instant, chance: float, because: str) -> None:
        """Count a refusal of what we are: with more than half of a hundred, stop before it gets worse."""
        self.blocked += 1
        self._count()
        self.breaker.look(now)
        if self.breaker.flow is Flow.PROBING or (self.blocked > _BLOCKED_MOST and self.breaker.flow is Flow.FLOWING):
            self.blocked = self.seen = 0
            self._open(now, chance, because[:_BECAUSE_CHARACTERS])

    def broken(self, now: Instant, chance: float, because: str) -> None:
        """Take one connection away: conversations that break off are not made better by more of them."""
        self._count()
        self.breaker.look(now)
        if self.breaker.flow is Flow.PROBING:
            self._open(now, chance, because)
        else:
            self._lower(self.window - 1, now, because)

    def look(self, now: Instant) -> Flow:
        """Return how this mail flows now."""
        if self.breaker.look(now):
            self.tell(What.PROBING, "Trying one message at a time", None)
        return self.breaker.flow

    def _count(self) -> None:
        self.seen += 1
        if self.seen >= _HUNDRED:
            self.seen = self.blocked = 0

    def _lower(self, window: int, now: Instant, because: str) -> None:
        self.cohort = 0
        before, window = self.window, max(window, 1)
        if window == before or now - self.lowered_at < _ONCE_WITHIN:
            return
        self.window, self.lowered_at = window, now
        sentence = f"Lowered from {before} to {_connections(window)} because: {because}"
        self.tell(What.LOWERED, sentence, (before, window))

    def _open(self, now: Instant, chance: float, because: str) -> None:
        self.throttles.clear()
        self.cohort = 0
        self.window = max(self.window // 2, 1)
        self.breaker.trip(now, chance, because)
        minutes = (self.breaker.until - now) / MINUTE
        self.tell(What.SUSPENDED, f"Suspended for {minutes:.1f} minutes because: {because}", None)


def _connections(count: int) -> str:
    return "1 connection" if count == 1 else f"{count} connections"
