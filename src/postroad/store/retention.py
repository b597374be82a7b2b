"""What is no longer kept, removed in bounded batches: each function does one and tells how much is left to do."""

from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.ids import ENTROPY_OCTETS, mint
from postroad.store import bulk, uploads

_TERMINAL = "('delivered', 'bounced', 'expired', 'suppressed', 'canceled', 'rejected')"


def remove_messages(connection: Connection, before: Instant, limit: int) -> int:
    """Remove up to `limit` messages that ended before an instant, with all that hangs on them but their events.

    Blobs that no message needs any more are noted among the uploads. Returns how many messages went.
    """
    rows = bulk.run(
        connection,
        "SELECT m.id FROM messages m WHERE m.id < ? AND NOT EXISTS (SELECT 1 FROM deliveries d "  # noqa: S608 - names of ours
        f"WHERE d.message_id = m.id AND (d.state NOT IN {_TERMINAL} OR d.updated_at >= ?)) ORDER BY m.id LIMIT ?",
        (mint("msg", before, bytes(ENTROPY_OCTETS)), before, limit),
    )
    messages = [row[0] for row in rows]
    named = "message_id IN (:values)"
    freed = bulk.select_in(
        connection,
        "SELECT m.project_id, u.sha256 FROM blob_uses u JOIN messages m ON m.id = u.message_id "
        "WHERE u.message_id IN (:values)",
        messages,
    )
    for statement in (
        f"DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE {named})",  # noqa: S608 - names of ours
        f"DELETE FROM late_facts WHERE delivery_id IN (SELECT id FROM deliveries WHERE {named})",  # noqa: S608 - names of ours
        f"DELETE FROM deliveries WHERE {named}",  # noqa: S608 - names of ours
        f"DELETE FROM message_labels WHERE {named}",  # noqa: S608 - names of ours
        f"DELETE FROM blob_uses WHERE {named}",  # noqa: S608 - names of ours
        "DELETE FROM messages WHERE id IN (:values)",
    ):
        bulk.select_in(connection, statement, messages)
    used = {
        row[0]
        for row in bulk.select_in(
            connection,
            "SELECT sha256 FROM blob_uses WHERE sha256 IN (:values)",
            sorted({sha256 for _, sha256 in freed}),
        )
    }
    uploads.leave(connection, sorted({(project, sha256) for project, sha256 in freed if sha256 not in used}))
    return len(messages)


def remove_events(connection: Connection, before: Instant, limit: int) -> int:
    """Remove up to `limit` events older than an instant, and return how many went."""
    rows = bulk.run(
        connection,
        "DELETE FROM events WHERE seq IN (SELECT seq FROM events ORDER BY seq LIMIT ?) AND at < ? RETURNING seq",
        (limit, before),
    )
    return len(rows)


def remove_answers(connection: Connection, before: Instant, limit: int) -> int:
    """Remove up to `limit` kept answers of idempotency keys older than an instant, and return how many went."""
    rows = bulk.run(
        connection,
        "DELETE FROM idempotency_keys WHERE (project_id, route, key) IN (SELECT project_id, route, key FROM "
        "idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT ?) RETURNING key",
        (before, limit),
    )
    return len(rows)


def remove_pushes(connection: Connection, before: Instant, limit: int) -> int:
    """Remove up to `limit` ended webhook deliveries older than an instant, and return how many went."""
    rows = bulk.run(
        connection,
        "DELETE FROM webhook_deliveries WHERE (webhook_id, seq) IN (SELECT webhook_id, seq FROM webhook_deliveries "
        "WHERE state <> 'pending' AND updated_at < ? LIMIT ?) RETURNING seq",
        (before, limit),
    )
    return len(rows)
