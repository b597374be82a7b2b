"""Projects and API keys."""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from postroad.app.administration.operation import (
    ACTOR,
    MOST_ROWS,
    Answer,
    Nothing,
    OfProject,
    Operation,
    operation,
    project_of,
    renamed,
    time_of,
)
from postroad.model.clock import from_datetime
from postroad.model.errors import Refused
from postroad.model.ids import KeyId
from postroad.model.message import Mode
from postroad.model.project import ApiKey, KeyLimits, KeyScope, Project

if TYPE_CHECKING:
    from postroad.app.house import House


class NewProject(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project to be made."""

    name: str


class OneProject(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project that there is."""

    project: str
    """Its name or its identifier."""


class NewName(OneProject, frozen=True, kw_only=True):
    """Another name for a project."""

    name: str


class NewKey(OfProject, frozen=True, kw_only=True):
    """A key to be made."""

    name: str
    mode: Mode = Mode.LIVE
    scope: KeyScope = KeyScope.FULL
    from_domains: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    expires_at: Annotated[dt.datetime, Meta(tz=True)] | None = None


class OneKey(OfProject, frozen=True, kw_only=True):
    """A key that there is."""

    key: str


async def create_project(house: "House", given: NewProject) -> Answer:
    """Make a project."""
    return _project(await house.projects.create(given.name, actor=ACTOR))


async def list_projects(house: "House", given: Nothing) -> Answer:
    """Return all projects."""
    found: list[Project] = []
    while page := await house.projects.listed(after=found[-1].id if found else "", limit=MOST_ROWS):
        found += page
    return {"data": [_project(project) for project in found]}


async def rename_project(house: "House", given: NewName) -> Answer:
    """Give a project another name."""
    project = await project_of(house, given.project)
    return _project(await house.projects.rename(project.id, given.name, actor=ACTOR))


async def pause_project(house: "House", given: OneProject) -> Answer:
    """Let a project's mail wait."""
    project = await project_of(house, given.project)
    return _project(await house.projects.pause(project.id, actor=ACTOR))


async def resume_project(house: "House", given: OneProject) -> Answer:
    """Send a project's mail again."""
    project = await project_of(house, given.project)
    resumed = await house.projects.resume(project.id, actor=ACTOR)
    house.due.ring_everywhere()
    return _project(resumed)


async def create_key(house: "House", given: NewKey) -> Answer:
    """Make a key; its secret is in this answer and nowhere else."""
    project = await project_of(house, given.project)
    limits = KeyLimits(from_domains=given.from_domains, recipients=given.recipients, networks=given.networks)
    try:
        made = await house.keys.create(
            project.id,
            given.name,
            mode=given.mode,
            scope=given.scope,
            limits=limits,
            expires_at=None if given.expires_at is None else from_datetime(given.expires_at),
            actor=ACTOR,
        )
    except Refused as refusal:
        raise renamed(refusal, "/limits/", "/") from refusal
    return {**_key(made.key), "secret": made.secret}


async def list_keys(house: "House", given: OfProject) -> Answer:
    """Return the keys of a project, revoked ones too."""
    project = await project_of(house, given.project)
    found: list[ApiKey] = []
    while page := await house.keys.listed(project.id, after=found[-1].id if found else "", limit=MOST_ROWS):
        found += page
    return {"data": [_key(key) for key in found]}


async def revoke_key(house: "House", given: OneKey) -> Answer:
    """End a key."""
    project = await project_of(house, given.project)
    return _key(await house.keys.revoke(project.id, KeyId(given.key), actor=ACTOR))


def _project(project: Project) -> Answer:
    return {
        "id": project.id,
        "name": project.name,
        "created_at": time_of(project.created_at),
        "paused_at": time_of(project.paused_at),
    }


def _key(key: ApiKey) -> Answer:
    return {
        "id": key.id,
        "name": key.name,
        "mode": key.mode.value,
        "scope": key.scope.value,
        "from_domains": list(key.limits.from_domains),
        "recipients": list(key.limits.recipients),
        "networks": list(key.limits.networks),
        "created_at": time_of(key.created_at),
        "expires_at": time_of(key.expires_at),
        "revoked_at": time_of(key.revoked_at),
        "last_used_at": time_of(key.last_used_at),
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    "project.create": operation(NewProject, create_project),
    "project.list": operation(Nothing, list_projects),
    "project.rename": operation(NewName, rename_project),
    "project.pause": operation(OneProject, pause_project),
    "project.resume": operation(OneProject, resume_project),
    "key.create": operation(NewKey, create_key),
    "key.list": operation(OfProject, list_keys),
    "key.revoke": operation(OneKey, revoke_key),
}
