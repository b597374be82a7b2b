"""The project that a key belongs to; and all projects, for whoever runs the installation and has its admin key."""

from typing import Annotated

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter

from postroad.http.api.keys import KeyInput, KeyMade, KeyPage, KeyShown, make, page
from postroad.http.api.keys import shown as show_key
from postroad.http.auth import ADMIN, ADMIN_ACTOR, FULL, READ, SECRET, UNKEPT, GivenCaller, GivenServices
from postroad.http.paging import place
from postroad.model.clock import to_rfc3339
from postroad.model.ids import KeyId, ProjectId
from postroad.model.project import Project

_After = Annotated[str, QueryParameter(description="Where to read on: `next` of the page before.")]
_Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="How many at the most.")]


class ProjectShown(msgspec.Struct, frozen=True, kw_only=True):
    """A project."""

    id: str
    name: str
    created_at: str
    paused_at: str | None
    """Since when its mail waits instead of being sent."""


class ProjectInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project to make, or its new name."""

    name: Annotated[str, msgspec.Meta(description="What it is called, 1 to 100 characters; no two have the same.")]


class ProjectPage(msgspec.Struct, frozen=True):
    """A page of projects; `next` is given as `after` to read on, and null at the end."""

    data: list[ProjectShown]
    next: str | None


class ProjectController(Controller):
    """The caller's project."""

    path = "/v1/project"
    tags = ("Project",)

    @get(opt=READ, summary="Show the project")
    async def show(self, services: GivenServices, caller: GivenCaller) -> ProjectShown:
        """Return the project that the API key belongs to."""
        return shown(await services.projects.get(caller.project.id))

    @post("/pause", opt=FULL, status_code=200, summary="Stop sending")
    async def pause(self, services: GivenServices, caller: GivenCaller) -> ProjectShown:
        """Let the project's mail wait: requests are still accepted, and what was not begun is not sent."""
        return shown(await services.projects.pause(caller.project.id, actor=caller.key.id))

    @post("/resume", opt=FULL, status_code=200, summary="Send again")
    async def resume(self, services: GivenServices, caller: GivenCaller) -> ProjectShown:
        """Send what has waited since the project was paused."""
        project = await services.projects.resume(caller.project.id, actor=caller.key.id)
        services.due.ring_everywhere()
        return shown(project)


class ProjectsController(Controller):
    """All projects, and their API keys."""

    path = "/v1/projects"
    tags = ("Projects",)

    @get(opt=ADMIN, summary="List projects")
    async def listed(self, services: GivenServices, after: _After = "", limit: _Limit = 100) -> ProjectPage:
        """Return the projects in the order they were made."""
        found = await services.projects.listed(after=place("prj", after), limit=limit)
        return ProjectPage([shown(project) for project in found], found[-1].id if len(found) == limit else None)

    @post(opt=ADMIN | UNKEPT, status_code=201, summary="Make a project")
    async def create(self, data: JSONBody[ProjectInput], services: GivenServices) -> ProjectShown:
        """Make a project, which has no key yet.

        An `Idempotency-Key` changes nothing here: names are unique, so that a repetition makes nothing and is refused
        with `already_exists`; the list then shows the project.
        """
        return shown(await services.projects.create(data.name, actor=ADMIN_ACTOR))

    @get("/{project_id:str}", opt=ADMIN, summary="Show a project")
    async def show(self, project_id: FromPath[str], services: GivenServices) -> ProjectShown:
        """Return one project."""
        return shown(await services.projects.get(ProjectId(project_id)))

    @patch("/{project_id:str}", opt=ADMIN, summary="Rename a project")
    async def rename(
        self, project_id: FromPath[str], data: JSONBody[ProjectInput], services: GivenServices
    ) -> ProjectShown:
        """Give a project another name. Its keys and mail stay; settings that name it have to be changed with it."""
        return shown(await services.projects.rename(ProjectId(project_id), data.name, actor=ADMIN_ACTOR))

    @post("/{project_id:str}/pause", opt=ADMIN, status_code=200, summary="Stop sending of a project")
    async def pause(self, project_id: FromPath[str], services: GivenServices) -> ProjectShown:
        """Let a project's mail wait: requests are still accepted, and what was not begun is not sent."""
        return shown(await services.projects.pause(ProjectId(project_id), actor=ADMIN_ACTOR))

    @post("/{project_id:str}/resume", opt=ADMIN, status_code=200, summary="Let a project send again")
    async def resume(self, project_id: FromPath[str], services: GivenServices) -> ProjectShown:
        """Send what has waited since the project was paused, by whomever."""
        project = await services.projects.resume(ProjectId(project_id), actor=ADMIN_ACTOR)
        services.due.ring_everywhere()
        return shown(project)

    @get("/{project_id:str}/keys", opt=ADMIN, summary="List the API keys of a project")
    async def keys(
        self, project_id: FromPath[str], services: GivenServices, after: _After = "", limit: _Limit = 100
    ) -> KeyPage:
        """Return a project's keys in the order they were made, revoked ones too."""
        project = await services.projects.get(ProjectId(project_id))
        return await page(services, project.id, after, limit)

    @post("/{project_id:str}/keys", opt=ADMIN | SECRET, status_code=201, summary="Make an API key for a project")
    async def create_key(self, project_id: FromPath[str], data: JSONBody[KeyInput], services: GivenServices) -> KeyMade:
        """Make a key of any mode and scope; its secret is in this answer only."""
        project = await services.projects.get(ProjectId(project_id))
        return await make(services, project.id, data, actor=ADMIN_ACTOR)

    @get("/{project_id:str}/keys/{key_id:str}", opt=ADMIN, summary="Show an API key of a project")
    async def show_key(self, project_id: FromPath[str], key_id: FromPath[str], services: GivenServices) -> KeyShown:
        """Return one key of a project."""
        return show_key(await services.keys.get(ProjectId(project_id), KeyId(key_id)))

    @delete("/{project_id:str}/keys/{key_id:str}", opt=ADMIN, status_code=200, summary="Revoke an API key of a project")
    async def revoke_key(self, project_id: FromPath[str], key_id: FromPath[str], services: GivenServices) -> KeyShown:
        """End a key: at once on this node, within five seconds on all others. It stays in the list."""
        return show_key(await services.keys.revoke(ProjectId(project_id), KeyId(key_id), actor=ADMIN_ACTOR))


def shown(project: Project) -> ProjectShown:
    """Return a project as it is shown."""
    return ProjectShown(
        id=project.id,
        name=project.name,
        created_at=to_rfc3339(project.created_at),
        paused_at=None if project.paused_at is None else to_rfc3339(project.paused_at),
    )
