"""From the settings of `delivery` to the rules of routing."""

import ipaddress
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from postroad.config import RouteKind, RouteRule, Secret, Settings, parse_relay
from postroad.config.paths import Pool
from postroad.model.route import CaptureRoute, Family, RelayRoute, RelaysRoute, Security, Source
from postroad.pipeline.routing import Router, Rule, SourcePool, Target

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
    default = _default(settings, paths)
    rules = [_rule(rule, projects, paths, default) for rule in delivery.routes]
    return Router(rules, default, reserved=settings.testing.reserved_domain.lower(), always_reserved=dev)


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
    if delivery.route is RouteKind.RELAY and delivery.relay_url is None:
        return _relays(tuple(paths.relays), paths, "delivery.route")
    if delivery.route is RouteKind.MX:
        return None if delivery.pool is None else _known(delivery.pool, paths.pools, "delivery.pool", "pool")
    return _target(delivery.route, "relay", delivery.relay_url)


def _rule(rule: RouteRule, projects: Mapping[str, str], paths: Paths, default: Target) -> Rule:
    if rule.project != "*" and rule.project not in projects:
        raise UnknownProject(
            f"delivery.routes names the project {rule.project!r}, which does not exist; "
            f"make it with `postroad project create {rule.project}`, or correct the rule"
        )
    chosen = frozenset() if rule.project == "*" else frozenset({projects[rule.project]})
    provider = None if rule.provider is None else rule.provider.lower().strip(".")
    return Rule(chosen, rule.domain, _rule_target(rule, paths, default), rule.sender, rule.stream, provider)


def _rule_target(rule: RouteRule, paths: Paths, default: Target) -> Target:
    if rule.route is RouteKind.RELAY and rule.relay_url is None:
        return _relays(rule.relays, paths, "a rule of delivery.routes")
    if rule.route is not RouteKind.MX:
        return _target(rule.route, rule.name, rule.relay_url)
    pool = default if isinstance(default, SourcePool) else None
    if rule.pool is not None:
        pool = _known(rule.pool, paths.pools, "a rule of delivery.routes", "pool")
    if rule.family is not None:
        pool = replace(pool if pool is not None else SourcePool(), family=Family(rule.family.value))
    return pool


def _relays(names: tuple[str, ...], paths: Paths, who: str) -> Target:
    chosen = {name: _known(name, paths.relays, who, "relay") for name in names}
    found = tuple(relay for name, relay in paths.relays.items() if name in chosen)
    if not found:
        raise UnknownPath(f"{who} says relay, but names none; give it a relay_url, or relays")
    return found[0] if len(found) == 1 else RelaysRoute(found)


def _target(kind: RouteKind, name: str, url: Secret | None) -> Target:
    match kind:
        case RouteKind.CAPTURE:
            return CaptureRoute()
        case RouteKind.MX:
            return None
        case RouteKind.RELAY:
            return _relay(name, url)


def _relay(name: str, url: Secret | None) -> RelayRoute:
    relay = parse_relay(url.reveal() if url is not None else "")
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
