"""Which of several relays takes the mail: the first that can be reached, in the order of their priority.

A relay that cannot be reached rests for a while, longer each time, so that not every message waits for it to time out;
then it is asked first again.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from postroad.model.attempt import Attempt, Line, Phase, Trouble
from postroad.model.route import RelayRoute

_REST_S: Final = 30.0
_LONGEST_REST_S: Final = 600.0
_NO_LOGIN_REST_S: Final = 300.0
_BEFORE_MAIL: Final = frozenset({Phase.RESOLVE, Phase.CONNECT, Phase.BANNER, Phase.EHLO, Phase.STARTTLS, Phase.AUTH})
_MILLISECOND: Final = 1000


class Rest(msgspec.Struct, frozen=True):
    """What is remembered of a relay that could not be reached."""

    relay: RelayRoute
    times: int
    """How often in a row."""
    until_s: float
    attempt: Attempt
    """The last that did not get through."""


class Relays:
    """Remembers which relays cannot be reached."""

    def __init__(self, time_s: Callable[[], float]) -> None:
        """Take a clock that only goes ahead."""
        self._time_s = time_s
        self._rests: dict[str, Rest] = {}

    def in_order(self, relays: tuple[RelayRoute, ...]) -> Iterator[tuple[RelayRoute, bool]]:
        """Yield relays in the order to try them, and whether each rests: those come last."""
        resting = [relay for relay in relays if self.rests(relay)]
        for relay in relays:
            if relay not in resting:
                yield relay, False
        for relay in resting:
            yield relay, True

    def rests(self, relay: RelayRoute) -> bool:
        """Tell whether a relay could not be reached a short time ago."""
        rest = self._rests.get(relay.key)
        return rest is not None and rest.until_s > self._time_s()

    def resting(self) -> list[tuple[Rest, float]]:
        """Return the rests that have not ended, and how many seconds are left of each."""
        now_s = self._time_s()
        return [(rest, rest.until_s - now_s) for rest in self._rests.values() if rest.until_s > now_s]

    def worked(self, relay: RelayRoute) -> None:
        """Note that a relay was reached."""
        self._rests.pop(relay.key, None)

    def failed(self, relay: RelayRoute, attempt: Attempt) -> None:
        """Let a relay that could not be reached rest."""
        before = self._rests.get(relay.key)
        times = 1 if before is None else before.times + 1
        rest_s = _NO_LOGIN_REST_S if refuses_us(attempt) else min(_REST_S * 2 ** (times - 1), _LONGEST_REST_S)
        self._rests[relay.key] = Rest(relay, times, self._time_s() + rest_s, attempt)


def unreached(attempt: Attempt) -> bool:
    """Tell whether an attempt ended before the relay was asked to take the message, so that another one may be."""
    return attempt.phase in _BEFORE_MAIL and attempt.trouble is not Trouble.HANDED_BACK


def refuses_us(attempt: Attempt) -> bool:
    """Tell whether it ended because the relay does not accept our credentials."""
    return attempt.phase is Phase.AUTH


def joined(attempts: list[Attempt], *, taken: bool) -> Attempt:
    """Return one attempt for those that were made in turn: the last's outcome, and everything that was said.

    When none was `taken`, credentials that one relay refuses count only where all do: mail must not be held while
    another may take it.
    """
    last = attempts[-1]
    if not taken:
        last = next((each for each in reversed(attempts) if not refuses_us(each)), last)
    if len(attempts) == 1:
        return last
    began = attempts[0].started_at
    lines = tuple(
        Line(line.at_ms + (each.started_at - began) // _MILLISECOND, line.side, line.text)
        for each in attempts
        for line in (Line(0, "C", f"<relay {each.route}: {each.detail or each.phase}>"), *each.conversation)
    )
    passed = tuple(place for each in attempts for place in each.passed)
    return msgspec.structs.replace(last, started_at=began, conversation=lines, passed=passed)
