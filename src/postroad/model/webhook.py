"""Webhooks: URLs that a project's events are pushed to, and what became of each push."""

from enum import StrEnum

import msgspec

from postroad.model.clock import Instant
from postroad.model.ids import ProjectId, WebhookId


class DisabledBecause(StrEnum):
    """Why nothing is sent to an endpoint."""

    REQUESTED = "requested"
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """Whole schedules went by, for days, without one success."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint has been answering since its last success."""

    failures: int = 0
    failing_since: Instant | None = None
    paused_until: Instant | None = None
    """Nothing is sent before."""


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as it is stored."""

    id: WebhookId
    project_id: ProjectId
    url: str
    description: str = ""
    types: tuple[str, ...] = ()
    """Event types it wants, such as `message.bounced` or `message.*`; empty: all."""
    secrets: bytes
    """Its signing secrets, sealed."""
    created_at: Instant
    updated_at: Instant
    disabled_at: Instant | None = None
    disabled_because: DisabledBecause | None = None
    cursor: int = 0
    """Place in the log up to which events were taken over for it."""
    health: Health = Health()


class PushState(StrEnum):
    """Where the push of one event to one endpoint stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """The schedule is used up; a replay starts it anew."""


class Try(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request that was made: it has either a status or a trouble."""

    at: Instant
    duration_ms: int
    status: int | None = None
    trouble: str | None = None
    detail: str = ""
    """A public sentence, or how the body of a refusal began."""


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """The push of one event, as far as it has come."""

    webhook_id: WebhookId
    seq: int
    """The event's place in the log."""
    state: PushState
    attempts: int = 0
    """How many tries of the schedule were made; a replay begins at none."""
    next_at: Instant | None = None
    created_at: Instant
    updated_at: Instant
    history: tuple[Try, ...] = ()
    """The latest tries, oldest first, over replays too."""


def wants(types: tuple[str, ...], kind: str) -> bool:
    """Whether an endpoint with this filter takes events of this type."""
    return not types or kind in types or f"{kind.partition('.')[0]}.*" in types
