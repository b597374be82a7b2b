"""Rate limits: a bucket for each key."""

from __future__ import annotations

import pytest

from postroad.http.limits import Buckets
from postroad.model.errors import Unavailable


class Ticks:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_served_and_then_refused_until_a_token_is_back() -> None:
    ticks = Ticks()
    buckets = Buckets(per_second=2, burst=3, monotonic=ticks)
    assert [round(buckets.take("a")[0]) for _ in range(3)] == [2, 1, 0]
    with pytest.raises(Unavailable) as refused:
        buckets.take("a")
    assert (refused.value.code, refused.value.retry_after_s) == ("rate_limited", 1)
    ticks.now += 0.5
    assert buckets.take("a")[0] == 0


def test_a_refusal_tells_too_where_the_client_stands() -> None:
    buckets = Buckets(per_second=2, burst=3, monotonic=Ticks())
    told: list[tuple[bytes, bytes]] = []
    for _ in range(3):
        buckets.charge("a", told)
    with pytest.raises(Unavailable):
        buckets.charge("a", told)
    assert [value for name, value in told if name == b"ratelimit"] == [
        b'"key";r=2;t=1', b'"key";r=1;t=2', b'"key";r=0;t=2', b'"key";r=0;t=2',
    ]  # fmt: skip


def test_one_key_does_not_pay_for_another() -> None:
    buckets = Buckets(per_second=1, burst=1, monotonic=Ticks())
    buckets.take("a")
    assert buckets.take("b")[0] == 0


def test_a_rest_fills_a_bucket_no_further_than_its_burst() -> None:
    ticks = Ticks()
    buckets = Buckets(per_second=10, burst=2, monotonic=ticks)
    buckets.take("a")
    ticks.now += 1000
    assert buckets.take("a")[0] == 1


def test_buckets_that_are_full_again_are_forgotten_when_there_are_too_many() -> None:
    ticks = Ticks()
    buckets = Buckets(per_second=1, burst=1, monotonic=ticks)
    for n in range(10_000):
        buckets.take(f"key{n}")
    ticks.now += 2
    buckets.take("last")
    assert len(buckets._levels) == 1


def test_when_no_bucket_is_full_again_all_are_forgotten_rather_than_kept_without_end() -> None:
    buckets = Buckets(per_second=1, burst=1, monotonic=Ticks())
    for n in range(10_001):
        buckets.take(f"key{n}")
    assert len(buckets._levels) == 1


def test_the_headers_tell_policy_and_what_is_left() -> None:
    buckets = Buckets(per_second=10, burst=20, monotonic=Ticks())
    assert buckets.headers(*buckets.take("a")) == [
        (b"ratelimit-policy", b'"key";q=20;w=2'),
        (b"ratelimit", b'"key";r=19;t=1'),
    ]
