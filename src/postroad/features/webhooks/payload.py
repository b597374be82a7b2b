"""What an endpoint is sent: the event, member by member as the feed shows it."""

import msgspec

from postroad.model.clock import to_rfc3339
from postroad.model.event import Event


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a call."""

    id: str
    """As in the header `webhook-id`."""
    type: str
    created_at: str
    project: str
    data: dict[str, object]


_encoder = msgspec.json.Encoder()


def payload(event: Event) -> bytes:
    """Return the body for an event as JSON, the same on every try."""
    return _encoder.encode(
        Payload(
            id=event.id,
            type=event.type.value,
            created_at=to_rfc3339(event.created_at),
            project=event.project_id,
            data=event.data,
        )
    )
