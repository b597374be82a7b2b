"""What follows from one try: schedule, pauses, Retry-After."""

from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from postroad.features.egress import Answer, Failure, Trouble
from postroad.features.webhooks.schedule import DELAYS, KEPT_TRIES, Ruling, is_down, judge
from postroad.model.clock import DAY, HOUR, MINUTE, SECOND, Instant, to_datetime
from postroad.model.ids import WebhookId
from postroad.model.webhook import Health, Push, PushState

NOW = Instant(1_795_000_000_000_000)
PUSH = Push(webhook_id=WebhookId("whk_1"), seq=1, state=PushState.PENDING, next_at=NOW, created_at=NOW, updated_at=NOW)


def ruled(
    outcome: Answer | Failure, *, push: Push = PUSH, health: Health | None = None, now: Instant = NOW, draw: float = 0.5
) -> Ruling:
    return judge(push, outcome, health or Health(), began=NOW, now=now, draw=draw)


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    ruling = ruled(answer(status))
    assert (ruling.push.state, ruling.push.next_at, ruling.push.attempts) == (PushState.DELIVERED, None, 1)
    assert ruling.health == Health()


@pytest.mark.parametrize("status", [199, 300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 409, 422, 500, 503])
def test_anything_else_is_a_failure(status: int) -> None:
    ruling = ruled(answer(status))
    assert (ruling.push.state, ruling.push.next_at) == (PushState.PENDING, NOW + 5 * SECOND)
    assert ruling.health == Health(failures=1, failing_since=NOW)


def test_no_answer_is_a_failure_that_tells_why() -> None:
    ruling = ruled(Failure(Trouble.TIMEOUT, "Too slow."), now=Instant(NOW + 1_500))
    (told,) = ruling.push.history
    assert (told.trouble, told.detail, told.status, told.duration_ms) == ("timeout", "Too slow.", None, 2)


def test_ten_tries_over_75_hours_and_then_it_is_given_up() -> None:
    push, at, moments = PUSH, NOW, [0]
    while True:
        ruling = judge(push, answer(500), Health(), began=at, now=at, draw=0.5)
        push = ruling.push
        if push.next_at is None:
            break
        at = push.next_at
        moments.append(at - NOW)
    assert push.state is PushState.FAILED
    assert ruling.given_up
    assert len(moments) == len(push.history) == 10
    steps = [late - early for early, late in pairwise(moments)]
    assert steps == list(DELAYS)
    assert 75 * HOUR < moments[-1] < 76 * HOUR


@pytest.mark.parametrize(("draw", "delay"), [(0.0, 270), (0.5, 300), (1.0, 330)])
def test_delays_are_spread_by_a_tenth_either_way(draw: float, delay: int) -> None:
    ruling = ruled(answer(500), push=replace(PUSH, attempts=1), draw=draw)
    assert ruling.push.next_at == NOW + delay * SECOND


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", 120 * SECOND),
        ("999999999999", DAY),
        (format_datetime(to_datetime(Instant(NOW + 120 * SECOND)), usegmt=True), 120 * SECOND),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Wed, 18 Nov 2099 11:06:40", DAY),
        ("-5", 0),
        ("soon", 0),
        ("٣", 0),
        ("", 0),
    ],
)
def test_retry_after_moves_the_next_try_and_pauses_the_endpoint(header: str, wait: int) -> None:
    ruling = ruled(answer(503, retry_after=header))
    assert ruling.push.next_at == NOW + max(wait, 5 * SECOND)
    assert ruling.health.paused_until == (NOW + wait if wait else None)


@pytest.mark.parametrize("status", [429, 502, 504])
def test_an_overloaded_endpoint_is_left_alone_for_longer_and_longer(status: int) -> None:
    health, pauses = Health(), []
    for _ in range(9):
        health = ruled(answer(status), health=health).health
        assert health.paused_until is not None
        pauses.append((health.paused_until - NOW) // SECOND)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_an_endpoint_that_keeps_failing_is_down_and_probed() -> None:
    health, pauses = Health(), []
    for _ in range(13):
        health = ruled(answer(500), health=health).health
        pauses.append(0 if health.paused_until is None else (health.paused_until - NOW) // SECOND)
    assert pauses == [0, 0, 0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert is_down(health)
    assert health.failing_since == NOW


@pytest.mark.parametrize(("failures", "recovered"), [(0, False), (4, False), (5, True), (50, True)])
def test_a_success_clears_the_failures(failures: int, recovered: bool) -> None:
    ruling = ruled(answer(204), health=Health(failures=failures, failing_since=NOW, paused_until=NOW))
    assert (ruling.health, ruling.recovered) == (Health(), recovered)


def test_410_asks_for_nothing_more_and_the_event_is_kept() -> None:
    ruling = ruled(answer(410))
    assert ruling.gone
    assert (ruling.push.state, ruling.push.next_at) == (PushState.PENDING, NOW)


def test_only_the_latest_tries_are_kept_with_how_the_body_began() -> None:
    push = PUSH
    for n in range(KEPT_TRIES + 5):
        push = replace(ruled(answer(500, f"{n} \0 ".encode() + b"\xff" * 5000), push=push).push, attempts=0)
    assert len(push.history) == KEPT_TRIES
    assert push.history[-1].detail.startswith(f"{KEPT_TRIES + 4} \ufffd ")
    assert len(push.history[-1].detail) == 500
    assert ruled(answer(200, b"fine")).push.history[0].detail == ""


@given(st.text(max_size=60), st.integers(100, 599))
def test_no_header_of_an_endpoint_breaks_the_judge(header: str, status: int) -> None:
    ruling = ruled(answer(status, retry_after=header))
    if ruling.push.next_at is not None:
        assert NOW <= ruling.push.next_at <= NOW + DAY + MINUTE
