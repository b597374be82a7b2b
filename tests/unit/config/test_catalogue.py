from typing import Annotated

import msgspec
import pytest

from postroad.config import Settings, entries, shown
from postroad.config.setting import Say


class Described(msgspec.Struct):
    plain: Annotated[int, "a note of somebody else", Say("A number.", 1, 10)] = 2
    needed: Annotated[tuple[str, ...] | None, Say("Some words.")] = None


class Undescribed(msgspec.Struct):
    silent: int = 1


class Unwordy(msgspec.Struct):
    silent: Annotated[int, "a note of somebody else"] = 1


class Shapeless(msgspec.Struct):
    either: Annotated[list[int] | None, Say("What cannot be set.")] = None


def test_an_entry_says_what_a_value_must_be():
    plain, needed = entries(Described)
    assert (plain.expected, plain.bounds, plain.many) == ("a whole number from 1 to 10", "from 1 to 10", False)
    assert (needed.expected, needed.bounds, needed.many) == ("a list of items, each text", "", True)


@pytest.mark.parametrize("tree", [Undescribed, Unwordy])
def test_a_setting_without_a_description_cannot_be_declared(tree):
    with pytest.raises(TypeError, match="no description"):
        entries(tree)


def test_a_setting_of_a_type_that_cannot_be_read_cannot_be_declared():
    with pytest.raises(TypeError, match="either has a type"):
        entries(Shapeless)


def test_what_is_shown_has_every_section_in_order():
    assert list(shown(Settings())) == list(Settings.__struct_fields__)
