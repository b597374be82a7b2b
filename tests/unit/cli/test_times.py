from datetime import UTC, datetime

import pytest

from postroad.cli.asking import point_in_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", "2026-01-01T00:00:30+00:00"),
        ("90m", "2026-01-01T01:30:00+00:00"),
        ("2h", "2026-01-01T02:00:00+00:00"),
        ("30d", "2026-01-31T00:00:00+00:00"),
        ("1w", "2026-01-08T00:00:00+00:00"),
        ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00+00:00"),
    ],
)
def test_a_time_is_given_as_itself_or_as_a_span(text, expected):
    assert point_in_time(text, lambda: datetime(2026, 1, 1, tzinfo=UTC)) == expected
