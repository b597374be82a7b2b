"""Idempotency keys of changes other than accepting mail: the answer is kept beside the change it tells of."""

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.errors import Refused
from postroad.model.ids import ProjectId
from postroad.store import bulk, engines
from postroad.store.messages import Answer, Idempotency
from postroad.store.schema import idempotency_keys

_COLUMNS = ("project_id", "route", "key", "digest", "status", "response", "created_at")


def once(
    connection: Connection,
    project: ProjectId,
    idempotency: Idempotency | None,
    at: Instant,
    change: Callable[[], tuple[int, bytes]],
) -> Answer:
    """Carry out `change` and keep its answer (status and body) in the same transaction, or replay the kept one.

    Raises:
        Refused: `idempotency_key_reused`, the key belongs to another request; or whatever `change` raises, which
            leaves nothing behind.
    """
    if idempotency is None:
        return Answer(*change())
    engines.lock_keys(connection, [f"{project}\x1f{idempotency.route}\x1f{idempotency.key}"])
    before = find(connection, project, idempotency)
    if before is not None:
        return before
    status, body = change()
    keep(connection, project, idempotency, at, Answer(status, body))
    return Answer(status, body)


def find(connection: Connection, project: ProjectId, idempotency: Idempotency) -> Answer | None:
    """Return the kept answer to a request with this key, or None.

    Raises:
        Refused: `idempotency_key_reused`, the key belongs to another request.
    """
    table = idempotency_keys.c
    row = connection.execute(
        select(table.digest, table.status, table.response).where(
            table.project_id == project, table.route == idempotency.route, table.key == idempotency.key
        )
    ).first()
    if row is None:
        return None
    if bytes(row.digest) != idempotency.digest:
        raise Refused(
            "idempotency_key_reused",
            "This Idempotency-Key was used for a request with a different body; use a new key for a new request.",
        )
    return Answer(row.status, bytes(row.response), replayed=True)


def keep(connection: Connection, project: ProjectId, idempotency: Idempotency, at: Instant, answer: Answer) -> None:
    """Keep an answer under its key, unless one is kept already."""
    row = (project, idempotency.route, idempotency.key, idempotency.digest, answer.status, answer.body, at)
    bulk.insert_new(connection, idempotency_keys, _COLUMNS, [row])
