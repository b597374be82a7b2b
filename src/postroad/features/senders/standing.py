"""What follows from a look at a domain's DNS. Pure.

Only a certain answer moves a domain: SERVFAIL and time-outs leave it where it stands. A verified domain whose keys are
gone is given an hour before it may no longer send, so that an accident in its DNS that is mended at once harms nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from postroad.config import Settings
from postroad.model.clock import DAY, HOUR, SECOND, Instant, after
from postroad.model.domain import DkimKey, Domain, DomainState, Finding, KeyState, Purpose, RecordState

GRACE: Final = HOUR
PATIENCE: Final = 3 * DAY
_SHARE: Final = 10


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, in microseconds: at what is in order, and at the most at what is not."""

    settled: int
    unsettled: int


def pace_of(settings: Settings) -> Pace:
    """Return the pace that the settings ask for."""
    settled = settings.domains.recheck_s * SECOND
    return Pace(settled, min(settled, settings.domains.pending_recheck_s * SECOND))


def seen_keys(keys: Sequence[DkimKey], findings: Sequence[Finding]) -> list[DkimKey]:
    """Return the waiting keys that DNS shows now: they may be signed with."""
    shown = {finding.record.key_id for finding in findings if finding.state is RecordState.OK}
    return [key for key in keys if key.state is KeyState.PENDING and key.id in shown]


def judged(before: Domain, keys: Sequence[DkimKey], findings: Sequence[Finding], at: Instant, pace: Pace) -> Domain:
    """Return the domain as it stands after a check."""
    proofs = [f.state for f in findings if f.record.purpose is Purpose.DKIM and f.record.required]
    domain = msgspec.structs.replace(before, checked_at=at, findings=tuple(findings))
    if RecordState.OK in proofs:
        verified_at = before.verified_at if before.state is DomainState.VERIFIED else at
        waiting = [key.created_at for key in keys if key.state is KeyState.PENDING]
        next_at = after(at, _waiting(pace, at - max(waiting)) if waiting else pace.settled)
        return msgspec.structs.replace(
            domain, state=DomainState.VERIFIED, verified_at=verified_at, failing_since=None, next_check_at=next_at
        )
    if RecordState.UNKNOWN in proofs:
        return msgspec.structs.replace(domain, next_check_at=after(at, pace.unsettled))
    since = before.failing_since if before.failing_since is not None else at
    wait = pace.unsettled if before.state is DomainState.VERIFIED else _waiting(pace, at - since)
    return msgspec.structs.replace(
        domain, state=_without_proof(before, since, at), failing_since=since, next_check_at=after(at, wait)
    )


def _without_proof(before: Domain, since: Instant, at: Instant) -> DomainState:
    patience = GRACE if before.state is DomainState.VERIFIED else PATIENCE
    return DomainState.FAILED if at - since >= patience else before.state


def _waiting(pace: Pace, age: int) -> int:
    """Return how long to wait for what has been waited for since `age`: a tenth of it, within the pace."""
    return max(pace.unsettled, min(pace.settled, age // _SHARE))
