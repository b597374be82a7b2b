"""From the settings of `delivery` to the rules of routing."""

from collections.abc import Mapping

from postroad.config import RouteKind, RouteRule, Secret, Settings, parse_relay
from postroad.model.route import CaptureRoute, RelayRoute, Security
from postroad.pipeline.routing import Router, Rule, Target


class UnknownProject(Exception):  # noqa: N818 - a sentence for the operator, raised at start only
    """A route names a project that does not exist."""


def router_of(settings: Settings, projects: Mapping[str, str], *, dev: bool = False) -> Router:
    """Return the routes that the settings describe.

    Args:
        settings: whose `delivery` says where mail goes.
        projects: identifiers by name and by identifier.
        dev: whether the reserved domain is reserved for live mail too.

    Raises:
        UnknownProject: a rule names a project that there is not.
    """
    delivery = settings.delivery
    rules = [_rule(rule, projects) for rule in delivery.routes]
    default = _target(delivery.route, "relay", delivery.relay_url)
    return Router(rules, default, reserved=settings.testing.reserved_domain.lower(), always_reserved=dev)


def _rule(rule: RouteRule, projects: Mapping[str, str]) -> Rule:
    if rule.project != "*" and rule.project not in projects:
        raise UnknownProject(
            f"delivery.routes names the project {rule.project!r}, which does not exist; "
            f"make it with `postroad project create {rule.project}`, or correct the rule"
        )
    chosen = frozenset() if rule.project == "*" else frozenset({projects[rule.project]})
    return Rule(chosen, rule.domain, _target(rule.route, rule.name, rule.relay_url))


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
