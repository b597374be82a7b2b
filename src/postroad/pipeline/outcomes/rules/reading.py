"""From the text of a rules file to rules, or to what is wrong with it: file, rule and remedy in every sentence."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

import msgspec

from postroad.model.attempt import Phase
from postroad.model.clock import DAY, HOUR, MINUTE, SECOND
from postroad.model.provider import PROVIDERS
from postroad.model.reason import Class
from postroad.model.traffic import Measure, Traffic
from postroad.pipeline.outcomes.rules.pattern import Pattern, PatternError, parse
from postroad.pipeline.outcomes.rules.rule import ANY_DIGIT, Rule, StatusRange

FORMAT: Final = 1
"""The version of the format, which a file states as `format`."""
CLASSES: Final = frozenset(
    (
        *(Class.INVALID_RECIPIENT, Class.INACTIVE_MAILBOX, Class.BAD_DOMAIN, Class.MAILBOX_FULL),
        *(Class.MESSAGE_TOO_LARGE, Class.CONTENT_REJECTED, Class.REPUTATION_BLOCK, Class.POLICY, Class.AUTH_FAILED),
        *(Class.RATE_LIMITED, Class.GREYLISTED, Class.UNREACHABLE, Class.DNS_FAILURE, Class.TLS_REQUIRED_FAILED),
        *(Class.PROTOCOL_ERROR, Class.SMTPUTF8_UNSUPPORTED, Class.UNKNOWN),
    )
)
"""What a reply can mean; the other classes are not a server's to say."""

_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9_-]+)*", re.ASCII)
_SUFFIX: Final = re.compile(r"\.?(?:[a-z0-9-]+\.)+[a-z0-9-]+", re.ASCII)
_CODE: Final = re.compile(r"([45])(?:xx|([0-9]{2}))", re.ASCII)
_STATUS: Final = re.compile(r"([45x])\.([0-9]{1,3})\.(?:\*|([0-9]{1,3})(?:-([0-9]{1,3}))?)", re.ASCII)
_UNITS: Final = {"s": SECOND, "min": MINUTE, "h": HOUR, "d": DAY}
_SPAN: Final = re.compile(r"([0-9]{1,5}) ?(s|min|h|d)", re.ASCII)
_RATE: Final = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,3})?) ?/ ?(s|min|h)", re.ASCII)
_TRIGGER: Final = re.compile(r"([1-9][0-9]{0,5}) per (second|minute|hour|day)", re.ASCII)
_PERIODS: Final = {"second": SECOND, "minute": MINUTE, "hour": HOUR, "day": DAY}
_LONGEST_SPAN: Final = 7 * DAY
_MOST_CONNECTIONS: Final = 1000
_MOST_RULES: Final = 10_000

_Part = TypeVar("_Part")


class Flaw(msgspec.Struct, frozen=True):
    """What is wrong with a file, and where."""

    file: str
    rule: str
    """The identifier of the rule, or where it stands (`rule 3`), or empty when it is the whole file."""
    detail: str

    def __str__(self) -> str:
        where = f"{self.file}, {self.rule}" if self.rule else self.file
        return f"{where}: {self.detail}"


@dataclass(frozen=True, slots=True)
class RuleFile:
    """What a file holds. With flaws it is not used at all: half a file of rules could mean the opposite."""

    name: str
    rules: tuple[Rule, ...] = ()
    suffixes: Mapping[str, str] = field(default_factory=dict)
    flaws: tuple[Flaw, ...] = ()


class _Do(msgspec.Struct, forbid_unknown_fields=True):
    do: Measure
    span: str = msgspec.field(name="for")
    after: str = "1 per hour"
    connections: int | None = None
    rate: str | None = None


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    cls: Class = msgspec.field(name="class")
    tests: tuple[str, ...]
    provider: str | None = None
    anywhere: bool = False
    text: str | tuple[str, ...] = ()
    code: str | int | tuple[str | int, ...] = ()
    enhanced: str | tuple[str, ...] = ()
    phase: Phase | tuple[Phase, ...] = ()
    retry: bool = False
    one_recipient: bool = False
    traffic: _Do | None = None
    counterexamples: tuple[str, ...] = ()
    note: str = ""


class _Provider(msgspec.Struct, forbid_unknown_fields=True):
    mx: tuple[str, ...]


class _Whole(msgspec.Struct, forbid_unknown_fields=True):
    format: Literal[1]
    providers: dict[str, _Provider] = {}
    rule: tuple[dict[str, object], ...] = ()


class _WrongError(Exception):
    """A value that cannot be used."""


def read(text: str, name: str, *, providers: Collection[str] = ()) -> RuleFile:
    """Return the rules of a file.

    `name` is how the file is called in what is said about it, `providers` are those that other files have named.
    """
    try:
        whole = msgspec.convert(tomllib.loads(text), _Whole)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return RuleFile(name, flaws=(Flaw(name, "", f"this is not TOML: {error}"),))
    except msgspec.ValidationError as error:
        remedy = f"a file begins with format = {FORMAT}, and has [providers.NAME] and [[rule]] tables"
        return RuleFile(name, flaws=(Flaw(name, "", f"{error}; {remedy}"),))
    if len(whole.rule) > _MOST_RULES:
        return RuleFile(name, flaws=(Flaw(name, "", f"a file has at most {_MOST_RULES} rules"),))
    flaws: list[Flaw] = []
    suffixes = dict(_suffixes(whole.providers, name, flaws))
    known = {provider for provider, _ in PROVIDERS} | whole.providers.keys() | set(providers)
    rules: dict[str, Rule] = {}
    for number, table in enumerate(whole.rule, 1):
        where = str(table.get("id", f"rule {number}"))[:100]
        try:
            rule = _rule(table, name, known)
            if rule.id in rules:
                raise _WrongError("another rule of this file has the same id; give it its own")
            rules[rule.id] = rule
        except (msgspec.ValidationError, _WrongError, PatternError) as error:
            flaws.append(Flaw(name, where, str(error)))
    return RuleFile(name, tuple(rules.values()), suffixes, tuple(flaws))


def _suffixes(providers: Mapping[str, _Provider], name: str, flaws: list[Flaw]) -> Iterator[tuple[str, str]]:
    for provider, said in providers.items():
        for suffix in said.mx:
            folded = suffix.lower()
            if not _SUFFIX.fullmatch(folded):
                detail = f"{suffix!r} is not the end of a host name; write it as in .mx.example.com"
                flaws.append(Flaw(name, f"providers.{provider}", detail))
                continue
            yield folded if folded.startswith(".") else f".{folded}", provider


def _rule(table: Mapping[str, object], file: str, known: set[str]) -> Rule:
    entry = msgspec.convert(table, _Entry)
    if not _ID.fullmatch(entry.id):
        raise _WrongError("an id has small letters, digits, dots, - and _, such as example.rate")
    if entry.cls not in CLASSES:
        classes = ", ".join(sorted(CLASSES))
        raise _WrongError(f"class {entry.cls} is not one that a reply can have; those are {classes}")
    if entry.provider is not None and entry.provider not in known:
        raise _WrongError(f"no provider is called {entry.provider!r}; name its hosts in [providers.{entry.provider}]")
    patterns = _patterns(entry.text)
    if not (patterns or entry.enhanced):
        raise _WrongError("give the rule a text or an enhanced code; a basic code alone means too many things")
    if entry.one_recipient and entry.traffic is not None:
        raise _WrongError("what is about one_recipient asks nothing of the traffic; take one of the two out")
    if not entry.tests:
        raise _WrongError("give the rule tests: at least one reply that it is meant for")
    return Rule(
        id=entry.id,
        file=file,
        cls=entry.cls,
        provider=entry.provider,
        anywhere=entry.anywhere,
        patterns=patterns,
        codes=_codes(entry.code),
        statuses=tuple(_status(given) for given in _several(entry.enhanced)),
        phases=frozenset(_several(entry.phase)),
        retry=entry.retry,
        one_recipient=entry.one_recipient,
        traffic=None if entry.traffic is None else _traffic(entry.id, entry.traffic),
        tests=entry.tests,
        counterexamples=entry.counterexamples,
    )


def _several(given: _Part | tuple[_Part, ...]) -> tuple[_Part, ...]:
    return given if isinstance(given, tuple) else (given,)


def _patterns(given: str | tuple[str, ...]) -> tuple[Pattern, ...]:
    return tuple(parse(source) for source in _several(given))


def _codes(given: str | int | tuple[str | int, ...]) -> frozenset[int]:
    return frozenset(_code(each) for each in (given if isinstance(given, tuple) else (given,)))


def _code(given: str | int) -> int:
    found = _CODE.fullmatch(str(given))
    if found is None:
        raise _WrongError(f"code {given!r} is none; write 421, 4xx or 5xx")
    return int(found[0]) if found[2] else int(found[1])


def _status(given: str) -> StatusRange:
    found = _STATUS.fullmatch(given)
    if found is None:
        raise _WrongError(f"enhanced code {given!r} is none; write 5.7.1, 5.7.600-699, 4.7.* or x.7.1")
    digit = ANY_DIGIT if found[1] == "x" else int(found[1])
    if found[3] is None:
        return StatusRange(digit, int(found[2]), 0, 999)
    return StatusRange(digit, int(found[2]), int(found[3]), int(found[4] or found[3]))


def _traffic(rule: str, given: _Do) -> Traffic:
    slower = given.connections is not None or given.rate is not None
    if slower is not (given.do is Measure.SLOW_DOWN):
        raise _WrongError("slow_down has connections or rate or both; what suspends has neither")
    if given.connections is not None and not 1 <= given.connections <= _MOST_CONNECTIONS:
        raise _WrongError(f"connections lies between 1 and {_MOST_CONNECTIONS}; to stop altogether, suspend_site")
    trigger = _TRIGGER.fullmatch(given.after)
    if trigger is None:
        raise _WrongError(f"after is {given.after!r}; write it as 3 per hour (or second, minute, day)")
    return Traffic(
        measure=given.do,
        rule=rule,
        lasting=_span(given.span),
        connections=given.connections,
        per_minute=None if given.rate is None else _per_minute(given.rate),
        after=int(trigger[1]),
        within=_PERIODS[trigger[2]],
    )


def _span(given: str) -> int:
    found = _SPAN.fullmatch(given)
    span = 0 if found is None else int(found[1]) * _UNITS[found[2]]
    if not 0 < span <= _LONGEST_SPAN:
        raise _WrongError(f"for is {given!r}; write a time up to 7 d, such as 90 min or 2 h")
    return span


def _per_minute(given: str) -> float:
    found = _RATE.fullmatch(given)
    rate = 0.0 if found is None else float(found[1]) * MINUTE / _UNITS[found[2]]
    if rate <= 0:
        raise _WrongError(f"rate is {given!r}; write messages for each s, min or h, such as 10/min")
    return rate
