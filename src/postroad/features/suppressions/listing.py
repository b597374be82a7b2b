"""The list itself: add, look up, remove, take in and give out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from typing import Final, Protocol

import msgspec

from postroad.features.suppressions.transfer import (
    NOTE_CHARACTERS,
    Format,
    Line,
    LineResult,
    read_list,
    write_csv,
    write_json,
)
from postroad.features.suppressions.undoing import LASTING
from postroad.model.asked import stored_address
from postroad.model.clock import SECOND, Clock, Instant
from postroad.model.errors import Flaw, Refused
from postroad.model.ids import Mint, ProjectId, SuppressionId
from postroad.model.reason import Reason
from postroad.model.stream import Stream
from postroad.model.suppression import WHOLE_PROJECT, Cause, Suppression
from postroad.model.token import Unsubscribe
from postroad.store import Connection, audit, projects
from postroad.store import suppressions as store
from postroad.store.database import Database
from postroad.wire.address import AddressError, parse_mailbox

_BATCH: Final = 500
_FAR: Final = 253_370_764_800 * SECOND
"""The year 9999, behind which times cannot be written."""
_PAGE: Final = 1000


class Streams(Protocol):
    """Who knows a project's streams."""

    async def listed(self, project_id: ProjectId) -> list[Stream]:
        """Return the streams of a project."""
        ...


class NewSuppression(msgspec.Struct, frozen=True, kw_only=True):
    """An entry to be put on the list."""

    address: str
    scope: str = WHOLE_PROJECT
    cause: Cause = Cause.MANUAL
    note: str = ""
    expires_at: Instant | None = None


class ImportDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for lines that do not say it themselves."""

    scope: str = WHOLE_PROJECT
    cause: Cause = Cause.IMPORT


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a list, in numbers and line by line."""

    lines: int
    added: int
    changed: int
    already_listed: int
    refused: int
    results: list[LineResult]


class Suppressions:
    """The suppression lists of all projects."""

    def __init__(
        self, database: Database, clock: Clock, mint: Mint, *, streams: Streams, told: Callable[[], None]
    ) -> None:
        """Build the service over the store; `told` is called after each change that wrote events."""
        self._database = database
        self._clock = clock
        self._mint = mint
        self._streams = streams
        self._told = told

    async def add(
        self,
        project_id: ProjectId,
        address: str,
        scope: str = WHOLE_PROJECT,
        *,
        cause: Cause,
        author: str,
        evidence: Reason | None = None,
        note: str = "",
        expires_at: Instant | None = None,
    ) -> Suppression:
        """Put an address on the list, and return its entry; one that is there already stays unless this says more.

        Raises:
            Refused: a field is not valid; the flaws point at it.
        """
        new = NewSuppression(address=address, scope=scope, cause=cause, note=note, expires_at=expires_at)
        mailbox = self._checked(new, await self._scopes(project_id))
        entry = self._entry(project_id, new, mailbox, author=author, evidence=evidence)
        stored, _ = await self._put(entry)
        return stored

    async def unsubscribe(self, right: Unsubscribe) -> None:
        """Put a recipient on the list for a stream because of its own wish; once there, nothing more happens."""
        new = NewSuppression(address=right.recipient, scope=right.stream, cause=Cause.UNSUBSCRIBE)
        entry = msgspec.structs.replace(
            self._entry(right.project_id, new, right.recipient, author="recipient"),
            message_id=right.message_id,
            delivery_id=right.delivery_id,
        )

        def write(connection: Connection) -> bool:
            if projects.by_id(connection, right.project_id) is None:
                return False  # the link outlived its project: there is nobody left who could mail
            changed = store.put(connection, [entry], entry.created_at)[0] is not store.Put.KEPT
            if changed:
                store.unsubscribed(connection, entry)
            return changed

        if await self._database.write(write):
            self._told()

    async def get(self, project_id: ProjectId, suppression_id: SuppressionId) -> Suppression:
        """Return one entry. Raises `Refused`: `not_found`."""
        found = await self._database.read(lambda c: store.one(c, project_id, suppression_id))
        if found is None:
            raise _missing()
        return found

    async def listed(
        self, project_id: ProjectId, wanted: store.Filter, *, after: str = "", limit: int = 100, newest: bool = False
    ) -> list[Suppression]:
        """Return entries in the order they were made (or from the newest), behind the identifier `after`."""
        return await self._database.read(
            lambda c: store.listed(c, project_id, _canonical(wanted), after=after, limit=limit, newest=newest)
        )

    async def remove(
        self, project_id: ProjectId, suppression_id: SuppressionId, *, force: bool = False, author: str
    ) -> None:
        """Take an entry off the list, which is written to the audit.

        Raises:
            Refused: `not_found`; or `force_required`, its cause is a complaint or a wish to unsubscribe.
        """

        def write(connection: Connection) -> None:
            found = store.one(connection, project_id, suppression_id)
            if found is None:
                raise _missing()
            if found.cause in LASTING and not force:
                raise Refused(
                    "force_required",
                    f"The cause is a {found.cause.value}: the recipient's own will. Remove it only when the recipient "
                    "has asked for mail again, and then with force=true, which the audit keeps.",
                )
            told = {"address": found.address, "scope": found.scope, "cause": found.cause, "forced": force}
            store.remove(
                connection,
                found,
                audit.Entry(
                    project_id=project_id, at=self._clock.now(), actor=author, action="suppression.removed",
                    subject=found.id, data=told,
                ),
            )  # fmt: skip

        await self._database.write(write)
        self._told()

    async def take_in(
        self,
        project_id: ProjectId,
        octets: bytes,
        form: Format,
        *,
        author: str,
        defaults: ImportDefaults | None = None,
        every_line: bool = False,
    ) -> Imported:
        """Put a whole list on the list, line by line: what is wrong with one line concerns no other.

        A list can be taken in again without harm. `every_line` returns the results of all lines, and not only of
        those that were refused.

        Raises:
            Refused: it cannot be read at all (see `read_list`), or the defaults are not valid.
        """
        defaults = defaults or ImportDefaults()
        if defaults.scope not in await self._scopes(project_id):
            raise _unknown_scope("#/query/scope", defaults.scope)
        lines = await asyncio.to_thread(read_list, octets, form)
        return await self.take_lines(project_id, lines, author=author, defaults=defaults, every_line=every_line)

    async def take_lines(
        self,
        project_id: ProjectId,
        lines: Sequence[Line],
        *,
        author: str,
        defaults: ImportDefaults,
        every_line: bool = False,
    ) -> Imported:
        """Put lines that `read_list` read on the list; see `take_in`."""
        scopes = await self._scopes(project_id)
        results: list[LineResult] = []
        for start in range(0, len(lines), _BATCH):
            batch = lines[start : start + _BATCH]
            results += await self._take_batch(project_id, batch, scopes, defaults, author)
            self._told()
        await self._database.write(lambda c: audit.record(c, self._import_entry(project_id, author, results)))
        return _summary(results, every_line=every_line)

    async def give_out(
        self, project_id: ProjectId, form: Format, wanted: store.Filter, *, guard: bool = True
    ) -> AsyncIterator[bytes]:
        """Yield the list as CSV or JSON lines, a page at a time; `guard` is that of `write_csv`."""
        after: str | None = ""
        while after is not None:
            octets, after = await self.page(project_id, form, wanted, after=after, guard=guard)
            yield octets

    async def page(
        self, project_id: ProjectId, form: Format, wanted: store.Filter, *, after: str = "", guard: bool = True
    ) -> tuple[bytes, str | None]:
        """Return a page of the list as octets, and where the next one begins; CSV begins with its heading."""
        return await self._database.read(
            partial(_page, project_id, form, _canonical(wanted), after=after, heading=not after, guard=guard)
        )

    async def _take_batch(
        self,
        project_id: ProjectId,
        batch: Sequence[Line],
        scopes: frozenset[str],
        defaults: ImportDefaults,
        author: str,
    ) -> list[LineResult]:
        results: dict[int, LineResult] = {}
        entries: list[tuple[int, Suppression]] = []
        for line in batch:
            new = NewSuppression(
                address=line.address,
                scope=line.scope or defaults.scope,
                cause=line.cause or defaults.cause,
                note=line.note,
                expires_at=line.expires_at,
            )
            problem = line.problem or "; ".join(flaw.detail for flaw in _flaws(new, scopes))
            if problem:
                results[line.number] = LineResult(
                    line=line.number, address=line.address, status="refused", detail=problem
                )
            else:
                entries.append((line.number, self._entry(project_id, new, line.address, author=author)))
        now = self._clock.now()
        outcomes = await self._database.write(lambda c: store.put(c, [entry for _, entry in entries], now))
        for (number, entry), outcome in zip(entries, outcomes, strict=True):
            results[number] = LineResult(line=number, address=entry.address, status=outcome)
        return [results[line.number] for line in batch]

    async def _put(self, entry: Suppression) -> tuple[Suppression, store.Put]:
        def write(connection: Connection) -> tuple[Suppression, store.Put]:
            (outcome,) = store.put(connection, [entry], entry.created_at)
            stored = store.find(connection, entry.project_id, entry.address, entry.scope)
            assert stored is not None, "it was put there in this transaction"
            return stored, outcome

        stored, outcome = await self._database.write(write)
        if outcome is not store.Put.KEPT:
            self._told()
        return stored, outcome

    async def _scopes(self, project_id: ProjectId) -> frozenset[str]:
        return frozenset({WHOLE_PROJECT, *(stream.name for stream in await self._streams.listed(project_id))})

    def _checked(self, new: NewSuppression, scopes: frozenset[str]) -> str:
        """Return the address in the form in which it is stored."""
        flaws = _flaws(new, scopes)
        address = ""
        try:
            address = parse_mailbox(new.address).address
        except AddressError as problem:
            flaws.insert(0, Flaw("/address", str(problem)))
        if new.expires_at is not None and new.expires_at <= self._clock.now():
            flaws.append(Flaw("/expires_at", "This time has passed."))
        if flaws:
            raise Refused("invalid_request", "The suppression is not valid.", flaws=flaws)
        return address

    def _entry(
        self, project_id: ProjectId, new: NewSuppression, address: str, *, author: str, evidence: Reason | None = None
    ) -> Suppression:
        return Suppression(
            id=SuppressionId(self._mint("sup")),
            project_id=project_id,
            scope=new.scope,
            address=address,
            cause=new.cause,
            author=author,
            created_at=self._clock.now(),
            expires_at=new.expires_at,
            evidence=evidence,
            note=new.note,
        )

    def _import_entry(self, project_id: ProjectId, author: str, results: Iterable[LineResult]) -> audit.Entry:
        told = {name: count for name, count in _counts(results).items() if count}
        return audit.Entry(
            project_id=project_id, at=self._clock.now(), actor=author, action="suppression.imported",
            subject=project_id, data=told,
        )  # fmt: skip


def _flaws(new: NewSuppression, scopes: frozenset[str]) -> list[Flaw]:
    flaws: list[Flaw] = []
    if new.scope not in scopes:
        flaws += _unknown_scope("/scope", new.scope).flaws
    if new.cause in LASTING and new.expires_at is not None:
        flaws.append(Flaw("/expires_at", f"A {new.cause.value} never ends by itself."))
    if new.expires_at is not None and not 0 < new.expires_at < _FAR:
        flaws.append(Flaw("/expires_at", "The time must lie between 1970 and 9999."))
    if len(new.note) > NOTE_CHARACTERS or "\0" in new.note:
        flaws.append(Flaw("/note", f"A note has at most {NOTE_CHARACTERS} characters."))
    return flaws


def _page(
    project_id: ProjectId,
    form: Format,
    wanted: store.Filter,
    connection: Connection,
    *,
    after: str,
    heading: bool,
    guard: bool,
) -> tuple[bytes, str | None]:
    """Return a page of the list as octets, and where the next one begins."""
    entries = store.listed(connection, project_id, wanted, after=after, limit=_PAGE)
    octets = write_csv(entries, heading=heading, guard=guard) if form is Format.CSV else write_json(entries)
    return octets, entries[-1].id if len(entries) == _PAGE else None


def _canonical(wanted: store.Filter) -> store.Filter:
    """Return the filter with its address in the form in which addresses are stored."""
    return msgspec.structs.replace(wanted, address=stored_address(wanted.address, "#/query/address"))


def _counts(results: Iterable[LineResult]) -> dict[str, int]:
    counts = {"added": 0, "changed": 0, "already_listed": 0, "refused": 0}
    for result in results:
        counts[str(result.status)] += 1
    return counts


def _summary(results: list[LineResult], *, every_line: bool) -> Imported:
    shown = results if every_line else [result for result in results if result.status == "refused"]
    return Imported(lines=len(results), results=shown, **_counts(results))


def _missing() -> Refused:
    return Refused("not_found", "The project has no such suppression.")


def _unknown_scope(pointer: str, scope: str) -> Refused:
    return Refused.field(
        pointer, f"The scope is * for the whole project, or the name of a stream; {scope!r} is neither."
    )
