"""Reading messages: one, a list, a search, and the attempts behind a delivery. Everything is asked for by project."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Select, exists, func, select
from sqlalchemy.engine import Connection

from postroad.model.attempt import Attempt
from postroad.model.clock import Instant
from postroad.model.delivery import Delivery, State
from postroad.model.event import Event
from postroad.model.ids import ENTROPY_OCTETS, DeliveryId, MessageId, ProjectId, mint
from postroad.model.late import LateFact
from postroad.model.message import Message, Mode, Role
from postroad.model.reason import Reason
from postroad.model.suppression import Cause, Suppression, fold
from postroad.store import events, late
from postroad.store.schema import attempts, deliveries, message_labels, messages, suppressions

_reason = msgspec.json.Decoder(Reason)
_attempt = msgspec.json.Decoder(Attempt)
_tags = msgspec.json.Decoder(tuple[str, ...])
_metadata = msgspec.json.Decoder(dict[str, str])

_MESSAGE = (
    messages.c.id, messages.c.project_id, messages.c.mode, messages.c.stream, messages.c.sender, messages.c.subject,
    messages.c.header_id, messages.c.created_at, messages.c.send_at, messages.c.expires_at, messages.c.tags,
    messages.c.metadata, messages.c.size,
)  # fmt: skip
_DELIVERY = (
    deliveries.c.id, deliveries.c.message_id, deliveries.c.project_id, deliveries.c.recipient, deliveries.c.domain,
    deliveries.c.role, deliveries.c.stream, deliveries.c.mode, deliveries.c.state, deliveries.c.attempts,
    deliveries.c.next_at, deliveries.c.expires_at, deliveries.c.created_at, deliveries.c.updated_at,
    deliveries.c.reason, deliveries.c.in_doubt,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What to search for; everything given must hold."""

    recipient: str | None = None
    sender: str | None = None
    subject: str | None = None
    """A part of the subject, in any case of letters."""
    labels: tuple[str, ...] = ()
    """`tag:NAME` and `meta:KEY=VALUE`."""
    stream: str | None = None
    state: State | None = None
    """State of at least one of the deliveries."""
    domain: str | None = None
    """Domain of at least one of the recipients."""
    since: Instant | None = None
    until: Instant | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A message in a list, with how many of its deliveries stand in which state."""

    message: Message
    states: dict[State, int]
    to: tuple[str, ...]
    """The first recipients."""


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """An attempt as it is stored: one that is still open has no outcome and no document."""

    number: int
    node: str
    started_at: Instant
    finished_at: Instant | None
    outcome: str | None
    attempt: Attempt | None


@dataclass(frozen=True, slots=True)
class Whole:
    """A message with all that became of it."""

    message: Message
    deliveries: list[Delivery]
    events: list[Event]
    latest: tuple[str, StoredAttempt] | None
    """The attempt that began last, with the delivery it was for."""


@dataclass(frozen=True, slots=True)
class Causes:
    """What an explanation of a message is made of."""

    message: Message
    deliveries: list[Delivery]
    attempts: dict[DeliveryId, list[Attempt]]
    """The last finished attempt of each delivery."""
    suppressions: list[Suppression]
    """What the project's list says of the recipients now."""
    late: dict[DeliveryId, list[LateFact]]
    """What came back by mail."""


_SHOWN_RECIPIENTS = 3


def whole(connection: Connection, project: ProjectId, identifier: MessageId) -> Whole | None:
    """Return a message of the project with all that became of it."""
    found = message(connection, project, identifier)
    if found is None:
        return None
    return Whole(
        found,
        deliveries_of(connection, project, identifier),
        events.of_message(connection, project, identifier),
        _latest_attempt(connection, project, identifier),
    )


def causes(connection: Connection, project: ProjectId, identifier: MessageId) -> Causes | None:
    """Return what an explanation of a message of the project is made of."""
    found = message(connection, project, identifier)
    if found is None:
        return None
    all_deliveries = deliveries_of(connection, project, identifier)
    return Causes(
        found,
        all_deliveries,
        _last_attempts(connection, project, identifier),
        _suppressions_of(connection, project, [each.recipient for each in all_deliveries]),
        late.of_message(connection, project, identifier),
    )


def events_of(connection: Connection, project: ProjectId, identifier: MessageId) -> list[Event] | None:
    """Return the events of a message of the project, in order."""
    found = message(connection, project, identifier)
    return None if found is None else events.of_message(connection, project, identifier)


def message(connection: Connection, project: ProjectId, identifier: MessageId) -> Message | None:
    """Return a message of the project."""
    found = connection.execute(
        select(*_MESSAGE).where(messages.c.project_id == project, messages.c.id == identifier)
    ).first()
    return None if found is None else _message(found)


def deliveries_of(connection: Connection, project: ProjectId, identifier: MessageId) -> list[Delivery]:
    """Return the deliveries of a message of the project, in the order in which the recipients were given."""
    rows = connection.execute(
        select(*_DELIVERY)
        .where(deliveries.c.message_id == identifier, deliveries.c.project_id == project)
        .order_by(deliveries.c.id)
    )
    return [_delivery(row) for row in rows]


def delivery(
    connection: Connection, project: ProjectId, identifier: MessageId, delivery_id: DeliveryId
) -> Delivery | None:
    """Return one delivery of a message of the project."""
    found = connection.execute(
        select(*_DELIVERY).where(
            deliveries.c.id == delivery_id,
            deliveries.c.message_id == identifier,
            deliveries.c.project_id == project,
        )
    ).first()
    return None if found is None else _delivery(found)


def attempts_of(
    connection: Connection, project: ProjectId, identifier: MessageId, delivery_id: DeliveryId
) -> list[StoredAttempt] | None:
    """Return the attempts of a delivery of a message of the project, first to last."""
    if delivery(connection, project, identifier, delivery_id) is None:
        return None
    rows = connection.execute(_attempts.where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.number))
    return [_stored_attempt(row) for row in rows]


def _last_attempts(
    connection: Connection, project: ProjectId, identifier: MessageId
) -> dict[DeliveryId, list[Attempt]]:
    """Return the last finished attempt of each delivery of a message."""
    last = (
        select(attempts.c.delivery_id, func.max(attempts.c.number).label("number"))
        .join(deliveries, deliveries.c.id == attempts.c.delivery_id)
        .where(
            deliveries.c.message_id == identifier,
            deliveries.c.project_id == project,
            attempts.c.document.is_not(None),
        )
        .group_by(attempts.c.delivery_id)
        .subquery()
    )
    rows = connection.execute(
        select(attempts.c.delivery_id, attempts.c.document).join(
            last, (last.c.delivery_id == attempts.c.delivery_id) & (last.c.number == attempts.c.number)
        )
    )
    return {DeliveryId(row.delivery_id): [_attempt.decode(row.document)] for row in rows}


def _suppressions_of(connection: Connection, project: ProjectId, addresses: Sequence[str]) -> list[Suppression]:
    """Return the project's entries for these addresses."""
    folded = sorted({fold(address) for address in addresses})
    rows = connection.execute(
        select(suppressions).where(suppressions.c.project_id == project, suppressions.c.folded.in_(folded))
    )
    return [_suppression(row) for row in rows]


def _latest_attempt(
    connection: Connection, project: ProjectId, identifier: MessageId
) -> tuple[str, StoredAttempt] | None:
    """Return the attempt of a message that began last, with its delivery."""
    row = connection.execute(
        _attempts.join(deliveries, deliveries.c.id == attempts.c.delivery_id)
        .where(deliveries.c.message_id == identifier, deliveries.c.project_id == project)
        .order_by(attempts.c.started_at.desc(), attempts.c.number.desc())
        .limit(1)
    ).first()
    return None if row is None else (row.delivery_id, _stored_attempt(row))


def listed(
    connection: Connection, project: ProjectId, filters: Filters, *, after: MessageId | None, limit: int
) -> list[Listed]:
    """Return up to `limit` messages, newest first; `after` is the last one of the page before."""
    statement = _filtered(project, filters).order_by(messages.c.id.desc()).limit(limit)
    if after is not None:
        statement = statement.where(messages.c.id < after)
    found = [_message(row) for row in connection.execute(statement)]
    states, recipients = _summaries(connection, [each.id for each in found])
    return [Listed(each, states.get(each.id, {}), tuple(recipients.get(each.id, ()))) for each in found]


def _filtered(project: ProjectId, filters: Filters) -> Select[Any]:
    statement = select(*_MESSAGE).where(messages.c.project_id == project)
    if filters.sender is not None:
        statement = statement.where(func.lower(messages.c.sender) == filters.sender.lower())
    if filters.subject is not None:
        statement = statement.where(messages.c.subject.icontains(filters.subject, autoescape=True))
    if filters.stream is not None:
        statement = statement.where(messages.c.stream == filters.stream)
    if filters.since is not None:
        statement = statement.where(messages.c.id >= _first_id(filters.since), messages.c.created_at >= filters.since)
    if filters.until is not None:
        statement = statement.where(messages.c.id < _first_id(filters.until, 1), messages.c.created_at < filters.until)
    for label in filters.labels:
        labelled = select(message_labels.c.message_id).where(
            message_labels.c.project_id == project, message_labels.c.label == label
        )
        statement = statement.where(messages.c.id.in_(labelled))
    return _with_deliveries(statement, project, filters)


def _with_deliveries(statement: Select[Any], project: ProjectId, filters: Filters) -> Select[Any]:
    """Narrow to messages that have one delivery for which all that is asked of a delivery holds."""
    wanted = []
    if filters.state is not None:
        wanted.append(deliveries.c.state == filters.state.value)
    if filters.domain is not None:
        wanted.append(deliveries.c.domain == filters.domain.lower())
    if filters.recipient is not None:
        received = select(deliveries.c.message_id).where(
            deliveries.c.project_id == project, deliveries.c.folded == fold(filters.recipient), *wanted
        )
        return statement.where(messages.c.id.in_(received))
    return statement.where(exists().where(deliveries.c.message_id == messages.c.id, *wanted)) if wanted else statement


def _first_id(at: Instant, milliseconds: int = 0) -> str:
    """Return what every identifier minted since `at` sorts behind."""
    return mint("msg", Instant(max(0, at) + milliseconds * 1000), bytes(ENTROPY_OCTETS))


def _summaries(
    connection: Connection, identifiers: Sequence[MessageId]
) -> tuple[dict[str, dict[State, int]], dict[str, list[str]]]:
    """Return for each message how many deliveries stand in which state, and its first recipients."""
    states: dict[str, dict[State, int]] = {}
    recipients: dict[str, list[str]] = {}
    if not identifiers:
        return states, recipients
    table = deliveries.c
    counted = (
        select(table.message_id, table.state, func.count())
        .where(table.message_id.in_(identifiers))
        .group_by(table.message_id, table.state)
    )
    for identifier, state, count in connection.execute(counted):
        states.setdefault(identifier, {})[State(state)] = count
    place = func.row_number().over(partition_by=table.message_id, order_by=table.id).label("place")
    ranked = select(table.message_id, table.recipient, place).where(table.message_id.in_(identifiers)).subquery()
    first = select(ranked.c.message_id, ranked.c.recipient).where(ranked.c.place <= _SHOWN_RECIPIENTS)
    for identifier, recipient in connection.execute(first.order_by(ranked.c.message_id, ranked.c.place)):
        recipients.setdefault(identifier, []).append(recipient)
    return states, recipients


_attempts = select(
    attempts.c.delivery_id,
    attempts.c.number,
    attempts.c.node,
    attempts.c.started_at,
    attempts.c.finished_at,
    attempts.c.outcome,
    attempts.c.document,
)


def _message(row: Any) -> Message:
    return Message(
        id=row.id,
        project_id=row.project_id,
        mode=Mode(row.mode),
        stream=row.stream,
        sender=row.sender,
        subject=row.subject,
        created_at=Instant(row.created_at),
        send_at=row.send_at,
        expires_at=Instant(row.expires_at),
        tags=_tags.decode(row.tags),
        metadata=_metadata.decode(row.metadata),
        header_id=row.header_id,
        size=row.size,
    )


def _delivery(row: Any) -> Delivery:
    return Delivery(
        id=row.id,
        message_id=row.message_id,
        project_id=row.project_id,
        recipient=row.recipient,
        domain=row.domain,
        role=Role(row.role),
        stream=row.stream,
        mode=Mode(row.mode),
        state=State(row.state),
        attempts=row.attempts,
        next_at=row.next_at,
        expires_at=Instant(row.expires_at),
        created_at=Instant(row.created_at),
        updated_at=Instant(row.updated_at),
        reason=None if row.reason is None else _reason.decode(row.reason),
        possible_duplicate=bool(row.in_doubt),
    )


def _suppression(row: Any) -> Suppression:
    return Suppression(
        id=row.id,
        project_id=row.project_id,
        scope=row.scope,
        address=row.address,
        cause=Cause(row.cause),
        author=row.author,
        created_at=Instant(row.created_at),
        expires_at=row.expires_at,
        evidence=None if row.evidence is None else _reason.decode(row.evidence),
        message_id=row.message_id,
        delivery_id=row.delivery_id,
        note=row.note,
        site=row.site,
        incident=row.incident,
        probe_at=row.probe_at,
        probe_delivery=row.probe_delivery,
    )


def _stored_attempt(row: Any) -> StoredAttempt:
    return StoredAttempt(
        number=row.number,
        node=row.node,
        started_at=Instant(row.started_at),
        finished_at=row.finished_at,
        outcome=row.outcome,
        attempt=None if row.document is None else _attempt.decode(row.document),
    )
