"""A delivery: one message to one envelope recipient, and the states it passes through."""

from enum import StrEnum

import msgspec

from postroad.model.clock import MINUTE, Instant
from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.message import Mode, Role
from postroad.model.reason import Reason


class State(StrEnum):
    """Where a delivery stands. A terminal state never changes."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    DEFERRED = "deferred"
    HELD = "held"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    CANCELED = "canceled"
    REJECTED = "rejected"


TERMINAL = frozenset({State.DELIVERED, State.BOUNCED, State.EXPIRED, State.SUPPRESSED, State.CANCELED, State.REJECTED})
DUE = frozenset({State.SCHEDULED, State.QUEUED, State.DEFERRED})
"""States that a lease may take from, once `next_at` has come."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery as it is stored."""

    id: DeliveryId
    message_id: MessageId
    project_id: ProjectId
    recipient: str
    domain: str
    role: Role
    stream: str
    mode: Mode
    state: State
    attempts: int = 0
    next_at: Instant | None = None
    expires_at: Instant
    created_at: Instant
    updated_at: Instant
    reason: Reason | None = None
    """Why it stands where it stands."""
    possible_duplicate: bool = False
    """Whether an attempt ended in doubt, so that the recipient may have got more than one copy."""


class Lease(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A delivery in our hands until `until`, with all that composing and delivering need.

    `token` is the fencing token: a settle under an older token changes nothing.
    """

    delivery_id: DeliveryId
    message_id: MessageId
    project_id: ProjectId
    token: int
    until: Instant
    attempt: int
    """Number of the attempt that this lease is for, 1 for the first."""
    failures: int
    """How many earlier attempts count for the retry schedule."""
    recipient: str
    domain: str
    stream: str
    mode: Mode
    sender: str
    header_id: str
    accepted_at: Instant
    first_due_at: Instant
    expires_at: Instant
    in_doubt: int
    """How many attempts so far ended in doubt."""
    noticed_at: Instant | None
    """When a deferral was last made an event."""
    reason: Reason | None
    """Why the attempt before this one failed."""
    content: bytes | None
    """Stored form of the content, or None when it lies in the blob store under `content_sha256`."""
    content_sha256: str | None


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Who takes leases, and for how long."""

    node: str
    boot: str
    """Names this run of the node: a lease of another run is nobody's."""
    duration: int
    """Microseconds until the lease lapses."""
    ahead: int = 0
    """Microseconds by which the node's clock was moved ahead of the time by which leases are counted; for tests."""


CRASH_BACKOFF = 15 * MINUTE
"""Next attempt of a delivery whose lease nobody ever settles, written with the lease itself."""


def message_state(states: frozenset[State]) -> str:
    """Return the derived state of a message whose deliveries stand in `states`."""
    if len(states) == 1:
        return next(iter(states)).value
    if states <= TERMINAL:
        return "completed"
    return "partially_delivered" if State.DELIVERED in states else "queued"
