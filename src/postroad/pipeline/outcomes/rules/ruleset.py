"""Rules put together: which of them apply to a server, and which decides."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from postroad.model.attempt import Phase
from postroad.model.provider import provider_of
from postroad.pipeline.outcomes.rules.reading import RuleFile
from postroad.pipeline.outcomes.rules.rule import Rule

_ELSEWHERE = ""
"""Stands for servers of no provider that a rule knows."""


Entry = tuple[tuple[str, ...], Rule]
"""A rule behind the literal parts of its patterns: a text that has none of them is passed over at once."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in the order in which they are asked: those of earlier files first, then as they stand."""

    rules: tuple[Rule, ...] = ()
    suffixes: Mapping[str, str] = field(default_factory=dict)
    """Providers that the files name themselves, by the end of a host's name with its dot."""
    by_provider: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)

    def match(self, basic: int, status: tuple[int, int] | None, phase: Phase, text: str, mx: str | None) -> Rule | None:
        """Return the rule that decides a reply, or None.

        Args:
            basic: the reply's three digits.
            status: subject and detail of its enhanced code.
            phase: in which it was said.
            text: its words, folded by `phrases.fold`.
            mx: the server's name; None when nobody knows it.

        What it costs is what rejects nearly all rules: one search for each pattern's longest literal part.
        """
        for needles, rule in self._entries(None if mx is None else self.provider(mx)):
            if needles:
                for needle in needles:
                    if needle in text:
                        break
                else:
                    continue
            if rule.applies(basic, status, phase, text):
                return rule
        return None

    def of_provider(self, name: str | None) -> tuple[Rule, ...]:
        """Return the rules that can apply to the servers of a provider; None: of none that is known."""
        return tuple(rule for _, rule in self._entries(name))

    def _entries(self, provider: str | None) -> tuple[Entry, ...]:
        found = self.by_provider.get(_ELSEWHERE if provider is None else provider)
        return self.by_provider.get(_ELSEWHERE, ()) if found is None else found

    def provider(self, mx: str) -> str | None:
        """Return the provider whose server this is, by the files' own names first."""
        host = "." + mx.lower().removesuffix(".")
        at = 0
        while at >= 0:
            name = self.suffixes.get(host[at:])
            if name is not None:
                return name
            at = host.find(".", at + 1)
        return provider_of(host[1:])


NO_RULES = RuleSet()


class Rulebook:
    """The rules in force: whoever judges holds the book, and a reload puts another set into it at once."""

    __slots__ = ("rules",)

    def __init__(self, rules: RuleSet = NO_RULES) -> None:
        """Begin with a set."""
        self.rules = rules


def assemble(files: Sequence[RuleFile]) -> RuleSet:
    """Put files together, the most important first. A rule whose identifier an earlier file has is left out."""
    rules: dict[str, Rule] = {}
    suffixes: dict[str, str] = {}
    for file in files:
        for suffix, provider in file.suffixes.items():
            suffixes.setdefault(suffix, provider)
        for rule in file.rules:
            rules.setdefault(rule.id, rule)
    ordered = tuple(rules.values())
    providers = {rule.provider for rule in ordered if rule.provider is not None}
    by_provider = {name: tuple(_for(ordered, name)) for name in providers}
    by_provider[_ELSEWHERE] = tuple(_for(ordered, _ELSEWHERE))
    return RuleSet(ordered, suffixes, by_provider)


def _for(rules: Iterable[Rule], provider: str) -> Iterator[Entry]:
    for rule in rules:
        if rule.anywhere or rule.provider in (None, provider):
            yield tuple(pattern.needle for pattern in rule.patterns), rule
