"""Warm-up: a new address sends little at first and more each day, as providers distrust what comes all at once."""

from dataclasses import dataclass

from postroad.model.clock import DAY, Instant


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How many messages a day an address may send to one site, from its first day on."""

    since: Instant
    """Midnight (UTC) of the first day."""
    schedule: tuple[int, ...]
    """Messages by day; after the last there is no such limit."""

    def cap(self, now: Instant) -> int | None:
        """Return how many messages a site may get today, or None when the address is warm."""
        day = max((now - self.since) // DAY, 0)
        return self.schedule[day] if day < len(self.schedule) else None


@dataclass(slots=True)
class Day:
    """What a site has got today."""

    number: int = 0
    sent: int = 0

    def count(self, now: Instant) -> bool:
        """Count a message, and tell whether it is the first of its day."""
        today = now // DAY
        fresh = today != self.number
        if fresh:
            self.number, self.sent = today, 0
        self.sent += 1
        return fresh

    def so_far(self, now: Instant) -> int:
        """Return how many were sent today."""
        return self.sent if now // DAY == self.number else 0


def next_day(now: Instant) -> int:
    """Return the microseconds until the next day (UTC)."""
    return DAY - now % DAY
