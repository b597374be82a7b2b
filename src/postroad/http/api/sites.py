"""Sites: how mail flows to those who take it, and the limits on that.

Limits hold for every project. Where there are several, an API key, which is one project's, sees the providers that all
know by name and can change nothing; the command line can.
"""

from typing import Annotated

import msgspec
from litestar import Controller, delete, get, put
from litestar.params import FromPath, JSONBody, QueryParameter

from postroad.features.sites import Sites, SiteShown
from postroad.http.auth import FULL, READ, GivenCaller, GivenServices
from postroad.http.services import Services
from postroad.model.errors import Refused


class SiteList(msgspec.Struct, frozen=True):
    """Sites, those in trouble first."""

    data: list[SiteShown]
    next: str | None = None
    """Always null: what was not used for a while is not listed."""


class LimitsInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits to pin."""

    limits: Annotated[
        dict[str, float],
        msgspec.Meta(
            description="By name: connections, start, messages_per_second, messages_per_connection, "
            "connections_per_minute, idle_s.",
            min_length=1,
        ),
    ]


class SitesController(Controller):
    """How mail flows to each site."""

    path = "/v1/sites"
    tags = ("Sites",)

    @get(opt=READ, summary="List sites")
    async def listed(self, services: GivenServices) -> SiteList:
        """Return the sites that were met lately, with their limits and how mail flows."""
        return SiteList(await services.sites.listed(only_providers=not await alone(services)))

    @get("/{site:str}", opt=READ, summary="Show a site")
    async def show(self, site: FromPath[str], services: GivenServices) -> SiteShown:
        """Return a site with its last changes and their reasons."""
        return await services.sites.show(site, only_providers=not await alone(services))

    @put("/{site:str}/pins", opt=FULL, status_code=200, summary="Pin limits of a site")
    async def pin(
        self, site: FromPath[str], data: JSONBody[LimitsInput], services: GivenServices, caller: GivenCaller
    ) -> SiteShown:
        """Fix limits until they are unpinned; the rest is found by trying as before."""
        return await (await _operable(services)).pin(site, data.limits, author=caller.key.id)

    @delete("/{site:str}/pins", opt=FULL, status_code=200, summary="Unpin limits of a site")
    async def unpin(
        self,
        site: FromPath[str],
        services: GivenServices,
        caller: GivenCaller,
        limit: Annotated[str, QueryParameter(description="Name of one limit; all when it is not given.")] = "",
    ) -> SiteShown:
        """Let limits be found by trying again."""
        names = (limit,) if limit else ()
        return await (await _operable(services)).unpin(site, names, author=caller.key.id)


async def alone(services: Services) -> bool:
    """Tell whether there is but one project."""
    return len(await services.projects.listed(limit=2)) == 1


async def _operable(services: Services) -> Sites:
    if not await alone(services):
        raise Refused(
            "forbidden",
            "Limits of sites hold for every project here, so that no project's key may change them; the operator can, "
            "with `postroad sites pin`.",
        )
    return services.sites
