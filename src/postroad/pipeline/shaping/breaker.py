"""The breaker: after too much trouble nothing is sent for a while, then one message at a time, then all again."""

from dataclasses import dataclass
from typing import Final

from postroad.model.clock import MINUTE, Instant
from postroad.model.shaping import Flow

FIRST_PAUSE: Final = MINUTE
LONGEST_PAUSE: Final = 30 * MINUTE
WINS_TO_CLOSE: Final = 3
"""Probes that must go well."""
CALM: Final = 100
"""Successes after which earlier openings are forgotten."""
_JITTER: Final = 0.2
_NEVER: Final = Instant(0)


@dataclass(slots=True)
class Breaker:
    """Open from `trip` until its time is over, then half open until three probes went well."""

    flow: Flow = Flow.FLOWING
    until: Instant = _NEVER
    openings: int = 0
    """How often it opened since things last went well for long: each doubles the pause."""
    wins: int = 0
    because: str = ""

    def trip(self, now: Instant, chance: float, because: str) -> None:
        """Open, for one minute at first and twice as long each further time, and a bit at random on top."""
        pause = min(FIRST_PAUSE << min(self.openings, 10), LONGEST_PAUSE)
        self.flow = Flow.SUSPENDED
        self.until = Instant(now + int(pause * (1 + _JITTER * chance)))
        self.openings += 1
        self.wins = 0
        self.because = because

    def look(self, now: Instant) -> bool:
        """Half open when the pause is over, and tell whether that happened just now."""
        if self.flow is not Flow.SUSPENDED or now < self.until:
            return False
        self.flow, self.wins = Flow.PROBING, 0
        return True

    def good(self) -> bool:
        """Count a success, and tell whether it closed the breaker."""
        self.wins += 1
        if self.flow is Flow.PROBING and self.wins >= WINS_TO_CLOSE:
            self.flow, self.wins = Flow.FLOWING, 0
            return True
        if self.flow is Flow.FLOWING and self.wins >= CALM:
            self.openings = 0
        return False
