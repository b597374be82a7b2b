"""An operation without a server: open the house, carry it out, close the house."""

import asyncio
import os
import pwd
import sys
from pathlib import Path
from typing import Final

import structlog
from msgspec.structs import replace

from postroad.app.administration.operations import Operation, Prepared, find
from postroad.app.building import open_house
from postroad.app.house import House
from postroad.app.node import DirectoryTaken
from postroad.app.routes import UnknownPath
from postroad.app.traffic import UnusableLimits
from postroad.config import LogLevel, RouteKind, Settings, for_development
from postroad.model.errors import Refused
from postroad.store.engines import AlreadyOpen
from postroad.store.migrate import SchemaNewer
from postroad.store.vault import MasterKeyError

_log = structlog.get_logger("postroad.administration")
_DEBUG: Final = 10
_WARNING: Final = 30
_ROOT: Final = 0
_REMEDY: Final = "Run the command as the user who runs the server, or name another directory in data.directory."


class Taken(Exception):  # noqa: N818 - an inner signal
    """Another process has the data directory or the database file; the text says which."""


def carry_out(settings: Settings, name: str, arguments: dict[str, object]) -> dict[str, object]:
    """Carry out an operation on the store itself.

    Raises:
        Refused: it cannot be carried out as it stands.
        Unavailable: it may be later.
        Taken: another process has the data directory.
    """
    operation = find(name)
    prepared = operation.prepare(arguments)
    development = _is_development(settings)
    if operation.seals and not development and settings.secrets.master_key is None:
        raise Refused(
            "no_master_key",
            "There is no master key to encrypt the new secret with. Make one with `openssl rand -base64 32`, keep a "
            "copy in a safe place, and name its file in secrets.master_key_file.",
        )
    _check_owner(settings.data.directory)
    _log_to_standard_error(settings)
    if development:
        settings = for_development(settings)
    return asyncio.run(_carry_out(settings, operation, prepared, development=development))


async def _carry_out(
    settings: Settings, operation: Operation, prepared: Prepared, *, development: bool
) -> dict[str, object]:
    house = await _open(settings, development=development)
    try:
        if operation.sends:
            await house.room.look_at_disk()  # nobody watches it here
            await house.room.count()
        answer = await prepared(house)
    finally:
        await house.close()
    if operation.sends:
        answer["note"] = "It is stored. No server runs here; the next one that starts sends it."
    return answer


async def _open(settings: Settings, *, development: bool) -> House:
    """Open the house without the ways that mail takes: none is sent here, and they may name a project to come too."""
    delivery = replace(settings.delivery, route=RouteKind.CAPTURE, routes=(), pool=None, compose_workers=0)
    try:
        house = await _with_limits(replace(settings, delivery=delivery, pools=(), relays=()), development=development)
    except (DirectoryTaken, AlreadyOpen) as problem:
        raise Taken(str(problem)) from None
    except (SchemaNewer, MasterKeyError, UnknownPath) as problem:
        raise Refused("cannot_open", str(problem)) from None
    except OSError as problem:
        where = problem.filename or settings.data.directory
        raise Refused("cannot_open", f"{where} cannot be used: {problem.strerror}. {_REMEDY}") from None
    house.settings = settings
    return house


async def _with_limits(settings: Settings, *, development: bool) -> House:
    """Open the house; without the file of limits where it cannot be used, as when it names a project to come."""
    try:
        return await open_house(settings, dev=development)
    except UnusableLimits as problem:
        _log.warning("limits_left_out", reason=str(problem))
        return await open_house(replace(settings, shaping=replace(settings.shaping, file=None)), dev=development)


def _check_owner(directory: Path) -> None:
    """Keep root from making files in a server's directory that the server could not read.

    Raises:
        Refused: the directory is another user's, and this is root.
    """
    try:
        owner = directory.stat().st_uid
    except OSError:
        return  # what is wrong with it shows when it is opened
    if os.geteuid() == _ROOT and owner != _ROOT:
        raise Refused("forbidden", f"{directory} belongs to {_name(owner)}. Run the command as that user.")


def _name(user: int) -> str:
    try:
        return f"the user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"the user {user}"


def _is_development(settings: Settings) -> bool:
    """Whether the directory is one of `postroad dev`, which alone makes a key of its own."""
    return settings.secrets.master_key is None and (settings.data.directory / "master.key").exists()


def _log_to_standard_error(settings: Settings) -> None:
    """Keep standard output free for the answer, and tell only what matters."""
    level = _DEBUG if settings.log.level is LogLevel.DEBUG else _WARNING
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,  # without the values of variables, there are keys among them
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
