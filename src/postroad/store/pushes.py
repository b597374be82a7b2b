"""Pushes: which events go to which webhook endpoint, under a lease, and what became of each.

Each endpoint has a cursor on the log. A round, under the endpoint's lease, takes events over behind the cursor as
pending pushes and moves the cursor in the same transaction, so no event is skipped and none is forgotten. It takes over
no more than the notifier has room for: what an endpoint that is down has not seen stays in the log, and not here.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.event import EventType
from postroad.model.ids import WebhookId
from postroad.model.webhook import Health, Push, PushState, Try, Webhook, wants
from postroad.store import bulk, engines
from postroad.store.schema import webhook_deliveries, webhooks
from postroad.store.webhooks import COLUMNS, read

WINDOW = 2000
"""Events looked at in one round for those that the endpoint wants."""

_PUSH_NAMES = ("webhook_id", "seq", "state", "attempts", "next_at", "created_at", "updated_at", "history")
_PUSH_COLUMNS = ", ".join(_PUSH_NAMES)
_history = msgspec.json.Decoder(tuple[Try, ...])


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Whose turn it is to be served: an endpoint that has something to push now."""

    webhook_id: WebhookId
    failures: int


_FREE = (
    "w.disabled_at IS NULL AND (w.paused_until IS NULL OR w.paused_until <= ?) "
    "AND (w.lease_until IS NULL OR w.lease_until <= ? OR w.lease_node = ?)"
)


def turns(connection: Connection, *, now: Instant, node: str) -> list[Turn]:
    """Return the endpoints that this node could serve now, those in good health first."""
    clock = engines.now(connection, now)
    rows = bulk.run(
        connection,
        f"SELECT w.id, w.failures FROM webhooks w WHERE {_FREE} AND ("  # noqa: S608 - parameters are bound
        "EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'pending' "
        "AND d.next_at <= ?) "
        "OR EXISTS (SELECT 1 FROM events e WHERE e.project_id = w.project_id AND e.seq > w.cursor)) "
        "ORDER BY w.failures, w.id",
        (now, clock, node, now),
    )
    return [Turn(webhook_id=WebhookId(row[0]), failures=row[1]) for row in rows]


def next_turn(connection: Connection, *, now: Instant) -> Instant | None:
    """Return when, behind `now`, the first pause ends or the first push becomes due; None when nothing is waiting."""
    rows = bulk.run(
        connection,
        "SELECT min(at) FROM ("
        "SELECT CASE WHEN w.paused_until > d.next_at THEN w.paused_until ELSE d.next_at END AS at "
        "FROM webhooks w JOIN webhook_deliveries d ON d.webhook_id = w.id AND d.state = 'pending' "
        "WHERE w.disabled_at IS NULL "
        "UNION ALL SELECT w.paused_until FROM webhooks w WHERE w.disabled_at IS NULL "
        "AND EXISTS (SELECT 1 FROM events e WHERE e.project_id = w.project_id AND e.seq > w.cursor)"
        ") AS moments WHERE at > ?",
        (now,),
    )
    return None if rows[0][0] is None else Instant(rows[0][0])


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint is to be sent now, in the order of the log."""

    webhook: Webhook
    pushes: tuple[Push, ...]


def begin_round(
    connection: Connection, webhook_id: WebhookId, *, now: Instant, node: str, duration: int, limit: int
) -> Round | None:
    """Lease an endpoint (again), take events over and return up to `limit` pushes that are due.

    None when somebody else holds it, or it is paused, disabled or gone, or nothing is due; then the lease is given
    back in the same transaction. `duration` is in microseconds.
    """
    clock = engines.now(connection, now)
    rows = bulk.run(
        connection,
        "UPDATE webhooks SET lease_until = ?, lease_node = ? WHERE id = ? AND disabled_at IS NULL "  # noqa: S608 - names of ours
        "AND (paused_until IS NULL OR paused_until <= ?) "
        f"AND (lease_until IS NULL OR lease_until <= ? OR lease_node = ?) RETURNING {COLUMNS}",
        (clock + duration, node, webhook_id, now, clock, node),
    )
    if not rows:
        give_back(connection, webhook_id, node=node)
        return None
    webhook = read(rows[0])
    pushes = _due(connection, webhook_id, now, limit)
    if len(pushes) < limit:
        pushes += _take_over(connection, webhook, now, limit - len(pushes))
    if not pushes and not _has_more(connection, webhook_id):
        give_back(connection, webhook_id, node=node)
        return None
    return Round(webhook=webhook, pushes=tuple(sorted(pushes, key=lambda push: push.seq)))


def give_back(connection: Connection, webhook_id: WebhookId, *, node: str) -> None:
    """End this node's lease of an endpoint."""
    bulk.run(
        connection,
        "UPDATE webhooks SET lease_until = NULL, lease_node = NULL WHERE id = ? AND lease_node = ?",
        (webhook_id, node),
    )


def _due(connection: Connection, webhook_id: WebhookId, now: Instant, limit: int) -> list[Push]:
    rows = bulk.run(
        connection,
        f"SELECT {_PUSH_COLUMNS} FROM webhook_deliveries WHERE webhook_id = ? AND state = 'pending' "  # noqa: S608 - names of ours
        "AND next_at <= ? ORDER BY seq LIMIT ?",
        (webhook_id, now, limit),
    )
    return [_read_push(row) for row in rows]


def _take_over(connection: Connection, webhook: Webhook, now: Instant, room: int) -> list[Push]:
    """Make pending pushes of the next events and move the cursor behind them.

    The log gives its places out in the order of commits, so that what stands behind the cursor later came later.
    """
    rows = bulk.run(
        connection,
        "SELECT seq, type FROM events WHERE project_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        (webhook.project_id, webhook.cursor, WINDOW if webhook.types else room),
    )
    cursor, wanted = webhook.cursor, list[int]()
    for seq, kind in rows:
        if len(wanted) == room:
            break
        cursor = seq
        if kind != EventType.WEBHOOK_TEST and wants(webhook.types, kind):
            wanted.append(seq)
    if cursor == webhook.cursor:
        return []
    bulk.run(connection, "UPDATE webhooks SET cursor = ? WHERE id = ?", (cursor, webhook.id))
    return queue(connection, webhook.id, wanted, now)


def _has_more(connection: Connection, webhook_id: WebhookId) -> bool:
    rows = bulk.run(
        connection,
        "SELECT 1 FROM webhooks w WHERE w.id = ? "
        "AND EXISTS (SELECT 1 FROM events e WHERE e.project_id = w.project_id AND e.seq > w.cursor)",
        (webhook_id,),
    )
    return bool(rows)


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one try, and what it says about the endpoint."""

    push: Push
    """As it stands now, the try counted in."""
    health: Health | None = None
    """To be written to the endpoint; None: it is in good health, as it was."""
    recovered: bool = False
    """Whether the endpoint is back after it was down: what waits for its next try is due at once."""


def settle(connection: Connection, settled: Sequence[Settled]) -> list[bool]:
    """Write down what became of tries, and tell for each whether it still counts.

    It does not when the push was replayed or settled by another node meanwhile.
    """
    good = {
        (row[0], row[1])
        for row in bulk.update(
            connection,
            webhook_deliveries,
            keys=("webhook_id", "seq", "attempts"),
            columns=("state", "next_at", "updated_at", "history"),
            rows=[
                (
                    s.push.webhook_id, s.push.seq, s.push.attempts - 1,
                    s.push.state.value, s.push.next_at, s.push.updated_at, _text(s.push.history),
                )
                for s in settled
            ],
            condition="webhook_deliveries.state = 'pending'",
            returning="webhook_deliveries.webhook_id, webhook_deliveries.seq",
            also="attempts = webhook_deliveries.attempts + 1",
        )
    }  # fmt: skip
    healths = {s.push.webhook_id: s.health for s in settled if s.health is not None}
    bulk.update(
        connection,
        webhooks,
        keys=("id",),
        columns=("failures", "failing_since", "paused_until"),
        rows=[(name, h.failures, h.failing_since, h.paused_until) for name, h in sorted(healths.items())],
    )
    for s in settled:
        if s.recovered:
            _hurry(connection, s.push.webhook_id, s.push.updated_at)
    return [(s.push.webhook_id, s.push.seq) in good for s in settled]


def _hurry(connection: Connection, webhook_id: WebhookId, at: Instant) -> None:
    bulk.run(
        connection,
        "UPDATE webhook_deliveries SET next_at = ? WHERE webhook_id = ? AND state = 'pending' AND next_at > ?",
        (at, webhook_id, at),
    )


def queue(connection: Connection, webhook_id: WebhookId, places: Sequence[int], now: Instant) -> list[Push]:
    """Make pushes of the events at these places, due now, and return them; one that is there already stays."""
    pending = PushState.PENDING.value
    bulk.insert_new(
        connection,
        webhook_deliveries,
        _PUSH_NAMES,
        [(webhook_id, seq, pending, 0, now, now, now, "[]") for seq in places],
    )
    return [
        Push(webhook_id=webhook_id, seq=seq, state=PushState.PENDING, next_at=now, created_at=now, updated_at=now)
        for seq in places
    ]


def replay(connection: Connection, webhook_id: WebhookId, places: Sequence[int], now: Instant) -> None:
    """Push the events at these places (again), due now, their schedules begun anew."""
    queue(connection, webhook_id, places, now)
    bulk.update(
        connection,
        webhook_deliveries,
        keys=("webhook_id", "seq"),
        columns=("state", "attempts", "next_at", "updated_at"),
        rows=[(webhook_id, seq, PushState.PENDING.value, 0, now, now) for seq in places],
    )


def give_up(connection: Connection, webhook_id: WebhookId, now: Instant) -> None:
    """End all pending pushes of an endpoint as failed."""
    bulk.run(
        connection,
        "UPDATE webhook_deliveries SET state = 'failed', next_at = NULL, updated_at = ? "
        "WHERE webhook_id = ? AND state = 'pending'",
        (now, webhook_id),
    )


def failed(connection: Connection, webhook_id: WebhookId, *, after: int, limit: int) -> list[int]:
    """Return the places of events whose schedule is used up, in order."""
    rows = bulk.run(
        connection,
        "SELECT seq FROM webhook_deliveries WHERE webhook_id = ? AND seq > ? AND state = 'failed' ORDER BY seq LIMIT ?",
        (webhook_id, after, limit),
    )
    return [row[0] for row in rows]


def between(connection: Connection, webhook: Webhook, *, after: int, until: int, limit: int) -> list[tuple[int, bool]]:
    """Return up to `limit` places of the project's log behind `after` up to `until`, and whether it wants each."""
    rows = bulk.run(
        connection,
        "SELECT seq, type FROM events WHERE project_id = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (webhook.project_id, after, until, limit),
    )
    return [(row[0], row[1] != EventType.WEBHOOK_TEST and wants(webhook.types, row[1])) for row in rows]


def listed(
    connection: Connection, webhook_id: WebhookId, *, before: int | None, limit: int, state: PushState | None = None
) -> list[tuple[Push, str | None]]:
    """Return the pushes to an endpoint, newest event first, each with its event's type (None when no longer kept)."""
    conditions, values = "", list[Any]()
    if before is not None:
        conditions, values = " AND d.seq < ?", [before]
    if state is not None:
        conditions += " AND d.state = ?"
        values.append(state.value)
    columns = ", ".join(f"d.{name}" for name in _PUSH_NAMES)
    rows = bulk.run(
        connection,
        f"SELECT {columns}, e.type FROM webhook_deliveries d LEFT JOIN events e ON e.seq = d.seq "  # noqa: S608 - parameters are bound
        f"WHERE d.webhook_id = ?{conditions} ORDER BY d.seq DESC LIMIT ?",
        (webhook_id, *values, limit),
    )
    return [(_read_push(row), row[-1]) for row in rows]


def _read_push(row: Sequence[Any]) -> Push:
    return Push(
        webhook_id=WebhookId(row[0]),
        seq=row[1],
        state=PushState(row[2]),
        attempts=row[3],
        next_at=row[4],
        created_at=row[5],
        updated_at=row[6],
        history=_history.decode(row[7]),
    )


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
