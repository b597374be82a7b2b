"""Webhook endpoints: where a project's events go."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.ids import ProjectId, WebhookId
from postroad.model.webhook import DisabledBecause, Health, Webhook
from postroad.store import bulk
from postroad.store.schema import webhooks

_NAMES = (
    "id", "project_id", "url", "description", "types", "secrets", "created_at", "updated_at", "disabled_at",
    "disabled_reason", "cursor", "failures", "failing_since", "paused_until",
)  # fmt: skip
COLUMNS = ", ".join(_NAMES)
_types = msgspec.json.Decoder(tuple[str, ...])


def insert(connection: Connection, webhook: Webhook) -> None:
    """Add an endpoint."""
    health = webhook.health
    row = (
        webhook.id, webhook.project_id, webhook.url, webhook.description, _text(webhook.types), webhook.secrets,
        webhook.created_at, webhook.updated_at, webhook.disabled_at, webhook.disabled_because, webhook.cursor,
        health.failures, health.failing_since, health.paused_until,
    )  # fmt: skip
    bulk.insert(connection, webhooks, _NAMES, [row])


def one(connection: Connection, project_id: ProjectId, webhook_id: WebhookId, *, lock: bool = False) -> Webhook | None:
    """Return an endpoint of a project; with `lock`, nobody else changes it until the transaction ends."""
    suffix = " FOR UPDATE" if lock and connection.dialect.name == "postgresql" else ""
    rows = bulk.run(
        connection,
        f"SELECT {COLUMNS} FROM webhooks WHERE id = ? AND project_id = ?{suffix}",  # noqa: S608 - names of ours
        (webhook_id, project_id),
    )
    return read(rows[0]) if rows else None


def listed(connection: Connection, project_id: ProjectId, *, after: str = "", limit: int = 100) -> list[Webhook]:
    """Return the endpoints of a project in the order they were made, behind the identifier `after`."""
    rows = bulk.run(
        connection,
        f"SELECT {COLUMNS} FROM webhooks WHERE project_id = ? AND id > ? ORDER BY id LIMIT ?",  # noqa: S608 - names of ours
        (project_id, after, limit),
    )
    return [read(row) for row in rows]


def count(connection: Connection, project_id: ProjectId) -> int:
    """Return how many endpoints a project has."""
    found: int = bulk.run(connection, "SELECT count(*) FROM webhooks WHERE project_id = ?", (project_id,))[0][0]
    return found


def replace(connection: Connection, webhook: Webhook) -> None:
    """Write everything of an endpoint that its owner can change, its health included."""
    health = webhook.health
    bulk.run(
        connection,
        "UPDATE webhooks SET url = ?, description = ?, types = ?, secrets = ?, updated_at = ?, disabled_at = ?, "
        "disabled_reason = ?, cursor = ?, failures = ?, failing_since = ?, paused_until = ? WHERE id = ?",
        (
            webhook.url, webhook.description, _text(webhook.types), webhook.secrets, webhook.updated_at,
            webhook.disabled_at, webhook.disabled_because, webhook.cursor, health.failures, health.failing_since,
            health.paused_until, webhook.id,
        ),
    )  # fmt: skip


def remove(connection: Connection, project_id: ProjectId, webhook_id: WebhookId) -> bool:
    """Remove an endpoint with its pushes; False when there is none."""
    gone = bulk.run(
        connection, "DELETE FROM webhooks WHERE id = ? AND project_id = ? RETURNING id", (webhook_id, project_id)
    )
    return bool(gone)


def disable(connection: Connection, webhook_id: WebhookId, at: Instant, because: DisabledBecause) -> bool:
    """Send nothing more to an endpoint; False when that was so already."""
    done = bulk.run(
        connection,
        "UPDATE webhooks SET disabled_at = ?, disabled_reason = ?, updated_at = ? "
        "WHERE id = ? AND disabled_at IS NULL RETURNING id",
        (at, because.value, at, webhook_id),
    )
    return bool(done)


def read(row: Sequence[Any]) -> Webhook:
    """Return the endpoint of a row of `COLUMNS`."""
    return Webhook(
        id=WebhookId(row[0]),
        project_id=ProjectId(row[1]),
        url=row[2],
        description=row[3],
        types=_types.decode(row[4]),
        secrets=bytes(row[5]),
        created_at=row[6],
        updated_at=row[7],
        disabled_at=row[8],
        disabled_because=None if row[9] is None else DisabledBecause(row[9]),
        cursor=row[10],
        health=Health(failures=row[11], failing_since=row[12], paused_until=row[13]),
    )


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
