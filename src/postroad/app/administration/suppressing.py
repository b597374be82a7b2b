"""Suppressions: whom a project no longer mails."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

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
from postroad.features.suppressions import Format
from postroad.features.suppressions.transfer import NOTE_CHARACTERS
from postroad.model.errors import Refused
from postroad.model.suppression import WHOLE_PROJECT, Cause, Suppression
from postroad.store.suppressions import Filter

if TYPE_CHECKING:
    from postroad.app.house import House


class Page(OfProject, frozen=True, kw_only=True):
    """Which part of the list is wanted."""

    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = 50
    after: str | None = None
    """The `next` of the page before."""


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


class Entries(OfProject, frozen=True, kw_only=True):
    """Addresses to be put on the list, as somebody wrote them down."""

    entries: Annotated[list[dict[str, object]], Meta(max_length=MOST_ROWS)]


async def list_all(house: "House", given: Page) -> Answer:
    """Return a page of the list."""
    project = await project_of(house, given.project)
    found = await house.suppressions.listed(project.id, Filter(), after=given.after or "", limit=given.limit + 1)
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


def _by_option(refusal: Refused) -> Refused:
    """Return a refusal that names the command's option where the feature names its argument."""
    return Refused(refusal.code, refusal.detail.replace("force=true", "--force"), flaws=refusal.flaws)


async def take_in(house: "House", given: Entries) -> Answer:
    """Put many addresses on the list; what is wrong with one concerns no other."""
    project = await project_of(house, given.project)
    lines = b"".join([msgspec.json.encode(_line(entry)) + b"\n" for entry in given.entries])
    done = await house.suppressions.take_in(project.id, lines, Format.JSONL, author=ACTOR)
    return {
        "added": done.added,
        "present": done.changed + done.already_listed,
        "errors": [{"address": result.address, "detail": result.detail} for result in done.results],
    }


def _line(entry: dict[str, object]) -> dict[str, object]:
    """Return an entry in the words of the list; the reason that others give is a cause of ours, or else a note."""
    reason = entry.get("reason")
    cause, note = entry.get("cause"), entry.get("note")
    if isinstance(reason, str):
        if cause is None and reason.strip().lower() in Cause.__members__.values():
            cause = reason
        elif note is None:
            note = reason[:NOTE_CHARACTERS]
    return {
        "address": entry.get("address"),
        "scope": entry.get("scope") or entry.get("stream"),
        "cause": cause,
        "note": note,
        "expires_at": entry.get("expires_at"),
    }


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
        "id": entry.id,
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    "suppression.list": operation(Page, list_all),
    "suppression.add": operation(NewEntry, add),
    "suppression.remove": operation(OldEntry, remove),
    "suppression.import": operation(Entries, take_in),
}
