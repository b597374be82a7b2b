"""What a reply asks of the traffic to its site: values that the judge hands on and shaping acts on."""

from enum import StrEnum

import msgspec

from postroad.model.clock import HOUR


class Measure(StrEnum):
    """What is done about the traffic."""

    SLOW_DOWN = "slow_down"
    """Fewer connections or messages to the site."""
    SUSPEND_SITE = "suspend_site"
    """Nothing more to the site, whoever it is from."""
    SUSPEND_PROJECT = "suspend_project"
    """Nothing more from the delivery's project to the site; the others go on."""


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """A measure and its size, for the site (and source address) of the attempt that it came from."""

    measure: Measure
    rule: str
    """The identifier of the rule that asks for it."""
    lasting: int
    """Microseconds that it is in force after the reply that set it off."""
    connections: int | None = None
    """The most connections to the site while it slows down; None leaves them as they are."""
    per_minute: float | None = None
    """The most messages a minute to the site while it slows down; None leaves the rate as it is."""
    after: int = 1
    """How many replies that this rule decided within `within` set it off. Each project's count apart where the measure
    is about one project."""
    within: int = HOUR
    """Microseconds over which `after` is counted."""
