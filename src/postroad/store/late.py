"""Late facts: what a mail says of a delivery, applied in one transaction with the mail's own end.

The same report twice changes nothing: of each kind, a delivery has one fact. What could be forged stands apart from
what could not, so that it keeps nothing true away.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.delivery import State
from postroad.model.event import NewEvent
from postroad.model.ids import DeliveryId, InboundId, MessageId, ProjectId
from postroad.model.late import Effect, LateFact, LateVerdict, Proof, Standing, Taken
from postroad.model.reason import Reason
from postroad.model.suppression import Suppression
from postroad.store import bulk, events, inbound
from postroad.store.settlements import kept_back_by
from postroad.store.suppressions import put

_reason = msgspec.json.Decoder(Reason)
_STANDING = "id, message_id, project_id, recipient, stream, state, attempts, updated_at"


@dataclass(frozen=True, slots=True)
class Late:
    """A mail about a delivery, and how to judge it."""

    mail: InboundId
    delivery_id: DeliveryId
    proof: Proof
    at: Instant
    judge: Callable[[Standing], LateVerdict]
    """Pure: it may be asked again."""
    suppressions: Callable[[Standing, LateVerdict], Sequence[Suppression]]
    """The entries that a verdict which suppresses wants."""


def apply(connection: Connection, late: Late) -> Effect | None:
    """Judge a mail by the delivery as it stands, apply what follows, and finish the mail.

    Returns:
        What came of it; None when it has to wait for the end of an attempt: nothing was changed then.
    """
    standing = _standing(connection, late.delivery_id)
    if standing is None:
        inbound.finish(connection, late.mail, inbound.Outcome(Taken.OTHER, Effect.UNMATCHED, late.proof))
        return Effect.UNMATCHED
    verdict = late.judge(standing)
    if verdict.wait:
        return None
    effect = _apply(connection, late, standing, verdict)
    outcome = inbound.Outcome(
        verdict.kind, effect, late.proof, standing.project_id, standing.message_id, standing.delivery_id
    )
    inbound.finish(connection, late.mail, outcome)
    return effect


def apply_beside(connection: Connection, late: Late) -> Effect | None:
    """Do as `apply` for what a mail says of one delivery more, and leave the mail's own end to that.

    It may be done again: what is kept of a mail is kept once.
    """
    standing = _standing(connection, late.delivery_id)
    if standing is None:
        return Effect.UNMATCHED
    verdict = late.judge(standing)
    return None if verdict.wait else _apply(connection, late, standing, verdict)


def of_message(connection: Connection, project: ProjectId, message: MessageId) -> dict[DeliveryId, list[LateFact]]:
    """Return the late facts of a message's deliveries, in the order in which they came."""
    rows = bulk.run(
        connection,
        "SELECT f.delivery_id, f.kind, f.at, f.proof, f.reason, f.inbound_id FROM late_facts f JOIN deliveries d "
        "ON d.id = f.delivery_id WHERE d.message_id = ? AND d.project_id = ? ORDER BY f.at, f.kind",
        (message, project),
    )
    found: dict[DeliveryId, list[LateFact]] = {}
    for row in rows:
        fact = LateFact(
            delivery_id=DeliveryId(row[0]),
            kind=Taken(row[1]),
            at=Instant(row[2]),
            proof=Proof(row[3]),
            reason=_reason.decode(row[4]),
            inbound_id=InboundId(row[5]),
        )
        found.setdefault(fact.delivery_id, []).append(fact)
    return found


def by_header_id(connection: Connection, message: MessageId, header_id: str) -> list[Standing]:
    """Return the deliveries of a message, if it has this Message-ID."""
    rows = bulk.run(
        connection,
        f"SELECT {_STANDING} FROM deliveries WHERE message_id = ? AND EXISTS "  # noqa: S608 - names of ours
        "(SELECT 1 FROM messages m WHERE m.id = ? AND m.header_id = ?) ORDER BY id",
        (message, message, header_id),
    )
    return [_read(row) for row in rows]


def standing(connection: Connection, delivery: DeliveryId) -> Standing | None:
    """Return a delivery as it stands."""
    rows = bulk.run(connection, f"SELECT {_STANDING} FROM deliveries WHERE id = ?", (delivery,))  # noqa: S608 - names of ours
    return _read(rows[0]) if rows else None


def _standing(connection: Connection, delivery: DeliveryId) -> Standing | None:
    """Return a delivery as it stands, and let nobody change it until the end of the transaction."""
    locked = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    rows = bulk.run(connection, f"SELECT {_STANDING} FROM deliveries WHERE id = ?{locked}", (delivery,))  # noqa: S608 - names of ours
    return _read(rows[0]) if rows else None


def _apply(connection: Connection, late: Late, standing: Standing, verdict: LateVerdict) -> Effect:
    reason = verdict.reason
    if reason is None:
        return Effect.NOTED
    if not _note(connection, late, verdict.kind, reason):
        return Effect.REPEATED
    if verdict.state is not None:
        _settle(connection, late, verdict.state, reason)
    if verdict.suppress is not None:
        put(connection, late.suppressions(standing, verdict), late.at)
    if verdict.event is None:
        return Effect.NOTED
    told = {"id": late.mail, "proof": late.proof, "kind": verdict.kind}
    event = NewEvent(
        project_id=standing.project_id,
        type=verdict.event,
        at=late.at,
        message_id=standing.message_id,
        delivery_id=standing.delivery_id,
        data=msgspec.json.encode({"reason": reason, "inbound": told}),
    )
    events.append(connection, [event])
    return Effect.TOLD if verdict.state is None else Effect.SETTLED


def _note(connection: Connection, late: Late, kind: Taken, reason: Reason) -> bool:
    """Keep a fact beside its delivery; False when there is one of its kind and proof."""
    written = bulk.run(
        connection,
        "INSERT INTO late_facts (delivery_id, kind, at, proof, reason, inbound_id) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING RETURNING delivery_id",
        (
            late.delivery_id, kind.value, late.at, late.proof.value, msgspec.json.encode(reason).decode(), late.mail,
        ),
    )  # fmt: skip
    return bool(written)


def _settle(connection: Connection, late: Late, state: State, reason: Reason) -> None:
    """End a delivery that is open and in nobody's hands; a settlement under an older lease finds another token."""
    bulk.run(
        connection,
        "UPDATE deliveries SET state = ?, reason = ?, reason_class = ?, next_at = NULL, updated_at = ?, "
        "lease_token = lease_token + 1 WHERE id = ? AND state IN ('scheduled', 'queued', 'deferred', 'held')",
        (state.value, msgspec.json.encode(reason).decode(), kept_back_by(reason), late.at, late.delivery_id),
    )


def _read(row: bulk.Row) -> Standing:
    return Standing(
        delivery_id=DeliveryId(row[0]),
        message_id=MessageId(row[1]),
        project_id=ProjectId(row[2]),
        recipient=row[3],
        stream=row[4],
        state=State(row[5]),
        attempts=row[6],
        updated_at=Instant(row[7]),
    )
