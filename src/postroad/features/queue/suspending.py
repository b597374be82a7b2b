"""Make mail wait, and let it go on: a site, a project, a stream of a project, or several of these together."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from postroad.model.clock import Clock, Instant
from postroad.model.errors import Flaw, Refused
from postroad.model.ids import Mint, SuspensionId
from postroad.model.suspension import ANY, Suspension, SuspensionCause
from postroad.store import Connection
from postroad.store import suspensions as store
from postroad.store.database import Database

_SITE: Final = re.compile(r"[!-~]{1,512}")
_REASON_CHARACTERS: Final = 500


class NewSuspension(msgspec.Struct, frozen=True, kw_only=True):
    """What is to wait; `*` is any."""

    site: str = ANY
    project_id: str = ANY
    stream: str = ANY
    reason: str = ""
    until: Instant | None = None
    """None: until somebody lifts it."""


class Suspending:
    """Suspensions, for those who decide on them."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        mint: Mint,
        *,
        changed: Callable[[], Awaitable[None]],
        told: Callable[[], None],
    ) -> None:
        """Build the service; `changed` lets the road see what is suspended now, `told` follows on events."""
        self._database = database
        self._clock = clock
        self._mint = mint
        self._changed = changed
        self._told = told

    async def suspend(
        self,
        new: NewSuspension,
        *,
        author: str,
        cause: SuspensionCause = SuspensionCause.OPERATOR,
        evidence: dict[str, str | int | float | None] | None = None,
    ) -> Suspension:
        """Make mail wait, and return the suspension that is in force then.

        What is being sent goes on; what waits keeps its place, its attempts and its expiry. An operator's second word
        on the same subject replaces the first.

        Raises:
            Refused: a field is not valid.
        """
        now = self._clock.now()
        site = new.site.strip().lower()
        _check(new, site, now)
        suspension = Suspension(
            id=SuspensionId(self._mint("ssp")),
            site=site,
            project_id=new.project_id,
            stream=new.stream,
            cause=cause,
            reason=new.reason or "Suspended by hand.",
            author=author,
            created_at=now,
            until=new.until,
            evidence=evidence or {},
        )

        def write(connection: Connection) -> Suspension:
            stored = store.put(connection, suspension)
            if stored is not None:
                return stored
            return next(each for each in store.in_force(connection, now) if _same(each, suspension))

        stored = await self._database.write(write)
        await self._changed()
        self._told()
        return stored

    async def listed(self, project_id: str | None = None) -> list[Suspension]:
        """Return what is suspended, oldest first; of a project, all that concerns its mail."""
        now = self._clock.now()
        return await self._database.read(lambda c: store.in_force(c, now, project_id))

    async def lift(
        self, identifier: SuspensionId, *, author: str, project_id: str | None = None, force: bool = False
    ) -> Suspension:
        """End a suspension, and return it.

        Args:
            identifier: of the suspension.
            author: who does.
            project_id: the only project whose suspensions may be lifted; None: all.
            force: lift what a rule or the guard decided too.

        Raises:
            Refused: `not_found`; or `force_required`.
        """

        def write(connection: Connection) -> Suspension:
            found = store.one(connection, identifier)
            if found is None or not found.holds_at(self._clock.now()) or project_id not in (None, found.project_id):
                raise Refused("not_found", "There is no such suspension; it may have ended.")
            if found.cause is not SuspensionCause.OPERATOR and not force:
                raise Refused(
                    "force_required",
                    f"The {found.cause} suspended this: {found.reason} Lift it with force=true once the cause is "
                    "put right; the audit keeps that.",
                )
            store.lift(connection, found, author=author, at=self._clock.now())
            return found

        lifted = await self._database.write(write)
        await self._changed()
        self._told()
        return lifted


def _same(one: Suspension, other: Suspension) -> bool:
    return (one.site, one.project_id, one.stream, one.cause) == (
        other.site, other.project_id, other.stream, other.cause,
    )  # fmt: skip


def _check(new: NewSuspension, site: str, now: Instant) -> None:
    flaws: list[Flaw] = []
    if _SITE.fullmatch(site) is None:
        flaws.append(Flaw("/site", "A site is named as `postroad queue count --by site` names it, or by a domain."))
    if (site, new.project_id) == (ANY, ANY):
        flaws.append(Flaw("/site", "Say what is to wait: a site, a project, or both."))
    if new.stream != ANY and new.project_id == ANY:
        flaws.append(Flaw("/stream", "A stream belongs to a project; name that too."))
    if len(new.reason) > _REASON_CHARACTERS or "\0" in new.reason:
        flaws.append(Flaw("/reason", f"A reason has at most {_REASON_CHARACTERS} characters."))
    if new.until is not None and new.until <= now:
        flaws.append(Flaw("/until", "This time has passed."))
    if flaws:
        raise Refused("invalid_request", "The suspension is not valid.", flaws=flaws)
