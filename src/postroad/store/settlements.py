"""The end of a lease: what was tried and what follows, applied in one transaction.

A lease is fenced by its token; a settlement under an older token changes nothing but the log.
"""

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.attempt import Attempt
from postroad.model.clock import Instant, to_rfc3339
from postroad.model.composition import Recipe
from postroad.model.delivery import Lease
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import SuppressionId
from postroad.model.reason import Class, Reason
from postroad.model.suppression import WHOLE_PROJECT, Cause, Suppression
from postroad.model.verdict import Verdict
from postroad.store import bulk, events
from postroad.store.schema import attempts, deliveries
from postroad.store.suppressions import put

_encoder = msgspec.json.Encoder()


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a lease: what was tried and what follows."""

    lease: Lease
    verdict: Verdict
    at: Instant
    attempt: Attempt | None
    """None: nothing was tried (expired or suppressed before the attempt)."""
    document: bytes | None = None
    """The attempt as JSON, where it has been encoded already."""
    digest: bytes | None = None
    """SHA-256 of the octets that were sent."""
    recipe: Recipe | None = None
    """What beside the content decided those octets."""
    suppression_id: SuppressionId | None = None
    """Identifier of the suppression to add; given if the verdict asks for one."""


def settle(connection: Connection, settlements: list[Settlement]) -> list[bool]:
    """Apply the verdicts, and tell for each whether the lease was still good.

    Where it was not, somebody else owns the delivery: its state stays as it is, and when this attempt may have put a
    copy into the recipient's hands that is written to the log.
    """
    good = {
        (row[0], row[1])
        for row in bulk.update(
            connection,
            deliveries,
            keys=("id", "lease_token"),
            columns=(
                "state", "next_at", "lease_until", "lease_node", "lease_boot", "failures", "in_doubt", "reason",
                "reason_class", "noticed_at", "updated_at",
            ),
            rows=[_settled_row(s) for s in settlements],
            condition="deliveries.state = 'sending'",
            returning="deliveries.id, deliveries.lease_token",
        )
    }  # fmt: skip
    counted = [s for s in settlements if _key(s) in good]
    bulk.update(
        connection,
        attempts,
        keys=("delivery_id", "number"),
        columns=("started_at", "finished_at", "outcome", "digest", "recipe", "document"),
        rows=[_attempt_row(s) for s in counted],
    )
    told = good | _lost(connection, [s for s in settlements if _key(s) not in good])
    events.append(connection, [e for s in settlements if _key(s) in told for e in _events(s, _key(s) in good)])
    _suppress(connection, [s for s in counted if s.verdict.suppress])
    return [_key(s) in good for s in settlements]


def _key(s: Settlement) -> tuple[str, int]:
    """Return the lease: a node may settle a lapsed one together with a later one of the same delivery."""
    return s.lease.delivery_id, s.lease.token


def _lost(connection: Connection, settlements: list[Settlement]) -> set[tuple[str, int]]:
    """Return the leases of those whose deliveries somebody has taken over since.

    One that still carries the lease's token was settled by an earlier run of this very unit, whose commit arrived
    although its connection was lost.
    """
    stale = [_key(s) for s in settlements]
    text = "SELECT id, lease_token FROM deliveries WHERE id IN (:values)"
    tokens: dict[str, int] = {row[0]: row[1] for row in bulk.select_in(connection, text, [name for name, _ in stale])}
    return {(name, token) for name, token in stale if tokens.get(name, token) != token}


def _suppress(connection: Connection, settlements: list[Settlement]) -> None:
    """Put the recipients on their projects' lists."""
    by_time: dict[Instant, list[Suppression]] = {}
    for s in settlements:
        if s.suppression_id is None:
            raise ValueError("a verdict that suppresses needs an identifier for the suppression")
        by_time.setdefault(s.at, []).append(
            Suppression(
                id=s.suppression_id,
                project_id=s.lease.project_id,
                scope=WHOLE_PROJECT,
                address=s.lease.recipient,
                cause=Cause.BOUNCE,
                author="system",
                created_at=s.at,
                evidence=s.verdict.reason,
                message_id=s.lease.message_id,
                delivery_id=s.lease.delivery_id,
            )
        )
    for at, entries in by_time.items():
        put(connection, entries, at)


def _settled_row(s: Settlement) -> bulk.Row:
    v = s.verdict
    noticed = s.at if v.event is EventType.DEFERRED else s.lease.noticed_at
    return (
        s.lease.delivery_id, s.lease.token,
        v.state.value, v.next_at, None, None, None, v.failures, s.lease.in_doubt + v.in_doubt,
        _encoder.encode(v.reason).decode(), kept_back_by(v.reason), noticed, s.at,
    )  # fmt: skip


def kept_back_by(reason: Reason) -> str:
    """Return the class of what kept a delivery back: when it expired or we interrupted it, of the cause before."""
    if reason.cls in (Class.EXPIRED, Class.LOCAL):
        last = reason.evidence.get("last_class")
        if isinstance(last, str):
            return last
    return reason.cls.value


def _attempt_row(s: Settlement) -> bulk.Row:
    document = s.document
    if document is None and s.attempt is not None:
        document = _encoder.encode(s.attempt)
    started = s.at if s.attempt is None else s.attempt.started_at
    finished = s.at if s.attempt is None else s.attempt.finished_at
    recipe = None if s.recipe is None else _encoder.encode(s.recipe).decode()
    return (
        s.lease.delivery_id, s.lease.attempt,
        started, finished, s.verdict.state.value, s.digest, recipe, document,
    )  # fmt: skip


def _events(s: Settlement, good: bool) -> list[NewEvent]:
    kind = s.verdict.event
    if not good:
        tried = s.attempt is not None and (s.attempt.delivered or s.verdict.in_doubt)
        kind = EventType.DUPLICATE_SUSPECTED if tried else None
    if kind is None:
        return []
    return [_event(s, kind, _encoder.encode(_facts(s)))]


def _event(s: Settlement, kind: EventType, data: bytes) -> NewEvent:
    lease = s.lease
    return NewEvent(
        project_id=lease.project_id,
        type=kind,
        at=s.at,
        message_id=lease.message_id,
        delivery_id=lease.delivery_id,
        data=data,
    )


def _facts(s: Settlement) -> dict[str, object]:
    """What an event says of the attempt behind it (semantics of the event envelope)."""
    facts: dict[str, object] = {"reason": s.verdict.reason}
    if s.verdict.next_at is not None:
        facts["next_attempt_at"] = to_rfc3339(s.verdict.next_at)
    if s.attempt is None:
        return facts
    attempt: dict[str, object] = {"number": s.lease.attempt, "phase": s.attempt.phase, "route": s.attempt.route}
    for name in ("mx", "ip", "tls", "trouble"):
        value = getattr(s.attempt, name)
        if value is not None:
            attempt[name] = value
    if s.attempt.reply is not None:
        attempt["smtp"] = s.attempt.reply
    facts["attempt"] = attempt
    return facts
