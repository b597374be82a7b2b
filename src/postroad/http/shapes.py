"""What the API shows of messages, deliveries, attempts and events: times as RFC 3339, nothing internal."""

import msgspec

from postroad.model.attempt import BrokenTls, Phase, SmtpReply, TlsFacts, TlsPolicy, Trouble
from postroad.model.clock import Instant, to_rfc3339
from postroad.model.delivery import Delivery, State, message_state
from postroad.model.event import Event
from postroad.model.message import Mode, Role
from postroad.model.reason import Reason
from postroad.store.reading import Listed, StoredAttempt, Whole


class DeliveryShown(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient of a message, and where it stands."""

    id: str
    to: str
    role: Role
    state: State
    attempts: int
    next_attempt_at: str | None
    expires_at: str
    created_at: str
    updated_at: str
    reason: Reason | None
    """Why it stands where it stands."""
    possible_duplicate: bool
    """Whether an attempt ended in doubt, so that the recipient may have got more than one copy."""


class LineShown(msgspec.Struct, frozen=True):
    """A line of an SMTP conversation; `side` is `C` for us and `S` for the server."""

    at_ms: int
    side: str
    text: str


class ExchangerShown(msgspec.Struct, frozen=True):
    """A mail exchanger of the recipient's domain."""

    preference: int
    host: str


class PassedShown(msgspec.Struct, frozen=True):
    """A host that was tried and did not do: how far that came, and what went wrong or was said."""

    host: str
    ip: str | None
    phase: Phase
    detail: str


class AttemptShown(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to hand a delivery over, as facts. While it is under way only its beginning is known."""

    delivery_id: str
    number: int
    started_at: str
    finished_at: str | None
    outcome: str | None
    """The state it led to."""
    phase: Phase | None = None
    """How far it came."""
    route: str | None = None
    mx: str | None = None
    ip: str | None = None
    port: int | None = None
    tls: TlsFacts | None = None
    tls_policy: TlsPolicy | None = None
    """By whose word the connection was secured as it was."""
    tls_broken: BrokenTls | None = None
    """Why TLS was done without, though the server offers it."""
    exchangers: list[ExchangerShown] = []
    """The mail exchangers that were found, in the order to try them."""
    passed: list[PassedShown] = []
    """What was tried before, or in vain."""
    source: str | None = None
    """The source address that the connection came from, by its name."""
    reply: SmtpReply | None = None
    """The reply that decided, when it was a reply."""
    trouble: Trouble | None = None
    """What went wrong, when it was no reply."""
    detail: str | None = None
    conversation: list[LineShown] = []


class EventShown(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the log; webhooks are sent the same."""

    id: str
    type: str
    created_at: str
    project: str
    data: dict[str, object]


class MessageShown(msgspec.Struct, frozen=True, kw_only=True):
    """A message with everything that became of it."""

    id: str
    mode: Mode
    state: str
    """Of all its deliveries: that of each, or `queued`, `partially_delivered`, `completed`."""
    stream: str
    sender: str = msgspec.field(name="from")
    subject: str
    created_at: str
    send_at: str | None
    expires_at: str
    header_id: str
    """Message-ID without angle brackets."""
    size: int
    tags: tuple[str, ...]
    metadata: dict[str, str]
    deliveries: list[DeliveryShown]
    events: list[EventShown]
    latest_attempt: AttemptShown | None


class MessageListed(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a list."""

    id: str
    mode: Mode
    state: str
    stream: str
    sender: str = msgspec.field(name="from")
    to: tuple[str, ...]
    """The first three recipients."""
    subject: str
    created_at: str
    send_at: str | None
    tags: tuple[str, ...]
    metadata: dict[str, str]
    deliveries: dict[str, int]
    """How many deliveries stand in which state."""


class MessagePage(msgspec.Struct, frozen=True):
    """A page of messages, newest first."""

    data: list[MessageListed]
    next: str | None
    """Give it as `after` to get the next page; null on the last one."""


class EventPage(msgspec.Struct, frozen=True):
    """A page of events, oldest first."""

    data: list[EventShown]
    next: str | None
    """Give it as `after` to go on; on an empty page it repeats where you are."""


class Deliveries(msgspec.Struct, frozen=True):
    """The deliveries of a message."""

    data: list[DeliveryShown]


class Attempts(msgspec.Struct, frozen=True):
    """The attempts of a delivery, first to last."""

    data: list[AttemptShown]


def show_message(whole: Whole) -> MessageShown:
    """Return a message as the API shows it."""
    message = whole.message
    return MessageShown(
        id=message.id,
        mode=message.mode,
        state=message_state(frozenset(delivery.state for delivery in whole.deliveries)),
        stream=message.stream,
        sender=message.sender,
        subject=message.subject,
        created_at=to_rfc3339(message.created_at),
        send_at=_time(message.send_at),
        expires_at=to_rfc3339(message.expires_at),
        header_id=message.header_id,
        size=message.size,
        tags=message.tags,
        metadata=message.metadata,
        deliveries=[show_delivery(delivery) for delivery in whole.deliveries],
        events=[show_event(event) for event in whole.events],
        latest_attempt=None if whole.latest is None else show_attempt(*whole.latest),
    )


def show_listed(listed: Listed) -> MessageListed:
    """Return a message of a list as the API shows it."""
    message = listed.message
    return MessageListed(
        id=message.id,
        mode=message.mode,
        state=message_state(frozenset(listed.states)),
        stream=message.stream,
        sender=message.sender,
        to=listed.to,
        subject=message.subject,
        created_at=to_rfc3339(message.created_at),
        send_at=_time(message.send_at),
        tags=message.tags,
        metadata=message.metadata,
        deliveries={state.value: count for state, count in listed.states.items()},
    )


def show_delivery(delivery: Delivery) -> DeliveryShown:
    """Return a delivery as the API shows it."""
    return DeliveryShown(
        id=delivery.id,
        to=delivery.recipient,
        role=delivery.role,
        state=delivery.state,
        attempts=delivery.attempts,
        next_attempt_at=None if delivery.state is State.SENDING else _time(delivery.next_at),
        expires_at=to_rfc3339(delivery.expires_at),
        created_at=to_rfc3339(delivery.created_at),
        updated_at=to_rfc3339(delivery.updated_at),
        reason=delivery.reason,
        possible_duplicate=delivery.possible_duplicate,
    )


def show_attempt(delivery_id: str, stored: StoredAttempt) -> AttemptShown:
    """Return an attempt as the API shows it."""
    begun = AttemptShown(
        delivery_id=delivery_id,
        number=stored.number,
        started_at=to_rfc3339(stored.started_at),
        finished_at=_time(stored.finished_at),
        outcome=stored.outcome,
    )
    attempt = stored.attempt
    if attempt is None:
        return begun
    return msgspec.structs.replace(
        begun,
        phase=attempt.phase,
        route=attempt.route,
        mx=attempt.mx,
        ip=attempt.ip,
        port=attempt.port,
        tls=attempt.tls,
        tls_policy=attempt.tls_policy,
        tls_broken=attempt.tls_broken,
        exchangers=[ExchangerShown(each.preference, each.host) for each in attempt.exchangers],
        passed=[PassedShown(each.host, each.ip, each.phase, each.detail) for each in attempt.passed],
        source=attempt.source,
        reply=attempt.reply,
        trouble=attempt.trouble,
        detail=attempt.detail or None,
        conversation=[LineShown(line.at_ms, line.side, line.text) for line in attempt.conversation],
    )


def show_event(event: Event) -> EventShown:
    """Return an event as the API shows it."""
    return EventShown(
        id=event.id,
        type=event.type.value,
        created_at=to_rfc3339(event.created_at),
        project=event.project_id,
        data=event.data,
    )


def _time(at: Instant | None) -> str | None:
    return None if at is None else to_rfc3339(at)
