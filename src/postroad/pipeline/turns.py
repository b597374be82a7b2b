"""Whose turn it is in the queue.

Transactional mail goes before broadcast, project by project, and nothing for which there is no room where it goes.

A chooser works within one transaction on the store's own thread, so it only looks: what it has let through it counts
for itself.
"""

from collections import Counter
from collections.abc import Sequence

from postroad.model.clock import Clock, Instant
from postroad.model.stream import PRECEDENCE, StreamKind
from postroad.model.suspension import ANY
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.shaping.site import Site
from postroad.pipeline.suspensions import Suspensions, Waiting
from postroad.store.deliveries import Rank
from postroad.store.lines import Candidate, Line

_ALL = 1 << 30
_UNKNOWN = 64
"""Room at a site that nothing is known of."""
_OF_STREAM = "~"


class Turns:
    """Makes choosers, and remembers between them who had the last turn."""

    def __init__(self, shaping: Shaping, suspensions: Suspensions | None, clock: Clock) -> None:
        """Take what knows of room and of suspensions."""
        self._shaping = shaping
        self._suspensions = suspensions
        self._clock = clock
        self._last = Choosing(shaping, suspensions, Instant(0), 0.0, {})

    def choose(self, now_s: float) -> "Choosing":
        """Return the chooser of one transaction; asked again, one that begins anew."""
        fresh = Choosing(self._shaping, self._suspensions, self._clock.now(), now_s, self._last.served)
        self._last = fresh
        return fresh

    @property
    def last(self) -> "Choosing":
        """The chooser that was made last."""
        return self._last

    def wait_us(self, now_s: float) -> int | None:
        """Return how long until what found no room may find it by time alone, or None."""
        now = self._clock.now()
        waits = [site.wait_us(kind, now, now_s) for site, kind in self._last.short]
        return min([wait for wait in waits if wait > 0], default=None)


class Choosing:
    """The choice of one transaction."""

    def __init__(
        self,
        shaping: Shaping,
        suspensions: Suspensions | None,
        now: Instant,
        now_s: float,
        served: dict[StreamKind, str],
    ) -> None:
        self._shaping = shaping
        self._suspensions = suspensions
        self._waiting = Waiting() if suspensions is None else suspensions.waiting()
        self._now = now
        self._now_s = now_s
        self._rooms: dict[tuple[str, StreamKind, str], int] = {}
        self._taken: Counter[str] = Counter()
        self.served = dict(served)
        """By kind of mail, the project that had the last turn."""
        self.short: dict[tuple[Site, StreamKind], int] = {}
        """Sites that had no room for somebody, and how much of theirs was in hand then, with what was let through."""
        self.projects: frozenset[str] = frozenset()
        """Projects that have mail that is due."""

    def fell_short(self) -> dict[Site, int]:
        """Return the sites that had no room, with how much of each was in hand then."""
        return {site: held for (site, _), held in self.short.items()}

    def ranks(self, found: Sequence[Line]) -> Sequence[Rank]:
        """Return the lines by kind, beginning after the project that had the last turn."""
        if self._waiting.everything:
            return []
        lines = [line for line in found if line.project not in self._waiting.projects]
        self.projects = frozenset([line.project for line in lines])
        return [
            rank for kind in PRECEDENCE if (rank := self._rank(kind, [line for line in lines if line.kind is kind]))
        ]

    def _rank(self, kind: StreamKind, lines: list[Line]) -> Rank:
        """Return the lines of one kind that can move: of a project, first what has waited for its site."""
        lines.sort(key=lambda line: (line.project, not line.parked, line.first_at))
        last = self.served.get(kind, "")
        after = [line for line in lines if line.project > last]
        ordered = after + lines[: len(lines) - len(after)]
        return [(line, most) for line in ordered if (most := self._most(line)) > 0]

    def _most(self, line: Line) -> int:
        """Return how many may be taken from a line at the most."""
        if not line.parked:
            return _ALL
        name, _, stream = line.key.partition(_OF_STREAM)
        names = (name,) if name else ()
        if self._suspensions is not None and self._suspensions.find(line.project, stream, *names) is not None:
            return 0
        return self._left(name, self._shaping.known(name), line.kind, line.project) if name else _ALL

    def wait_for(self, line: Line, candidate: Candidate) -> str | None:
        """Return the site, or the stream, that a delivery has to wait for."""
        project, domain, stream = candidate.project_id, candidate.domain, candidate.stream
        site = self._shaping.look(project, domain, candidate.mode)
        name = domain if site is None else site.name
        if self._suspensions is not None:
            found = self._suspensions.find(project, stream, name, domain)
            if found is not None:
                return self._key(found.site, found.stream, stream)
        if self._left(name, site, line.kind, project) <= 0:
            return name
        self._taken[name] += 1
        self.served[line.kind] = project
        return None

    @staticmethod
    def _key(site: str, suspended: str, stream: str) -> str:
        return ("" if site == ANY else site) + ("" if suspended == ANY else f"{_OF_STREAM}{stream}")

    def _left(self, name: str, site: Site | None, kind: StreamKind, project: str) -> int:
        """Return how much room a site has left."""
        if site is None:
            return _UNKNOWN - self._taken[name]
        key = (site.name, kind, project)
        room = self._rooms.get(key)
        if room is None:
            room = self._rooms[key] = site.room(kind, project, self._now, self._now_s)
        left = room - self._taken[site.name]
        if left <= 0:
            self.short.setdefault((site, kind), site.held + self._taken[site.name])
        return left
