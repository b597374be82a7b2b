"""Accepting: messages, their deliveries, labels, idempotency keys and first events, in one transaction.

What is written here is what a 202 promises.
"""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.delivery import CRASH_BACKOFF, Hold, Lease, State
from postroad.model.errors import Refused
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.message import Message, Mode, Role
from postroad.model.reason import Reason
from postroad.model.suppression import fold
from postroad.store import bulk, engines, events
from postroad.store.schema import attempts, blob_uses, deliveries, idempotency_keys, message_labels, messages
from postroad.store.suppressed import Suppressed, find_suppressed, send_probes, suppression_reason


class NewDelivery(msgspec.Struct, frozen=True):
    """A recipient of a message about to be accepted."""

    id: DeliveryId
    recipient: str
    domain: str
    role: Role


class MessageRows(msgspec.Struct, frozen=True):
    """What a message will be in the store, as far as that is known before the transaction; made by `rows_of`."""

    message: bulk.Row
    labels: list[bulk.Row]


class NewMessage(msgspec.Struct, frozen=True):
    """A message about to be accepted, valid in every respect."""

    message: Message
    deliveries: tuple[NewDelivery, ...]
    content: bytes | None
    content_sha256: str | None = None
    blobs: tuple[str, ...] = ()
    """SHA-256 of every blob that it needs, for as long as it is kept."""
    place: int = 0
    """Its place in the queue by the kind of its stream, 0 the first (`PRECEDENCE`)."""
    rows: MessageRows | None = None
    """Given where there is time to make them: the store's writer, for whom all others wait, has less to do."""


class AcceptedDelivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one recipient at the door."""

    id: DeliveryId
    to: str
    state: State
    reason: str | None = None


class Accepted(msgspec.Struct, frozen=True):
    """What became of one message."""

    id: MessageId
    deliveries: tuple[AcceptedDelivery, ...]


class Idempotency(msgspec.Struct, frozen=True):
    """The key of a request, and the digest of what it asked for."""

    route: str
    key: str
    digest: bytes


class Acceptance(msgspec.Struct, frozen=True):
    """One request to accept messages. `render` makes the answer's body, which is kept with the idempotency key."""

    project_id: ProjectId
    at: Instant
    messages: Sequence[NewMessage]
    render: Callable[[Sequence[Accepted]], bytes]
    status: int = 202
    idempotency: Idempotency | None = None
    hold: Hold | None = None
    """Given: what is due at once is leased at once, which saves a transaction on the way."""


class Answer(msgspec.Struct, frozen=True):
    """What is answered to one request once it is durable; `replayed` when an earlier one with its key was."""

    status: int
    body: bytes
    replayed: bool = False
    leases: tuple[Lease, ...] = ()
    """What the request's `hold` took."""


_MESSAGE_COLUMNS = (
    "id", "project_id", "mode", "stream", "sender", "subject", "header_id", "created_at", "send_at", "expires_at",
    "tags", "metadata", "size", "content", "content_sha256",
)  # fmt: skip
_DELIVERY_COLUMNS = (
    "id", "message_id", "project_id", "recipient", "folded", "domain", "role", "stream", "mode", "state", "attempts",
    "failures", "in_doubt", "next_at", "first_due_at", "expires_at", "lease_token", "lease_until", "lease_node",
    "lease_boot", "reason", "created_at", "updated_at", "line",
)  # fmt: skip
_LABEL_COLUMNS = ("project_id", "label", "message_id")
_KEY_COLUMNS = ("project_id", "route", "key", "digest", "status", "response", "created_at")


def rows_of(m: Message, content: bytes | None, content_sha256: str | None) -> MessageRows:
    """Return the rows of a message that has this content, or names it in the blob store."""
    row = (
        m.id, m.project_id, m.mode.value, m.stream, m.sender, m.subject, m.header_id, m.created_at, m.send_at,
        m.expires_at, _text(m.tags), _text(m.metadata), m.size, content, content_sha256,
    )  # fmt: skip
    return MessageRows(row, [(m.project_id, label, m.id) for label in _labels(m)])


def accept(connection: Connection, acceptances: list[Acceptance]) -> list[Answer | Refused]:
    """Write all messages of the requests, and return their answers in order.

    A request whose idempotency key is taken writes nothing: it gets the kept answer, or a refusal when it asks for
    something else under the same key.
    """
    suppressed = find_suppressed(
        connection, ((a.project_id, fold(d.recipient)) for a in acceptances for m in a.messages for d in m.deliveries)
    )
    moments = [Instant(a.at - a.hold.ahead) for a in acceptances if a.hold is not None]
    clock = engines.now(connection, moments[0]) if moments else None
    rows = _Rows(suppressed, clock)
    answers: list[Answer | Refused | None] = []
    taken: dict[tuple[str, str, str], tuple[bytes, Answer]] = _kept(connection, acceptances)
    for acceptance in acceptances:
        key = _key(acceptance)
        if key is not None and key in taken:
            answers.append(_replay(acceptance, *taken[key]))
            continue
        leases: list[Lease] = []
        accepted = [rows.add(acceptance, new, leases) for new in acceptance.messages]
        answer = Answer(acceptance.status, acceptance.render(accepted), leases=tuple(leases))
        if key is not None and acceptance.idempotency is not None:
            taken[key] = (acceptance.idempotency.digest, Answer(answer.status, answer.body, replayed=True))
            rows.keys.append((*key, acceptance.idempotency.digest, answer.status, answer.body, acceptance.at))
        answers.append(answer)
    rows.write(connection)
    return [answer for answer in answers if answer is not None]


class _Rows:
    """The rows of one transaction, gathered so that each table gets few statements."""

    def __init__(self, suppressed: Suppressed, clock: Instant | None) -> None:
        """Take what is suppressed, and the instant from which leases count."""
        self._suppressed = suppressed
        self._probes: dict[str, str] = {}
        self._probed_at: Instant | None = None
        self._clock = clock
        self.messages: list[bulk.Row] = []
        self.deliveries: list[bulk.Row] = []
        self.attempts: list[bulk.Row] = []
        self.labels: list[bulk.Row] = []
        self.blobs: list[bulk.Row] = []
        self.keys: list[bulk.Row] = []
        self.events: list[NewEvent] = []

    def add(self, acceptance: Acceptance, new: NewMessage, leases: list[Lease]) -> Accepted:
        m = new.message
        made = new.rows if new.rows is not None else rows_of(m, new.content, new.content_sha256)
        self.messages.append(made.message)
        self.labels += made.labels
        self.blobs += [(sha256, m.id) for sha256 in dict.fromkeys(new.blobs)]
        return Accepted(m.id, tuple([self._add_delivery(acceptance, new, d, leases) for d in new.deliveries]))

    def _add_delivery(
        self, acceptance: Acceptance, new: NewMessage, d: NewDelivery, leases: list[Lease]
    ) -> AcceptedDelivery:
        m, at, hold = new.message, acceptance.at, acceptance.hold
        due = m.send_at if m.send_at is not None and m.send_at > at else at
        self._probed_at = at
        reason = suppression_reason(
            self._suppressed,
            m.project_id,
            d.recipient,
            m.stream,
            at,
            delivery=d.id,
            probes=self._probes if m.mode is Mode.LIVE else None,
        )
        state = State.SCHEDULED if due > at else State.QUEUED
        next_at: Instant | None = due
        held: bulk.Row = (0, None, None, None)
        if reason is not None:
            row_state, next_at = State.SUPPRESSED, None
        elif hold is not None and self._clock is not None and state is State.QUEUED:
            lease = first_lease(new, d, at, Instant(self._clock + hold.duration))
            leases.append(lease)
            self.attempts.append((d.id, 1, hold.node, at))
            row_state, next_at = State.SENDING, Instant(at + CRASH_BACKOFF)
            held = (lease.token, lease.until, hold.node, hold.boot)
        else:
            row_state = state
        self.deliveries.append((
            d.id, m.id, m.project_id, d.recipient, fold(d.recipient), d.domain, d.role.value, m.stream, m.mode.value,
            row_state.value, held[0], 0, 0, next_at, due, m.expires_at, *held,
            None if reason is None else msgspec.json.encode(reason).decode(), at, at, f"{new.place} {m.project_id}",
        ))  # fmt: skip
        return self._answer(m, d, state, at, reason)

    def _answer(self, m: Message, d: NewDelivery, state: State, at: Instant, reason: Reason | None) -> AcceptedDelivery:
        """Tell the log and the caller what became of a recipient."""
        self._tell(EventType.ACCEPTED, m, d, at)
        if reason is not None:
            self._tell(EventType.SUPPRESSED, m, d, at, b'{"reason":' + msgspec.json.encode(reason) + b"}")
            return AcceptedDelivery(d.id, d.recipient, State.SUPPRESSED, reason.detail)
        if state is State.SCHEDULED:
            self._tell(EventType.SCHEDULED, m, d, at)
        return AcceptedDelivery(d.id, d.recipient, state)

    def _tell(self, kind: EventType, m: Message, d: NewDelivery, at: Instant, data: bytes = b"{}") -> None:
        self.events.append(
            NewEvent(project_id=m.project_id, type=kind, at=at, message_id=m.id, delivery_id=d.id, data=data)
        )

    def write(self, connection: Connection) -> None:
        bulk.insert(connection, idempotency_keys, _KEY_COLUMNS, self.keys)
        bulk.insert(connection, messages, _MESSAGE_COLUMNS, self.messages)
        bulk.insert(connection, deliveries, _DELIVERY_COLUMNS, self.deliveries)
        bulk.insert(connection, attempts, ("delivery_id", "number", "node", "started_at"), self.attempts)
        bulk.insert_new(connection, message_labels, _LABEL_COLUMNS, self.labels)
        bulk.insert(connection, blob_uses, ("sha256", "message_id"), self.blobs)
        if self._probes and self._probed_at is not None:
            send_probes(connection, self._probes, self._probed_at)
        events.append(connection, self.events)


def first_lease(new: NewMessage, d: NewDelivery, at: Instant, until: Instant) -> Lease:
    """Return the first lease of a delivery that is being accepted, and is due at once."""
    m = new.message
    return Lease(
        delivery_id=d.id,
        message_id=m.id,
        project_id=m.project_id,
        token=1,
        until=until,
        attempt=1,
        failures=0,
        recipient=d.recipient,
        domain=d.domain,
        stream=m.stream,
        mode=m.mode,
        sender=m.sender,
        header_id=m.header_id,
        accepted_at=m.created_at,
        first_due_at=at,
        expires_at=m.expires_at,
        in_doubt=0,
        noticed_at=None,
        reason=None,
        content=new.content,
        content_sha256=new.content_sha256,
    )


def _labels(message: Message) -> list[str]:
    """Return the labels under which a message is found: `tag:NAME` and `meta:KEY=VALUE`."""
    return [f"tag:{tag}" for tag in message.tags] + [f"meta:{key}={value}" for key, value in message.metadata.items()]


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode() if value else "[]" if isinstance(value, tuple) else "{}"


def _key(acceptance: Acceptance) -> tuple[str, str, str] | None:
    key = acceptance.idempotency
    return None if key is None else (acceptance.project_id, key.route, key.key)


def _replay(acceptance: Acceptance, digest: bytes, answer: Answer) -> Answer | Refused:
    if acceptance.idempotency is not None and acceptance.idempotency.digest == digest:
        return answer
    return Refused(
        "idempotency_key_reused",
        "This Idempotency-Key was used for a request with a different body; use a new key for a new request.",
    )


def _kept(
    connection: Connection, acceptances: Sequence[Acceptance]
) -> dict[tuple[str, str, str], tuple[bytes, Answer]]:
    """Return the kept answers of the keys that are already taken."""
    wanted = [(a.project_id, a.idempotency.route, a.idempotency.key) for a in acceptances if a.idempotency is not None]
    if not wanted:
        return {}
    engines.lock_keys(connection, ["\x1f".join(key) for key in wanted])
    found: dict[tuple[str, str, str], tuple[bytes, Answer]] = {}
    table = idempotency_keys.c
    for project, route in {(project, route) for project, route, _ in wanted}:
        names = [key for owner, path, key in wanted if (owner, path) == (project, route)]
        statement = select(table.key, table.digest, table.status, table.response).where(
            table.project_id == project, table.route == route, table.key.in_(names)
        )
        for row in connection.execute(statement):
            found[project, route, row.key] = (bytes(row.digest), Answer(row.status, bytes(row.response), replayed=True))
    return found
