"""The reputation guard: how a project stands, and the numbers it is held to."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from postroad.app.administration.operation import ACTOR, Answer, OfProject, Operation, operation, project_of
from postroad.features.guard import GuardShown, ThresholdChange
from postroad.http.api.guard import show_guard

if TYPE_CHECKING:
    from postroad.app.house import House


class NewThresholds(OfProject, frozen=True, kw_only=True):
    """What a project is to have of its own."""

    thresholds: ThresholdChange = ThresholdChange()
    reset: bool = False


async def show(house: "House", given: OfProject) -> Answer:
    """Return how a project stands."""
    return _told(await house.guard.show((await project_of(house, given.project)).id))


async def adjust(house: "House", given: NewThresholds) -> Answer:
    """Give a project thresholds of its own."""
    project = await project_of(house, given.project)
    return _told(await house.guard.adjust(project.id, given.thresholds, author=ACTOR, reset=given.reset))


def _told(found: GuardShown) -> Answer:
    answer: Answer = msgspec.to_builtins(show_guard(found))
    return answer


OPERATIONS: Final[Mapping[str, Operation]] = {
    "guard.show": operation(OfProject, show),
    "guard.set": operation(NewThresholds, adjust),
}
