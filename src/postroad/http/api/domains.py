"""Sending domains of the caller's project."""

from typing import Annotated

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter

from postroad.features.senders import DomainShown
from postroad.http.auth import FULL, READ, GivenCaller, GivenServices
from postroad.http.paging import place
from postroad.model.domain import DomainSettings


class SettingsInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a domain is set up; what is not given stays as it is."""

    subdomains: Annotated[
        bool | None,
        msgspec.Meta(description="Whether mail from its subdomains is sent and signed as this domain's."),
    ] = None
    return_path: Annotated[
        str | None, msgspec.Meta(description="First label of the host that bounces come back to.")
    ] = None
    tracking: Annotated[str | None, msgspec.Meta(description="First label of the host of tracked links.")] = None
    require_tls: Annotated[
        bool | None,
        msgspec.Meta(
            description="Whether its mail is handed over under TLS with a certificate that holds, or not at all."
        ),
    ] = None


class DomainInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A domain to make."""

    name: Annotated[str, msgspec.Meta(description="Such as example.com; international names in either form.")]
    settings: SettingsInput = SettingsInput()


class DomainPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a domain."""

    settings: SettingsInput


class DomainPage(msgspec.Struct, frozen=True):
    """A page of domains; `next` is given as `after` to read on, and null at the end."""

    data: list[DomainShown]
    next: str | None


class DomainsController(Controller):
    """Sending domains, with the DNS records wanted and found. They are named by identifier or by name."""

    path = "/v1/domains"
    tags = ("Domains",)

    @get(opt=READ, summary="List sending domains")
    async def listed(
        self,
        services: GivenServices,
        caller: GivenCaller,
        after: Annotated[str, QueryParameter(description="Where to read on: `next` of the page before.")] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=1000, description="How many at the most.")] = 100,
    ) -> DomainPage:
        """Return the project's domains in the order they were made."""
        found = await services.domains.listed(caller.project.id, after=place("dom", after), limit=limit)
        following = found[-1].domain.id if len(found) == limit else None
        return DomainPage([services.domains.shown(each) for each in found], following)

    @post(opt=FULL, status_code=201, summary="Make a sending domain")
    async def create(self, data: JSONBody[DomainInput], services: GivenServices, caller: GivenCaller) -> DomainShown:
        """Make a domain with its DKIM keys, and return the DNS records to publish."""
        made = await services.domains.create(
            caller.project.id, data.name, settings=_merged(DomainSettings(), data.settings), actor=caller.key.id
        )
        return services.domains.shown(made)

    @get("/{domain_id:str}", opt=READ, summary="Show a sending domain")
    async def show(self, domain_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> DomainShown:
        """Return a domain with what the last check found."""
        return services.domains.shown(await services.domains.get(caller.project.id, domain_id))

    @patch("/{domain_id:str}", opt=FULL, summary="Change a sending domain")
    async def update(
        self, domain_id: FromPath[str], data: JSONBody[DomainPatch], services: GivenServices, caller: GivenCaller
    ) -> DomainShown:
        """Change how a domain is set up; its records are looked up again soon."""
        before = (await services.domains.get(caller.project.id, domain_id)).domain
        changed = await services.domains.configure(
            caller.project.id, before.id, _merged(before.settings, data.settings), actor=caller.key.id
        )
        return services.domains.shown(changed)

    @delete("/{domain_id:str}", opt=FULL, status_code=204, summary="Delete a sending domain")
    async def delete(self, domain_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> None:
        """Take a domain away; in production, mail from it is refused from now on, and what waits is held."""
        await services.domains.delete(caller.project.id, domain_id, actor=caller.key.id)

    @post("/{domain_id:str}/check", opt=FULL, status_code=200, summary="Look the records up now")
    async def check(self, domain_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> DomainShown:
        """Ask DNS for every record: what is wanted, what was found, what to change."""
        return services.domains.shown(await services.domains.inspect(caller.project.id, domain_id))

    @post("/{domain_id:str}/rotate", opt=FULL, status_code=200, summary="Make new DKIM keys")
    async def rotate(self, domain_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> DomainShown:
        """Make a new pair of keys; each signs once DNS shows it, and until then the old one does."""
        return services.domains.shown(await services.domains.rotate(caller.project.id, domain_id, actor=caller.key.id))


def _merged(before: DomainSettings, given: SettingsInput) -> DomainSettings:
    return DomainSettings(
        subdomains=before.subdomains if given.subdomains is None else given.subdomains,
        return_path=before.return_path if given.return_path is None else given.return_path,
        tracking=before.tracking if given.tracking is None else given.tracking,
        require_tls=before.require_tls if given.require_tls is None else given.require_tls,
    )
