"""What is suspended now, as the road asks for it: in memory, read again on each change and by a timer.

With nothing suspended, a question costs one look at an empty tuple. What another node changes is known here a few
seconds later.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from postroad.model.clock import Clock
from postroad.model.errors import Unavailable
from postroad.model.suspension import ANY, Suspension
from postroad.store import suspensions
from postroad.store.database import Database

_log = structlog.get_logger("postroad.suspensions")
_EVERY_S = 3.0

Subject = tuple[str, str, str]
"""Site, project and stream, each of which may be `*`."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What need not be leased, because all of it is suspended."""

    everything: bool = False
    projects: frozenset[str] = frozenset()
    streams: frozenset[tuple[str, str]] = frozenset()
    """Project and stream; the project may be `*`."""
    sites: frozenset[str] = frozenset()
    """Keys of sites, or recipient domains."""


class Suspensions:
    """The suspensions in force, for look-ups that cost nothing to speak of."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Build the view, empty until it is refreshed."""
        self._database = database
        self._clock = clock
        self._found: dict[Subject, Suspension] = {}
        self._shapes: tuple[tuple[bool, bool, bool], ...] = ()
        self._listeners: list[Callable[[], None]] = []
        self._reading = asyncio.Lock()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever something was suspended or resumed, or a suspension lapsed."""
        self._listeners.append(listener)

    def find(self, project_id: str, stream: str, *sites: str) -> Suspension | None:
        """Return what keeps mail of a project and stream back, or None: go on.

        `sites` are the names under which its destination may be suspended: the site's key, where it is known, and
        the recipient's domain. Without any, only what holds for every site counts.
        """
        if not self._shapes:
            return None
        now = self._clock.now()
        for by_site, by_project, by_stream in self._shapes:
            for site in sites if by_site else (ANY,):
                found = self._found.get((site, project_id if by_project else ANY, stream if by_stream else ANY))
                if found is not None and found.holds_at(now):
                    return found
        return None

    def partly(self, site: str) -> bool:
        """Whether mail of some project or stream to a site is kept back."""
        now = self._clock.now()
        return any(each.site == site and each.holds_at(now) for each in self._found.values())

    def waiting(self) -> Waiting:
        """Return what a lease can leave out by its project, its stream or its destination alone."""
        if not self._shapes:
            return Waiting()
        now = self._clock.now()
        subjects = [subject for subject, suspension in self._found.items() if suspension.holds_at(now)]
        return Waiting(
            everything=(ANY, ANY, ANY) in subjects,
            projects=frozenset([p for site, p, stream in subjects if (site, stream) == (ANY, ANY) and p != ANY]),
            streams=frozenset([(p, stream) for site, p, stream in subjects if site == ANY and stream != ANY]),
            sites=frozenset([site for site, p, stream in subjects if (p, stream) == (ANY, ANY) and site != ANY]),
        )

    async def refresh(self) -> None:
        """Read what is suspended now."""
        async with self._reading:
            now = self._clock.now()
            listed = await self._database.read(lambda connection: suspensions.in_force(connection, now))
            found: dict[Subject, Suspension] = {}
            for each in listed:
                subject = (each.site, each.project_id, each.stream)
                known = found.get(subject)
                if known is None or _outlasts(each, known):
                    found[subject] = each
            changed = found.keys() != self._found.keys()
            self._found = found
            self._shapes = tuple(sorted({(s != ANY, p != ANY, stream != ANY) for s, p, stream in found}))
        if changed:
            for listener in self._listeners:
                listener()

    async def run(self) -> None:
        """Read what other nodes have changed, again and again."""
        while True:
            try:
                await self.refresh()
            except Unavailable:
                _log.warning("suspensions_unread")
            await asyncio.sleep(_EVERY_S)


def _outlasts(one: Suspension, other: Suspension) -> bool:
    return other.until is not None and (one.until is None or one.until > other.until)
