"""Which route a delivery takes: captured when it is test mail, else by the first rule that fits, else the default.

Mail to the reserved domain goes to its mailboxes when it is test mail, and in `postroad dev` in any case.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from msgspec.structs import replace

from postroad.model.delivery import Lease
from postroad.model.message import Mode
from postroad.model.route import (
    CaptureRoute,
    Family,
    MxRoute,
    Plain,
    ProviderRoute,
    RelayRoute,
    RelaysRoute,
    ReservedRoute,
    Route,
    Source,
)


@dataclass(frozen=True, slots=True)
class SourcePool:
    """Sources with their shares, and how exchangers are reached from them; without sources the system chooses."""

    sources: tuple[Source, ...] = ()
    weights: tuple[int, ...] = ()
    family: Family = Family.MIXED

    def source(self, delivery_id: str) -> Source | None:
        """Return the source of a delivery: the same at each attempt, as greylisting wants it."""
        if len(self.sources) < 2:
            return self.sources[0] if self.sources else None
        bounds = tuple(accumulate(self.weights or (1,) * len(self.sources)))
        point = zlib.crc32(delivery_id.encode()) % max(bounds[-1], 1)
        return next((source for source, bound in zip(self.sources, bounds, strict=True) if point < bound), None)


class Through:
    """Relays that are reached from a pool; the ways are made once, so that choosing one costs next to nothing."""

    __slots__ = ("_otherwise", "_pool", "_ways")

    def __init__(self, relays: RelayRoute | RelaysRoute, pool: SourcePool) -> None:
        """Join each source of the pool to the relays."""
        self._pool = pool
        self._otherwise = _over(relays, None, pool.family)
        self._ways = {source.name: _over(relays, source, pool.family) for source in pool.sources}

    def way(self, delivery_id: str) -> RelayRoute | RelaysRoute:
        """Return the way of a delivery: the same at each attempt."""
        source = self._pool.source(delivery_id)
        return self._otherwise if source is None else self._ways[source.name]


def _over(relays: RelayRoute | RelaysRoute, source: Source | None, family: Family) -> RelayRoute | RelaysRoute:
    if isinstance(relays, RelaysRoute):
        return RelaysRoute(tuple(replace(relay, source=source, family=family) for relay in relays.relays))
    return replace(relays, source=source, family=family)


Target = CaptureRoute | RelayRoute | RelaysRoute | Through | SourcePool | None
"""Where a rule sends mail; a pool, or None: to the recipient domain's own mail exchangers."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Mail of these projects to this domain takes this route."""

    projects: frozenset[str]
    """Identifiers of the projects; empty: every project."""
    domain: str
    """`example.com`, `*.example.com` for those below it, or `*`."""
    target: Target
    sender: str = "*"
    """The sending domain, in the same way."""
    stream: str = "*"
    provider: str | None = None
    """The name that the mail exchangers of the recipient's domain must end in; that is for others to find out."""

    def fits(self, lease: Lease) -> bool:
        """Whether the rule speaks of this delivery, its provider aside."""
        if self.projects and lease.project_id not in self.projects:
            return False
        if self.stream not in ("*", lease.stream) or not _matches(self.domain, lease.domain):
            return False
        return self.sender == "*" or _matches(self.sender, lease.sender.rpartition("@")[2])


def _matches(pattern: str, domain: str) -> bool:
    if pattern.startswith("*."):
        return domain.endswith(pattern[1:])
    return pattern in ("*", domain)


class Router:
    """The rules of a server."""

    def __init__(
        self, rules: Sequence[Rule], default: Target, *, reserved: str | None = None, always_reserved: bool = False
    ) -> None:
        """Take the rules in the order in which they hold, and the domain whose mailboxes stand for outcomes.

        `always_reserved` tells that it is reserved for live mail too.
        """
        self._rules = tuple(rules)
        self._default = default
        self._reserved = reserved
        self._always = reserved if always_reserved else None

    def route(self, lease: Lease) -> Route:
        """Return the route of a delivery."""
        if lease.mode is Mode.TEST or lease.domain == self._always:
            return ReservedRoute(lease.failures) if lease.domain == self._reserved else CaptureRoute()
        cases: list[tuple[str, Plain]] = []
        target = self._default
        for rule in self._rules:
            if not rule.fits(lease):
                continue
            if rule.provider is None:
                target = rule.target
                break
            cases.append((rule.provider, _plain(rule.target, lease)))
        otherwise = _plain(target, lease)
        return ProviderRoute(lease.domain, tuple(cases), otherwise) if cases else otherwise


def _plain(target: Target, lease: Lease) -> Plain:
    if target is None:
        return MxRoute(lease.domain)
    if isinstance(target, Through):
        return target.way(lease.delivery_id)
    if isinstance(target, SourcePool):
        return MxRoute(lease.domain, target.source(lease.delivery_id), target.family)
    return target
