"""Sites in the operator's hands: how mail flows to each, what has changed, and pins on limits."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta, Struct

from postroad.app.administration.operation import ACTOR, MOST_ROWS, Answer, Nothing, Operation, operation

if TYPE_CHECKING:
    from postroad.app.house import House


class OfSite(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A site by its name."""

    site: str


class Pins(OfSite, frozen=True, kw_only=True):
    """Limits of a site that are to be fixed."""

    limits: dict[str, float]


class Unpins(OfSite, frozen=True, kw_only=True):
    """Limits of a site that are to be found by trying again; none named: all."""

    limits: tuple[str, ...] = ()


class LastChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many changes are wanted."""

    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = 50


async def listed(house: "House", _: Nothing) -> Answer:
    """Return the sites that were met lately, a line each."""
    found = await house.sites.listed()
    return {
        "data": [
            {
                "site": each.site,
                "state": each.flow,
                "connections": ", ".join(f"{kind.kind} {kind.connections}" for kind in each.kinds),
                "in_flight": each.in_flight,
                "pinned": ", ".join(limit.name for limit in each.limits if limit.pinned_by is not None),
                "says": each.sentence,
            }
            for each in found
        ]
    }


async def show(house: "House", given: OfSite) -> Answer:
    """Return one site with its limits and last changes."""
    return _answer(await house.sites.show(given.site))


async def changes(house: "House", given: LastChanges) -> Answer:
    """Return the newest changes of all sites."""
    return {"data": msgspec.to_builtins(await house.sites.changes(given.limit))}


async def pin(house: "House", given: Pins) -> Answer:
    """Fix limits of a site."""
    return _answer(await house.sites.pin(given.site, given.limits, author=ACTOR))


async def unpin(house: "House", given: Unpins) -> Answer:
    """Let limits of a site be found by trying again."""
    return _answer(await house.sites.unpin(given.site, given.limits, author=ACTOR))


def _answer(shown: Struct) -> Answer:
    found: Answer = msgspec.to_builtins(shown)
    return found


OPERATIONS: Final[Mapping[str, Operation]] = {
    "site.list": operation(Nothing, listed),
    "site.show": operation(OfSite, show),
    "site.changes": operation(LastChanges, changes),
    "site.pin": operation(Pins, pin),
    "site.unpin": operation(Unpins, unpin),
}
