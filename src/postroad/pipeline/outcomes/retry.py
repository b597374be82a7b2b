"""When to try again: the stream's schedule, and the times that servers ask for in their replies."""

import re
from typing import Final

from postroad.model.clock import HOUR, MINUTE, SECOND
from postroad.model.stream import RetrySchedule
from postroad.pipeline.outcomes import phrases

_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR}
_SPAN: Final = re.compile(
    r"\b(?:in|after|for|wait|another|least|about) ([0-9]{1,5}) ?"
    r"(s|sec|secs|second|seconds|m|min|mins|minute|minutes|h|hr|hrs|hour|hours)\b",
    re.ASCII,
)
_CLOCK: Final = re.compile(r"\b(?:in|after|for|wait) ([0-9]{1,2}):([0-9]{2}):([0-9]{2})\b", re.ASCII)


def scheduled(schedule: RetrySchedule, failures: int, chance: float) -> int:
    """Return the microseconds to wait after the failure that follows `failures` others; `chance` lies in [0, 1)."""
    delay = schedule.delays[min(failures, len(schedule.delays) - 1)]
    return int(delay * (1 + schedule.jitter * (2 * chance - 1)))


def at_least(wait: int, schedule: RetrySchedule, chance: float) -> int:
    """Return `wait` made longer, never shorter, by the schedule's jitter."""
    return int(wait * (1 + schedule.jitter * chance))


def hinted(text: str) -> int | None:
    """Return the microseconds that a reply asks to wait, such as `try again in 5 minutes`; None when it does not say.

    The number is the peer's and may be anything from 0 to a hundred thousand hours: the caller sets the bounds.
    """
    folded = phrases.fold(text)
    if found := _SPAN.search(folded):
        return int(found[1]) * _UNITS[found[2][0]]
    if found := _CLOCK.search(folded):
        return int(found[1]) * HOUR + int(found[2]) * MINUTE + int(found[3]) * SECOND
    return None
