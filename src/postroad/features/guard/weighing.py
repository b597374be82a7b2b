"""Which rates of a project are bad: over each stream, all of its mail, and each site."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from postroad.model.reputation import Counts, Rate, Thresholds, measured

PROJECT: Final = "project"
WORDS: Final = {
    Rate.HARD_BOUNCE: "of what was sent was refused for good because there is no such recipient",
    Rate.BLOCK: "of what was sent was ended because of reputation, policy or authentication",
    Rate.COMPLAINT: "of what was delivered was reported as spam",
}
REMEDIES: Final = {
    Rate.HARD_BOUNCE: "Clean the list: mail only addresses that were confirmed.",
    Rate.BLOCK: "Look at `explain` for what the receivers said, and at `postroad doctor` for the sending domain.",
    Rate.COMPLAINT: "Mail only those who asked for it, and make leaving easy.",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A rate that is bad."""

    subject: str
    """`project`, `stream NAME` or `site KEY`."""
    rate: Rate
    count: int
    of: int
    threshold: float
    serious: bool
    """Whether it is beyond the level at which broadcast mail is paused."""

    @property
    def name(self) -> str:
        """What is remembered, so that nobody is told twice."""
        return f"{self.subject}: {self.rate}{' beyond' if self.serious else ''}"

    @property
    def sentence(self) -> str:
        """What people read."""
        percent = 100 * self.count / self.of
        share = f"{percent:.0f}" if percent >= 10 else f"{percent:.2g}"
        return f"{share} % {WORDS[self.rate]} ({self.count} of {self.of}, {self.subject})."


def weigh(subject: str, counts: Mapping[Rate, Counts], thresholds: Thresholds, ease: float = 1.0) -> Iterator[Finding]:
    """Yield the rates of a subject that are bad; each rate has a window, and so counts, of its own."""
    for rate, window in counts.items():
        count, of = measured(rate, window)
        warn, pause = [level * ease for level in thresholds.of(rate)]
        if of < thresholds.least:
            continue
        share = count / of
        if share > pause or share > warn:
            serious = share > pause
            yield Finding(
                subject=subject, rate=rate, count=count, of=of, threshold=pause if serious else warn, serious=serious
            )
