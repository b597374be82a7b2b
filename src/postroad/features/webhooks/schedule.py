"""What follows from a try to deliver an event: the schedule of one push, and the pauses of its endpoint. Pure.

A push has its own schedule, so that one event that an endpoint cannot digest holds up no other. An endpoint that fails
over and over is down: it is then probed with one event at a time and longer and longer pauses, the rest stays in the
log, and the first success lets everything go that waits.
"""

import math
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from msgspec.structs import replace

from postroad.features.egress import Answer, Failure
from postroad.model.clock import DAY, HOUR, MINUTE, SECOND, Instant, after, from_datetime
from postroad.model.webhook import Health, Push, PushState, Try

DELAYS: Final = (
    5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
)  # fmt: skip
"""Between the tries, the first of which is at once: ten tries over 75 hours (Standard Webhooks, "Deliverability")."""

JITTER: Final = 0.1
DOWN_AFTER: Final = 5
"""Failures in a row after which an endpoint counts as down."""
LONGEST_PROBE: Final = 5 * MINUTE
LONGEST_RETRY_AFTER: Final = DAY
KEPT_TRIES: Final = 20
_KEPT_CHARACTERS: Final = 500
_THROTTLING: Final = frozenset({429, 502, 504})
_GONE: Final = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What is written down after a try."""

    push: Push
    health: Health
    recovered: bool = False
    """Whether the endpoint was down and is back."""
    gone: bool = False
    """Whether it asked for nothing more to be sent."""
    given_up: bool = False
    """Whether the schedule of this event is used up."""


def is_down(health: Health) -> bool:
    """Whether an endpoint is only probed."""
    return health.failures >= DOWN_AFTER


def judge(
    push: Push, outcome: Answer | Failure, health: Health, *, began: Instant, now: Instant, draw: float
) -> Ruling:
    """Return what follows from one try.

    Args:
        push: as it was before.
        outcome: what the endpoint answered; only 2xx counts as taken, so a redirect is a failure.
        health: of the endpoint, as of now.
        began: when the request began.
        now: when its outcome was known.
        draw: chance, from 0 to 1, for the jitter.
    """
    tried = replace(
        push,
        attempts=push.attempts + 1,
        updated_at=now,
        history=(*push.history, _try(outcome, began, now))[-KEPT_TRIES:],
    )
    if isinstance(outcome, Answer) and outcome.status // 100 == 2:
        done = replace(tried, state=PushState.DELIVERED, next_at=None)
        return Ruling(push=done, health=Health(), recovered=is_down(health))
    if isinstance(outcome, Answer) and outcome.status == _GONE:
        # Kept, so that nothing is lost should the owner switch the endpoint on again.
        return Ruling(push=replace(tried, next_at=now), health=_worse(health, now, 0), gone=True)
    wished = _retry_after(outcome, now)
    worse = _worse(health, now, max(wished, _pause(outcome, health.failures + 1)))
    if push.attempts >= len(DELAYS):
        return Ruling(push=replace(tried, state=PushState.FAILED, next_at=None), health=worse, given_up=True)
    delay = int(DELAYS[push.attempts] * (1 + JITTER * (2 * draw - 1)))
    return Ruling(push=replace(tried, next_at=after(now, max(delay, wished))), health=worse)


def _worse(health: Health, now: Instant, pause: int) -> Health:
    return Health(
        failures=health.failures + 1,
        failing_since=now if health.failing_since is None else health.failing_since,
        paused_until=after(now, pause) if pause else None,
    )


def _pause(outcome: Answer | Failure, failures: int) -> int:
    """Return for how long nothing is sent to the endpoint: when it is down, and when it says that it is overloaded."""
    overloaded = isinstance(outcome, Answer) and outcome.status in _THROTTLING
    steps = failures - (1 if overloaded else DOWN_AFTER)
    return 0 if steps < 0 else min(5 * SECOND << min(steps, 10), LONGEST_PROBE)


def _retry_after(outcome: Answer | Failure, now: Instant) -> int:
    """Return how long the endpoint asked to be left alone, in microseconds (RFC 9110 §10.2.3)."""
    text = outcome.headers.get("retry-after", "").strip() if isinstance(outcome, Answer) else ""
    if text.isascii() and text.isdecimal():
        return min(int(text[:9]) * SECOND, LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return 0
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0, min(from_datetime(moment) - now, LONGEST_RETRY_AFTER))


def _try(outcome: Answer | Failure, began: Instant, now: Instant) -> Try:
    took = math.ceil((now - began) / 1000)
    if isinstance(outcome, Failure):
        return Try(at=began, duration_ms=took, trouble=outcome.trouble.value, detail=outcome.detail)
    taken = outcome.status // 100 == 2
    detail = "" if taken else outcome.body[: 4 * _KEPT_CHARACTERS].decode("utf-8", "replace")[:_KEPT_CHARACTERS]
    return Try(at=began, duration_ms=took, status=outcome.status, detail=detail.replace("\0", "\ufffd"))
