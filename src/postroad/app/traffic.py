"""From the settings and the files of limits to the shaping of all sites, read again when a file changes."""

import random
from collections.abc import Mapping
from pathlib import Path

from postroad.app.node import Node
from postroad.config import Settings
from postroad.model.clock import Clock
from postroad.pipeline.shaping.limits import Book, FlawedLimitsError, Limits, Section, read_book, shipped
from postroad.pipeline.shaping.shaping import Shaping

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
    return Shaping(book_of(settings, projects), clock=clock, chance=random.random, node=node.name)


def book_of(settings: Settings, projects: Mapping[str, str]) -> Book:
    """Return all limits; see `shaping_of`."""
    files = [(_SHIPPED, shipped())]
    path = settings.shaping.file
    if path is not None:
        files.append((str(path), _read(path)))
    try:
        book = read_book(files, _floor(settings))
    except FlawedLimitsError as flawed:
        raise UnusableLimits(f"shaping.file cannot be used:\n{flawed}") from flawed
    return Book(book.floor, book.all, _identified(path, book.projects, projects), book.pools)


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
