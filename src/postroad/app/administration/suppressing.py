"""Suppressions: whom a project no longer mails."""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from postroad.app.administration.operation import (
    ACTOR,
    MOST_ROWS,
    Answer,
    OfProject,
    Operation,
    operation,
    project_of,
    renamed,
    time_of,
)
from postroad.features.suppressions import Format, ImportDefaults, Undone
from postroad.features.suppressions.transfer import Line
from postroad.model.clock import from_datetime
from postroad.model.errors import Refused
from postroad.model.ids import ProjectId
from postroad.model.reason import Class
from postroad.model.suppression import WHOLE_PROJECT, Cause, Suppression
from postroad.store.suppressions import Filter
from postroad.wire.address import AddressError, parse_mailbox

if TYPE_CHECKING:
    from postroad.app.house import House


class Page(OfProject, frozen=True, kw_only=True):
    """Which part of the list is wanted."""

    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = 50
    after: str | None = None
    """The `next` of the page before."""
    incident: str | None = None
    cause: Cause | None = None


class NewEntry(OfProject, frozen=True, kw_only=True):
    """An address to be put on the list."""

    address: str
    stream: str | None = None
    """None: for all of the project's mail."""
    note: str | None = None


class OldEntry(OfProject, frozen=True, kw_only=True):
    """An address to be taken off the list."""

    address: str
    stream: str | None = None
    force: bool = False


class Lines(OfProject, frozen=True, kw_only=True):
    """Lines of a list that was read, to be put on the list."""

    lines: Annotated[list[Line], Meta(max_length=MOST_ROWS)]


class Written(OfProject, frozen=True, kw_only=True):
    """How the list is to be written, and which part of it."""

    format: Format = Format.CSV
    after: str | None = None
    """The `next` of the page before."""


class Undo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to take off the lists."""

    project: str | None = None
    """Its name or its identifier; None: of every project."""
    incident: str | None = None
    cause: Cause | None = None
    reason_class: Class | None = msgspec.field(name="class", default=None)
    rule: str | None = None
    site: str | None = None
    since: Annotated[dt.datetime, Meta(tz=True)] | None = None
    until: Annotated[dt.datetime, Meta(tz=True)] | None = None
    force: bool = False
    dry_run: bool = False
    note: str = ""


class Incidents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which incidents are wanted."""

    project: str | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = 50


class Addresses(OfProject, frozen=True, kw_only=True):
    """Addresses to be taken off the list."""

    addresses: Annotated[list[str], Meta(max_length=MOST_ROWS)]
    stream: str | None = None
    force: bool = False


async def list_all(house: "House", given: Page) -> Answer:
    """Return a page of the list."""
    project = await project_of(house, given.project)
    wanted = Filter(incident=given.incident, cause=given.cause)
    found = await house.suppressions.listed(
        project.id, wanted, after=given.after or "", limit=given.limit + 1, newest=True
    )
    page = found[: given.limit]
    return {"data": [_row(entry) for entry in page], "next": page[-1].id if len(found) > len(page) else None}


async def add(house: "House", given: NewEntry) -> Answer:
    """Put an address on the list."""
    project = await project_of(house, given.project)
    try:
        entry = await house.suppressions.add(
            project.id,
            given.address,
            given.stream or WHOLE_PROJECT,
            cause=Cause.MANUAL,
            author=ACTOR,
            note=given.note or "",
        )
    except Refused as refusal:
        raise renamed(refusal, "/scope", "/stream") from refusal
    return _row(entry)


async def remove(house: "House", given: OldEntry) -> Answer:
    """Take an address off the list."""
    project = await project_of(house, given.project)
    wanted = Filter(address=given.address, scope=given.stream or WHOLE_PROJECT)
    try:
        found = await house.suppressions.listed(project.id, wanted, limit=1)
    except Refused as refusal:
        raise renamed(refusal, "#/query/address", "/address") from refusal
    if not found:
        where = f"for the stream {given.stream!r}" if given.stream else "for the whole project"
        raise Refused("not_found", f"{given.address} is not on the list {where}.")
    try:
        await house.suppressions.remove(project.id, found[0].id, force=given.force, author=ACTOR)
    except Refused as refusal:
        raise _by_option(refusal) from refusal
    return {**_row(found[0]), "removed": True}


async def incidents(house: "House", given: Incidents) -> Answer:
    """Return what put addresses on lists by itself."""
    found = await house.undoing.incidents(await _project_id(house, given.project), limit=given.limit)
    return {
        "data": [
            {
                "id": each.id,
                "site": each.site,
                "class": each.reason_class,
                "rule": each.rule,
                "count": each.count,
                "began_at": time_of(each.began_at),
                "last_at": time_of(each.last_at),
            }
            for each in found
        ]
    }


async def undo(house: "House", given: Undo) -> Answer:
    """Take off the lists what an incident, or anything else that can be named, put there."""
    wanted = Filter(
        incident=given.incident,
        cause=given.cause,
        reason_class=given.reason_class,
        rule=given.rule,
        site=given.site,
        since=None if given.since is None else from_datetime(given.since),
        until=None if given.until is None else from_datetime(given.until),
    )
    project = await _project_id(house, given.project)
    undone = await house.undoing.undo(
        project, wanted, author=ACTOR, force=given.force, dry_run=given.dry_run, note=given.note
    )
    return {"dry_run": given.dry_run, **_undone(undone)}


async def remove_all(house: "House", given: Addresses) -> Answer:
    """Take many addresses off the list."""
    project = await project_of(house, given.project)
    undone = await house.undoing.remove_addresses(
        project.id, given.addresses, scope=given.stream, author=ACTOR, force=given.force
    )
    return _undone(undone)


def _undone(undone: Undone) -> Answer:
    return {
        "operation": undone.operation,
        "matched": undone.matched,
        "removed": undone.removed,
        "kept": undone.kept,
        "sample": [_row(entry) for entry in undone.sample],
    }


async def _project_id(house: "House", name: str | None) -> ProjectId | None:
    return None if name is None else (await project_of(house, name)).id


def _by_option(refusal: Refused) -> Refused:
    """Return a refusal that names the command's option where the feature names its argument."""
    return Refused(refusal.code, refusal.detail.replace("force=true", "--force"), flaws=refusal.flaws)


async def take_in(house: "House", given: Lines) -> Answer:
    """Put many addresses on the list; what is wrong with one concerns no other."""
    project = await project_of(house, given.project)
    lines = [_judged(line) for line in given.lines]
    done = await house.suppressions.take_lines(project.id, lines, author=ACTOR, defaults=ImportDefaults())
    errors = [{"line": result.line, "address": result.address, "detail": result.detail} for result in done.results]
    return {"added": done.added, "present": done.changed + done.already_listed, "errors": errors}


def _judged(line: Line) -> Line:
    """Return a line with its address in the form in which it is stored, whoever read it."""
    try:
        return replace(line, address=parse_mailbox(line.address).address)
    except AddressError as problem:
        return replace(line, problem=line.problem or str(problem))


async def give_out(house: "House", given: Written) -> Answer:
    """Return a page of the list, written."""
    project = await project_of(house, given.project)
    octets, last = await house.suppressions.page(project.id, given.format, Filter(), after=given.after or "")
    return {"text": octets.decode(), "next": last}


def _row(entry: Suppression) -> Answer:
    return {
        "address": entry.address,
        "scope": entry.scope,
        "cause": entry.cause.value,
        "note": entry.note,
        "author": entry.author,
        "created_at": time_of(entry.created_at),
        "expires_at": time_of(entry.expires_at),
        "message_id": entry.message_id,
        "site": entry.site,
        "incident": entry.incident,
        "id": entry.id,
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    "suppression.list": operation(Page, list_all),
    "suppression.add": operation(NewEntry, add),
    "suppression.remove": operation(OldEntry, remove),
    "suppression.import": operation(Lines, take_in),
    "suppression.export": operation(Written, give_out),
    "suppression.incidents": operation(Incidents, incidents),
    "suppression.undo": operation(Undo, undo),
    "suppression.remove_all": operation(Addresses, remove_all),
}
