"""The causal answer: what became of each recipient, why, what comes next and what would change it.

Decisions were stored as structured reasons when they were made; here they are only told. Nothing is decided again, so
the answer is the same however often it is asked for, but for what is due by now. Every answer has the words for a
person and the structure for a program.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from postroad.model.attempt import Attempt
from postroad.model.clock import Instant, to_rfc3339
from postroad.model.delivery import TERMINAL, Delivery, State, message_state
from postroad.model.ids import DeliveryId, MessageId
from postroad.model.late import LateFact
from postroad.model.message import Message, Role
from postroad.model.reason import Action, Basis, Class, Confidence, Permanence, Reason, Scope
from postroad.model.suppression import WHOLE_PROJECT, Cause, Suppression, fold
from postroad.pipeline.outcomes.afterwards import Later, afterwards, remedy_after
from postroad.pipeline.outcomes.evidence import Evidence
from postroad.pipeline.outcomes.last_attempt import LastAttempt, last_attempt
from postroad.pipeline.outcomes.roads import Road, Roads, delayed
from postroad.pipeline.outcomes.words import (
    CAUSES,
    HOLD_REMEDY,
    REHEARSED_REMEDY,
    RELAY_REMEDIES,
    RELAY_REMEDY,
    REMEDIES,
    RESEND_REMEDY,
    SENDING_REMEDY,
    SUPPRESSION_CAUSES,
    SUPPRESSION_REMEDIES,
    WAITING_REMEDY,
)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What decided, as it was stored."""

    cls: Class = msgspec.field(name="class")
    permanence: Permanence
    scope: Scope
    action: Action
    rule: str
    detail: str
    basis: Basis | None
    """What kind of evidence in a reply decided; null when it was no reply."""
    confidence: Confidence | None
    evidence: Evidence
    at: str


class Next(msgspec.Struct, frozen=True, kw_only=True):
    """What happens by itself: at `at` when that is known, and at `gives_up_at` at the latest."""

    what: str
    at: str | None
    gives_up_at: str


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of the suppression list that concerns the recipient."""

    cause: Cause
    scope: str
    since: str
    author: str
    rule: str | None
    """The rule of the verdict that caused it."""
    note: str
    incident: str | None
    """Names all that came of the same cause; `postroad suppression undo --incident` takes it back."""


class RecipientAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one recipient."""

    delivery_id: DeliveryId
    recipient: str
    role: Role
    state: State
    sentence: str
    decision: Decision | None
    attempts: int
    last_attempt: LastAttempt | None
    next: Next | None
    remedy: str
    """What would change it."""
    suppression: Listed | None
    possible_duplicate: bool
    later: tuple[Later, ...]
    """What came back by mail after the mail server had answered."""
    road: Road | None = None
    """How mail flows to where it goes; null when it has ended."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for a message."""

    message_id: MessageId
    state: str
    summary: str
    recipients: tuple[RecipientAnswer, ...]


def explain(
    message: Message,
    deliveries: Sequence[Delivery],
    *,
    attempts: Mapping[DeliveryId, Sequence[Attempt]],
    suppressions: Iterable[Suppression],
    now: Instant,
    late: Mapping[DeliveryId, Sequence[LateFact]] | None = None,
    roads: Roads | None = None,
) -> Explanation:
    """Return what became of `message`, recipient by recipient.

    `attempts` holds each delivery's finished attempts in the order in which they were made; `suppressions` the
    project's entries for these recipients as they are now, other entries do no harm; `late` what came back by mail;
    `roads` how mail flows to where the deliveries go.
    """
    facts = late or {}
    listed: dict[str, list[Suppression]] = {}
    for entry in suppressions:
        listed.setdefault(fold(entry.address), []).append(entry)
    ahead = roads or {}
    return Explanation(
        message_id=message.id,
        state=message_state(frozenset(delivery.state for delivery in deliveries)),
        summary=_summary(deliveries),
        recipients=tuple(
            _on_road(
                _answer(
                    delivery,
                    attempts.get(delivery.id, ()),
                    _entry(delivery, listed, now),
                    now,
                    facts.get(delivery.id, ()),
                ),
                ahead.get(delivery.id),
                now,
            )
            for delivery in deliveries
        ),
    )


def _on_road(told: RecipientAnswer, road: Road | None, now: Instant) -> RecipientAnswer:
    """Return an answer with the road ahead, and what comes next as that lets it."""
    if road is None or told.next is None:
        return told
    what, at = delayed(told.next.what, told.next.at, road, now)
    return msgspec.structs.replace(told, road=road, next=msgspec.structs.replace(told.next, what=what, at=at))


def _summary(deliveries: Sequence[Delivery]) -> str:
    counts = {state: sum(delivery.state is state for delivery in deliveries) for state in State}
    parts = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    total = len(deliveries)
    return f"{total} recipient{'' if total == 1 else 's'}: {parts}."


def _entry(delivery: Delivery, listed: Mapping[str, list[Suppression]], now: Instant) -> Suppression | None:
    """Return the entry in force for this recipient: the one this delivery caused, else one that covers its stream."""
    entries = [
        entry
        for entry in listed.get(fold(delivery.recipient), ())
        if entry.scope in (WHOLE_PROJECT, delivery.stream) and (entry.expires_at is None or entry.expires_at > now)
    ]
    return min(entries, key=lambda entry: entry.delivery_id != delivery.id, default=None)


def _answer(
    delivery: Delivery,
    attempts: Sequence[Attempt],
    entry: Suppression | None,
    now: Instant,
    facts: Sequence[LateFact],
) -> RecipientAnswer:
    later = afterwards(facts)
    return RecipientAnswer(
        delivery_id=delivery.id,
        recipient=delivery.recipient,
        role=delivery.role,
        state=delivery.state,
        sentence=" ".join([_sentence(delivery, entry), *[each.sentence for each in later]]),
        decision=_decision(delivery),
        attempts=delivery.attempts,
        last_attempt=last_attempt(attempts[-1]) if attempts else None,
        next=_next(delivery, now),
        remedy=remedy_after(facts) or _remedy(delivery, entry, relayed=bool(attempts) and attempts[-1].by_relay),
        suppression=None if entry is None else _listed(entry),
        possible_duplicate=delivery.possible_duplicate,
        later=later,
    )


_FRAMES: Final = {
    State.SCHEDULED: "It waits for the time at which it is to be sent.",
    State.QUEUED: "It waits in the queue for its next attempt.",
    State.SENDING: "An attempt is being made now.",
    State.DEFERRED: "It has not been delivered yet and will be tried again.",
    State.HELD: "It is held back until somebody acts.",
    State.DELIVERED: "It was delivered.",
    State.BOUNCED: "It was refused for good.",
    State.EXPIRED: "It was given up.",
    State.SUPPRESSED: "It was not sent.",
    State.CANCELED: "It was not sent.",
    State.REJECTED: "It was refused before it was sent.",
}
_TOLD_BEFORE: Final = frozenset({State.QUEUED, State.SENDING})
_SEND_AGAIN: Final = frozenset({State.BOUNCED, State.EXPIRED, State.REJECTED})
_NO_SENDING_AGAIN: Final = frozenset({Class.IN_DOUBT, Class.EXPIRED})
"""Their remedies say already when to send again."""


def _sentence(delivery: Delivery, entry: Suppression | None) -> str:
    """Return the story of one recipient: where it stands, why, what the server said, what follows from it."""
    reason = delivery.reason
    parts = ["It was ended." if _by_hand(reason) else _FRAMES[delivery.state]]
    if reason is not None:
        cause = reason.detail or CAUSES[reason.cls]
        parts.append(f"Before that: {cause}" if delivery.state in _TOLD_BEFORE else cause)
        last = _last_cause(reason)
        if last is not None:
            parts.append(f"What kept it back: {CAUSES[last]}")
        if said := _said(reason):
            parts.append(said)
    if delivery.possible_duplicate:
        parts.append("An attempt ended in doubt, so the recipient may have got it more than once.")
    if delivery.state is State.SUPPRESSED and entry is None and not _rehearsed(reason):
        parts.append("The address has left the list since.")
    elif entry is not None:
        since = to_rfc3339(entry.created_at)
        parts.append(f"The address has been on the suppression list since {since}, {SUPPRESSION_CAUSES[entry.cause]}.")
    return " ".join(parts)


def _by_hand(reason: Reason | None) -> bool:
    """Tell whether an operator ended it, and no mail server."""
    return reason is not None and reason.rule == "queue.bounce"


def _rehearsed(reason: Reason | None) -> bool:
    """Tell whether it went to the reserved address that plays a suppressed recipient, which stands on no list."""
    return reason is not None and reason.rule == "compose.suppressed"


def _said(reason: Reason) -> str | None:
    """Return the words of the server that decided, in quotation marks, or None when it was not a reply."""
    code = reason.evidence.get("code")
    if code is None:
        return None
    words = [str(word) for word in (code, reason.evidence.get("enhanced"), reason.evidence.get("text")) if word]
    return f"{reason.evidence.get('mx') or 'The server'} said: “{' '.join(words)}”."


def _last_cause(reason: Reason) -> Class | None:
    """Return the class behind a reason that is not a cause itself: of what expired, or was interrupted by us."""
    if reason.cls not in (Class.EXPIRED, Class.LOCAL):
        return None
    last = reason.evidence.get("last_class")
    return next((cls for cls in Class if cls == last), None)


def _decision(delivery: Delivery) -> Decision | None:
    reason = delivery.reason
    if reason is None:
        return None
    return Decision(
        cls=reason.cls,
        permanence=reason.permanence,
        scope=reason.scope,
        action=reason.action,
        rule=reason.rule,
        detail=reason.detail,
        basis=reason.basis,
        confidence=reason.confidence,
        evidence=reason.evidence,
        at=to_rfc3339(delivery.updated_at),
    )


def _next(delivery: Delivery, now: Instant) -> Next | None:
    """Return what happens by itself, or None when nothing does any more."""
    if delivery.state in TERMINAL:
        return None
    gives_up_at = to_rfc3339(delivery.expires_at)
    if delivery.state is State.SENDING:
        return Next(what="The attempt that is being made decides.", at=None, gives_up_at=gives_up_at)
    if delivery.state is State.HELD or delivery.next_at is None:
        what = "Nothing happens until it is released; it is given up when its time is over."
        return Next(what=what, at=None, gives_up_at=gives_up_at)
    if delivery.next_at <= now:
        return Next(
            what="The next attempt is due and begins as soon as there is room.", at=None, gives_up_at=gives_up_at
        )
    at = to_rfc3339(delivery.next_at)
    return Next(what=f"The next attempt is made at {at}.", at=at, gives_up_at=gives_up_at)


_REMEDIES_WITHOUT_REASON: Final = {State.DELIVERED: REMEDIES[Class.ACCEPTED], State.SENDING: SENDING_REMEDY}
"""What can be done where nothing has gone wrong; in all other states it waits, and can still be changed."""


def _remedy(delivery: Delivery, entry: Suppression | None, *, relayed: bool) -> str:
    """Return what would change the outcome, by the state and the class of the cause."""
    reason, state = delivery.reason, delivery.state
    if state is State.SUPPRESSED and entry is None:
        return REHEARSED_REMEDY if _rehearsed(reason) else RESEND_REMEDY
    if state is State.SUPPRESSED and entry is not None:
        return SUPPRESSION_REMEDIES[entry.cause]
    if reason is None:
        return _REMEDIES_WITHOUT_REASON.get(state, WAITING_REMEDY)
    if _by_hand(reason):
        return REMEDIES[Class.CANCELED]
    if state is State.HELD:
        return RELAY_REMEDY if reason.cls is Class.AUTH_FAILED else HOLD_REMEDY
    cause = _last_cause(reason) or reason.cls
    remedy = RELAY_REMEDIES.get(cause, REMEDIES[cause]) if relayed else REMEDIES[cause]
    if state not in _SEND_AGAIN or cause in _NO_SENDING_AGAIN:
        return remedy
    return f"{remedy} Then send it again."


def _listed(entry: Suppression) -> Listed:
    return Listed(
        cause=entry.cause,
        scope=entry.scope,
        since=to_rfc3339(entry.created_at),
        author=entry.author,
        rule=None if entry.evidence is None else entry.evidence.rule,
        note=entry.note,
        incident=entry.incident,
    )
