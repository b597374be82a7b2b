"""From the settings of `delivery` to the rules of routing."""

import ipaddress
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from postroad.config import RouteKind, RouteRule, Secret, Settings, parse_relay
from postroad.config.paths import Pool
from postroad.model.attempt import OWN_ROUTES
from postroad.model.route import CaptureRoute, Family, RelayRoute, RelaysRoute, Security, Source
from postroad.pipeline.routing import Router, Rule, SourcePool, Target, Through

_T = TypeVar("_T")


class UnknownProject(Exception):  # noqa: N818 - a sentence for the operator, raised at start only
    """A route names a project that does not exist."""


class UnknownPath(UnknownProject):
    """The same of a source, pool or relay."""


def router_of(settings: Settings, projects: Mapping[str, str], *, dev: bool = False) -> Router:
    """Return the routes that the settings describe.

    Args:
        settings: whose `delivery` says where mail goes.
        projects: identifiers by name and by identifier.
        dev: whether the reserved domain is reserved for live mail too.

    Raises:
        UnknownProject: a rule names a project, source, pool or relay that there is not.
    """
    delivery = settings.delivery
    paths = paths_of(settings)
    pool = _default_pool(settings, paths)
    rules = [_rule(rule, projects, paths, pool) for rule in delivery.routes]
    return Router(
        rules, _default(settings, paths), reserved=settings.testing.reserved_domain.lower(), always_reserved=dev
    )


def unusable_paths(settings: Settings) -> str | None:
    """Return what is wrong with sources, pools, relays and rules as far as it shows without the store, or None."""
    try:
        router_of(settings, {rule.project: rule.project for rule in settings.delivery.routes})
    except UnknownProject as problem:
        return str(problem)
    return None


@dataclass(frozen=True, slots=True)
class Paths:
    """The ways that have names."""

    pools: dict[str, SourcePool]
    """Pools, and every source as a pool of its own."""
    relays: dict[str, RelayRoute]
    """In the order of their priority."""


def paths_of(settings: Settings) -> Paths:
    """Return the sources, pools and relays of the settings.

    Raises:
        UnknownPath: one has no name, shares it, or names another that there is not.
    """
    sources: dict[str, Source] = {}
    for given in settings.sources:
        if given.ipv4 is None and given.ipv6 is None:
            raise UnknownPath(f"sources has an item {given.name!r} without an address; give it ipv4, ipv6 or both")
        sources[_new(given.name, "sources", sources)] = Source(given.name, given.ipv4, given.ipv6, given.hostname)
    pools = {name: SourcePool((source,)) for name, source in sources.items()}
    for pool in settings.pools:
        pools[_new(pool.name, "pools", pools)] = _pool(pool, sources)
    relays: dict[str, RelayRoute] = {}
    for relay in sorted(settings.relays, key=lambda each: each.priority):
        if relay.url is None:
            raise UnknownPath(f"relays has an item {relay.name!r} without a url; give it url or url_file")
        relays[_new(relay.name, "relays", relays)] = _relay(relay.name, relay.url)
    return Paths(pools, relays)


def _new(name: str, setting: str, known: Container[str]) -> str:
    if not name or name in known:
        raise UnknownPath(f"{setting} has an item whose name is {name!r}; give each a name of its own")
    return name


def _pool(pool: Pool, sources: Mapping[str, Source]) -> SourcePool:
    if not pool.sources or (pool.weights and (len(pool.weights) != len(pool.sources) or not sum(pool.weights))):
        raise UnknownPath(f"the pool {pool.name!r} needs sources, and as many weights or none")
    found = tuple(_known(name, sources, f"the pool {pool.name!r}", "source") for name in pool.sources)
    return SourcePool(found, pool.weights, Family(pool.family.value))


def _known(name: str, known: Mapping[str, _T], who: str, what: str) -> _T:
    if name not in known:
        raise UnknownPath(f"{who} names the {what} {name!r}, which does not exist; add it to {what}s, or correct it")
    return known[name]


def _default(settings: Settings, paths: Paths) -> Target:
    delivery = settings.delivery
    pool = _default_pool(settings, paths)
    match delivery.route:
        case RouteKind.CAPTURE:
            return CaptureRoute()
        case RouteKind.MX:
            return pool
        case RouteKind.RELAY if delivery.relay_url is None:
            return _through(_relays(tuple(paths.relays), paths, "delivery.route"), pool)
        case RouteKind.RELAY:
            return _through(_relay("relay", delivery.relay_url), pool)


def _default_pool(settings: Settings, paths: Paths) -> SourcePool | None:
    name = settings.delivery.pool
    return None if name is None else _known(name, paths.pools, "delivery.pool", "pool")


def _through(relays: RelayRoute | RelaysRoute, pool: SourcePool | None) -> Target:
    return relays if pool is None else Through(relays, pool)


def _rule(rule: RouteRule, projects: Mapping[str, str], paths: Paths, default: SourcePool | None) -> Rule:
    if rule.project != "*" and rule.project not in projects:
        raise UnknownProject(
            f"delivery.routes names the project {rule.project!r}, which does not exist; "
            f"make it with `postroad project create {rule.project}`, or correct the rule"
        )
    chosen = frozenset() if rule.project == "*" else frozenset({projects[rule.project]})
    provider = None if rule.provider is None else rule.provider.lower().strip(".")
    return Rule(chosen, rule.domain, _rule_target(rule, paths, default), rule.sender, rule.stream, provider)


def _rule_target(rule: RouteRule, paths: Paths, default: SourcePool | None) -> Target:
    match rule.route:
        case RouteKind.CAPTURE:
            return CaptureRoute()
        case RouteKind.MX:
            return _rule_pool(rule, paths, default)
        case RouteKind.RELAY if rule.relay_url is None:
            found = _relays(rule.relays, paths, "a rule of delivery.routes")
            return _through(found, _rule_pool(rule, paths, default))
        case RouteKind.RELAY:
            return _through(_relay(rule.name, rule.relay_url), _rule_pool(rule, paths, default))


def _rule_pool(rule: RouteRule, paths: Paths, default: SourcePool | None) -> SourcePool | None:
    """Return the pool that mail of a rule goes out from, and over which family."""
    pool = default
    if rule.pool is not None:
        pool = _known(rule.pool, paths.pools, "a rule of delivery.routes", "pool")
    if rule.family is not None:
        pool = replace(pool if pool is not None else SourcePool(), family=Family(rule.family.value))
    return pool


def _relays(names: tuple[str, ...], paths: Paths, who: str) -> RelayRoute | RelaysRoute:
    chosen = {name: _known(name, paths.relays, who, "relay") for name in names}
    found = tuple(relay for name, relay in paths.relays.items() if name in chosen)
    if not found:
        raise UnknownPath(f"{who} says relay, but names none; give it a relay_url, or relays")
    return found[0] if len(found) == 1 else RelaysRoute(found)


def _relay(name: str, url: Secret) -> RelayRoute:
    if name in OWN_ROUTES:
        raise UnknownPath(f"a relay is named {name!r}, which stands for mail without one; give it a name of its own")
    relay = parse_relay(url.reveal())
    return RelayRoute(
        name=name,
        host=relay.host,
        port=relay.port,
        security=Security(relay.security),
        username=relay.username,
        password=None if relay.password is None else relay.password.reveal(),
        verify=relay.verify,
    )


def own_names(settings: Settings) -> frozenset[str]:
    """Return the names under which a mail exchanger would be this server."""
    name = settings.delivery.hostname or "localhost"
    names = [name, *(source.hostname or name for source in settings.sources)]
    return frozenset(each.lower().removesuffix(".") for each in names)


def own_addresses(settings: Settings) -> frozenset[str]:
    """Return the addresses under which it would be."""
    given = [*settings.delivery.own_addresses, *(ip for each in settings.sources for ip in (each.ipv4, each.ipv6))]
    return frozenset(str(ipaddress.ip_address(ip)) for ip in given if ip)
