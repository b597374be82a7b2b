"""The short form of the fault experiments: each passes its marks, and some controls show that it could have failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.catalogue import choose
from faults.frame import Options, Size


def _options(directory: Path, *, control: bool = False) -> Options:
    return Options("sqlite", Size.SMALL, seed=7, directory=directory, control=control)


@pytest.mark.parametrize("name", ["kill", "drop", "lost-reply", "names"])
def test_an_experiment_passes_its_marks(name: str, tmp_path: Path) -> None:
    (experiment,) = choose([name])
    outcome = experiment.run(_options(tmp_path))
    assert {mark.name: mark.examples for mark in outcome.marks if not mark.passed} == {}


@pytest.mark.parametrize("name", ["drop", "names"])
def test_a_broken_build_misses_a_mark(name: str, tmp_path: Path) -> None:
    (experiment,) = choose([name])
    outcome = experiment.run(_options(tmp_path, control=True))
    assert experiment.reveals & set(outcome.failed)
