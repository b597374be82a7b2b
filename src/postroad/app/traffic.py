"""From the settings and the files of limits to the shaping of all sites, read again when a file changes."""

import asyncio
import datetime as dt
import random
from collections.abc import Mapping
from pathlib import Path

import structlog

from postroad.app.node import Node
from postroad.config import Settings
from postroad.features.queue import NewSuspension, Suspending
from postroad.model.clock import Clock, Instant, from_datetime
from postroad.model.suspension import ANY, SuspensionCause
from postroad.model.traffic import Traffic
from postroad.pipeline.shaping.limits import Book, FlawedLimitsError, Limits, Section, read_book, shipped
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.shaping.warming import WarmUp

_log = structlog.get_logger("postroad.shaping")
_SHIPPED = "the limits that ship"


class UnusableLimits(Exception):  # noqa: N818 - a sentence for the operator, raised at start only
    """The file of limits cannot be read, or is flawed."""


def shaping_of(settings: Settings, projects: Mapping[str, str], clock: Clock, node: Node) -> Shaping:
    """Return shaping with the limits that ship and those of the user.

    Args:
        settings: whose `shaping` and `delivery` say what holds.
        projects: identifiers by name and by identifier.
        clock: of the house.
        node: whose name stands with the changes.

    Raises:
        UnusableLimits: the user's file is not there, flawed, or names a project that there is not.
    """
    return Shaping(
        book_of(settings, projects), clock=clock, chance=random.random, node=node.name, warm_ups=_warm_ups(settings)
    )


def unusable_limits(settings: Settings) -> str | None:
    """Return what is wrong with the user's file of limits as far as it shows without the store, or None."""
    try:
        _read_all(settings)
    except UnusableLimits as problem:
        return str(problem)
    return None


def book_of(settings: Settings, projects: Mapping[str, str]) -> Book:
    """Return all limits; see `shaping_of`."""
    book = _read_all(settings)
    return Book(book.floor, book.all, _identified(settings.shaping.file, book.projects, projects), book.pools)


def _read_all(settings: Settings) -> Book:
    """Return all limits, those of projects by the names that the file gives."""
    files = [(_SHIPPED, shipped())]
    path = settings.shaping.file
    if path is not None:
        files.append((str(path), _read(path)))
    try:
        return read_book(files, _floor(settings))
    except FlawedLimitsError as flawed:
        raise UnusableLimits(f"shaping.file cannot be used:\n{flawed}") from flawed


def _warm_ups(settings: Settings) -> dict[str, WarmUp]:
    """Return the warm-ups of new addresses, by the name of the source."""
    days = {"": settings.shaping.warm_up_since} | {source.name: source.warm_up_since for source in settings.sources}
    return {
        name: WarmUp(_midnight(day), settings.shaping.warm_up_messages) for name, day in days.items() if day is not None
    }


def _midnight(day: str) -> Instant:
    return from_datetime(dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), dt.UTC))


def _floor(settings: Settings) -> Limits:
    delivery = settings.delivery
    return Limits(
        connections=delivery.connections_per_destination,
        start=settings.shaping.start_connections,
        messages_per_second=delivery.messages_per_second,
        messages_per_connection=delivery.messages_per_connection,
        connections_per_minute=settings.shaping.connections_per_minute,
        idle_s=delivery.idle_s,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UnusableLimits(
            f"shaping.file names {path}, which cannot be read ({problem}); correct the setting POSTROAD_SHAPING_FILE, "
            "or take it out"
        ) from problem


def _identified(path: Path | None, sections: Mapping[str, Section], projects: Mapping[str, str]) -> dict[str, Section]:
    """Return the sections of projects by their identifiers."""
    for name in sections:
        if name not in projects:
            raise UnusableLimits(
                f"{path}: [project.{name}] names a project that does not exist; make it with "
                f"`postroad project create {name}`, or correct the name"
            )
    return {projects[name]: section for name, section in sections.items()}


class LimitFiles:
    """The file of limits, looked at again and again."""

    def __init__(self, settings: Settings, projects: Mapping[str, str]) -> None:
        """Begin with the file as it was just read."""
        self._settings = settings
        self._projects = projects
        self._seen = self._mark()

    def reread(self) -> Book | None:
        """Return the limits anew when the file has changed and is sound, or None; what is wrong with it is logged."""
        mark = self._mark()
        if mark == self._seen:
            return None
        self._seen = mark
        try:
            return book_of(self._settings, self._projects)
        except UnusableLimits as problem:
            _log.error("limits_flawed", file=str(self._settings.shaping.file), kept=True, flaws=str(problem))
            return None

    def _mark(self) -> tuple[int, int] | None:
        path = self._settings.shaping.file
        try:
            found = None if path is None else path.stat()
        except OSError:
            return None
        return None if found is None else (found.st_mtime_ns, found.st_size)


def suspend_by_rules(shaping: Shaping, suspending: Suspending) -> None:
    """Have the suspensions that rules ask for written down, so that every node keeps to them."""
    tasks: set[asyncio.Task[object]] = set()

    def suspend(*, site: str, project: str | None, traffic: Traffic, until: Instant, because: str) -> None:
        new = NewSuspension(
            site=site,
            project_id=ANY if project is None else project,
            reason=f"The rule {traffic.rule} asks for it: {because}"[:500],
            until=until,
        )
        evidence: dict[str, str | int | float | None] = {"rule": traffic.rule, "reply": because}
        work = suspending.suspend(new, author="system", cause=SuspensionCause.RULE, evidence=evidence)
        task: asyncio.Task[object] = asyncio.ensure_future(work)
        tasks.add(task)
        task.add_done_callback(done)

    def done(task: asyncio.Task[object]) -> None:
        tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            _log.warning("suspension_not_kept", why=str(problem))

    shaping.suspend_by(suspend)
