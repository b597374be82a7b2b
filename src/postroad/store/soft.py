"""Soft causes: how often an address has failed softly, and what became of the probes of its suppression."""

from dataclasses import dataclass

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.delivery import TERMINAL, State
from postroad.model.ids import DeliveryId, ProjectId, SuppressionId
from postroad.model.suppression import Suppression, fold
from postroad.store import audit, bulk
from postroad.store import suppressions as lists

_ENDED = ", ".join(f"'{state}'" for state in sorted(TERMINAL))


@dataclass(frozen=True, slots=True)
class Softly:
    """A delivery that ended for a soft cause."""

    project_id: ProjectId
    delivery_id: DeliveryId
    recipient: str
    reason: bytes


@dataclass(frozen=True, slots=True)
class History:
    """How an address has failed since it last took a message."""

    messages: int
    first_at: Instant | None


def history(connection: Connection, project_id: ProjectId, address: str, reason_class: str) -> History:
    """Return how many messages to an address ended for a class of causes since one was delivered, and since when."""
    folded = fold(address)
    rows = bulk.run(
        connection,
        "SELECT count(DISTINCT message_id), min(updated_at) FROM deliveries WHERE project_id = ? AND folded = ? "
        "AND state IN ('bounced', 'expired') AND reason_class = ? AND mode = 'live' AND updated_at > coalesce("
        "(SELECT max(updated_at) FROM deliveries WHERE project_id = ? AND folded = ? AND state = 'delivered'), 0)",
        (project_id, folded, reason_class, project_id, folded),
    )
    messages, first_at = rows[0]
    return History(messages, None if first_at is None else Instant(first_at))


def settle_probes(connection: Connection, now: Instant, again_at: Instant, limit: int) -> int:
    """Act on probes that have ended, up to `limit`, and return how many: who took one is taken off the list."""
    rows = bulk.run(
        connection,
        "SELECT s.id, d.state FROM suppressions s LEFT JOIN deliveries d ON d.id = s.probe_delivery "  # noqa: S608 - texts of ours
        f"WHERE s.probe_delivery IS NOT NULL AND (d.id IS NULL OR d.state IN ({_ENDED})) LIMIT ?",
        (limit,),
    )
    for identifier, state in rows:
        if state == State.DELIVERED:
            _mend(connection, SuppressionId(identifier), now)
        else:
            bulk.run(
                connection,
                "UPDATE suppressions SET probe_at = ?, probe_delivery = NULL WHERE id = ?",
                (again_at, identifier),
            )
    return len(rows)


def _mend(connection: Connection, identifier: SuppressionId, now: Instant) -> None:
    entry: Suppression | None = lists.by_id(connection, identifier)
    if entry is None:
        return
    told = {"address": entry.address, "scope": entry.scope, "cause": entry.cause, "probe": entry.probe_delivery}
    lists.remove(
        connection,
        entry,
        audit.Entry(
            project_id=entry.project_id, at=now, actor="system", action="suppression.probed", subject=entry.id,
            data=msgspec.to_builtins(told),
        ),
    )  # fmt: skip
