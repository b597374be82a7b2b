"""Changing what was accepted: cancel, send at another time, send again. Each is one transaction with its events.

What a worker has in its hands (`sending`) is never touched, and a terminal state never changes: what cannot be changed
any more is said, not forced.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant, to_rfc3339
from postroad.model.delivery import TERMINAL, Delivery, State
from postroad.model.errors import Refused
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import DeliveryId, MessageId, Mint, ProjectId
from postroad.model.message import Message, Mode, decode_content
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.store import bulk, events, reading
from postroad.store.messages import Acceptance, Accepted, Answer, Idempotency, NewDelivery, NewMessage, accept
from postroad.store.schema import blob_uses, messages

_json = msgspec.json.Encoder()

CANCELED = Reason(
    cls=Class.CANCELED,
    permanence=Permanence.PERMANENT,
    scope=Scope.LOCAL,
    action=Action.NONE,
    rule="api.cancel",
    detail="It was canceled before it was sent.",
)


def cancel(connection: Connection, project: ProjectId, message: MessageId, now: Instant) -> list[Delivery]:
    """End every delivery of a message that no worker holds and that has not ended; return all as they stand then.

    Raises:
        Refused: `not_found`, or `conflict` when there was nothing left to cancel.
    """
    _owned(connection, project, message)
    changed = bulk.run(
        connection,
        "UPDATE deliveries SET state = 'canceled', next_at = NULL, reason = ?, updated_at = ? "
        "WHERE message_id = ? AND project_id = ? AND state IN ('scheduled', 'queued', 'deferred', 'held') "
        "RETURNING id",
        (_json.encode(CANCELED).decode(), now, message, project),
    )
    if not changed:
        raise Refused("conflict", "Nothing of this message can be canceled any more: it is being sent, or has ended.")
    data = _json.encode({"reason": CANCELED})
    _tell(connection, EventType.CANCELED, project, message, sorted(row[0] for row in changed), now, data)
    return reading.deliveries_of(connection, project, message)


def reschedule(
    connection: Connection, project: ProjectId, message: MessageId, send_at: Instant, now: Instant
) -> list[Delivery]:
    """Give the deliveries of a message that were never tried another time; the time to give up moves with it.

    Raises:
        Refused: `not_found`, or `conflict` when all were tried already or have ended.
    """
    before = _owned(connection, project, message)
    due = max(send_at, now)
    shift = due - max(before.created_at, before.send_at or before.created_at)
    state = State.SCHEDULED if due > now else State.QUEUED
    changed = bulk.run(
        connection,
        "UPDATE deliveries SET state = ?, next_at = ?, first_due_at = ?, expires_at = expires_at + ?, updated_at = ? "
        "WHERE message_id = ? AND project_id = ? AND state IN ('scheduled', 'queued') AND attempts = 0 RETURNING id",
        (state.value, due, due, shift, now, message, project),
    )
    if not changed:
        raise Refused("conflict", "Nothing of this message can be rescheduled any more: it was tried, or has ended.")
    bulk.run(
        connection,
        "UPDATE messages SET send_at = ?, expires_at = expires_at + ? WHERE id = ? RETURNING id",
        (due, shift, message),
    )
    data = _json.encode({"send_at": to_rfc3339(due)})
    _tell(connection, EventType.RESCHEDULED, project, message, sorted(row[0] for row in changed), now, data)
    return reading.deliveries_of(connection, project, message)


def release(connection: Connection, project: ProjectId, message: MessageId, now: Instant) -> list[Delivery]:
    """Let the held deliveries of a message go on, at `send_at` if that is still to come.

    The time to give up moves by as long as they were held.

    Raises:
        Refused: `not_found`, or `conflict` when none is held.
    """
    _owned(connection, project, message)
    changed = bulk.run(
        connection,
        "UPDATE deliveries SET state = CASE WHEN first_due_at > ? THEN 'scheduled' ELSE 'queued' END, "
        "next_at = CASE WHEN first_due_at > ? THEN first_due_at ELSE ? END, "
        "expires_at = expires_at + (? - updated_at), updated_at = ? "
        "WHERE message_id = ? AND project_id = ? AND state = 'held' RETURNING id",
        (now, now, now, now, now, message, project),
    )
    if not changed:
        raise Refused("conflict", "Nothing of this message is held.")
    _tell(connection, EventType.RELEASED, project, message, sorted(row[0] for row in changed), now, b"{}")
    return reading.deliveries_of(connection, project, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resending:
    """What is to be sent again, and by whom."""

    project_id: ProjectId
    message_id: MessageId
    deliveries: Sequence[DeliveryId]
    """Which recipients get it; none given: all whose delivery has ended."""
    mode: Mode
    at: Instant
    mint: Mint
    render: Callable[[Sequence[Accepted]], bytes]
    check: Callable[[Message, Iterable[str]], None]
    """Raises `Refused` when the caller may not send this to these recipients."""
    idempotency: Idempotency | None = None


def resend(connection: Connection, wanted: Resending) -> Answer:
    """Accept a new message with the content of an old one; it has identifiers, a Message-ID and a fate of its own.

    Raises:
        Refused: `not_found`; `conflict` when a delivery has not ended yet, as it would arrive twice; `gone` when the
            content is no longer kept; or what `check` raises.
    """
    old = _owned(connection, wanted.project_id, wanted.message_id)
    chosen = _chosen(connection, wanted)
    wanted.check(old, [delivery.recipient for delivery in chosen])
    row = connection.execute(
        select(messages.c.content, messages.c.content_sha256).where(messages.c.id == wanted.message_id)
    ).one()
    if row.content is None and row.content_sha256 is None:
        raise Refused("gone", "The content of this message is no longer kept.")
    blobs = tuple(
        connection.execute(select(blob_uses.c.sha256).where(blob_uses.c.message_id == wanted.message_id)).scalars()
    )
    stored = None if row.content is None else bytes(row.content)
    new = NewMessage(*_again(old, chosen, wanted, stored), stored, row.content_sha256, blobs)
    acceptance = Acceptance(wanted.project_id, wanted.at, [new], wanted.render, idempotency=wanted.idempotency)
    answer = accept(connection, [acceptance])[0]
    if isinstance(answer, Refused):
        raise answer
    return answer


def _chosen(connection: Connection, wanted: Resending) -> list[Delivery]:
    found = reading.deliveries_of(connection, wanted.project_id, wanted.message_id)
    if wanted.deliveries:
        known = {delivery.id: delivery for delivery in found}
        for n, identifier in enumerate(wanted.deliveries):
            if identifier not in known:
                raise Refused.field(f"/deliveries/{n}", "This is no delivery of the message.")
        found = [known[identifier] for identifier in dict.fromkeys(wanted.deliveries)]
        if any(delivery.state not in TERMINAL for delivery in found):
            raise Refused("conflict", "A delivery that has not ended cannot be sent again; cancel it first.")
    ended = [delivery for delivery in found if delivery.state in TERMINAL]
    if not ended:
        raise Refused("conflict", "No delivery of this message has ended yet; nothing can be sent again.")
    return ended


def _again(
    old: Message, chosen: Sequence[Delivery], wanted: Resending, content: bytes | None
) -> tuple[Message, tuple[NewDelivery, ...]]:
    identifier = MessageId(wanted.mint("msg"))
    header_id = f"{identifier[4:]}@{old.header_id.rpartition('@')[2]}"
    if content is not None and decode_content(content).raw_sha256 is not None:
        header_id = old.header_id  # it stands in the raw message, which is sent as it is
    lifetime = old.expires_at - max(old.created_at, old.send_at or old.created_at)
    return (
        replace(
            old,
            id=identifier,
            mode=wanted.mode,
            created_at=wanted.at,
            send_at=None,
            expires_at=Instant(wanted.at + lifetime),
            header_id=header_id,
        ),
        tuple(NewDelivery(DeliveryId(wanted.mint("dlv")), each.recipient, each.domain, each.role) for each in chosen),
    )


def _owned(connection: Connection, project: ProjectId, message: MessageId) -> Message:
    found = reading.message(connection, project, message)
    if found is None:
        raise Refused("not_found", "There is no such message.")
    return found


def _tell(
    connection: Connection,
    kind: EventType,
    project: ProjectId,
    message: MessageId,
    deliveries: Sequence[str],
    at: Instant,
    data: bytes,
) -> None:
    events.append(
        connection,
        [
            NewEvent(
                project_id=project, type=kind, at=at, message_id=message, delivery_id=DeliveryId(identifier), data=data
            )
            for identifier in deliveries
        ],
    )
