"""Sending domains: made, looked up in DNS, their keys rotated, deleted."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from postroad.app.administration.operation import (
    ACTOR,
    MOST_ROWS,
    Answer,
    OfProject,
    Operation,
    operation,
    project_of,
    time_of,
)
from postroad.features.senders import DomainShown, DomainWithKeys
from postroad.model.domain import Domain, RecordState

if TYPE_CHECKING:
    from postroad.app.house import House

_DIFFERENT: Final = "different"


class OneDomain(OfProject, frozen=True, kw_only=True):
    """A domain, by its name; one that there is also by its identifier."""

    name: str


async def create(house: "House", given: OneDomain) -> Answer:
    """Make a domain, and say which DNS records it needs."""
    project = await project_of(house, given.project)
    return told(house.senders.shown(await house.senders.create(project.id, given.name, actor=ACTOR)))


async def check(house: "House", given: OneDomain) -> Answer:
    """Look a domain's records up in DNS now."""
    project = await project_of(house, given.project)
    return told(house.senders.shown(await house.senders.inspect(project.id, given.name)))


async def rotate(house: "House", given: OneDomain) -> Answer:
    """Make new keys for a domain."""
    project = await project_of(house, given.project)
    return told(house.senders.shown(await house.senders.rotate(project.id, given.name, actor=ACTOR)))


async def delete(house: "House", given: OneDomain) -> Answer:
    """Take a domain away."""
    project = await project_of(house, given.project)
    domain = (await house.senders.get(project.id, given.name)).domain
    await house.senders.delete(project.id, domain.id, actor=ACTOR)
    return {"id": domain.id, "name": domain.name, "deleted": True}


async def list_all(house: "House", given: OfProject) -> Answer:
    """Return the domains of a project."""
    project = await project_of(house, given.project)
    found: list[DomainWithKeys] = []
    while page := await house.senders.listed(project.id, after=found[-1].domain.id if found else "", limit=MOST_ROWS):
        found += page
    return {"data": [_row(each.domain) for each in found]}


def told(shown: DomainShown) -> Answer:
    """Return a domain with its records: what is wanted, what was found and what to change."""
    return {
        "id": shown.id,
        "name": shown.name,
        "state": shown.state,
        "checked_at": shown.checked_at,
        "warnings": list(shown.warnings),
        "records": [
            {
                "purpose": record.purpose,
                "type": record.type,
                "name": record.name,
                "state": _DIFFERENT if record.state == RecordState.WRONG else record.state,
                "wanted": record.value,
                "found": list(record.found),
                "change": record.advice,
                "required": record.required,
                "zone_line": record.zone_line,
            }
            for record in shown.records
        ],
    }


def _row(domain: Domain) -> Answer:
    return {
        "id": domain.id,
        "name": domain.name,
        "state": domain.state.value,
        "created_at": time_of(domain.created_at),
        "verified_at": time_of(domain.verified_at),
        "checked_at": time_of(domain.checked_at),
        "failing_since": time_of(domain.failing_since),
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    "domain.create": operation(OneDomain, create, seals=True),
    "domain.check": operation(OneDomain, check),
    "domain.rotate": operation(OneDomain, rotate, seals=True),
    "domain.delete": operation(OneDomain, delete),
    "domain.list": operation(OfProject, list_all),
}
