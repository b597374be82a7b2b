"""Changing the queue in bulk: a bounded batch at a time, each with its events and its entries in the audit.

A batch was read before; each of its deliveries is changed only while it stands as it was read, under the same token. So
what a worker has taken meanwhile is left alone, and a change that is repeated changes nothing twice.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.delivery import State
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import DeliveryId
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.store import audit, bulk, events
from postroad.store.queue import Queued
from postroad.store.schema import deliveries

_json = msgspec.json.Encoder()
_SAMPLE: Final = 10


class QueueAction(StrEnum):
    """What is done to what waits."""

    HOLD = "hold"
    RELEASE = "release"
    REQUEUE = "requeue"
    """It is due now."""
    CANCEL = "cancel"
    BOUNCE = "bounce"
    """It ends as if it had been refused; the recipient is not suppressed."""


_WAITING: Final = (State.SCHEDULED, State.QUEUED, State.DEFERRED)
ACTS_ON: Final[Mapping[QueueAction, tuple[State, ...]]] = {
    QueueAction.HOLD: _WAITING,
    QueueAction.RELEASE: (State.HELD,),
    QueueAction.REQUEUE: _WAITING,
    QueueAction.CANCEL: (*_WAITING, State.HELD),
    QueueAction.BOUNCE: (*_WAITING, State.HELD),
}
"""States that an action can change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A batch of a change."""

    action: QueueAction
    chosen: Sequence[Queued]
    at: Instant
    author: str
    note: str
    operation: str
    """The same for all batches of one change; the audit's subject."""
    asked: Mapping[str, object]
    """The filter, as the audit keeps it."""


def change(connection: Connection, wanted: Change) -> int:
    """Change a batch, and return how many deliveries stood as they were read."""
    chosen = {each.delivery.id: each for each in wanted.chosen}
    make = _ROWS[wanted.action]
    columns = ("state", "next_at", "expires_at", "reason", "reason_class", "updated_at")
    states = ", ".join(f"'{state}'" for state in ACTS_ON[wanted.action])
    changed = bulk.update(
        connection,
        deliveries,
        keys=("id", "lease_token"),
        columns=columns,
        rows=[(each.delivery.id, each.token, *make(each, wanted)) for each in wanted.chosen],
        condition=f"deliveries.state IN ({states})",
        returning="deliveries.id",
    )
    done = [chosen[DeliveryId(name)] for name in sorted(row[0] for row in changed)]
    _record(connection, wanted, done)
    _tell(connection, wanted, done)
    return len(done)


def reason_of(action: QueueAction, author: str, note: str) -> Reason | None:
    """Return the reason that an action leaves on a delivery; None where the old one stays."""
    if action not in _TOLD:
        return None
    cls, rule, sentence = _TOLD[action]
    detail = f"{sentence}: {note}" if note else f"{sentence}."
    final = action is not QueueAction.HOLD
    return Reason(
        cls=cls,
        permanence=Permanence.PERMANENT if final else Permanence.TRANSIENT,
        scope=Scope.LOCAL,
        action=Action.STOP if action is QueueAction.BOUNCE else Action.NONE,
        rule=rule,
        detail=detail,
        evidence={"author": author},
    )


_TOLD: Final = {
    QueueAction.HOLD: (Class.LOCAL, "queue.hold", "It was held by hand"),
    QueueAction.CANCEL: (Class.CANCELED, "queue.cancel", "It was canceled by hand"),
    QueueAction.BOUNCE: (Class.LOCAL, "queue.bounce", "It was ended by hand as undeliverable"),
}
_EVENTS: Final = {
    QueueAction.HOLD: EventType.HELD,
    QueueAction.RELEASE: EventType.RELEASED,
    QueueAction.CANCEL: EventType.CANCELED,
    QueueAction.BOUNCE: EventType.BOUNCED,
}
_STATES: Final = {
    QueueAction.HOLD: State.HELD,
    QueueAction.CANCEL: State.CANCELED,
    QueueAction.BOUNCE: State.BOUNCED,
}


def _stopped(each: Queued, wanted: Change) -> bulk.Row:
    reason = reason_of(wanted.action, wanted.author, wanted.note)
    assert reason is not None, "what stops by hand has a reason"
    state = _STATES[wanted.action]
    return (state.value, None, each.delivery.expires_at, _text(reason), reason.cls.value, wanted.at)


def _released(each: Queued, wanted: Change) -> bulk.Row:
    """Let it go on; the time to give up moves by as long as it was held."""
    due = max(each.first_due_at, wanted.at)
    state = State.SCHEDULED if due > wanted.at else State.QUEUED
    expires_at = each.delivery.expires_at + max(wanted.at - each.delivery.updated_at, 0)
    return (state.value, due, expires_at, *_reason(each), wanted.at)


def _requeued(each: Queued, wanted: Change) -> bulk.Row:
    state = State.QUEUED if each.delivery.state is State.SCHEDULED else each.delivery.state
    return (state.value, wanted.at, each.delivery.expires_at, *_reason(each), wanted.at)


_ROWS: Final = {
    QueueAction.HOLD: _stopped,
    QueueAction.RELEASE: _released,
    QueueAction.REQUEUE: _requeued,
    QueueAction.CANCEL: _stopped,
    QueueAction.BOUNCE: _stopped,
}


def _reason(each: Queued) -> tuple[str | None, str | None]:
    reason = each.delivery.reason
    return (None, None) if reason is None else (_text(reason), each.reason_class)


def _record(connection: Connection, wanted: Change, done: Sequence[Queued]) -> None:
    """Write one entry for each project that the batch concerned."""
    for project, count in Counter(each.delivery.project_id for each in done).items():
        sample = [each.delivery.id for each in done if each.delivery.project_id == project][:_SAMPLE]
        told: dict[str, object] = {"count": count, "filter": wanted.asked, "note": wanted.note, "first": sample}
        entry = audit.Entry(
            project_id=project, at=wanted.at, actor=wanted.author, action=f"queue.{wanted.action}",
            subject=wanted.operation, data=told,
        )  # fmt: skip
        audit.record(connection, entry)


def _tell(connection: Connection, wanted: Change, done: Sequence[Queued]) -> None:
    kind = _EVENTS.get(wanted.action)
    if kind is None:
        return
    reason = reason_of(wanted.action, wanted.author, wanted.note)
    data = b"{}" if reason is None else _json.encode({"reason": reason})
    events.append(
        connection,
        [
            NewEvent(
                project_id=each.delivery.project_id,
                type=kind,
                at=wanted.at,
                message_id=each.delivery.message_id,
                delivery_id=each.delivery.id,
                data=data,
            )
            for each in done
        ],
    )


def _text(reason: Reason) -> str:
    return _json.encode(reason).decode()
