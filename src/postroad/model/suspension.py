"""Suspensions: mail that waits by decision, for a site, a project, a stream or several of these together.

Each holds until a time, or until somebody lifts it. It costs a delivery time, never an attempt: what it covers stays
queued, and its expiry goes on.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from postroad.model.clock import Instant
from postroad.model.ids import SuspensionId

ANY = "*"
"""Stands for every site, every project or every stream."""


class SuspensionCause(StrEnum):
    """Who decided."""

    OPERATOR = "operator"
    RULE = "rule"
    """A rule on what a provider replied."""
    GUARD = "guard"
    """The reputation guard."""


class Suspension(msgspec.Struct, frozen=True, kw_only=True):
    """One decision that mail waits."""

    id: SuspensionId
    site: str = ANY
    """Key of a site, or a recipient domain."""
    project_id: str = ANY
    stream: str = ANY
    cause: SuspensionCause
    reason: str
    """One public sentence."""
    author: str
    """`cli`, `system`, or the identifier of an API key."""
    created_at: Instant
    until: Instant | None = None
    """None: until it is lifted."""
    evidence: dict[str, str | int | float | None] = {}
    """What it was decided on: the rule and the reply, or the rates."""

    def holds_at(self, now: Instant) -> bool:
        """Whether it is in force."""
        return self.until is None or self.until > now

    def covers(self, project_id: str, stream: str, sites: Iterable[str]) -> bool:
        """Whether it concerns mail of a project and stream to a site, given by its key, its domain or both."""
        return (
            self.project_id in (ANY, project_id)
            and self.stream in (ANY, stream)
            and (self.site == ANY or self.site in sites)
        )
