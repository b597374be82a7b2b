"""The queue by filter: pages, counts, and changes that are made a bounded part at a time."""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec
from msgspec.structs import replace

from postroad.model.asked import stored_address, stored_domain
from postroad.model.clock import Clock
from postroad.model.delivery import State
from postroad.model.errors import Refused
from postroad.model.ids import DeliveryId, Mint, ProjectId
from postroad.store import queue, queue_changes
from postroad.store.database import Database
from postroad.store.queue import LIVE, Filter, Group, Grouping, Page, Queued
from postroad.store.queue_changes import ACTS_ON, Change, QueueAction

_BATCH: Final = 250
_SAMPLE: Final = 10
_LONGEST_S: Final = 3.0
"""How long one call works before it says where to go on."""
_NOTE_CHARACTERS: Final = 500


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What one call changed, or would have."""

    action: QueueAction
    operation: str
    """Names the change in the audit; give it again when going on, so that all parts bear one name."""
    matched: int
    """Deliveries that fit, of those this call came to."""
    changed: int
    in_hand: int
    """Deliveries that fit but are being sent now; they are left alone."""
    sample: list[Queued]
    """The first that fit."""
    next: str | None
    """Where to go on, or None when all is done."""


class Queue:
    """What waits, for those who operate it."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        mint: Mint,
        *,
        due: Callable[[], None],
        told: Callable[[], None],
        longest_s: float = _LONGEST_S,
    ) -> None:
        """Build the service; `due` is called when mail may be leased again, `told` when events were written."""
        self._database = database
        self._clock = clock
        self._mint = mint
        self._due = due
        self._told = told
        self._longest_s = longest_s

    async def listed(self, wanted: Filter, *, after: str = "", limit: int = 100) -> Page:
        """Return a page: what is being sent, what waits in the order in which it is due, what is held.

        A page may have few entries, or none, and a next one all the same.

        Raises:
            Refused: `after` is not where a page ended; the domain or the recipient is none.
        """
        wanted = _spelt(wanted, "#/query")
        return await self._database.read(lambda c: queue.page(c, wanted, after=after, limit=limit))

    async def counted(self, wanted: Filter, by: Grouping) -> tuple[list[Group], bool]:
        """Return how much waits by one thing it has in common, the most first, and whether all of it was counted.

        Raises:
            Refused: the domain or the recipient is none.
        """
        wanted = _spelt(wanted, "#/query")
        return await self._database.read(lambda c: queue.counts(c, wanted, by))

    async def show(self, delivery_id: DeliveryId, project_id: ProjectId | None = None) -> Queued:
        """Return a delivery, in the queue or not. Raises `Refused`: `not_found`."""
        found = await self._database.read(lambda c: queue.one(c, delivery_id, project_id))
        if found is None:
            raise Refused("not_found", "There is no such delivery.")
        return found

    async def change(
        self,
        action: QueueAction,
        wanted: Filter,
        *,
        author: str,
        note: str = "",
        after: str = "",
        operation: str = "",
        most: int = 10_000,
        dry_run: bool = False,
    ) -> Changed:
        """Change what fits, up to `most` deliveries and for a few seconds; `next` says where to go on.

        With `dry_run` nothing is changed. A change can be repeated and cut short anywhere: what was changed no longer
        fits, and what has been leased meanwhile is left alone.

        Raises:
            Refused: the action does nothing to any of the states asked for; the note is too long; `after` is not
                where a call ended; the domain or the recipient is none.
        """
        wanted = _spelt(self._applicable(action, wanted), "")
        if len(note) > _NOTE_CHARACTERS or "\0" in note:
            raise Refused.field("/note", f"A note has at most {_NOTE_CHARACTERS} characters.")
        operation = operation or self._mint("qop")
        matched = changed = 0
        sample: list[Queued] = []
        began_s = time.monotonic()
        place: str | None = after
        while place is not None and matched < most and time.monotonic() - began_s < self._longest_s:
            read = partial(queue.page, wanted=wanted, after=place, limit=min(_BATCH, most - matched))
            page = await self._database.read(read)
            place = page.next
            matched += len(page.found)
            sample += page.found[: _SAMPLE - len(sample)]
            if page.found and not dry_run:
                changed += await self._write(action, wanted, page.found, author, note, operation)
        in_hand = await self._database.read(lambda c: queue.count_sending(c, wanted))
        return Changed(
            action=action, operation=operation, matched=matched, changed=changed, in_hand=in_hand, sample=sample,
            next=place,
        )  # fmt: skip

    async def _write(
        self, action: QueueAction, wanted: Filter, found: list[Queued], author: str, note: str, operation: str
    ) -> int:
        asked = msgspec.to_builtins(replace(wanted, due_after=None))
        batch = Change(
            action=action, chosen=found, at=self._clock.now(), author=author, note=note, operation=operation,
            asked=asked,
        )  # fmt: skip
        count = await self._database.write(lambda c: queue_changes.change(c, batch))
        self._told()
        if action in (QueueAction.RELEASE, QueueAction.REQUEUE):
            self._due()
        return count

    def _applicable(self, action: QueueAction, wanted: Filter) -> Filter:
        """Narrow the filter to what the action can change."""
        states = ACTS_ON[action]
        if action is QueueAction.REQUEUE:
            if set(wanted.states) == set(LIVE):  # what is scheduled is sent early only when that is asked for
                states = tuple(state for state in states if state is not State.SCHEDULED)
            wanted = replace(wanted, due_after=self._clock.now())
        left = tuple(state for state in states if state in wanted.states)
        if not left:
            raise Refused.field("/states", f"{action.capitalize()} concerns what is {' or '.join(states)}.")
        return replace(wanted, states=left)


def _spelt(wanted: Filter, under: str) -> Filter:
    """Return a filter with domain and recipient in the one spelling that is stored; a misspelt one finds nothing.

    Raises:
        Refused: one of them is none; the pointer begins with `under`.
    """
    return replace(
        wanted,
        domain=stored_domain(wanted.domain, f"{under}/domain"),
        recipient=stored_address(wanted.recipient, f"{under}/to"),
    )
