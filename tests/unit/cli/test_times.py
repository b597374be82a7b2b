from datetime import UTC, datetime

import pytest

from postroad.cli.asking import point_in_time

NOW = "2031-05-01T12:00:00.000000Z"


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


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("send --from a@x.example --to b@y.example --text x --send-at 2h", "2031-05-01T14:00:00+00:00"),
        ("key create --expires 30d", "2031-05-31T12:00:00+00:00"),
        ("queue suspend --site google --until 90m", "2031-05-01T13:30:00+00:00"),
        ("suppression undo --since 3h", "2031-05-01T09:00:00+00:00"),
    ],
)
def test_a_span_is_counted_by_the_clock_of_the_server(postroad, server, command, told):
    server.answers.append({"now": NOW})
    postroad(*command.split())
    assert server.asked[0][0] == "clock.show"
    assert told in str(server.asked[1][1])
