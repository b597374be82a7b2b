"""The road ahead in an explanation: how mail flows to where a delivery goes, and what makes it wait there."""

from collections.abc import Mapping

import msgspec

from postroad.model.clock import Instant, to_rfc3339
from postroad.model.ids import DeliveryId
from postroad.model.shaping import Flow


class Road(msgspec.Struct, frozen=True, kw_only=True):
    """How mail flows to the site that a delivery goes to."""

    site: str
    flow: Flow
    sentence: str
    """Why it flows as it does: the reply, the rule, or who suspended it."""
    connections: int | None
    """How many connections this kind of mail may have there now."""
    until: str | None
    """When a pause ends."""


def delayed(what: str, at: str | None, road: Road | None, now: Instant) -> tuple[str, str | None]:
    """Return what comes next, and when, as the road lets it: a pause outlasts an earlier attempt."""
    if road is None or road.flow in (Flow.FLOWING, Flow.RESTING):  # of relays that rest, another is asked
        return what, at
    if road.until is None and road.flow is Flow.SUSPENDED:
        return f"The next attempt waits until mail to {road.site} is resumed. {road.sentence}", None
    if road.until is None:
        return f"{what} {road.sentence}", at
    if (at is not None and at >= road.until) or road.until <= to_rfc3339(now):
        return what, at
    return f"The next attempt waits for {road.site} until {road.until}. {road.sentence}", road.until


Roads = Mapping[DeliveryId, Road]
"""By delivery; those that have ended have none."""
