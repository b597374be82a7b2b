"""Undo: take off the lists what an incident, a rule, a class of replies, a site or a stretch of time put there."""

from collections.abc import Callable
from typing import Final

import msgspec

from postroad.model.clock import Clock
from postroad.model.errors import Refused
from postroad.model.ids import Mint, ProjectId
from postroad.model.suppression import Cause, Suppression, fold
from postroad.store import Connection, audit
from postroad.store import suppressions as store
from postroad.store.database import Database
from postroad.store.suppressions import Filter, Incident
from postroad.wire.address import AddressError, parse_mailbox

LASTING: Final = frozenset({Cause.COMPLAINT, Cause.UNSUBSCRIBE})
"""Causes that are somebody's will: they never end by themselves, and removing them needs force."""
_BATCH: Final = 500
_SAMPLE: Final = 10


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken off the lists, or would be."""

    operation: str
    """The audit's subject."""
    matched: int
    removed: int
    kept: int
    """Entries that are the recipients' own will, which only force removes."""
    sample: list[Suppression]


class Undoing:
    """Takes entries off the lists in bulk."""

    def __init__(self, database: Database, clock: Clock, mint: Mint, *, told: Callable[[], None]) -> None:
        """Build the service; `told` is called after each batch that wrote events."""
        self._database = database
        self._clock = clock
        self._mint = mint
        self._told = told

    async def incidents(self, project_id: ProjectId | None = None, *, limit: int = 100) -> list[Incident]:
        """Return the incidents of which entries are left in a project (None: in any), the latest first."""
        return await self._database.read(lambda c: store.incidents(c, project_id, limit=limit))

    async def undo(
        self,
        project_id: ProjectId | None,
        wanted: Filter,
        *,
        author: str,
        force: bool = False,
        dry_run: bool = False,
        note: str = "",
    ) -> Undone:
        """Take off the lists of a project (None: of all) what fits; without a cause, only what was put there by itself.

        It can be cut short and repeated: what is gone no longer fits. Each batch is a transaction with its events and
        its entry in the audit.

        Raises:
            Refused: nothing is said of what to undo, or an incident is named that there was not (`not_found`).
        """
        if wanted == Filter(automatic=wanted.automatic):
            raise Refused(
                "invalid_request", "Say what to undo: an incident, a cause, a class, a rule, a site or a time."
            )
        if wanted.cause is None:
            wanted = msgspec.structs.replace(wanted, automatic=True)
        if wanted.incident is not None:
            await self._check_incident(project_id, wanted.incident)
        operation = self._mint("sop")
        matched = removed = kept = 0
        sample: list[Suppression] = []
        after = ""
        while page := await self._page(project_id, wanted, after):
            after = page[-1].id
            matched += len(page)
            chosen = [entry for entry in page if force or entry.cause not in LASTING]
            kept += len(page) - len(chosen)
            sample += chosen[: _SAMPLE - len(sample)]
            if chosen and not dry_run:
                told = {"filter": msgspec.to_builtins(wanted), "forced": force, "note": note}
                removed += await self._remove(chosen, operation, author, told)
        return Undone(operation=operation, matched=matched, removed=removed, kept=kept, sample=sample)

    async def remove_addresses(
        self, project_id: ProjectId, addresses: list[str], *, scope: str | None, author: str, force: bool = False
    ) -> Undone:
        """Take many addresses off a project's list, in all scopes or one; those that are not on it do no harm."""
        operation = self._mint("sop")
        wanted = [_stored(address) for address in addresses]
        found = await self._database.read(lambda c: store.of_addresses(c, project_id, wanted, scope))
        chosen = [entry for entry in found if force or entry.cause not in LASTING]
        removed = 0
        if chosen:
            removed = await self._remove(chosen, operation, author, {"addresses": len(addresses), "forced": force})
        return Undone(
            operation=operation, matched=len(found), removed=removed, kept=len(found) - len(chosen),
            sample=chosen[:_SAMPLE],
        )  # fmt: skip

    async def _check_incident(self, project_id: ProjectId | None, incident: str) -> None:
        if not await self._database.read(lambda c: store.is_incident(c, project_id, incident)):
            raise Refused(
                "not_found",
                "There is no such incident. `postroad suppression incidents` and GET /v1/suppressions/incidents list "
                "those of which entries are left.",
            )

    async def _page(self, project_id: ProjectId | None, wanted: Filter, after: str) -> list[Suppression]:
        return await self._database.read(
            lambda c: store.listed(c, project_id, wanted, after=after, limit=_BATCH),
        )

    async def _remove(self, chosen: list[Suppression], operation: str, author: str, told: dict[str, object]) -> int:
        by_project: dict[ProjectId, list[Suppression]] = {}
        for entry in chosen:
            by_project.setdefault(entry.project_id, []).append(entry)
        at = self._clock.now()

        def write(connection: Connection) -> int:
            count = 0
            for project, entries in by_project.items():
                entry = audit.Entry(
                    project_id=project, at=at, actor=author, action="suppression.undone", subject=operation,
                    data=told | {"count": len(entries), "first": [each.id for each in entries[:_SAMPLE]]},
                )  # fmt: skip
                count += store.remove_all(connection, entries, entry)
            return count

        count = await self._database.write(write)
        self._told()
        return count


def _stored(address: str) -> str:
    """Return an address as it is compared on the list; what is none is on no list either."""
    try:
        return fold(parse_mailbox(address).address)
    except AddressError:
        return fold(address)
