"""A verdict: what follows from an attempt (or a bounce, or a complaint). The store applies it in one transaction."""

import msgspec

from postroad.model.clock import Instant
from postroad.model.delivery import State
from postroad.model.event import EventType
from postroad.model.reason import Reason
from postroad.model.traffic import Traffic


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The next state of a delivery and everything that goes with it."""

    state: State
    reason: Reason
    next_at: Instant | None = None
    """When to try again; set if and only if the state is one that a lease may take from."""
    failures: int
    """How many attempts now count for the retry schedule."""
    event: EventType | None = None
    """The event to write; None where nobody needs to hear (mail handed back unsent, a repeated deferral)."""
    suppress: bool = False
    """Whether the recipient goes on the project's suppression list, with the reason as its evidence."""
    in_doubt: bool = False
    """Whether the attempt ended in doubt: the delivery is marked as a possible duplicate."""
    traffic: Traffic | None = None
    """What the reply asks of the traffic to the attempt's site, by the rule that decided; None: nothing."""
