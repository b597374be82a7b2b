"""Events: the append-only log of what happened, the one source of webhooks, feed and analytics."""

from enum import StrEnum

import msgspec

from postroad.model.clock import Instant
from postroad.model.ids import DeliveryId, EventId, MessageId, ProjectId


class EventType(StrEnum):
    """The vocabulary. `message.*` events concern one delivery."""

    ACCEPTED = "message.accepted"
    SCHEDULED = "message.scheduled"
    RESCHEDULED = "message.rescheduled"
    CANCELED = "message.canceled"
    REJECTED = "message.rejected"
    SUPPRESSED = "message.suppressed"
    HELD = "message.held"
    RELEASED = "message.released"
    DEFERRED = "message.deferred"
    IN_DOUBT = "message.in_doubt"
    DELIVERED = "message.delivered"
    BOUNCED = "message.bounced"
    BOUNCED_LATE = "message.bounced_late"
    """The receiving side took the message, and reported by mail later that it could not deliver it."""
    EXPIRED = "message.expired"
    COMPLAINED = "message.complained"
    AUTO_REPLIED = "message.auto_replied"
    """A machine answered: a vacation note, a challenge."""
    UNSUBSCRIBED = "message.unsubscribed"
    DUPLICATE_SUSPECTED = "message.duplicate_suspected"
    DOMAIN_CREATED = "domain.created"
    DOMAIN_VERIFIED = "domain.verified"
    DOMAIN_FAILED = "domain.failed"
    DOMAIN_KEY_ACTIVATED = "domain.key_activated"
    SUPPRESSION_ADDED = "suppression.added"
    SUPPRESSION_REMOVED = "suppression.removed"
    SENDING_SUSPENDED = "sending.suspended"
    SENDING_RESUMED = "sending.resumed"
    GUARD_WARNED = "guard.warned"
    GUARD_PAUSED = "guard.paused"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_TEST = "webhook.test"


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event to be written; the log gives it its place."""

    project_id: ProjectId
    type: EventType
    at: Instant
    message_id: MessageId | None = None
    delivery_id: DeliveryId | None = None
    data: bytes = b"{}"
    """A JSON object with what is special to this event; what the message and delivery say is joined when it is read."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it is read from the log."""

    id: EventId
    seq: int
    type: EventType
    project_id: ProjectId
    created_at: Instant
    data: dict[str, object]
