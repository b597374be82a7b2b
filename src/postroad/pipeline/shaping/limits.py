"""Limits: the most that a site may be asked for. Ours ship in `defaults.toml`, a user's file goes over them.

A file has sections: `[default]`, `[site.NAME]`, `[domain."example.com"]`, and the same below `[project.NAME]` and
`[pool.NAME]`. NAME of a site is a provider's (`google`), a mail exchanger's (`mx.example.com`), the end of such names
(`.example.com`) or a relay's (`relay.example.com:587`); that of a pool is
a source address's. What is said more narrowly holds: domain before site before
default, and a project's before a pool's before everybody's; what a section does not say, the wider one does.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Final

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The most that one site is asked for from one source address."""

    connections: int = 10
    """At the same time."""
    start: int = 5
    """Connections that a site which is not known yet begins with."""
    messages_per_second: float = 100.0
    messages_per_connection: int = 100
    connections_per_minute: float = 100.0
    """New ones."""
    idle_s: float = 60.0
    """How long an unused connection is kept."""


Given = Mapping[str, float]
"""Limits by name, as a section gives them."""

BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "connections": (1, 1000),
    "start": (1, 1000),
    "messages_per_second": (0.001, 1_000_000),
    "messages_per_connection": (1, 100_000),
    "connections_per_minute": (0.01, 1_000_000),
    "idle_s": (0, 600),
}
"""The names of limits, with the least and the most that each may be."""
WHOLE: Final = frozenset({"connections", "start", "messages_per_connection"})
"""Limits that are whole numbers."""

_KINDS: Final = ("site", "domain")
_OWNERS: Final = ("project", "pool")


class FlawedLimitsError(Exception):
    """A file of limits cannot be used: one sentence for each flaw, with file, key and remedy."""

    def __init__(self, flaws: Sequence[str]) -> None:
        super().__init__("\n".join(flaws))
        self.flaws = tuple(flaws)


@dataclass(frozen=True, slots=True)
class Section:
    """What a file says for everybody, or for one project or pool."""

    default: dict[str, float] = field(default_factory=dict)
    site: dict[str, dict[str, float]] = field(default_factory=dict)
    domain: dict[str, dict[str, float]] = field(default_factory=dict)

    def given(self, site: str) -> Iterator[Given]:
        """Yield what is said of a site, the widest first."""
        yield self.default
        names = site.split(",")
        for name in sorted(self.site, key=len):
            if name == site or (name.startswith(".") and all(host.endswith(name) for host in names)):
                yield self.site[name]


@dataclass(frozen=True, slots=True)
class Book:
    """All limits of all files."""

    floor: Limits
    """What holds where no file says anything: the settings."""
    all: Section = Section()
    projects: dict[str, Section] = field(default_factory=dict)
    pools: dict[str, Section] = field(default_factory=dict)

    def limits(self, site: str, *, domain: str = "", project: str = "", pool: str = "") -> Limits:
        """Return the limits of a site; `domain`, `project` and `pool` only where they have a section of their own."""
        sections = [self.all, self.pools.get(pool), self.projects.get(project)]
        found: dict[str, float] = {}
        for section in sections:
            if section is not None:
                for given in section.given(site):
                    found.update(given)
        for section in sections:
            if section is not None and domain in section.domain:
                found.update(section.domain[domain])
        return with_limits(self.floor, found)

    def apart(self, domain: str, project: str) -> tuple[str, str]:
        """Return domain and project as far as they have limits of their own, which count apart; else empty texts."""
        own = self.projects.get(project)
        if domain in self.all.domain or (own is not None and domain in own.domain):
            return domain, project if own is not None else ""
        return "", project if own is not None else ""

    @property
    def plain(self) -> bool:
        """Whether no domain and no project has limits of its own."""
        return not self.all.domain and not self.projects


def with_limits(limits: Limits, given: Given) -> Limits:
    """Return limits with those that were given in their place."""
    if not given:
        return limits
    values = {name: int(value) if name in WHOLE else float(value) for name, value in given.items()}
    return msgspec.structs.replace(limits, **values)


def flaw_of(name: str, value: object) -> str | None:
    """Return what is wrong with a limit, as the end of a sentence, or None."""
    if name not in BOUNDS:
        return f"is no limit; there are {', '.join(BOUNDS)}"
    low, high = BOUNDS[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"must be a number from {low:g} to {high:g}"
    if not low <= value <= high:
        return f"is {value:g} and must be from {low:g} to {high:g}"
    if name in WHOLE and value != int(value):
        return "must be a whole number"
    return None


def shipped() -> str:
    """Return the text of the limits that come with Postroad."""
    return resources.files(__package__).joinpath("defaults.toml").read_text(encoding="utf-8")


def read_book(files: Sequence[tuple[str, str]], floor: Limits) -> Book:
    """Return the limits of files, each a name and its text; what a later one says goes over the earlier ones.

    Raises:
        FlawedLimitsError: at least one of them is flawed; it names every flaw.
    """
    flaws: list[str] = []
    everybody, projects, pools = Section(), dict[str, Section](), dict[str, Section]()
    for name, text in files:
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as problem:
            flaws.append(f"{name}: this is not TOML: {problem}.")
            continue
        reader = _Reader(name, flaws)
        owned = {kind: reader.table(document.pop(kind, {}), kind) for kind in _OWNERS}
        reader.section(document, everybody, "")
        for kind, sections in (("project", projects), ("pool", pools)):
            for owner, content in owned[kind].items():
                where = f"{kind}.{owner}"
                reader.section(reader.table(content, where), sections.setdefault(owner, Section()), f"{where}.")
    if flaws:
        raise FlawedLimitsError(flaws)
    return Book(floor, everybody, projects, pools)


class _Reader:
    """Reads the tables of one file, and writes down every flaw."""

    def __init__(self, file: str, flaws: list[str]) -> None:
        self._file = file
        self._flaws = flaws

    def table(self, found: object, where: str) -> dict[str, object]:
        """Return a table, or an empty one in place of what is none."""
        if isinstance(found, dict):
            return found
        self._flaws.append(f"{self._file}: {where} must be a table such as [{where}].")
        return {}

    def section(self, document: dict[str, object], into: Section, where: str) -> None:
        """Add what a document says to a section."""
        for key, content in document.items():
            place = f"{where}{key}"
            if key == "default":
                self._limits(self.table(content, place), into.default, place)
            elif key in _KINDS:
                named: dict[str, dict[str, float]] = into.site if key == "site" else into.domain
                for name, limits in self.table(content, place).items():
                    own = named.setdefault(name.lower(), {})
                    self._limits(self.table(limits, f"{place}.{name}"), own, f"{place}.{name}")
            else:
                known = ("default", *_KINDS) if where else ("default", *_KINDS, *_OWNERS)
                self._flaws.append(f"{self._file}: [{place}] is no section; there are {', '.join(known)}.")

    def _limits(self, table: dict[str, object], into: dict[str, float], where: str) -> None:
        for name, value in table.items():
            flaw = flaw_of(name, value)
            if flaw is not None:
                self._flaws.append(f"{self._file}: {where}.{name} {flaw}.")
            elif isinstance(value, int | float):
                into[name] = value
