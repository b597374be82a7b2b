"""The queue: lease what is due, hand back what was not tried, take over what a dead node held.

A lease is fenced: it carries a token that grows with each lease, and a settle under an older token changes nothing. No
transaction is held while the network is spoken to, and nothing here ever deletes.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.composition import Recipe
from postroad.model.delivery import CRASH_BACKOFF, Hold, Lease, State
from postroad.model.event import EventType
from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.message import Mode
from postroad.model.reason import Reason
from postroad.model.suppression import fold
from postroad.model.verdict import Verdict
from postroad.store import bulk, engines
from postroad.store.messages import find_suppressed, suppression_reason
from postroad.store.schema import attempts, deliveries
from postroad.store.settlements import Settlement, settle


class LeaseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a dispatcher has room for."""

    now: Instant
    limit: int
    hold: Hold
    without_domains: tuple[str, ...] = ()
    """Recipient domains that have no room."""


_LEASED = ", ".join(
    [
        f"deliveries.{name}"
        for name in (
            "id", "message_id", "project_id", "lease_token", "lease_until", "attempts", "failures", "recipient",
            "domain", "stream", "mode", "first_due_at", "expires_at", "in_doubt", "noticed_at", "reason",
        )
    ]
)  # fmt: skip
_reason = msgspec.json.Decoder(Reason)
_recipe = msgspec.json.Decoder(Recipe)
_ATTEMPT_COLUMNS = ("delivery_id", "number", "node", "started_at")


def lease(connection: Connection, request: LeaseRequest) -> list[Lease]:
    """Lease up to `limit` due deliveries, oldest due first, and write an attempt row for each.

    What a suppression has caught since it was accepted ends here, and is not leased.
    """
    hold = request.hold
    until = Instant(engines.now(connection, request.now) + hold.duration)
    locked = " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    without = request.without_domains
    excluded = f"AND d.domain NOT IN ({', '.join('?' * len(without))}) " if without else ""
    held = (until, hold.node, hold.boot, request.now + CRASH_BACKOFF, request.now)
    rows = bulk.run(
        connection,
        # MATERIALIZED: the rows are chosen once, whatever plan joins them
        "WITH due AS MATERIALIZED (SELECT d.id FROM deliveries d "  # noqa: S608 - parameters are bound
        "WHERE d.state IN ('scheduled', 'queued', 'deferred') "
        f"AND d.next_at <= ? {excluded}"
        "AND d.project_id NOT IN (SELECT p.id FROM projects p WHERE p.paused_at IS NOT NULL) "
        f"ORDER BY d.next_at LIMIT ?{locked}) "
        "UPDATE deliveries SET state = 'sending', lease_token = lease_token + 1, attempts = attempts + 1, "
        "lease_until = ?, lease_node = ?, lease_boot = ?, next_at = ?, updated_at = ? "
        f"FROM due WHERE deliveries.id = due.id RETURNING {_LEASED}",
        (request.now, *without, request.limit, *held),
    )
    if not rows:
        return []
    bulk.insert(connection, attempts, _ATTEMPT_COLUMNS, [(row[0], row[5], hold.node, request.now) for row in rows])
    leases = _with_messages(connection, rows)
    return _drop_suppressed(connection, leases, request.now)


def reclaim(connection: Connection, *, now: Instant, hold: Hold, limit: int, own: bool) -> list[tuple[Lease, str]]:
    """Take over leases that nobody will settle, with the name of the node that held them.

    With `own`, those of earlier runs of this node, whenever they lapse; without, all that have lapsed by the
    database's clock. The attempt that was open stays the same: judge it, and settle it under the new token.
    """
    clock = engines.now(connection, now)
    locked = " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    which = "d.lease_node = ? AND d.lease_boot <> ?" if own else "d.lease_until < ?"
    chosen = bulk.run(
        connection,
        f"SELECT d.id, d.lease_node FROM deliveries d WHERE d.state = 'sending' AND {which} LIMIT ?{locked}",  # noqa: S608 - parameters are bound
        (hold.node, hold.boot, limit) if own else (clock, limit),
    )
    holders = {row[0]: row[1] for row in chosen}
    rows = bulk.update(
        connection,
        deliveries,
        keys=("id",),
        columns=("lease_until", "lease_node", "lease_boot", "updated_at"),
        rows=[(name, clock + hold.duration, hold.node, hold.boot, now) for name in holders],
        condition="deliveries.state = 'sending'",
        returning=_LEASED,
        also="lease_token = deliveries.lease_token + 1",
    )
    return [(taken, holders[taken.delivery_id]) for taken in _with_messages(connection, rows)]


def hand_back(connection: Connection, leases: Sequence[Lease], now: Instant) -> None:
    """Give leases back of which nothing was tried: due again at once, the attempt counted as canceled."""
    good = {
        row[0]
        for row in bulk.update(
            connection,
            deliveries,
            keys=("id", "lease_token"),
            columns=("state", "next_at", "lease_until", "lease_node", "lease_boot", "updated_at"),
            rows=[(x.delivery_id, x.token, State.QUEUED.value, now, None, None, None, now) for x in leases],
            condition="deliveries.state = 'sending'",
            returning="deliveries.id",
        )
    }
    bulk.update(
        connection,
        attempts,
        keys=("delivery_id", "number"),
        columns=("finished_at", "outcome"),
        rows=[(x.delivery_id, x.attempt, now, "handed_back") for x in leases if x.delivery_id in good],
    )


def next_due(connection: Connection, after: Instant) -> Instant | None:
    """Return when the next delivery becomes due that is not due yet."""
    rows = bulk.run(
        connection,
        "SELECT min(next_at) FROM deliveries WHERE state IN ('scheduled', 'queued', 'deferred') AND next_at > ?",
        (after,),
    )
    return None if rows[0][0] is None else Instant(rows[0][0])


def peek(
    connection: Connection, project: ProjectId, delivery: DeliveryId
) -> tuple[Lease, Recipe | None, bytes | None] | None:
    """Return a delivery as a lease would show it, without taking it, with recipe and digest of its last octets."""
    rows = bulk.run(
        connection,
        f"SELECT {_LEASED} FROM deliveries WHERE id = ? AND project_id = ?",  # noqa: S608 - names of ours
        (delivery, project),
    )
    if not rows:
        return None
    sent = bulk.run(
        connection,
        "SELECT recipe, digest FROM attempts WHERE delivery_id = ? AND digest IS NOT NULL ORDER BY number DESC LIMIT 1",
        (delivery,),
    )
    recipe, digest = sent[0] if sent else (None, None)
    return (
        _with_messages(connection, rows)[0],
        None if recipe is None else _recipe.decode(recipe),
        None if digest is None else bytes(digest),
    )


def _with_messages(connection: Connection, rows: Iterable[Any]) -> list[Lease]:
    rows = list(rows)
    found = {
        row[0]: row
        for row in bulk.select_in(
            connection,
            "SELECT id, sender, header_id, created_at, content, content_sha256 FROM messages WHERE id IN (:values)",
            list({row[1] for row in rows}),
        )
    }
    return [_lease(row, found[row[1]]) for row in rows]


def _lease(row: Any, message: Any) -> Lease:
    return Lease(
        delivery_id=DeliveryId(row[0]),
        message_id=MessageId(row[1]),
        project_id=ProjectId(row[2]),
        token=row[3],
        until=Instant(row[4] or 0),
        attempt=row[5],
        failures=row[6],
        recipient=row[7],
        domain=row[8],
        stream=row[9],
        mode=Mode(row[10]),
        first_due_at=row[11],
        expires_at=row[12],
        in_doubt=row[13],
        noticed_at=row[14],
        reason=None if row[15] is None else _reason.decode(row[15]),
        sender=message[1],
        header_id=message[2],
        accepted_at=message[3],
        content=None if message[4] is None else bytes(message[4]),
        content_sha256=message[5],
    )


def _drop_suppressed(connection: Connection, leases: list[Lease], now: Instant) -> list[Lease]:
    suppressed = find_suppressed(connection, [(x.project_id, fold(x.recipient)) for x in leases])
    if not suppressed:
        return leases
    kept: list[Lease] = []
    ended: list[Settlement] = []
    for x in leases:
        reason = suppression_reason(suppressed, x.project_id, x.recipient, x.stream, now)
        if reason is None:
            kept.append(x)
            continue
        verdict = Verdict(state=State.SUPPRESSED, reason=reason, failures=x.failures, event=EventType.SUPPRESSED)
        ended.append(Settlement(lease=x, verdict=verdict, at=now, attempt=None))
    settle(connection, ended)
    return kept
