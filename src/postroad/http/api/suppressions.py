"""The suppression list of the caller's project: look, add, remove, and whole lists in and out."""

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream

from postroad.features.suppressions import Format, ImportDefaults, LineResult
from postroad.http.auth import FULL, READ, GivenCaller, GivenServices
from postroad.http.documented import documented
from postroad.http.paging import place
from postroad.http.streaming import begun
from postroad.model.clock import from_datetime, to_rfc3339
from postroad.model.errors import Refused
from postroad.model.ids import SuppressionId
from postroad.model.reason import Reason
from postroad.model.suppression import WHOLE_PROJECT, Cause, Suppression
from postroad.store.suppressions import Filter

_Scope = Annotated[str, msgspec.Meta(description="* for the whole project, or the name of a stream.")]
_FORMATS = {
    "text/csv": Format.CSV,
    "application/x-ndjson": Format.JSONL,
    "application/jsonl": Format.JSONL,
    "application/ndjson": Format.JSONL,
}
_MEDIA = ("text/csv", "application/x-ndjson")


class SuppressionInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address to put on the list."""

    address: Annotated[str, msgspec.Meta(description="The address that is not to be mailed.")]
    scope: _Scope = WHOLE_PROJECT
    cause: Annotated[Cause, msgspec.Meta(description="Why; a complaint or unsubscribe never ends by itself.")] = (
        Cause.MANUAL
    )
    note: Annotated[str, msgspec.Meta(description="Anything worth knowing, in words for people.")] = ""
    expires_at: Annotated[dt.datetime, msgspec.Meta(tz=True, description="When it ends by itself.")] | None = None


class SuppressionShown(msgspec.Struct, frozen=True, kw_only=True):
    """An address on the list, and how it came there."""

    id: str
    address: str
    scope: str
    cause: Cause
    evidence: Reason | None
    """What the mail server said, for a bounce."""
    author: str
    """`system`, `recipient`, `cli`, or the identifier of an API key."""
    note: str
    message_id: str | None
    delivery_id: str | None
    created_at: str
    expires_at: str | None
    site: str | None
    """Where the mail went, of what was put there automatically."""
    incident: str | None
    """Names all that came of one cause at one site at one time; `POST /v1/suppressions/undo` takes it."""
    probe_at: str | None
    """From when one message is let through, to see whether the cause has passed; null: never, or one is under way."""


class SuppressionPage(msgspec.Struct, frozen=True):
    """A page of the list; `next` is given as `after` to read on, and null at the end."""

    data: list[SuppressionShown]
    next: str | None


class ImportAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a list that was taken in."""

    lines: int
    added: int
    changed: int
    already_listed: int
    refused: int
    results: list[LineResult]
    """What became of each line that was refused, or of every line when that was asked for."""


class SuppressionsController(Controller):
    """Addresses that are not mailed."""

    path = "/v1/suppressions"
    tags = ("Suppressions",)

    @get(opt=READ, summary="List suppressions")
    async def listed(
        self,
        services: GivenServices,
        caller: GivenCaller,
        address: Annotated[str | None, QueryParameter(description="Only those of this address.")] = None,
        cause: Annotated[Cause | None, QueryParameter(description="Only those with this cause.")] = None,
        held_in: Annotated[
            str | None, QueryParameter(name="scope", description="Only those of this scope: * or a stream.")
        ] = None,
        incident: Annotated[str | None, QueryParameter(description="Only those of this incident.")] = None,
        site: Annotated[str | None, QueryParameter(description="Only those that came of this site.")] = None,
        order: Annotated[Literal["oldest", "newest"], QueryParameter(description="Which come first.")] = "oldest",
        after: Annotated[str, QueryParameter(description="Where to read on: `next` of the page before.")] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=1000, description="How many at the most.")] = 100,
    ) -> SuppressionPage:
        """Return the list in the order in which addresses were put on it, or the other way round."""
        wanted = Filter(address=address, cause=cause, scope=held_in, incident=incident, site=site)
        found = await services.suppressions.listed(
            caller.project.id, wanted, after=place("sup", after), limit=limit, newest=order == "newest"
        )
        return SuppressionPage(
            [show_suppression(each) for each in found], found[-1].id if len(found) == limit else None
        )

    @post(opt=FULL, status_code=201, summary="Suppress an address")
    async def create(
        self, data: JSONBody[SuppressionInput], services: GivenServices, caller: GivenCaller
    ) -> SuppressionShown:
        """Put an address on the list. One that is there already stays as it is, unless this says more."""
        stored = await services.suppressions.add(
            caller.project.id,
            data.address,
            data.scope,
            cause=data.cause,
            author=caller.key.id,
            note=data.note,
            expires_at=None if data.expires_at is None else from_datetime(data.expires_at),
        )
        return show_suppression(stored)

    @post(
        "/import", opt=FULL | documented(body=bytes, body_media=_MEDIA), status_code=200, summary="Take in a whole list"
    )
    async def take_in(
        self,
        request: Request[Any, Any, Any],
        services: GivenServices,
        caller: GivenCaller,
        held_in: Annotated[
            str, QueryParameter(name="scope", description="Scope of lines that name none.")
        ] = WHOLE_PROJECT,
        cause: Annotated[Cause, QueryParameter(description="Cause of lines that name none.")] = Cause.IMPORT,
        results: Annotated[
            str, QueryParameter(pattern="^(refused|all)$", description="Which lines to tell about: refused or all.")
        ] = "refused",
    ) -> ImportAnswer:
        """Put up to 100,000 lines of CSV or JSON on the list; what is wrong with one line concerns no other."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        form = _FORMATS.get(kind)
        if form is None:
            raise Refused("unsupported_media_type", "Send text/csv or application/x-ndjson.")
        done = await services.suppressions.take_in(
            caller.project.id,
            await request.body(),
            form,
            author=caller.key.id,
            defaults=ImportDefaults(scope=held_in, cause=cause),
            every_line=results == "all",
        )
        return ImportAnswer(
            lines=done.lines,
            added=done.added,
            changed=done.changed,
            already_listed=done.already_listed,
            refused=done.refused,
            results=done.results,
        )

    @get("/export", opt=READ | documented(answer=str, answer_media=_MEDIA), summary="Give out the whole list")
    async def give_out(
        self,
        services: GivenServices,
        caller: GivenCaller,
        form: Annotated[Format, QueryParameter(name="format", description="csv or jsonl.")] = Format.CSV,
        address: Annotated[str | None, QueryParameter(description="Only those of this address.")] = None,
        cause: Annotated[Cause | None, QueryParameter(description="Only those with this cause.")] = None,
        held_in: Annotated[
            str | None, QueryParameter(name="scope", description="Only those of this scope: * or a stream.")
        ] = None,
        guard: Annotated[
            bool, QueryParameter(description="Put ' before what a spreadsheet would run as a formula (CSV only).")
        ] = True,
    ) -> Stream:
        """Stream the list as CSV or JSON lines."""
        wanted = Filter(address=address, cause=cause, scope=held_in)
        pages = services.suppressions.give_out(caller.project.id, form, wanted, guard=guard)
        return Stream(
            await begun(pages),
            media_type=form.media_type,
            headers={"content-disposition": f'attachment; filename="suppressions.{form.value}"'},
        )

    @get("/{suppression_id:str}", opt=READ, summary="Show a suppression")
    async def show(
        self, suppression_id: FromPath[str], services: GivenServices, caller: GivenCaller
    ) -> SuppressionShown:
        """Return one entry with its evidence."""
        return show_suppression(await services.suppressions.get(caller.project.id, SuppressionId(suppression_id)))

    @delete("/{suppression_id:str}", opt=FULL, status_code=204, summary="Mail an address again")
    async def delete(
        self,
        suppression_id: FromPath[str],
        services: GivenServices,
        caller: GivenCaller,
        force: Annotated[
            bool, QueryParameter(description="Needed where the cause is a complaint or an unsubscribe.")
        ] = False,
    ) -> None:
        """Take an entry off the list; the audit keeps who did."""
        await services.suppressions.remove(
            caller.project.id, SuppressionId(suppression_id), force=force, author=caller.key.id
        )


def show_suppression(entry: Suppression) -> SuppressionShown:
    """Return an entry as it is shown."""
    return SuppressionShown(
        id=entry.id,
        address=entry.address,
        scope=entry.scope,
        cause=entry.cause,
        evidence=entry.evidence,
        author=entry.author,
        note=entry.note,
        message_id=entry.message_id,
        delivery_id=entry.delivery_id,
        created_at=to_rfc3339(entry.created_at),
        expires_at=None if entry.expires_at is None else to_rfc3339(entry.expires_at),
        site=entry.site,
        incident=entry.incident,
        probe_at=None if entry.probe_at is None else to_rfc3339(entry.probe_at),
    )
