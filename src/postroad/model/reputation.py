"""Reputation in numbers: what became of the mail of a project, and what share of it the receivers minded.

A rate is over a cohort: its numerator holds members of its denominator only. Mail counts with the time at which it was
first decided on; a late bounce and a complaint count with the time at which their mail was delivered.
"""

from enum import StrEnum
from typing import Final

import msgspec

from postroad.model.clock import MINUTE

BUCKET: Final = 10 * MINUTE
"""Microseconds that are counted together."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries of a cohort."""

    sent: int = 0
    """Came as far as MAIL FROM, and were decided on."""
    delivered: int = 0
    hard: int = 0
    """Refused for good because of the recipient, at once or later."""
    blocked: int = 0
    """Ended because of reputation, policy or authentication."""
    complained: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Return both together."""
        return Counts(
            sent=self.sent + other.sent,
            delivered=self.delivered + other.delivered,
            hard=self.hard + other.hard,
            blocked=self.blocked + other.blocked,
            complained=self.complained + other.complained,
        )


class Rate(StrEnum):
    """What is measured."""

    HARD_BOUNCE = "hard_bounce"
    """Refused for good because of the recipient, of what was sent."""
    BLOCK = "block"
    """Ended because of reputation, policy or authentication, of what was sent."""
    COMPLAINT = "complaint"
    """Reported as spam, of what was delivered."""


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the guard warns, and when it pauses broadcast mail: shares of 0 to 1."""

    hard_bounce_warn: float
    hard_bounce_pause: float
    block_warn: float
    block_pause: float
    complaint_warn: float
    complaint_pause: float
    least: int
    """Below so many deliveries a rate says nothing."""
    pause: bool
    """Whether it pauses at all, or only warns."""

    def of(self, rate: Rate) -> tuple[float, float]:
        """Return at which shares of a rate to warn and to pause."""
        levels = {
            Rate.HARD_BOUNCE: (self.hard_bounce_warn, self.hard_bounce_pause),
            Rate.BLOCK: (self.block_warn, self.block_pause),
            Rate.COMPLAINT: (self.complaint_warn, self.complaint_pause),
        }
        return levels[rate]


def measured(rate: Rate, counts: Counts) -> tuple[int, int]:
    """Return numerator and denominator of a rate."""
    parts = {
        Rate.HARD_BOUNCE: (counts.hard, counts.sent),
        Rate.BLOCK: (counts.blocked, counts.sent),
        Rate.COMPLAINT: (counts.complained, counts.delivered),
    }
    return parts[rate]
