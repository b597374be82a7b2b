"""Mail that came in to return paths: kept before it is answered for, read later, and kept for a while after that.

A mail is taken for reading under a lease, and each reading that begins is counted: one that takes the server down comes
back, and is put aside after a few times instead of coming back for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.ids import DeliveryId, InboundId, MessageId, ProjectId
from postroad.model.late import Effect, Mail, MailState, NewMail, Proof, Taken
from postroad.store import bulk
from postroad.store.schema import inbound_mail

_KEPT: Final = (
    "id", "at", "sender", "recipient", "ip", "hello", "tls", "size", "raw", "state", "next_at", "token",
)  # fmt: skip
_SHOWN: Final = (
    "id, at, sender, recipient, ip, hello, tls, size, state, tries, taken_for, effect, proof, project_id, message_id, "
    "delivery_id"
)


@dataclass(frozen=True, slots=True)
class Pending:
    """A mail in our hands, to be read."""

    id: InboundId
    at: Instant
    sender: str
    recipient: str
    token: DeliveryId | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mail that was read."""

    taken_for: Taken
    effect: Effect
    proof: Proof | None = None
    project_id: ProjectId | None = None
    message_id: MessageId | None = None
    delivery_id: DeliveryId | None = None


def keep(connection: Connection, mails: Sequence[NewMail]) -> None:
    """Keep mail; what is here when the transaction is durable may be answered for."""
    bulk.insert(
        connection,
        inbound_mail,
        _KEPT,
        [
            (
                mail.id, mail.at, mail.sender, mail.recipient, mail.ip, mail.hello, mail.tls, mail.size, mail.raw,
                MailState.PENDING.value, mail.at, mail.token,
            )
            for mail in mails
        ],
    )  # fmt: skip


def take(connection: Connection, *, now: Instant, until: Instant, node: str, limit: int) -> list[Pending]:
    """Take up to `limit` mails that wait, oldest first; unless they end before `until`, they come back then."""
    locked = " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    rows = bulk.run(
        connection,
        "WITH due AS MATERIALIZED (SELECT m.id FROM inbound_mail m WHERE m.state = 'pending' AND m.next_at <= ? "  # noqa: S608 - parameters are bound
        f"ORDER BY m.next_at LIMIT ?{locked}) "
        "UPDATE inbound_mail SET next_at = ?, node = ? FROM due WHERE inbound_mail.id = due.id "
        "RETURNING inbound_mail.id, at, sender, recipient, token, raw",
        (now, limit, until, node),
    )
    return [
        Pending(InboundId(row[0]), Instant(row[1]), row[2], row[3], row[4], bytes(row[5]))
        for row in sorted(rows, key=lambda row: (row[1], row[0]))
    ]


def begin(connection: Connection, mail: InboundId) -> int:
    """Count a reading that begins; return how many that makes."""
    rows = bulk.run(connection, "UPDATE inbound_mail SET tries = tries + 1 WHERE id = ? RETURNING tries", (mail,))
    return int(rows[0][0]) if rows else 0


def recover(connection: Connection, *, now: Instant, node: str) -> int:
    """Let mail that an earlier run of this node had in hand be taken at once; return how much there is."""
    statement = "UPDATE inbound_mail SET next_at = ?, node = NULL WHERE state = 'pending' AND node = ? RETURNING id"
    return len(bulk.run(connection, statement, (now, node)))


def put_back(connection: Connection, mail: InboundId, at: Instant, *, counted: bool) -> None:
    """Give a mail back, to be taken again at `at`; `counted` is whether this reading counts as a failed one."""
    bulk.run(
        connection,
        "UPDATE inbound_mail SET next_at = ?, node = NULL, tries = tries - ? WHERE id = ? AND state = 'pending'",
        (at, 0 if counted else 1, mail),
    )


def quarantine(connection: Connection, mail: InboundId) -> None:
    """Put a mail aside that cannot be read."""
    bulk.run(
        connection,
        "UPDATE inbound_mail SET state = 'quarantined', next_at = NULL, node = NULL WHERE id = ?",
        (mail,),
    )


def release(connection: Connection, mail: InboundId, now: Instant) -> bool:
    """Let a quarantined mail be read again; False when it is none."""
    statement = (
        "UPDATE inbound_mail SET state = 'pending', tries = 0, next_at = ? WHERE id = ? AND state = 'quarantined' "
        "RETURNING id"
    )
    return bool(bulk.run(connection, statement, (now, mail)))


def finish(connection: Connection, mail: InboundId, outcome: Outcome) -> None:
    """Write down what became of a mail."""
    bulk.run(
        connection,
        "UPDATE inbound_mail SET state = 'done', next_at = NULL, node = NULL, taken_for = ?, effect = ?, proof = ?, "
        "project_id = ?, message_id = ?, delivery_id = ? WHERE id = ?",
        (
            outcome.taken_for.value, outcome.effect.value, None if outcome.proof is None else outcome.proof.value,
            outcome.project_id, outcome.message_id, outcome.delivery_id, mail,
        ),
    )  # fmt: skip


def next_due(connection: Connection) -> Instant | None:
    """Return when the next mail is to be read."""
    found = bulk.run(connection, "SELECT min(next_at) FROM inbound_mail WHERE state = 'pending'")[0][0]
    return None if found is None else Instant(found)


def listed(
    connection: Connection,
    *,
    project: ProjectId | None = None,
    state: MailState | None = None,
    before: str = "",
    limit: int = 50,
) -> list[Mail]:
    """Return up to `limit` mails, newest first, older than the one called `before`; None stands for any."""
    conditions, values = "1 = 1", list[str]()
    for condition, value in (("project_id = ?", project), ("state = ?", state), ("id < ?", before or None)):
        if value is not None:
            conditions += f" AND {condition}"
            values.append(str(value))
    rows = bulk.run(
        connection,
        f"SELECT {_SHOWN} FROM inbound_mail WHERE {conditions} ORDER BY id DESC LIMIT ?",  # noqa: S608 - names of ours
        (*values, limit),
    )
    return [_mail(row) for row in rows]


def one(connection: Connection, mail: InboundId, *, project: ProjectId | None = None) -> tuple[Mail, bytes] | None:
    """Return a mail (of a project) and its octets."""
    rows = bulk.run(connection, f"SELECT {_SHOWN}, raw FROM inbound_mail WHERE id = ?", (mail,))  # noqa: S608 - names of ours
    if not rows or (project is not None and rows[0][13] != project):
        return None
    return _mail(rows[0]), bytes(rows[0][16])


def remove(connection: Connection, before: Instant, limit: int) -> int:
    """Remove up to `limit` mails that came before an instant and are read; return how many went."""
    rows = bulk.run(
        connection,
        "DELETE FROM inbound_mail WHERE id IN (SELECT id FROM inbound_mail WHERE at < ? AND state <> 'pending' "
        "ORDER BY id LIMIT ?) RETURNING id",
        (before, limit),
    )
    return len(rows)


def _mail(row: bulk.Row) -> Mail:
    return Mail(
        id=InboundId(row[0]),
        at=Instant(row[1]),
        sender=row[2],
        recipient=row[3],
        ip=row[4],
        hello=row[5],
        tls=row[6],
        size=row[7],
        state=MailState(row[8]),
        tries=row[9],
        taken_for=None if row[10] is None else Taken(row[10]),
        effect=None if row[11] is None else Effect(row[11]),
        proof=None if row[12] is None else Proof(row[12]),
        project_id=row[13],
        message_id=row[14],
        delivery_id=row[15],
    )
