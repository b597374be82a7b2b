"""The table of the bench tells reached from missed."""

from __future__ import annotations

import io

import pytest
from bench.rows import ROWS, Sample, show, summarise
from bench.workloads import WORKLOADS
from rich.console import Console


def test_a_row_is_the_median_of_the_ratios_of_its_rounds() -> None:
    (result,) = summarise([Sample("P1", 800, 100), Sample("P1", 900, 300), Sample("P1", 500, 100)])
    assert (result.value, result.ours, result.peer, result.rounds) == (5, 800, 100, 3)


@pytest.mark.parametrize(
    ("sample", "first", "goal"),
    [
        (Sample("P1", 399, 100), False, False),
        (Sample("P1", 400, 100), True, False),
        (Sample("P1", 800, 100), True, True),
        (Sample("P7", 51), False, False),
        (Sample("P7", 50), True, False),
        (Sample("P8 p50", 1, 2), True, True),
        (Sample("P8 p50", 3, 2), False, False),
        (Sample("P1 naive", 1, 2), True, True),
    ],
)
def test_a_bound_is_reached_from_the_right_side(sample: Sample, first: bool, goal: bool) -> None:
    (result,) = summarise([sample])
    assert (result.first_reached, result.goal_reached) == (first, goal)


def test_the_printed_table_names_peer_ratio_and_both_bounds() -> None:
    out = io.StringIO()
    show(summarise([Sample("P1", 3000, 400)]), Console(file=out, width=160))
    row = next(line for line in out.getvalue().splitlines() if "P1" in line)
    for words in ("3,000 msg/s", "400 msg/s", "7.5×", "≥ 4× yes", "≥ 8× no"):
        assert words in row


def test_every_row_belongs_to_a_workload_and_every_workload_has_a_row() -> None:
    assert {row.workload for row in ROWS} == set(WORKLOADS)
