"""From a part of the log to counters: what was sent, delivered, refused for good, blocked, complained of."""

from collections.abc import Iterator
from typing import Final

from postroad.model.attempt import Phase
from postroad.model.event import EventType
from postroad.model.reason import Class, Permanence, Reason, Scope
from postroad.model.reputation import BUCKET, Counts
from postroad.store.reputation import ALL, End, Step, merged

Key = tuple[str, str, int, str]
"""Project, site, bucket and stream."""

_SPOKEN: Final = frozenset({Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.BODY, Phase.DOT})
_BLOCKS: Final = frozenset({Class.REPUTATION_BLOCK, Class.POLICY, Class.AUTH_FAILED})
_UNSENT: Final = frozenset(
    {Class.UNREACHABLE, Class.DNS_FAILURE, Class.BAD_DOMAIN, Class.TLS_REQUIRED_FAILED, Class.LOCAL, Class.RENDERING}
)
"""Causes for which mail was given up without a word of it having been said."""


def counted(part: Step) -> dict[Key, Counts]:
    """Return what a part of the log comes to: each delivery for its stream at all sites, and for its site."""
    return merged(_all(part))


def of_end(end: End) -> Counts:
    """Return what an event that is not a delivery counts for."""
    reason = end.told.reason
    match end.kind:
        case EventType.COMPLAINED:
            return Counts(complained=1 if end.delivered else 0)
        case EventType.BOUNCED_LATE:
            return Counts(hard=1 if end.delivered and _is_hard(reason) else 0)
        case _:
            if reason is None or not _was_sent(end, reason):
                return Counts()
            return Counts(sent=1, hard=int(_is_hard(reason)), blocked=int(_behind(reason) in _BLOCKS))


def _all(part: Step) -> Iterator[tuple[Key, Counts]]:
    for project, stream, domain, bucket, number in part.delivered:
        site = part.sites.get(domain, domain)
        counts = Counts(sent=number, delivered=number)
        yield (project, ALL, bucket, stream), counts
        yield (project, site, bucket, ALL), counts
    for end in part.ends:
        late = end.kind in (EventType.COMPLAINED, EventType.BOUNCED_LATE)
        bucket = (end.ended_at if late else end.at) // BUCKET
        counts = of_end(end)
        if counts != Counts():
            yield (end.project_id, ALL, bucket, end.stream), counts
            yield (end.project_id, part.sites.get(end.domain, end.domain), bucket, ALL), counts


def _was_sent(end: End, reason: Reason) -> bool:
    """Whether an attempt came as far as MAIL FROM, as far as the end tells."""
    if end.told.attempt is not None:
        return end.told.attempt.phase in _SPOKEN
    if reason.rule.startswith("queue."):
        return False
    return end.attempts > 0 and _behind(reason) not in _UNSENT


def _is_hard(reason: Reason | None) -> bool:
    return reason is not None and reason.permanence is Permanence.PERMANENT and reason.scope is Scope.RECIPIENT


def _behind(reason: Reason) -> str:
    """Return the class of the cause: of what expired, that of its last failure."""
    last = reason.evidence.get("last_class")
    return last if reason.cls is Class.EXPIRED and isinstance(last, str) else reason.cls
