"""Undoing suppressions of the caller's project: by incident, by what caused them, or many addresses at once."""

import datetime as dt
from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.params import JSONBody, QueryParameter

from postroad.features.suppressions import Undone
from postroad.http.api.suppressions import SuppressionShown, show_suppression
from postroad.http.auth import FULL, READ, GivenCaller, GivenServices
from postroad.http.documented import documented
from postroad.model.clock import Instant, from_datetime, to_rfc3339
from postroad.model.reason import Class
from postroad.model.suppression import Cause
from postroad.store.suppressions import Filter

_Time = Annotated[dt.datetime, msgspec.Meta(tz=True)] | None


class IncidentShown(msgspec.Struct, frozen=True, kw_only=True):
    """All that one rule put on the list at one site in one stretch of time."""

    id: str
    site: str
    rule: str
    reason_class: str = msgspec.field(name="class")
    began_at: str
    last_at: str
    count: int
    """How many entries are left of it."""


class IncidentList(msgspec.Struct, frozen=True):
    """Incidents, the latest first."""

    data: list[IncidentShown]
    next: str | None = None
    """Always null: the latest are shown."""


class Undo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to take off the list; all that is given must hold. Without a cause, only what was put there by itself."""

    incident: str | None = None
    cause: Cause | None = None
    reason_class: Class | None = msgspec.field(name="class", default=None)
    rule: str | None = None
    site: str | None = None
    since: _Time = None
    until: _Time = None
    force: Annotated[bool, msgspec.Meta(description="Also complaints and wishes to unsubscribe.")] = False
    dry_run: Annotated[bool, msgspec.Meta(description="Only say what would be taken off.")] = False
    note: Annotated[str, msgspec.Meta(max_length=500, description="Why; the audit keeps it.")] = ""


_NOTHING_NAMED = Undo()
"""What no body means, which is refused with what to say."""


class Removal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Addresses to take off the list."""

    addresses: Annotated[list[str], msgspec.Meta(min_length=1, max_length=1000)]
    scope: Annotated[str | None, msgspec.Meta(description="Only in this scope: * or a stream.")] = None
    force: Annotated[bool, msgspec.Meta(description="Also complaints and wishes to unsubscribe.")] = False


class UndoneShown(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken off the list, or would be."""

    operation: str
    """Names the change in the audit."""
    matched: int
    removed: int
    kept: int
    """How many fit but are the recipients' own will, which needs force."""
    sample: list[SuppressionShown]


class UndoingController(Controller):
    """What suppressions came of, and taking it back."""

    path = "/v1/suppressions"
    tags = ("Suppressions",)

    @get("/incidents", opt=READ, summary="List the incidents behind suppressions")
    async def incidents(
        self,
        services: GivenServices,
        caller: GivenCaller,
        limit: Annotated[int, QueryParameter(ge=1, le=1000, description="How many at the most.")] = 100,
    ) -> IncidentList:
        """Return what put addresses on the list by itself: at which site, by which rule, when, and how many."""
        found = await services.undoing.incidents(caller.project.id, limit=limit)
        return IncidentList(
            [
                IncidentShown(
                    id=each.id,
                    site=each.site,
                    rule=each.rule,
                    reason_class=each.reason_class,
                    began_at=to_rfc3339(each.began_at),
                    last_at=to_rfc3339(each.last_at),
                    count=each.count,
                )
                for each in found
            ]
        )

    @post("/undo", opt=FULL | documented(problems=(404,)), status_code=200, summary="Undo what an incident suppressed")
    async def undo(
        self, services: GivenServices, caller: GivenCaller, data: JSONBody[Undo] = _NOTHING_NAMED
    ) -> UndoneShown:
        """Take off the list all that an incident, a rule, a class of replies, a site or a stretch of time put there.

        An incident that never was is `not_found`; one of which nothing is left matches nothing.
        """
        wanted = Filter(
            incident=data.incident,
            cause=data.cause,
            reason_class=data.reason_class,
            rule=data.rule,
            site=data.site,
            since=_instant(data.since),
            until=_instant(data.until),
        )
        undone = await services.undoing.undo(
            caller.project.id, wanted, author=caller.key.id, force=data.force, dry_run=data.dry_run, note=data.note
        )
        return _shown(undone)

    @post("/remove", opt=FULL, status_code=200, summary="Mail many addresses again")
    async def remove(self, data: JSONBody[Removal], services: GivenServices, caller: GivenCaller) -> UndoneShown:
        """Take up to 1,000 addresses off the list; those that are not on it do no harm."""
        undone = await services.undoing.remove_addresses(
            caller.project.id, data.addresses, scope=data.scope, author=caller.key.id, force=data.force
        )
        return _shown(undone)


def _shown(undone: Undone) -> UndoneShown:
    return UndoneShown(
        operation=undone.operation,
        matched=undone.matched,
        removed=undone.removed,
        kept=undone.kept,
        sample=[show_suppression(each) for each in undone.sample],
    )


def _instant(moment: dt.datetime | None) -> Instant | None:
    return None if moment is None else from_datetime(moment)
