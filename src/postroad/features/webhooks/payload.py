"""What an endpoint is sent: type, timestamp and data as Standard Webhooks has them, and our envelope around them."""

import msgspec

from postroad.model.clock import to_rfc3339
from postroad.model.event import Event


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a call. `data` is that of the same event in the feed."""

    type: str
    timestamp: str
    id: str
    """The event's identifier, as in the header `webhook-id`."""
    project: str
    data: dict[str, object]


_encoder = msgspec.json.Encoder()


def payload(event: Event) -> bytes:
    """Return the body for an event as JSON, the same on every try."""
    return _encoder.encode(
        Payload(
            type=event.type.value,
            timestamp=to_rfc3339(event.created_at),
            id=event.id,
            project=event.project_id,
            data=event.data,
        )
    )
