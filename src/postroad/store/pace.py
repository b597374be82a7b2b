"""The distance that a writer's transactions keep under load, so that each carries more.

A commit costs a sync, the pages of a dozen indexes, and a turn at the interpreter lock for each statement, whether it
carries five messages or fifty. On an idle store nothing waits. Under load transactions begin a least distance apart,
and up to a few times that far where they take long, as they do when other work wants the processor too; but no longer
than units keep coming, because all who could send more may be waiting for our answer.
"""

import time
from collections.abc import Callable

_DISTANCE = 2
"""Transactions begin so many times as far apart as the last one took,"""
_MOST = 4
"""and this many times the least distance at the most."""
_LOOKS = 4
"""Times that somebody has to come within the least distance to be waited for."""


class Pace:
    """What one writer keeps to."""

    def __init__(
        self,
        least_s: float,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin transactions `least_s` apart at least; `now` and `sleep` are in seconds."""
        self._least_s = least_s
        self._now = now
        self._sleep = sleep
        self._began = self._ended = -_MOST * least_s

    def begin(self) -> None:
        """Note that a transaction begins."""
        self._began = self._now()

    def end(self) -> float:
        """Note that it has ended, and return the seconds that it took."""
        self._ended = self._now()
        return self._ended - self._began

    def keep(self, waiting: Callable[[], int]) -> None:
        """Sleep until the next transaction may begin; `waiting` tells how many units wait for it."""
        left_s = self._began + self._least_s - self._now()
        if left_s > 0:
            self._sleep(left_s)
        until = self._began + min(_DISTANCE * (self._ended - self._began), _MOST * self._least_s)
        before = -1
        while (left_s := until - self._now()) > 0 and (now := waiting()) > before:
            before = now
            self._sleep(min(left_s, self._least_s / _LOOKS))
