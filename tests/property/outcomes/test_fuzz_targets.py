"""The fuzz targets over their seeds and over some hundred changed seeds, the same ones in every run."""

from itertools import islice

import pytest
from fuzz.corpus import seeds
from fuzz.mutate import mutations
from fuzz.targets import TARGETS

MUTATED = {"replies": 400, "dsn": 250, "arf": 250}


@pytest.mark.parametrize("name", list(TARGETS))
def test_every_seed_passes(name: str) -> None:
    known = seeds(name)
    assert len(known) >= 5
    for octets in known:
        TARGETS[name](octets)


@pytest.mark.parametrize("name", list(TARGETS))
def test_changed_seeds_pass(name: str) -> None:
    for octets in islice(mutations(seeds(name), 4711), MUTATED[name]):
        TARGETS[name](octets)


def test_the_same_number_makes_the_same_mutations() -> None:
    known = seeds("dsn")
    assert list(islice(mutations(known, 1), 20)) == list(islice(mutations(known, 1), 20))
