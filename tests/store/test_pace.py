"""The distance between transactions: none where nothing is to do, more under load, no more than anybody comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from postroad.store.pace import Pace

LEAST = 0.008


class Hours:
    """A clock on which nothing passes but what is slept."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.at += seconds


def after(took_s: float, idle_s: float, waiting: Callable[[], int]) -> float:
    """Return how far behind the beginning of a transaction the next one begins."""
    hours = Hours()
    pace = Pace(LEAST, now=hours.now, sleep=hours.sleep)
    pace.begin()
    began = hours.at
    hours.at += took_s
    assert pace.end() == pytest.approx(took_s)
    hours.at += idle_s
    pace.keep(waiting)
    return hours.at - began


def ever_more() -> Callable[[], int]:
    numbers: Iterator[int] = count(1)
    return lambda: next(numbers)


def nobody_else() -> Callable[[], int]:
    return lambda: 1


def test_the_first_transaction_waits_for_nothing() -> None:
    hours = Hours()
    Pace(LEAST, now=hours.now, sleep=hours.sleep).keep(ever_more())
    assert hours.at == 1000.0


def test_a_unit_that_finds_the_store_idle_is_taken_at_once() -> None:
    assert after(0.01, 5.0, ever_more()) == pytest.approx(5.01)


@pytest.mark.parametrize(
    ("took_s", "begins_s"),
    [(0.001, LEAST), (0.004, LEAST), (0.006, 0.012), (0.01, 0.02), (0.02, 4 * LEAST), (0.06, 0.06)],
)
def test_while_units_keep_coming_the_distance_grows_with_what_a_transaction_takes(
    took_s: float, begins_s: float
) -> None:
    assert after(took_s, 0, ever_more()) == pytest.approx(begins_s)


@pytest.mark.parametrize(("took_s", "begins_s"), [(0.001, LEAST), (0.006, 0.01), (0.01, 0.012), (0.02, 0.022)])
def test_when_nobody_comes_any_more_the_wait_ends(took_s: float, begins_s: float) -> None:
    assert after(took_s, 0, nobody_else()) == pytest.approx(begins_s)


def test_without_a_least_distance_there_is_none() -> None:
    hours = Hours()
    pace = Pace(0, now=hours.now, sleep=hours.sleep)
    pace.begin()
    hours.at += 0.05
    pace.end()
    pace.keep(ever_more())
    assert hours.at == 1000.05
