"""Lines: the queue as it is stood in.

A delivery stands in the line of its project and kind of mail, or, while its site takes nothing, in one for that site,
where it keeps nobody waiting.

A line's name says all: `0 prj_…` is transactional mail of a project, `1 prj_…` broadcast, `p1 prj_… google` broadcast
that waits for Google. All mail that is due and first in its line is found by stepping from line to line in one index,
however much stands behind it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import SECOND, Instant
from postroad.model.stream import PRECEDENCE, StreamKind
from postroad.store import bulk
from postroad.store.schema import deliveries

MOST_LINES = 5000
_DUE = "state IN ('scheduled', 'queued', 'deferred')"
_PARKED = "p"
_PLACES = {kind: str(place) for place, kind in enumerate(PRECEDENCE)}
_BEHIND_ALL = "q"
"""Follows the names of all lines, in every collation."""
_SLACK = 10 * SECOND
"""A head is no later than this ago: clocks of nodes differ, and what is due now may be committed a little later."""
_WORTH = 500
"""So many have to leave a line before its head is worth knowing."""
_MOST_HEADS = 200
_EVERY = 30 * SECOND
"""How often a survey looks before the heads, for what has come in with an earlier time after all."""


class Line(msgspec.Struct, frozen=True):
    """A line with somebody in it."""

    name: str
    first_at: Instant
    """When the first in it is due."""

    @property
    def parked(self) -> bool:
        """Whether it is of mail that waits for something."""
        return self.name[0] == _PARKED

    @property
    def kind(self) -> StreamKind:
        """Which kind of mail stands in it."""
        return PRECEDENCE[int(self.name[self.parked])]

    @property
    def project(self) -> str:
        """Whose mail stands in it."""
        return self.name.split(" ", 2)[1]

    @property
    def key(self) -> str:
        """What it waits for; empty when for nothing."""
        return self.name.split(" ", 2)[2] if self.parked else ""


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """A delivery that is due: what decides whether it may be taken now."""

    id: str
    project_id: str
    domain: str
    stream: str
    mode: str


def line_of(kind: StreamKind, project: str) -> str:
    """Return the line in which mail of a project stands."""
    return f"{_PLACES[kind]} {project}"


def parked_line(line: str, key: str) -> str:
    """Return the line in which mail of the given plain line waits for `key`."""
    return f"{_PARKED}{line} {key}"


class Heads:
    """Where the lines that moved far begin: a hint with which a survey need not step over what has left them.

    PostgreSQL keeps an index entry for what was taken until it is vacuumed away, and must look at the row of each one
    as long as any snapshot is older: a hundred thousand for one look. SQLite keeps none.
    """

    def __init__(self) -> None:
        """Begin with knowing nothing."""
        self._left: Counter[str] = Counter()
        self._heads: dict[str, Instant] = {}
        self._looked_at = Instant(0)

    def known(self, now: Instant) -> Mapping[str, Instant]:
        """Return the heads to begin with; none now and then, so that nothing stays behind one."""
        if abs(now - self._looked_at) >= _EVERY:
            self._looked_at = now
            return {}
        return dict(self._heads)

    def learn(self, left: Mapping["Line", int], now: Instant) -> None:
        """Note how many have left which lines, as they were surveyed, in a transaction that is committed."""
        for line, count in left.items():
            self._left[line.name] += count
            if self._left[line.name] >= _WORTH:
                self._heads.pop(line.name, None)
                self._heads[line.name] = min(line.first_at, Instant(now - _SLACK))
        if len(self._heads) > _MOST_HEADS:
            del self._heads[next(iter(self._heads))]
        if len(self._left) > MOST_LINES:
            self._left.clear()


def survey(
    connection: Connection, *, beyond: str = "", most: int | None = None, heads: Mapping[str, Instant] | None = None
) -> list[Line]:
    """Return the lines with somebody in them in the order of their names, the next `most` beyond one.

    Costs a step or two in the index for each line, and nothing for those who stand behind the first. With `heads`
    lines are not looked at before them.
    """
    limit = MOST_LINES if most is None else most
    if connection.dialect.name == "sqlite":
        rows = bulk.run(connection, _SURVEY, (beyond, limit))
    elif not heads:
        rows = bulk.run(connection, _SURVEY_LATERAL, (beyond, limit))
    else:
        rows = bulk.run(connection, _SURVEY_FROM_HEADS, (list(heads), list(heads.values()), beyond, beyond, limit))
    return [Line(row[0], Instant(row[1])) for row in rows if row[1] is not None]


_SURVEY = (
    "WITH RECURSIVE found (line) AS ("  # noqa: S608 - texts of ours
    f"SELECT min(line) FROM deliveries WHERE {_DUE} AND line > ? UNION ALL "
    f"SELECT (SELECT min(d.line) FROM deliveries d WHERE d.{_DUE} AND d.line > found.line) FROM found "
    "WHERE found.line IS NOT NULL) "
    f"SELECT line, (SELECT min(d.next_at) FROM deliveries d WHERE d.{_DUE} AND d.line = found.line) "
    "FROM found WHERE line IS NOT NULL LIMIT ?"
)
_SURVEY_LATERAL = (
    "WITH RECURSIVE found (line, first_at) AS (("  # noqa: S608 - texts of ours
    f"SELECT d.line, d.next_at FROM deliveries d WHERE d.{_DUE} AND d.line > ? ORDER BY d.line, d.next_at LIMIT 1) "
    "UNION ALL SELECT step.line, step.next_at FROM found, LATERAL (SELECT d.line, d.next_at FROM deliveries d "
    f"WHERE d.{_DUE} AND d.line > found.line ORDER BY d.line, d.next_at LIMIT 1) AS step) "
    "SELECT line, first_at FROM found LIMIT ?"
)
"""The same with one step for each line, as SQLite cannot."""
_SURVEY_FROM_HEADS = (
    "WITH RECURSIVE known AS MATERIALIZED ("  # noqa: S608 - texts of ours
    "SELECT coalesce(array_agg(line ORDER BY line), '{}') AS names, array_agg(head ORDER BY line) AS heads "
    "FROM unnest(?::text[], ?::bigint[]) AS k (line, head) WHERE line > ?), "
    "found (line, first_at, n) AS (SELECT ?::text, NULL::bigint, 1 UNION ALL "
    "SELECT step.line, step.first_at, step.n FROM found, known, LATERAL ("
    f"(SELECT d.line, d.next_at AS first_at, found.n AS n FROM deliveries d WHERE d.{_DUE} AND d.line > found.line "
    f"AND d.line < coalesce(known.names[found.n], '{_BEHIND_ALL}') ORDER BY d.line, d.next_at LIMIT 1) "
    f"UNION ALL SELECT known.names[found.n], (SELECT d.next_at FROM deliveries d WHERE d.{_DUE} "
    "AND (d.line, d.next_at) >= (known.names[found.n], known.heads[found.n]) AND d.line <= known.names[found.n] "
    "ORDER BY d.line, d.next_at LIMIT 1), found.n + 1 "
    "WHERE found.n <= cardinality(known.names) LIMIT 1) AS step) "
    "SELECT line, first_at FROM found WHERE first_at IS NOT NULL LIMIT ?"
)
"""Steps from a line to the first of those before the next one with a known head, or else to that one, from its head."""


def first(connection: Connection, line: Line, now: Instant, limit: int) -> list[Candidate]:
    """Return the first of a surveyed line that are due, and keep other nodes off them until this transaction ends."""
    sqlite = connection.dialect.name == "sqlite"
    rows = bulk.run(
        connection,
        _FIRST if sqlite else f"{_FIRST} FOR UPDATE SKIP LOCKED",
        (line.name, line.first_at, line.name, now, limit),
    )
    return [Candidate(*row) for row in rows]


_FIRST = (
    f"SELECT id, project_id, domain, stream, mode FROM deliveries WHERE {_DUE} "  # noqa: S608 - texts of ours
    "AND (line, next_at) >= (?, ?) AND (line, next_at) <= (?, ?) ORDER BY line, next_at LIMIT ?"
)
"""In pairs, so that the index of lines alone gives the order. That of all that is due has everybody's mail in it, and
where one line was nearly all of the queue when it was last analysed PostgreSQL takes it for just as good."""


def overdue(connection: Connection, now: Instant, limit: int) -> list[str]:
    """Return deliveries whose time is over while they wait for a site, and keep other nodes off them."""
    locked = " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    rows = bulk.run(
        connection,
        f"SELECT id FROM deliveries WHERE {_DUE} AND line >= 'p' AND expires_at <= ? LIMIT ?{locked}",  # noqa: S608 - texts of ours
        (now, limit),
    )
    return [row[0] for row in rows]


def park(connection: Connection, lines: Sequence[tuple[str, str]]) -> None:
    """Let deliveries wait in other lines: pairs of delivery and line."""
    bulk.update(connection, deliveries, keys=("id",), columns=("line",), rows=lines)
