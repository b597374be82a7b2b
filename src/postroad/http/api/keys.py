"""API keys of the caller's project."""

import datetime as dt
from typing import Annotated

import msgspec
from litestar import Controller, delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from postroad.http.auth import FULL, SECRET, GivenCaller, GivenServices
from postroad.http.paging import place
from postroad.http.services import Services
from postroad.model.clock import Instant, from_datetime, to_rfc3339
from postroad.model.errors import Refused
from postroad.model.ids import KeyId, ProjectId
from postroad.model.message import Mode
from postroad.model.project import ApiKey, Caller, KeyLimits, KeyScope

_Texts = Annotated[list[str], msgspec.Meta(max_length=100)]


class LimitsInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the key is confined to; what is not given confines nothing."""

    from_domains: Annotated[_Texts, msgspec.Meta(description="Domains that it may send from.")] = []
    recipients: Annotated[
        _Texts, msgspec.Meta(description="Patterns with * such as *@example.com; every recipient must match one.")
    ] = []
    networks: Annotated[
        _Texts, msgspec.Meta(description="IP addresses and ranges, such as 192.0.2.0/24, that it may be used from.")
    ] = []


class KeyInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make."""

    name: Annotated[str, msgspec.Meta(description="What it is for, in words for people.")]
    mode: Annotated[Mode, msgspec.Meta(description="Mail of a test key is captured and never leaves.")] = Mode.LIVE
    scope: Annotated[KeyScope, msgspec.Meta(description="Whether it may do everything, only send, or only look.")] = (
        KeyScope.FULL
    )
    limits: LimitsInput = LimitsInput()
    expires_at: Annotated[dt.datetime, msgspec.Meta(tz=True, description="When it ends by itself.")] | None = None


class KeyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without its secret."""

    id: str
    name: str
    mode: Mode
    scope: KeyScope
    limits: LimitsInput
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None
    """When it was last used, to the minute."""


class KeyMade(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was just made."""

    key: KeyShown
    secret: str
    """The API key itself. It is shown this once."""


class KeyPage(msgspec.Struct, frozen=True):
    """A page of keys; `next` is given as `after` to read on, and null at the end."""

    data: list[KeyShown]
    next: str | None


class KeysController(Controller):
    """API keys."""

    path = "/v1/keys"
    tags = ("Keys",)

    @get(opt=FULL, summary="List API keys")
    async def listed(
        self,
        services: GivenServices,
        caller: GivenCaller,
        after: Annotated[str, QueryParameter(description="Where to read on: `next` of the page before.")] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=1000, description="How many at the most.")] = 100,
    ) -> KeyPage:
        """Return the project's keys in the order they were made, revoked ones too."""
        return await page(services, caller.project.id, after, limit)

    @post(opt=FULL | SECRET, status_code=201, summary="Make an API key")
    async def create(self, data: JSONBody[KeyInput], services: GivenServices, caller: GivenCaller) -> KeyMade:
        """Make a key; its secret is in this answer only.

        A test key makes only test keys, and a key that is confined or expires makes none, so that no key leads to more
        than it may do itself.
        """
        check_may_make(caller, data.mode)
        return await make(services, caller.project.id, data, actor=caller.key.id)

    @get("/{key_id:str}", opt=FULL, summary="Show an API key")
    async def show(self, key_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> KeyShown:
        """Return one key of the project."""
        return shown(await services.keys.get(caller.project.id, KeyId(key_id)))

    @delete("/{key_id:str}", opt=FULL, status_code=200, summary="Revoke an API key")
    async def revoke(self, key_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> KeyShown:
        """End a key: at once on this node, within five seconds on all others. It stays in the list."""
        return shown(await services.keys.revoke(caller.project.id, KeyId(key_id), actor=caller.key.id))


async def page(services: Services, project_id: ProjectId, after: str, limit: int) -> KeyPage:
    """Return a page of a project's keys."""
    found = await services.keys.listed(project_id, after=place("key", after), limit=limit)
    return KeyPage([shown(key) for key in found], found[-1].id if len(found) == limit else None)


async def make(services: Services, project_id: ProjectId, data: KeyInput, *, actor: str) -> KeyMade:
    """Make a key for a project that is there.

    Raises:
        Refused: a name, limit or expiry that cannot be.
    """
    made = await services.keys.create(
        project_id,
        data.name,
        mode=data.mode,
        scope=data.scope,
        limits=KeyLimits(
            from_domains=tuple(data.limits.from_domains),
            recipients=tuple(data.limits.recipients),
            networks=tuple(data.limits.networks),
        ),
        expires_at=None if data.expires_at is None else from_datetime(data.expires_at),
        actor=actor,
    )
    return KeyMade(key=shown(made.key), secret=made.secret)


def check_may_make(caller: Caller, mode: Mode) -> None:
    """Refuse a caller who would make a key that may do more than its own.

    Raises:
        Refused: `forbidden`.
    """
    key = caller.key
    if key.limits != KeyLimits() or key.expires_at is not None:
        raise Refused("forbidden", "An API key that is confined or expires cannot make others.")
    if key.mode is Mode.TEST and mode is not Mode.TEST:
        raise Refused("forbidden", "A test key makes only test keys.")


def shown(key: ApiKey) -> KeyShown:
    """Return a key as it is shown."""
    return KeyShown(
        id=key.id,
        name=key.name,
        mode=key.mode,
        scope=key.scope,
        limits=LimitsInput(
            from_domains=list(key.limits.from_domains),
            recipients=list(key.limits.recipients),
            networks=list(key.limits.networks),
        ),
        created_at=to_rfc3339(key.created_at),
        expires_at=_time(key.expires_at),
        revoked_at=_time(key.revoked_at),
        last_used_at=_time(key.last_used_at),
    )


def _time(at: Instant | None) -> str | None:
    return None if at is None else to_rfc3339(at)
