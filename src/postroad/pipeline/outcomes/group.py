"""A group: what speaks for one class."""

from typing import NamedTuple

from postroad.model.reason import Class
from postroad.pipeline.outcomes.nearness import Near


class Group(NamedTuple):
    """Phrases, or words near each other, that speak for one class; `digit` confines them to replies that begin so."""

    name: str
    cls: Class
    phrases: tuple[str, ...] = ()
    digit: int | None = None
    near: Near | None = None
    hint: bool = False
    """Whether it speaks only where neither codes nor other words do."""


def phrases(text: str) -> tuple[str, ...]:
    """Return the phrases between the `|` of a text, each in single spaces."""
    return tuple(" ".join(phrase.split()) for phrase in text.split("|"))
