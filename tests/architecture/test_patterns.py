"""Regular expressions mean the same on every Python that we run on.

Before 3.11.5, and so on Debian 12, a group that is repeated possessively keeps what its last, failing round had taken:
`(?:\\.a)*+` takes the dot off `.b`. Where nothing may be given back, an atomic group around an ordinary repetition
sees to that.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from re import _constants as constants  # no public way leads to what a pattern is made of
from re import _parser as parser
from typing import Any

import pytest

import postroad

_LEAVES = frozenset({constants.IN, constants.LITERAL, constants.NOT_LITERAL, constants.ANY})


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Give every compiled pattern that stands in a module, by itself or in a collection, with its name."""
    for found in pkgutil.walk_packages(postroad.__path__, "postroad."):
        if not found.name.endswith("__main__") and ".migrations." not in found.name:
            for name, value in vars(importlib.import_module(found.name)).items():
                yield from ((f"{found.name}.{name}", one) for one in _within(value, 3))


def _within(value: object, depth: int) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict) and depth:
        yield from _within([*value, *value.values()], depth - 1)
    elif isinstance(value, list | tuple | frozenset | set) and depth:
        for one in value:
            yield from _within(one, depth - 1)


def repeats_a_group_possessively(tree: Any) -> bool:
    for kind, argument in tree:
        if kind is constants.POSSESSIVE_REPEAT and not _is_one_character(argument[2]):
            return True
        inside = argument if isinstance(argument, list | tuple) else [argument]
        if any(repeats_a_group_possessively(each) for each in _trees(inside)):
            return True
    return False


def _is_one_character(body: Any) -> bool:
    return len(body) == 1 and body[0][0] in _LEAVES


def _trees(argument: Any) -> Iterator[Any]:
    for each in argument:
        if isinstance(each, parser.SubPattern):
            yield each
        elif isinstance(each, list):
            yield from _trees(each)


@pytest.mark.parametrize(
    "pattern", [r"(?:\.a)*+", r"x(?:(?:ab)+c|d(?:ef){2,}+)", r"(?>(?:ab)?+)", r"(a)(?(1)(?:bc)++|d)"]
)
def test_a_group_that_is_repeated_possessively_is_seen(pattern: str) -> None:
    assert repeats_a_group_possessively(parser.parse(pattern))


@pytest.mark.parametrize("pattern", [r"[ab]*+a++.?+", r"(?>(?:\.[a-z]++)*)", r"(?:ab)*"])
def test_what_is_harmless_is_left_alone(pattern: str) -> None:
    assert not repeats_a_group_possessively(parser.parse(pattern))


def test_no_pattern_of_ours_repeats_a_group_possessively() -> None:
    ours = [(name, one) for name, one in patterns() if name.partition(".")[0] == "postroad"]
    assert len(ours) > 100
    assert [name for name, one in ours if repeats_a_group_possessively(parser.parse(one.pattern, one.flags))] == []
