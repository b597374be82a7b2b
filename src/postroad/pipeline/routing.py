"""Which route a delivery takes: captured when it is test mail, else by the first rule that fits, else the default.

Mail to the reserved domain goes to its mailboxes when it is test mail, and in `postroad dev` in any case.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from postroad.model.delivery import Lease
from postroad.model.message import Mode
from postroad.model.route import CaptureRoute, MxRoute, RelayRoute, ReservedRoute, Route

Target = CaptureRoute | RelayRoute | None
"""Where a rule sends mail; None: to the recipient domain's own mail exchangers."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Mail of these projects to this domain takes this route."""

    projects: frozenset[str]
    """Identifiers of the projects; empty: every project."""
    domain: str
    """`example.com`, `*.example.com` for those below it, or `*`."""
    target: Target

    def fits(self, lease: Lease) -> bool:
        """Whether the rule speaks of this delivery."""
        if self.projects and lease.project_id not in self.projects:
            return False
        if self.domain.startswith("*."):
            return lease.domain.endswith(self.domain[1:])
        return self.domain in ("*", lease.domain)


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
        target = next((rule.target for rule in self._rules if rule.fits(lease)), self._default)
        return MxRoute(lease.domain) if target is None else target
