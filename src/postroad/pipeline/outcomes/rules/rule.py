"""One rule: when it applies, what it says of the reply, and the replies that prove it."""

from typing import Final

import msgspec

from postroad.model.attempt import Phase
from postroad.model.reason import Class
from postroad.model.traffic import Traffic
from postroad.pipeline.outcomes.rules.pattern import Pattern

ANY_DIGIT: Final = 0


class StatusRange(msgspec.Struct, frozen=True):
    """Enhanced codes of one subject, from one detail to another; `digit` is 4, 5 or `ANY_DIGIT`."""

    digit: int
    subject: int
    low: int
    high: int

    def holds(self, digit: int, code: tuple[int, int]) -> bool:
        """Tell whether a reply's first digit and its enhanced code's subject and detail lie in the range."""
        return self.digit in (ANY_DIGIT, digit) and code[0] == self.subject and self.low <= code[1] <= self.high


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it is applied. Conditions that are empty hold for everything."""

    id: str
    file: str
    cls: Class
    provider: str | None = None
    anywhere: bool = False
    """Whether a rule with a provider also applies to servers that are not known to be its."""
    patterns: tuple[Pattern, ...] = ()
    codes: frozenset[int] = frozenset()
    """Basic codes; 4 and 5 stand for all of that first digit."""
    statuses: tuple[StatusRange, ...] = ()
    phases: frozenset[Phase] = frozenset()
    retry: bool = False
    """Whether a 5xx is tried again nevertheless."""
    one_recipient: bool = False
    """Whether it is about this recipient alone, whatever the class usually concerns."""
    traffic: Traffic | None = None
    tests: tuple[str, ...] = ()
    counterexamples: tuple[str, ...] = ()

    def applies(self, basic: int, status: tuple[int, int] | None, phase: Phase, text: str) -> bool:
        """Tell whether a reply meets all conditions but the provider; `text` is folded."""
        digit = basic // 100
        if self.codes and basic not in self.codes and digit not in self.codes:
            return False
        if self.phases and phase not in self.phases:
            return False
        if self.statuses and (status is None or not any(each.holds(digit, status) for each in self.statuses)):
            return False
        return not self.patterns or any(pattern.found(text) for pattern in self.patterns)
