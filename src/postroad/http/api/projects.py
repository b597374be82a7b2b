"""The project that a key belongs to. Others are made and seen by whoever runs the installation, not over the API."""

import msgspec
from litestar import Controller, get, post

from postroad.http.auth import FULL, READ, GivenCaller, GivenServices
from postroad.model.clock import to_rfc3339
from postroad.model.project import Project


class ProjectShown(msgspec.Struct, frozen=True, kw_only=True):
    """A project."""

    id: str
    name: str
    created_at: str
    paused_at: str | None
    """Since when its mail waits instead of being sent."""


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


def shown(project: Project) -> ProjectShown:
    """Return a project as it is shown."""
    return ProjectShown(
        id=project.id,
        name=project.name,
        created_at=to_rfc3339(project.created_at),
        paused_at=None if project.paused_at is None else to_rfc3339(project.paused_at),
    )
