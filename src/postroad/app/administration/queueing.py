"""The queue in the operator's hands: look, count, change in bulk, suspend and resume."""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta, Struct

from postroad.app.administration.operation import (
    ACTOR,
    MOST_ROWS,
    Answer,
    Operation,
    operation,
    project_of,
    time_of,
)
from postroad.features.queue import NewSuspension
from postroad.model.clock import SECOND, Instant, from_datetime
from postroad.model.delivery import State
from postroad.model.errors import Refused
from postroad.model.ids import DeliveryId, MessageId, SuspensionId
from postroad.model.reason import Class
from postroad.model.suspension import ANY, Suspension
from postroad.store.queue import LIVE, Filter, Grouping, Queued
from postroad.store.queue_changes import QueueAction

if TYPE_CHECKING:
    from postroad.app.house import House


class Which(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries of the queue are meant; all that is given must hold."""

    project: str | None = None
    """Its name or its identifier; None: of every project."""
    site: str | None = None
    domain: str | None = None
    stream: str | None = None
    states: tuple[State, ...] | None = None
    reason_class: Class | None = msgspec.field(name="class", default=None)
    older_than_s: Annotated[int, Meta(ge=0)] | None = None
    message: str | None = None
    to: str | None = None


class ListOf(Which, frozen=True, kw_only=True):
    """Which part of the queue is wanted."""

    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = 50
    after: str | None = None


class CountOf(Which, frozen=True, kw_only=True):
    """What to count, and by what."""

    by: Grouping = Grouping.SITE


class ChangeOf(Which, frozen=True, kw_only=True):
    """What to do to which part of the queue."""

    action: QueueAction
    note: str = ""
    dry_run: bool = False
    after: str | None = None
    """The `next` of the call before."""
    operation: str = ""


class OneDelivery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A delivery."""

    delivery: str


class Subject(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What waits, or is to wait."""

    site: str | None = None
    project: str | None = None
    stream: str | None = None


class NewWait(Subject, frozen=True, kw_only=True):
    """What is to wait, why, and until when."""

    reason: str = ""
    until: Annotated[dt.datetime, Meta(tz=True)] | None = None


class EndOfWait(Subject, frozen=True, kw_only=True):
    """What is to go on: one suspension by its identifier, or all those of a subject."""

    id: str | None = None
    force: bool = False


async def list_all(house: "House", given: ListOf) -> Answer:
    """Return a page of the queue, passing over parts in which nothing fits."""
    wanted, after = await _filter(house, given), given.after or ""
    while True:
        page = await house.queue.listed(wanted, after=after, limit=given.limit)
        if page.found or page.next is None:
            return {"data": [_row(house, each) for each in page.found], "next": page.next}
        after = page.next


async def count(house: "House", given: CountOf) -> Answer:
    """Return how much is in the queue, by one thing it has in common."""
    groups, complete = await house.queue.counted(await _filter(house, given), given.by)
    now = house.clock.now()
    return {
        "data": [
            {
                given.by.value: group.name,
                "total": group.total,
                **{state.value: group.states.get(state, 0) for state in LIVE},
                "next_attempt_at": time_of(group.next_at),
                "oldest_s": (now - group.oldest_at) // SECOND,
            }
            for group in groups
        ],
        "complete": complete,
    }


async def show(house: "House", given: OneDelivery) -> Answer:
    """Return where a delivery stands and why."""
    return _row(house, await house.queue.show(DeliveryId(given.delivery)))


async def change(house: "House", given: ChangeOf) -> Answer:
    """Change a bounded part of what fits, and say where to go on."""
    changed = await house.queue.change(
        given.action,
        await _filter(house, given),
        author=ACTOR,
        note=given.note,
        after=given.after or "",
        operation=given.operation,
        dry_run=given.dry_run,
    )
    return {
        "operation": changed.operation,
        "matched": changed.matched,
        "changed": changed.changed,
        "in_hand": changed.in_hand,
        "sample": [_row(house, each) for each in changed.sample],
        "next": changed.next,
    }


async def suspend(house: "House", given: NewWait) -> Answer:
    """Make mail wait."""
    suspended = await house.suspending.suspend(
        NewSuspension(
            site=given.site or ANY,
            project_id=await _project_id(house, given.project) or ANY,
            stream=given.stream or ANY,
            reason=given.reason,
            until=None if given.until is None else from_datetime(given.until),
        ),
        author=ACTOR,
    )
    return told(suspended)


async def resume(house: "House", given: EndOfWait) -> Answer:
    """Let mail go on."""
    chosen = [given.id] if given.id else await _of_subject(house, given)
    lifted: list[Answer] = []
    for identifier in chosen:
        try:
            ended = await house.suspending.lift(SuspensionId(identifier), author=ACTOR, force=given.force)
        except Refused as refusal:
            detail = refusal.detail.replace("force=true", "--force")
            raise Refused(refusal.code, detail, flaws=refusal.flaws) from refusal
        lifted.append(told(ended))
    return {"data": lifted}


async def suspensions(house: "House", given: Subject) -> Answer:
    """Return what is suspended."""
    return {"data": [told(each) for each in await house.suspending.listed(await _project_id(house, given.project))]}


def told(suspension: Suspension) -> Answer:
    """Return a suspension as it is told."""
    return {
        "id": suspension.id,
        "site": suspension.site,
        "project": suspension.project_id,
        "stream": suspension.stream,
        "cause": suspension.cause.value,
        "reason": suspension.reason,
        "author": suspension.author,
        "created_at": time_of(suspension.created_at),
        "until": time_of(suspension.until),
        "evidence": suspension.evidence,
    }


async def _of_subject(house: "House", given: EndOfWait) -> list[str]:
    """Return the suspensions of exactly what was named."""
    subject = ((given.site or ANY).lower(), await _project_id(house, given.project) or ANY, given.stream or ANY)
    found = [each for each in await house.suspending.listed() if (each.site, each.project_id, each.stream) == subject]
    if not found:
        raise Refused("not_found", "Nothing of this is suspended; `postroad queue suspensions` shows what is.")
    return [each.id for each in found]


async def _filter(house: "House", given: Which) -> Filter:
    project = None if given.project is None else (await project_of(house, given.project)).id
    age = given.older_than_s
    return Filter(
        project_id=project,
        site=given.site,
        domain=given.domain,
        stream=given.stream,
        states=given.states or LIVE,
        reason_class=given.reason_class,
        accepted_before=None if age is None else Instant(house.clock.now() - age * SECOND),
        message_id=None if given.message is None else MessageId(given.message),
        recipient=given.to,
    )


async def _project_id(house: "House", name: str | None) -> str | None:
    return None if name is None else (await project_of(house, name)).id


def _row(house: "House", queued: Queued) -> Answer:
    each = queued.delivery
    suspension = None
    if each.state in LIVE:
        suspension = house.suspensions.find(each.project_id, each.stream, queued.site, each.domain)
    return {
        "id": each.id,
        "state": each.state.value,
        "to": each.recipient,
        "site": queued.site,
        "project": each.project_id,
        "stream": each.stream,
        "message_id": each.message_id,
        "attempts": each.attempts,
        "accepted_at": time_of(each.created_at),
        "next_attempt_at": time_of(each.next_at),
        "expires_at": time_of(each.expires_at),
        "class": queued.reason_class,
        "reason": None if each.reason is None else each.reason.detail,
        "suspended": None if suspension is None else told(suspension),
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    "queue.list": operation(ListOf, list_all),
    "queue.count": operation(CountOf, count),
    "queue.show": operation(OneDelivery, show),
    "queue.change": operation(ChangeOf, change),
    "queue.suspend": operation(NewWait, suspend),
    "queue.resume": operation(EndOfWait, resume),
    "queue.suspensions": operation(Subject, suspensions),
}
