"""Projects: made, named, paused and resumed by whoever runs the installation."""

from collections.abc import Callable

from postroad.model.clock import Clock
from postroad.model.errors import Refused
from postroad.model.ids import Mint, ProjectId
from postroad.model.project import Project
from postroad.store import audit
from postroad.store import projects as store
from postroad.store.database import Database, Unit

_LONGEST_NAME = 100


class Projects:
    """The tenants of an installation."""

    def __init__(self, database: Database, clock: Clock, mint: Mint) -> None:
        """Build the service; `on_change` tells others that remember projects."""
        self._database = database
        self._clock = clock
        self._mint = mint
        self._listeners: list[Callable[[ProjectId], None]] = []

    def on_change(self, listener: Callable[[ProjectId], None]) -> None:
        """Call `listener` with a project's identifier after each change to it."""
        self._listeners.append(listener)

    async def create(self, name: str, *, actor: str) -> Project:
        """Make a project.

        Raises:
            Refused: the name is no name, or taken (`already_exists`).
        """
        name = checked_name(name)
        project = Project(id=ProjectId(self._mint("prj")), name=name, created_at=self._clock.now())
        entry = self._entry(project.id, actor, "project.created", {"name": name})
        await self._database.write(lambda c: store.insert(c, project, entry))
        return project

    async def get(self, project_id: ProjectId) -> Project:
        """Return a project.

        Raises:
            Refused: there is none (`not_found`).
        """
        return _found(await self._database.read(lambda c: store.by_id(c, project_id)))

    async def find(self, name_or_id: str) -> Project:
        """Return a project by its name or its identifier.

        Raises:
            Refused: there is none (`not_found`).
        """
        return _found(
            await self._database.read(
                lambda c: store.by_name(c, name_or_id) or store.by_id(c, ProjectId(name_or_id)),
            )
        )

    async def listed(self, *, after: str = "", limit: int = 100) -> list[Project]:
        """Return up to `limit` projects in the order they were made, behind the identifier `after`."""
        return await self._database.read(lambda c: store.listed(c, after=after, limit=limit))

    async def rename(self, project_id: ProjectId, name: str, *, actor: str) -> Project:
        """Give a project another name.

        Raises:
            Refused: the name is no name, or taken (`already_exists`); there is no such project (`not_found`).
        """
        name = checked_name(name)
        entry = self._entry(project_id, actor, "project.renamed", {"name": name})
        return await self._change(project_id, lambda c: store.rename(c, project_id, name, entry))

    async def pause(self, project_id: ProjectId, *, actor: str) -> Project:
        """Stop sending a project's mail until it is resumed; what is accepted meanwhile waits.

        Raises:
            Refused: there is no such project (`not_found`).
        """
        entry = self._entry(project_id, actor, "project.paused")
        return await self._change(project_id, lambda c: store.pause(c, project_id, entry.at, entry))

    async def resume(self, project_id: ProjectId, *, actor: str) -> Project:
        """Send a paused project's mail again.

        Raises:
            Refused: there is no such project (`not_found`).
        """
        entry = self._entry(project_id, actor, "project.resumed")
        return await self._change(project_id, lambda c: store.resume(c, project_id, entry))

    async def _change(self, project_id: ProjectId, unit: Unit[Project | None]) -> Project:
        changed = _found(await self._database.write(unit))
        for listener in self._listeners:
            listener(project_id)
        return changed

    def _entry(
        self, project_id: ProjectId, actor: str, action: str, data: dict[str, object] | None = None
    ) -> audit.Entry:
        return audit.Entry(
            project_id=project_id, at=self._clock.now(), actor=actor, action=action, subject=project_id, data=data or {}
        )


def checked_name(name: str, pointer: str = "/name") -> str:
    """Return a name for people, outer spaces dropped.

    Raises:
        Refused: it is empty, too long, or holds a control character.
    """
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise Refused.field(pointer, f"A name has 1 to {_LONGEST_NAME} characters, none of them a control character.")
    return name


def _found(project: Project | None) -> Project:
    if project is None:
        raise Refused("not_found", "There is no such project.")
    return project
