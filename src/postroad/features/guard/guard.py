"""The guard itself: follows the log, weighs what it counted, warns, and pauses."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import msgspec
import structlog

from postroad.config.guard import Guard as Settings
from postroad.features.guard.counting import Key, counted
from postroad.features.guard.weighing import PROJECT, REMEDIES, Finding, weigh
from postroad.features.suppressions import Softening
from postroad.model.clock import HOUR, Clock, Instant
from postroad.model.errors import Flaw, Refused, Unavailable
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import Mint, ProjectId, SuspensionId
from postroad.model.reputation import BUCKET, Counts, Rate, Thresholds
from postroad.model.stream import Stream, StreamKind
from postroad.model.suspension import Suspension, SuspensionCause
from postroad.store import Connection, audit, suspensions
from postroad.store import reputation as store
from postroad.store.database import Database
from postroad.store.reputation import ALL, Standing

_log = structlog.get_logger("postroad.guard")
_EVERY_S: Final = 5.0
_PART: Final = 20_000
_SITES: Final = 200
"""Sites of a project that have counters of their own in one bucket; further ones count together."""
_OTHER: Final = "other"
_EASE: Final = 0.8
"""What was warned of is told again only after its rate had fallen below this share of the level."""


class Streams(Protocol):
    """Who knows a project's streams."""

    async def listed(self, project_id: ProjectId) -> list[Stream]:
        """Return the streams of a project."""
        ...


class ThresholdChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a project is to have of its own; None leaves it as it is."""

    hard_bounce_warn: float | None = None
    hard_bounce_pause: float | None = None
    block_warn: float | None = None
    block_pause: float | None = None
    complaint_warn: float | None = None
    complaint_pause: float | None = None
    least: int | None = None
    pause: bool | None = None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the mail of a stream, or to a site."""

    name: str
    day: Counts
    """Over the window of hard bounces and blocks."""
    week: Counts
    """Over the window of complaints."""


class GuardShown(msgspec.Struct, frozen=True, kw_only=True):
    """How a project stands."""

    thresholds: Thresholds
    own: tuple[str, ...]
    """Those that the project has of its own."""
    counted_from: Instant | None
    """Since when mail is judged, when that is shorter than the windows: since the last pause."""
    streams: list[Shown]
    sites: list[Shown]
    findings: list[Finding]
    paused: list[Suspension]


class Guard:
    """Watches over the reputation of all projects."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        mint: Mint,
        settings: Settings,
        *,
        streams: Streams,
        changed: Callable[[], Awaitable[None]],
        told: Callable[[], None],
        softening: Softening | None = None,
    ) -> None:
        """Build the guard.

        `changed` lets the road see what is suspended, `told` follows on events; `softening` hears of the same ends of
        deliveries.
        """
        self._softening = softening
        self._database = database
        self._clock = clock
        self._mint = mint
        self._settings = settings
        self._streams = streams
        self._changed = changed
        self._told = told

    async def run(self) -> None:
        """Follow the log every few seconds, until canceled."""
        while self._settings.enabled or self._softening is not None:
            try:
                while await self.follow():
                    pass
                if self._softening is not None:
                    await self._softening.mend()
            except Unavailable:
                _log.warning("guard_waits")
            await asyncio.sleep(_EVERY_S)

    async def follow(self) -> bool:
        """Count the next part of the log and act on it; False when it went to the end.

        What came meanwhile waits for the next time, or under load this would never come to an end.
        """
        part = await self._database.read(lambda c: store.step(c, _PART))
        if part is None:
            return False
        counts = await self._bounded(counted(part))
        if await self._database.write(lambda c: store.count(c, part, counts)):
            for project in sorted({key[0] for key in counts}) if self._settings.enabled else ():
                await self._weigh(ProjectId(project))
            if self._softening is not None:
                await self._softening.heard(part.ends)
        return part.last - part.before >= _PART

    async def show(self, project_id: ProjectId) -> GuardShown:
        """Return how a project stands."""
        standing = await self._database.read(lambda c: store.standing(c, project_id))
        findings = await self._weighed(project_id, standing)
        streams = await self._windows(project_id, 0, store.by_stream)
        sites = await self._windows(project_id, 0, store.by_site)
        now = self._clock.now()
        paused = await self._database.read(lambda c: suspensions.in_force(c, now, project_id))
        began = standing.counted_from * BUCKET
        return GuardShown(
            thresholds=self._thresholds(standing),
            own=tuple(standing.thresholds),
            counted_from=Instant(began) if began > self._since(self._settings.complaint_window_hours) else None,
            streams=[_shown(name, windows) for name, windows in sorted(streams.items())],
            sites=[
                _shown(name, windows)
                for name, windows in sorted(sites.items(), key=lambda site: (-site[1][Rate.COMPLAINT].sent, site[0]))
            ],
            findings=findings,
            paused=[each for each in paused if each.cause is SuspensionCause.GUARD],
        )

    async def adjust(
        self, project_id: ProjectId, change: ThresholdChange, *, author: str, reset: bool = False
    ) -> GuardShown:
        """Give a project thresholds of its own, or with `reset` those of the settings again.

        Raises:
            Refused: a share that is none.
        """
        given = msgspec.to_builtins(change)
        flaws = [
            Flaw(f"/{name}", "A share is from 0 to 1.") if name != "least" else Flaw("/least", "This is 1 or more.")
            for name, value in given.items()
            if name != "pause" and not (value >= 1 if name == "least" else 0 <= value <= 1)
        ]
        if flaws:
            raise Refused("invalid_request", "The thresholds are not valid.", flaws=flaws)
        entry = audit.Entry(
            project_id=project_id, at=self._clock.now(), actor=author, action="guard.set", subject=project_id,
            data={"reset": reset, **given},
        )  # fmt: skip

        def write(connection: Connection) -> None:
            known = store.standing(connection, project_id)
            own = {**({} if reset else known.thresholds), **given}
            store.remember(connection, project_id, Standing(known.counted_from, known.warned, own), entry=entry)

        await self._database.write(write)
        return await self.show(project_id)

    # --- weighing ----------------------------------------------------------------------------------------------------

    async def _weigh(self, project_id: ProjectId) -> None:
        """Warn of what is newly bad, and pause broadcast mail when it is bad enough."""
        standing = await self._database.read(lambda c: store.standing(c, project_id))
        streams = await self._windows(project_id, standing.counted_from, store.by_stream)
        sites = await self._windows(project_id, standing.counted_from, store.by_site)
        findings = self._findings(standing, streams, sites)
        eased = self._findings(standing, streams, sites, ease=_EASE)
        kept = {finding.name for finding in eased} & set(standing.warned)
        names = tuple(sorted({finding.name for finding in findings} | kept))
        broadcast = [s.name for s in await self._streams.listed(project_id) if s.kind is StreamKind.BROADCAST]
        cause = self._grave(findings, broadcast, streams)
        if cause is not None and self._thresholds(standing).pause and not await self._is_paused(project_id):
            await self._pause(project_id, standing, cause, broadcast)
        elif names != standing.warned:
            fresh = [finding for finding in findings if finding.name not in standing.warned]
            told = [self._event(project_id, EventType.GUARD_WARNED, finding) for finding in fresh]
            new = Standing(standing.counted_from, names, standing.thresholds)
            await self._database.write(lambda c: store.remember(c, project_id, new, told=told))
            self._told()

    async def _weighed(self, project_id: ProjectId, standing: Standing) -> list[Finding]:
        streams = await self._windows(project_id, standing.counted_from, store.by_stream)
        sites = await self._windows(project_id, standing.counted_from, store.by_site)
        return self._findings(standing, streams, sites)

    def _findings(
        self,
        standing: Standing,
        streams: Mapping[str, Mapping[Rate, Counts]],
        sites: Mapping[str, Mapping[Rate, Counts]],
        *,
        ease: float = 1.0,
    ) -> list[Finding]:
        """Return what is bad; with `ease` below 1, also what has not become better than that share of a level."""
        thresholds = self._thresholds(standing)
        whole = {rate: _sum([windows[rate] for windows in streams.values()]) for rate in Rate}
        found = list(weigh(PROJECT, whole, thresholds, ease))
        for name, windows in streams.items():
            found += weigh(f"stream {name}", windows, thresholds, ease)
        for name, windows in sites.items():
            found += weigh(f"site {name}", windows, thresholds, ease)
        return found

    def _grave(
        self, findings: list[Finding], broadcast: list[str], streams: Mapping[str, Mapping[Rate, Counts]]
    ) -> Finding | None:
        """Return the finding for which broadcast mail is paused: one of a broadcast stream, or of the whole project.

        The whole counts only while broadcast mail is part of it: pausing what is not sent would mend nothing.
        """
        sent = any(name in streams and streams[name][Rate.COMPLAINT].sent for name in broadcast)
        subjects = [f"stream {name}" for name in broadcast] + ([PROJECT] if sent else [])
        return next((finding for finding in findings if finding.serious and finding.subject in subjects), None)

    async def _is_paused(self, project_id: ProjectId) -> bool:
        now = self._clock.now()
        found = await self._database.read(lambda c: suspensions.in_force(c, now, project_id))
        return any(each.cause is SuspensionCause.GUARD for each in found)

    async def _pause(self, project_id: ProjectId, standing: Standing, cause: Finding, broadcast: list[str]) -> None:
        now = self._clock.now()
        lasting = self._settings.resume_after_hours
        until = Instant(now + int(lasting * HOUR)) if lasting else None
        pauses = [
            Suspension(
                id=SuspensionId(self._mint("ssp")),
                project_id=project_id,
                stream=name,
                cause=SuspensionCause.GUARD,
                reason=f"{cause.sentence} {REMEDIES[cause.rate]}",
                author="system",
                created_at=now,
                until=until,
                evidence={
                    "rate": cause.rate.value, "subject": cause.subject, "count": cause.count, "of": cause.of,
                    "threshold": cause.threshold,
                },
            )
            for name in broadcast
        ]  # fmt: skip
        new = Standing(now // BUCKET + 1, (), standing.thresholds)
        told = [self._event(project_id, EventType.GUARD_PAUSED, cause, streams=broadcast)]
        await self._database.write(lambda c: store.remember(c, project_id, new, told=told, pauses=pauses))
        _log.warning("broadcast_paused", project=project_id, rate=cause.rate.value, count=cause.count, of=cause.of)
        await self._changed()
        self._told()

    def _event(self, project_id: ProjectId, kind: EventType, finding: Finding, **more: object) -> NewEvent:
        told = {
            "rate": finding.rate,
            "subject": finding.subject,
            "count": finding.count,
            "of": finding.of,
            "threshold": finding.threshold,
            "reason": finding.sentence,
            "remedy": REMEDIES[finding.rate],
            **more,
        }
        data = msgspec.json.encode({"guard": told})
        return NewEvent(project_id=project_id, type=kind, at=self._clock.now(), data=data)

    # --- windows -----------------------------------------------------------------------------------------------------

    async def _windows(
        self,
        project_id: ProjectId,
        counted_from: int,
        read: Callable[[Connection, ProjectId, int], dict[str, Counts]],
    ) -> dict[str, dict[Rate, Counts]]:
        """Return counts by stream or site, for each rate over the window that it has."""
        day = max(self._since(self._settings.window_hours) // BUCKET, counted_from)
        week = max(self._since(self._settings.complaint_window_hours) // BUCKET, counted_from)
        short = await self._database.read(lambda c: read(c, project_id, day))
        long = await self._database.read(lambda c: read(c, project_id, week))
        return {
            name: {
                Rate.HARD_BOUNCE: short.get(name, Counts()),
                Rate.BLOCK: short.get(name, Counts()),
                Rate.COMPLAINT: long.get(name, Counts()),
            }
            for name in long.keys() | short.keys()
        }

    def _since(self, hours: float) -> int:
        return self._clock.now() - int(hours * HOUR)

    def _thresholds(self, standing: Standing) -> Thresholds:
        s = self._settings
        general = {name: getattr(s, name) for name in Thresholds.__struct_fields__}
        return msgspec.convert({**general, **standing.thresholds}, Thresholds)

    async def _bounded(self, counts: dict[Key, Counts]) -> dict[Key, Counts]:
        """Let the sites of a project beyond the first few hundred in a bucket count together."""
        sites: dict[tuple[str, int], set[str]] = {}
        for project, site, bucket, _ in counts:
            if site != ALL:
                sites.setdefault((project, bucket), set()).add(site)
        renamed: dict[Key, Counts] = {}
        kept = {
            (project, bucket): await self._kept(ProjectId(project), bucket, found)
            for (project, bucket), found in sites.items()
        }
        for (project, site, bucket, stream), number in counts.items():
            name = site if site == ALL or site in kept[project, bucket] else _OTHER
            key = (project, name, bucket, stream)
            renamed[key] = renamed.get(key, Counts()).plus(number)
        return renamed

    async def _kept(self, project_id: ProjectId, bucket: int, found: set[str]) -> set[str]:
        known = await self._database.read(lambda c: store.known_sites(c, project_id, bucket))
        return known | set(sorted(found - known)[: max(_SITES - len(known), 0)])


def _sum(counts: list[Counts]) -> Counts:
    total = Counts()
    for each in counts:
        total = total.plus(each)
    return total


def _shown(name: str, windows: Mapping[Rate, Counts]) -> Shown:
    return Shown(name=name, day=windows[Rate.HARD_BOUNCE], week=windows[Rate.COMPLAINT])
