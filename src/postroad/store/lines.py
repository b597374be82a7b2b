"""Lines: the queue as it is stood in.

A delivery stands in the line of its project and kind of mail, or, while its site takes nothing, in one for that site,
where it keeps nobody waiting.

A line's name says all: `0 prj_…` is transactional mail of a project, `1 prj_…` broadcast, `p1 prj_… google` broadcast
that waits for Google. All mail that is due and first in its line is found by stepping from line to line in one index,
however much stands behind it.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.stream import PRECEDENCE, StreamKind
from postroad.store import bulk
from postroad.store.schema import deliveries

MOST_LINES = 5000
_DUE = "state IN ('scheduled', 'queued', 'deferred')"
_PARKED = "p"
_PLACES = {kind: str(place) for place, kind in enumerate(PRECEDENCE)}


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


def survey(connection: Connection, *, beyond: str = "", most: int | None = None) -> list[Line]:
    """Return the lines with somebody in them in the order of their names, the next `most` beyond one.

    Costs two steps in the index for each line, and nothing for those who stand behind the first.
    """
    rows = bulk.run(
        connection,
        "WITH RECURSIVE found (line) AS ("  # noqa: S608 - texts of ours
        f"SELECT min(line) FROM deliveries WHERE {_DUE} AND line > ? UNION ALL "
        f"SELECT (SELECT min(d.line) FROM deliveries d WHERE d.{_DUE} AND d.line > found.line) FROM found "
        "WHERE found.line IS NOT NULL) "
        f"SELECT line, (SELECT min(d.next_at) FROM deliveries d WHERE d.{_DUE} AND d.line = found.line) "
        "FROM found WHERE line IS NOT NULL LIMIT ?",
        (beyond, MOST_LINES if most is None else most),
    )
    return [Line(row[0], Instant(row[1])) for row in rows if row[1] is not None]


def first(connection: Connection, line: str, now: Instant, limit: int) -> list[Candidate]:
    """Return the first of a line that are due, and keep other nodes off them until this transaction ends."""
    locked = " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    rows = bulk.run(
        connection,
        f"SELECT id, project_id, domain, stream, mode FROM deliveries WHERE {_DUE} AND line = ? AND next_at <= ? "  # noqa: S608 - texts of ours
        f"ORDER BY next_at LIMIT ?{locked}",
        (line, now, limit),
    )
    return [Candidate(*row) for row in rows]


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
