"""Every experiment there is, in the order of their numbers."""

from __future__ import annotations

import importlib

from faults.frame import Experiment

_MODULES = (
    "kill",
    "power",
    "failing_disk",
    "full_disk",
    "restart",
    "failover",
    "partition",
    "stop",
    "slow",
    "tarpit",
    "refusing",
    "drop",
    "lost_reply",
    "names",
    "poison",
    "backlog",
    "flood",
)


def catalogue() -> list[Experiment]:
    """All experiments."""
    found = [importlib.import_module(f"faults.experiments.{name}").EXPERIMENT for name in _MODULES]
    return sorted(found, key=lambda experiment: int(experiment.number[1:]))


def choose(wanted: list[str]) -> list[Experiment]:
    """The experiments that `wanted` names by number or name; all of them when it names none.

    Raises:
        LookupError: there is none of that name.
    """
    everything = catalogue()
    if not wanted:
        return everything
    chosen = []
    for word in wanted:
        found = [each for each in everything if word.lower() in (each.number.lower(), each.name)]
        if not found:
            known = ", ".join(f"{each.number} {each.name}" for each in everything)
            raise LookupError(f"there is no experiment {word}; there are {known}")
        chosen += found
    return chosen
