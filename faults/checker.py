"""Compare the injector's and the sink's ledgers with what the server says; pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from faults.injector import Ack
from peers.ledger import Entry

TERMINAL = frozenset({"delivered", "bounced", "expired", "suppressed", "canceled", "rejected"})
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Told:
    """What the server says of one delivery at the end."""

    state: str
    possible_duplicate: bool


@dataclass(frozen=True, slots=True)
class Noticed:
    """One event of the feed, as far as the judgement needs it."""

    id: str
    kind: str
    delivery_id: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One line of the score: a count, the most (or with `least`, the least) it may be, and who is counted."""

    name: str
    meaning: str
    count: float
    limit: float | None
    examples: tuple[str, ...] = ()
    least: bool = False

    @property
    def passed(self) -> bool:
        if self.limit is None:
            return True
        return self.count >= self.limit if self.least else self.count <= self.limit


def none_of(name: str, meaning: str, found: Sequence[str]) -> Mark:
    """A mark that is passed when nothing was found."""
    return _mark(name, meaning, found)


def _mark(name: str, meaning: str, found: Sequence[str], limit: int | None = 0, count: int | None = None) -> Mark:
    return Mark(name, meaning, len(found) if count is None else count, limit, tuple(found[:_EXAMPLES]))


def check(
    *,
    asked: int,
    acks: Sequence[Ack],
    replays: Mapping[str, str],
    entries: Sequence[Entry],
    told: Mapping[str, Told],
    noticed: Sequence[Noticed],
) -> list[Mark]:
    """Score a run in which the sink accepts everything it is offered.

    `replays` are message ids answered to a repeated request, by client id; `told` is by delivery id.
    """
    copies: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        copies[entry.recipient].append(entry)
    ends = Counter(event.delivery_id for event in noticed if event.kind == "message.delivered")
    doubts = Counter(event.delivery_id for event in noticed if event.kind == "message.in_doubt")
    known = {ack.recipient for ack in acks}
    several = [ack for ack in acks if len(copies[ack.recipient]) > 1]

    def says(ack: Ack) -> Told:
        return told.get(ack.delivery_id, Told("unknown", possible_duplicate=False))

    def names(chosen: list[Ack]) -> list[str]:
        return [f"{ack.recipient} {ack.delivery_id} {says(ack).state}" for ack in chosen]

    answered = len({ack.client_id for ack in acks})
    extra = sum(len(copies[ack.recipient]) - 1 for ack in several)
    return [
        _mark("UNANSWERED", "never answered 202, however often asked", [], count=asked - answered),
        _mark("LOST", "answered 202, never at the sink", names([a for a in acks if not copies[a.recipient]])),
        _mark(
            "GHOST",
            "called delivered, never at the sink",
            names([a for a in acks if says(a).state == "delivered" and not copies[a.recipient]]),
        ),
        _mark(
            "STUCK",
            "not in a terminal state at the deadline",
            names([a for a in acks if says(a).state not in TERMINAL]),
        ),
        _mark("DUP", "copies beyond the first", names(several), limit=None, count=extra),
        _mark(
            "UNFLAGGED",
            "more than one copy and not flagged as a possible duplicate",
            names([a for a in several if not says(a).possible_duplicate]),
        ),
        _mark(
            "EXCESS",
            "more copies than one and its attempts in doubt",
            names([a for a in several if len(copies[a.recipient]) > 1 + doubts[a.delivery_id]]),
        ),
        _mark(
            "SPLIT",
            "copies of one request with different Message-IDs",
            names([a for a in several if len({entry.message_id for entry in copies[a.recipient]}) > 1]),
        ),
        _mark(
            "CHANGED",
            "copies of one request with different octets",
            names([a for a in several if len({entry.sha256 for entry in copies[a.recipient]}) > 1]),
        ),
        _mark(
            "REPLAY",
            "the same Idempotency-Key answered with another message",
            names([a for a in acks if replays.get(a.client_id, a.message_id) != a.message_id]),
        ),
        _mark(
            "EVENTS",
            "delivered without exactly one event that says so",
            names([a for a in acks if says(a).state == "delivered" and ends[a.delivery_id] != 1]),
        ),
        _mark("STRAY", "at the sink, never answered 202", sorted(set(copies) - known) if answered == asked else []),
    ]
