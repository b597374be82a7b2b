"""The queue: lease what is due, hand back what was not tried, take over what a dead node held.

A lease is fenced: it carries a token that grows with each lease, and a settle under an older token changes nothing. No
transaction is held while the network is spoken to, and nothing here ever deletes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

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
from postroad.store import bulk, engines, lines
from postroad.store.lines import Candidate, Line
from postroad.store.schema import attempts, deliveries
from postroad.store.settlements import Settlement, settle
from postroad.store.suppressed import find_suppressed, suppression_reason

Rank = Sequence[tuple[Line, int]]
"""Lines that have the same precedence and share what there is, with how many may be taken from each at the most."""


class Chooser(Protocol):
    """Decides in one transaction what of the queue is taken, and counts what it has let through."""

    def ranks(self, found: Sequence[Line]) -> Sequence[Rank]:
        """Return the lines to take from, the ranks in the order of their precedence; each line once."""
        ...

    def wait_for(self, line: Line, candidate: Candidate) -> str | None:
        """Return what a delivery has to wait for, or None: it is taken."""
        ...


class LeaseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a dispatcher has room for."""

    now: Instant
    limit: int
    hold: Hold
    choose: Callable[[], Chooser] | None = None
    """Makes the chooser of a transaction; None takes all that is due, line by line."""
    without_domains: frozenset[str] = frozenset()
    """Recipient domains that have no room, where there is no chooser."""
    beyond: str = ""
    """The line after which to begin, where the last look did not come to the end of them."""
    heads: Mapping[str, Instant] = {}
    """Where to begin in lines of which that is known (`lines.Heads`)."""
    overdue: bool = True
    """Whether to take what waits for a site and has run out of time, so that it is told so."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a lease has brought."""

    leases: list[Lease]
    next_at: Instant | None
    """When the next becomes due that is not due yet."""
    parked: int = 0
    """How many were sent to wait in a line of their own."""
    beyond: str = ""
    """The last line that was looked at, when there are more."""
    left: Mapping[Line, int] = {}
    """How many have left which lines: for `lines.Heads`."""


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
_LEFT_FOR_OTHERS = 8
"""Of what is taken, this part is left for mail of lower precedence, so that it is late and not starved."""
_LOOK = 64
"""How far beyond what is wanted a line is looked through for mail that need not wait."""
_ATTEMPT_COLUMNS = ("delivery_id", "number", "node", "started_at")


def lease(connection: Connection, request: LeaseRequest) -> list[Lease]:
    """Lease up to `limit` due deliveries; see `take`."""
    return take(connection, request).leases


def take(connection: Connection, request: LeaseRequest) -> Taken:
    """Lease up to `limit` due deliveries, the oldest due of each line first, and write an attempt row for each.

    What a suppression has caught since it was accepted ends here, and is not leased. What has to wait for a site while
    others behind it need not is sent into a line of its own.
    """
    paused = {row[0] for row in bulk.run(connection, "SELECT id FROM projects WHERE paused_at IS NOT NULL")}
    all_found = lines.survey(connection, beyond=request.beyond, heads=request.heads)
    found = [line for line in all_found if line.project not in paused]
    chosen: dict[str, None] = {}
    if request.overdue and any(line.parked for line in found):
        chosen |= dict.fromkeys(lines.overdue(connection, request.now, request.limit))
    left: dict[Line, int] = {}
    parked = _choose(connection, request, [line for line in found if line.first_at <= request.now], chosen, left)
    return Taken(
        leases=_lease_all(connection, request, list(chosen)) if chosen else [],
        next_at=min((line.first_at for line in found if line.first_at > request.now), default=None),
        parked=parked,
        beyond=all_found[-1].name if len(all_found) == lines.MOST_LINES else "",
        left=left,
    )


def _choose(
    connection: Connection,
    request: LeaseRequest,
    due: Sequence[Line],
    chosen: dict[str, None],
    gone: dict[Line, int],
) -> int:
    """Add to those chosen up to `limit`: rank by rank, with a share left over for the ranks that follow.

    Return how many were sent to wait elsewhere, and count in `gone` how many leave each line.
    """
    chooser = _All(request.without_domains) if request.choose is None else request.choose()
    waiting: list[tuple[str, str]] = []
    ranks = chooser.ranks(due)
    for place, rank in enumerate(ranks):
        room = request.limit - len(chosen)
        if place < len(ranks) - 1:
            room -= room // _LEFT_FOR_OTHERS
        for left, (line, most) in zip(range(len(rank), 0, -1), rank, strict=True):
            want = min(most, -(-room // left))
            before = len(chosen)
            if want > 0:
                away = _from_line(connection, request.now, chooser, line, want, chosen)
                waiting += away
                gone[line] = len(away) + len(chosen) - before
            room -= len(chosen) - before
    lines.park(connection, waiting)
    return len(waiting)


def _from_line(
    connection: Connection, now: Instant, chooser: Chooser, line: Line, want: int, chosen: dict[str, None]
) -> list[tuple[str, str]]:
    """Add up to `want` deliveries of a line to those chosen, and return those that have to leave it, with where to."""
    most = len(chosen) + want
    found = lines.first(connection, line, now, want)
    waiting = _sort_out(chooser, line, found, most, chosen)
    if not waiting or len(found) < want or line.parked:
        return waiting
    # who has to wait stands in the way of others: look at more of the line, and let them wait elsewhere
    seen = {candidate.id for candidate in found}
    more = [each for each in lines.first(connection, line, now, 2 * want + _LOOK) if each.id not in seen]
    beyond = _sort_out(chooser, line, more, most, chosen)
    return waiting + beyond if len(chosen) < most else []  # enough were found: those who wait are not in the way


def _sort_out(
    chooser: Chooser, line: Line, candidates: Sequence[Candidate], most: int, chosen: dict[str, None]
) -> list[tuple[str, str]]:
    """Add those who may go to the chosen until there are `most`, and return those who have to leave, with where to."""
    waiting: list[tuple[str, str]] = []
    for candidate in candidates:
        if len(chosen) == most:
            break
        if candidate.id in chosen:
            continue
        key = chooser.wait_for(line, candidate)
        if key is None:
            chosen[candidate.id] = None
        elif key != line.key:
            plain = lines.line_of(line.kind, line.project)
            waiting.append((candidate.id, lines.parked_line(plain, key)))
    return waiting


class _All:
    """Takes all there is but for some domains."""

    def __init__(self, without: frozenset[str]) -> None:
        self._without = without

    def ranks(self, found: Sequence[Line]) -> Sequence[Rank]:
        return [[(line, 1 << 30) for line in sorted(found, key=lambda line: line.first_at)]]

    def wait_for(self, line: Line, candidate: Candidate) -> str | None:
        return candidate.domain if candidate.domain in self._without else None


def _lease_all(connection: Connection, request: LeaseRequest, chosen: Sequence[str]) -> list[Lease]:
    hold = request.hold
    until = Instant(engines.now(connection, Instant(request.now - hold.ahead)) + hold.duration)
    rows = bulk.select_in(
        connection,
        "UPDATE deliveries SET state = 'sending', lease_token = lease_token + 1, attempts = attempts + 1, "  # noqa: S608 - parameters are bound
        "line = CASE WHEN line >= 'p' THEN substr(line, 2, 2) ELSE substr(line, 1, 2) END || project_id, "
        "lease_until = ?, lease_node = ?, lease_boot = ?, next_at = ?, updated_at = ? "
        f"WHERE id IN (:values) RETURNING {_LEASED}",
        chosen,
        before=(until, hold.node, hold.boot, request.now + CRASH_BACKOFF, request.now),
    )
    bulk.insert(connection, attempts, _ATTEMPT_COLUMNS, [(row[0], row[5], hold.node, request.now) for row in rows])
    leases = _with_messages(connection, rows)
    return _drop_suppressed(connection, leases, request.now)


def reclaim(connection: Connection, *, now: Instant, hold: Hold, limit: int, own: bool) -> list[tuple[Lease, str]]:
    """Take over leases that nobody will settle, with the name of the node that held them.

    With `own`, those of earlier runs of this node, whenever they lapse; without, all that have lapsed by the
    database's clock. The attempt that was open stays the same: judge it, and settle it under the new token.
    """
    clock = engines.now(connection, Instant(now - hold.ahead))
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
    """Return when the next delivery becomes due that is not due yet, among the first of each line."""
    return min((line.first_at for line in lines.survey(connection) if line.first_at > after), default=None)


def any_in_hand(connection: Connection) -> bool:
    """Tell whether any node has a delivery in its hands."""
    return bool(bulk.run(connection, "SELECT 1 FROM deliveries WHERE state = 'sending' LIMIT 1"))


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
    suppressed = find_suppressed(connection, ((x.project_id, fold(x.recipient)) for x in leases))
    if not suppressed:
        return leases
    kept: list[Lease] = []
    ended: list[Settlement] = []
    for x in leases:
        reason = suppression_reason(suppressed, x.project_id, x.recipient, x.stream, now, delivery=x.delivery_id)
        if reason is None:
            kept.append(x)
            continue
        verdict = Verdict(state=State.SUPPRESSED, reason=reason, failures=x.failures, event=EventType.SUPPRESSED)
        ended.append(Settlement(lease=x, verdict=verdict, at=now, attempt=None))
    settle(connection, ended)
    return kept
