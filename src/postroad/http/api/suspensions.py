"""Suspensions of the caller's project: make its mail wait, to a site, of a stream, or all of it."""

import datetime as dt
from typing import Annotated

import msgspec
from litestar import Controller, delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from postroad.features.queue import NewSuspension
from postroad.http.auth import FULL, READ, GivenCaller, GivenServices
from postroad.model.clock import from_datetime, to_rfc3339
from postroad.model.ids import SuspensionId
from postroad.model.suspension import ANY, Suspension, SuspensionCause


class SuspensionInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to wait."""

    site: Annotated[str, msgspec.Meta(description="Key of a site as the queue shows it, a domain, or * for all.")] = ANY
    stream: Annotated[str, msgspec.Meta(description="Name of a stream, or * for all.")] = ANY
    reason: Annotated[str, msgspec.Meta(description="Why, in words for people.")] = ""
    until: (
        Annotated[dt.datetime, msgspec.Meta(tz=True, description="When it ends by itself; none: when it is lifted.")]
        | None
    ) = None


class SuspensionShown(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that mail waits."""

    id: str
    site: str
    project: str
    """`*` when the mail of all projects waits."""
    stream: str
    cause: SuspensionCause
    reason: str
    author: str
    created_at: str
    until: str | None
    evidence: dict[str, str | int | float | None]
    """What it was decided on: the rule and the reply, or the rates."""


class SuspensionList(msgspec.Struct, frozen=True):
    """All that makes the project's mail wait."""

    data: list[SuspensionShown]
    next: str | None = None
    """Always null: there are few."""


class SuspensionsController(Controller):
    """Mail that waits by decision."""

    path = "/v1/suspensions"
    tags = ("Queue",)

    @get(opt=READ, summary="List suspensions")
    async def listed(self, services: GivenServices, caller: GivenCaller) -> SuspensionList:
        """Return all that makes the project's mail wait, what holds for every project too."""
        found = await services.suspending.listed(caller.project.id)
        return SuspensionList([show_suspension(each) for each in found])

    @post(opt=FULL, status_code=201, summary="Suspend sending")
    async def create(
        self, data: JSONBody[SuspensionInput], services: GivenServices, caller: GivenCaller
    ) -> SuspensionShown:
        """Let the project's mail wait; what is being sent goes on, what waits keeps its place and its expiry."""
        new = NewSuspension(
            site=data.site,
            project_id=caller.project.id,
            stream=data.stream,
            reason=data.reason,
            until=None if data.until is None else from_datetime(data.until),
        )
        return show_suspension(await services.suspending.suspend(new, author=caller.key.id))

    @delete("/{suspension_id:str}", opt=FULL, status_code=204, summary="Resume sending")
    async def lift(
        self,
        suspension_id: FromPath[str],
        services: GivenServices,
        caller: GivenCaller,
        force: Annotated[bool, QueryParameter(description="Needed where a rule or the guard decided.")] = False,
    ) -> None:
        """End a suspension of the project; what has waited goes on."""
        await services.suspending.lift(
            SuspensionId(suspension_id), author=caller.key.id, project_id=caller.project.id, force=force
        )


def show_suspension(suspension: Suspension) -> SuspensionShown:
    """Return a suspension as it is shown."""
    return SuspensionShown(
        id=suspension.id,
        site=suspension.site,
        project=suspension.project_id,
        stream=suspension.stream,
        cause=suspension.cause,
        reason=suspension.reason,
        author=suspension.author,
        created_at=to_rfc3339(suspension.created_at),
        until=None if suspension.until is None else to_rfc3339(suspension.until),
        evidence=suspension.evidence,
    )
