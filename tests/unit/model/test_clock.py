"""Instants: whole microseconds, whatever the zone they were told in."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.clock import DAY, HOUR, MINUTE, SECOND, Instant, after, from_datetime, to_datetime, to_rfc3339

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES)  # noqa: DTZ001 - the zone is drawn


def test_spans_are_microseconds():
    assert (SECOND, MINUTE, HOUR, DAY) == (10**6, 60 * 10**6, 3600 * 10**6, 86_400 * 10**6)
    assert after(Instant(5), SECOND) == 1_000_005
    assert after(Instant(5), -5) == 0


def test_an_instant_is_written_with_microseconds_and_z():
    assert to_rfc3339(Instant(0)) == "1970-01-01T00:00:00.000000Z"
    assert to_rfc3339(Instant(1_795_000_000_000_001)) == "2026-11-18T11:06:40.000001Z"
    assert to_rfc3339(Instant(-1)) == "1969-12-31T23:59:59.999999Z"
    assert to_rfc3339(from_datetime(datetime(99, 1, 1, tzinfo=UTC))) == "0099-01-01T00:00:00.000000Z"


def test_a_time_without_a_zone_is_no_instant():
    with pytest.raises(ValueError, match="time zone"):
        from_datetime(datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is tested


@given(MOMENTS)
def test_a_moment_is_the_same_instant_in_every_zone(moment):
    at = from_datetime(moment)
    assert at == from_datetime(moment.astimezone(UTC))
    assert to_datetime(at) == moment
    assert to_datetime(at).tzinfo is UTC


@given(MOMENTS)
def test_the_written_form_is_read_back(moment):
    at = from_datetime(moment)
    assert from_datetime(datetime.fromisoformat(to_rfc3339(at))) == at


@given(MOMENTS, MOMENTS)
def test_the_written_form_sorts_by_time(one, other):
    one, other = from_datetime(one), from_datetime(other)
    assert (to_rfc3339(one) < to_rfc3339(other)) == (one < other)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_an_instant_beyond_what_can_be_written_is_shown_as_the_nearest_that_can(written, shown):
    assert to_rfc3339(from_datetime(datetime.fromisoformat(written))) == shown
