"""The queue of the caller's project: what waits and why, counted, and changed in bulk."""

from typing import Annotated, NamedTuple

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from postroad.features.queue import Changed
from postroad.http.api.suspensions import SuspensionShown, show_suspension
from postroad.http.auth import FULL, READ, GivenCaller, GivenServices
from postroad.http.services import Services
from postroad.model.clock import SECOND, Clock, Instant, to_rfc3339
from postroad.model.delivery import State
from postroad.model.errors import Refused
from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.message import Mode
from postroad.model.reason import Class, Reason
from postroad.store.queue import LIVE, Filter, Group, Grouping, Queued
from postroad.store.queue_changes import QueueAction

_Site = Annotated[str | None, QueryParameter(description="Only this site: its key, or a domain whose site is unknown.")]
_Domain = Annotated[str | None, QueryParameter(description="Only this recipient domain.")]
_StreamName = Annotated[str | None, QueryParameter(description="Only this stream.")]
_State = Annotated[State | None, QueryParameter(name="state", description="Only this state.")]
_Class = Annotated[Class | None, QueryParameter(name="class", description="Only what this kept back last.")]
_Older = Annotated[int | None, QueryParameter(ge=0, description="Only what was accepted at least so long ago.")]


class QueuedShown(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery in the queue, and why it is there."""

    id: str
    message_id: str
    to: str
    domain: str
    site: str
    """Where its domain's mail goes, as last found; the domain itself until that is known."""
    stream: str
    mode: Mode
    state: State
    attempts: int
    accepted_at: str
    age_s: int
    next_attempt_at: str | None
    expires_at: str
    reason: Reason | None
    suspended: SuspensionShown | None
    """What keeps it back whatever its time."""


class QueuePage(msgspec.Struct, frozen=True):
    """A part of the queue; it may be short, or empty, and have a `next` all the same, to be given as `after`."""

    data: list[QueuedShown]
    next: str | None


class GroupShown(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the queue has one thing in common."""

    name: str
    total: int
    states: dict[str, int]
    next_attempt_at: str | None
    oldest_age_s: int


class QueueCounts(msgspec.Struct, frozen=True):
    """What is in the queue, the most first."""

    data: list[GroupShown]
    complete: bool
    """Whether all of the queue was counted, and not only the first million of it."""


class QueueChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries to change; all that is given must hold, and where nothing is given, `all` must be true."""

    site: str | None = None
    domain: str | None = None
    stream: str | None = None
    states: Annotated[list[State], msgspec.Meta(min_length=1)] | None = None
    reason_class: Class | None = msgspec.field(name="class", default=None)
    older_than_s: Annotated[int, msgspec.Meta(ge=0)] | None = None
    message_id: str | None = None
    to: str | None = None
    all: Annotated[bool, msgspec.Meta(description="Everything; needed when nothing else says what is meant.")] = False
    note: Annotated[str, msgspec.Meta(description="Why; it is kept with the deliveries and in the audit.")] = ""
    dry_run: Annotated[bool, msgspec.Meta(description="Only say what would be changed.")] = False
    after: Annotated[str, msgspec.Meta(description="`next` of the call before.")] = ""
    operation: Annotated[str, msgspec.Meta(max_length=64, description="`operation` of the call before.")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000, description="How many to change at the most.")] = 10_000


_NOTHING_CHOSEN = QueueChange()
"""What no body means, which is refused with what to say."""


class QueueChanged(msgspec.Struct, frozen=True, kw_only=True):
    """What this call did. With `next`, call again with it as `after` and the same `operation`, until it is null."""

    operation: str
    matched: int
    changed: int
    in_hand: int
    """How many fit but are being sent now; they are left alone."""
    sample: list[QueuedShown]
    next: str | None


class _Asked(NamedTuple):
    """What the query of a look at the queue names."""

    site: str | None
    domain: str | None
    stream: str | None
    state: State | None
    reason_class: Class | None
    older_than_s: int | None

    def filter(self, project_id: ProjectId, clock: Clock) -> Filter:
        """Return the filter of a project's deliveries."""
        return Filter(
            project_id=project_id,
            site=self.site,
            domain=self.domain,
            stream=self.stream,
            states=LIVE if self.state is None else (self.state,),
            reason_class=self.reason_class,
            accepted_before=_before(clock, self.older_than_s),
        )


class QueueController(Controller):
    """What waits to be sent."""

    path = "/v1/queue"
    tags = ("Queue",)

    @get(opt=READ, summary="List the queue")
    async def listed(
        self,
        services: GivenServices,
        caller: GivenCaller,
        site: _Site = None,
        domain: _Domain = None,
        stream: _StreamName = None,
        standing: _State = None,
        kept_back_by: _Class = None,
        older_than_s: _Older = None,
        after: Annotated[str, QueryParameter(description="`next` of the page before.")] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=1000, description="How many at the most.")] = 100,
    ) -> QueuePage:
        """Return what is being sent, then what waits in the order in which it is due, then what is held."""
        asked = _Asked(site, domain, stream, standing, kept_back_by, older_than_s)
        page = await services.queue.listed(asked.filter(caller.project.id, services.clock), after=after, limit=limit)
        return QueuePage([shown(services, each) for each in page.found], page.next)

    @get("/counts", opt=READ, summary="Count the queue")
    async def counted(
        self,
        services: GivenServices,
        caller: GivenCaller,
        by: Annotated[Grouping, QueryParameter(description="What to count by.")] = Grouping.SITE,
        site: _Site = None,
        domain: _Domain = None,
        stream: _StreamName = None,
        standing: _State = None,
        kept_back_by: _Class = None,
        older_than_s: _Older = None,
    ) -> QueueCounts:
        """Return how much is in the queue, by site, domain, stream, state or the class of the last reason."""
        asked = _Asked(site, domain, stream, standing, kept_back_by, older_than_s)
        groups, complete = await services.queue.counted(asked.filter(caller.project.id, services.clock), by)
        now = services.clock.now()
        return QueueCounts([show_group(group, now) for group in groups], complete)

    @get("/deliveries/{delivery_id:str}", opt=READ, summary="Show a delivery in the queue")
    async def show(self, delivery_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> QueuedShown:
        """Return where a delivery stands, in the queue or not."""
        return shown(services, await services.queue.show(DeliveryId(delivery_id), caller.project.id))

    @post("/{action:str}", opt=FULL, status_code=200, summary="Change the queue in bulk")
    async def change(
        self,
        action: FromPath[QueueAction],
        services: GivenServices,
        caller: GivenCaller,
        data: JSONBody[QueueChange] = _NOTHING_CHOSEN,
    ) -> QueueChanged:
        """Hold, release, requeue, cancel or bounce what fits; what is being sent is left alone.

        A call changes a bounded part. It can be repeated without harm.
        """
        wanted = _filter(caller.project.id, data, services.clock)
        if not data.all and wanted == Filter(project_id=caller.project.id, states=LIVE):
            raise Refused.field("/all", "Say which deliveries are meant, or give `all` as true for the whole queue.")
        changed = await services.queue.change(
            action,
            wanted,
            author=caller.key.id,
            note=data.note,
            after=data.after,
            operation=data.operation,
            most=data.limit,
            dry_run=data.dry_run,
        )
        return _changed(services, changed)


def shown(services: Services, queued: Queued) -> QueuedShown:
    """Return a delivery as the queue shows it."""
    each = queued.delivery
    view = services.suspensions
    suspension = view.find(each.project_id, each.stream, queued.site, each.domain) if each.state in LIVE else None
    return QueuedShown(
        id=each.id,
        message_id=each.message_id,
        to=each.recipient,
        domain=each.domain,
        site=queued.site,
        stream=each.stream,
        mode=each.mode,
        state=each.state,
        attempts=each.attempts,
        accepted_at=to_rfc3339(each.created_at),
        age_s=(services.clock.now() - each.created_at) // SECOND,
        next_attempt_at=None if each.next_at is None else to_rfc3339(each.next_at),
        expires_at=to_rfc3339(each.expires_at),
        reason=each.reason,
        suspended=None if suspension is None else show_suspension(suspension),
    )


def show_group(group: Group, now: Instant) -> GroupShown:
    """Return a count as it is shown."""
    return GroupShown(
        name=group.name,
        total=group.total,
        states={state.value: count for state, count in group.states.items()},
        next_attempt_at=None if group.next_at is None else to_rfc3339(group.next_at),
        oldest_age_s=(now - group.oldest_at) // SECOND,
    )


def _changed(services: Services, changed: Changed) -> QueueChanged:
    return QueueChanged(
        operation=changed.operation,
        matched=changed.matched,
        changed=changed.changed,
        in_hand=changed.in_hand,
        sample=[shown(services, each) for each in changed.sample],
        next=changed.next,
    )


def _filter(project_id: ProjectId, data: QueueChange, clock: Clock) -> Filter:
    return Filter(
        project_id=project_id,
        site=data.site,
        domain=data.domain,
        stream=data.stream,
        states=LIVE if data.states is None else tuple(data.states),
        reason_class=data.reason_class,
        accepted_before=_before(clock, data.older_than_s),
        message_id=None if data.message_id is None else MessageId(data.message_id),
        recipient=data.to,
    )


def _before(clock: Clock, older_than_s: int | None) -> Instant | None:
    return None if older_than_s is None else Instant(clock.now() - older_than_s * SECOND)
