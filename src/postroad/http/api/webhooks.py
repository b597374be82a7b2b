"""Webhooks of the caller's project: endpoints, their secrets, what became of each event, and sending again."""

from typing import Annotated

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter

from postroad.features.webhooks import NewWebhook, Replay, WebhookChange
from postroad.features.webhooks.endpoints import DEFAULT_OVERLAP_S, LONGEST_OVERLAP_S
from postroad.http.auth import FULL, READ, SECRET, GivenCaller, GivenServices
from postroad.http.paging import place
from postroad.model.clock import Instant, to_rfc3339
from postroad.model.ids import WebhookId, event_id
from postroad.model.webhook import DisabledBecause, Push, PushState, Webhook

_Types = Annotated[
    list[str],
    msgspec.Meta(max_length=100, description="Event types to send, such as message.bounced or message.*; none: all."),
]
_Url = Annotated[str, msgspec.Meta(description="Where events are sent, such as https://example.com/postroad.")]
_Description = Annotated[str, msgspec.Meta(description="What it is for, in words for people.")]
_Secret = Annotated[
    str, msgspec.Meta(description="A signing secret of your own, whsec_ and base64; left out, one is made.")
]
_Event = Annotated[str, msgspec.Meta(description="Identifier of an event, evt_….")]


class WebhookInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint to make."""

    url: _Url
    types: _Types = []
    description: _Description = ""
    secret: _Secret | None = None


class WebhookPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of an endpoint; what is not given stays as it is."""

    url: _Url | None = None
    types: _Types | None = None
    description: _Description | None = None


class RotateInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to change over to a new secret."""

    overlap_s: Annotated[
        int,
        msgspec.Meta(ge=0, le=LONGEST_OVERLAP_S, description="Seconds for which the secret so far signs as well."),
    ] = DEFAULT_OVERLAP_S
    secret: _Secret | None = None


class EnableInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to begin again."""

    skip_missed: Annotated[
        bool, msgspec.Meta(description="Whether what happened while it was off is passed over instead of sent.")
    ] = False


class ReplayInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to send again: one event, all that were given up, or a range of the feed."""

    event_id: _Event | None = None
    failed: Annotated[bool, msgspec.Meta(description="Send all events again whose schedule is used up.")] = False
    after: Annotated[str, msgspec.Meta(description="Begin behind this event.")] | None = None
    until: Annotated[str, msgspec.Meta(description="Last event of the range; left out, the newest sent so far.")] | (
        None
    ) = None


_ROTATE, _ENABLE, _REPLAY = RotateInput(), EnableInput(), ReplayInput()
"""What is meant when there is no body."""


class WebhookShown(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint, without its secrets."""

    id: str
    url: str
    types: tuple[str, ...]
    description: str
    enabled: bool
    disabled_at: str | None
    disabled_because: DisabledBecause | None
    failing_since: str | None
    """When it failed first since its last success."""
    failures: int
    """How often it failed since its last success."""
    paused_until: str | None
    """Nothing is sent before, because it is down or asked for it."""
    created_at: str
    updated_at: str


class WebhookMade(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with a secret that is new."""

    webhook: WebhookShown
    secret: str
    """The signing secret, `whsec_…`. It is shown this once."""


class WebhookPage(msgspec.Struct, frozen=True):
    """A page of endpoints; `next` is given as `after` to read on, and null at the end."""

    data: list[WebhookShown]
    next: str | None


class TryShown(msgspec.Struct, frozen=True, kw_only=True):
    """One request: it brought a status, or a trouble."""

    at: str
    duration_ms: int
    status: int | None
    trouble: str | None
    detail: str
    """What went wrong, or how the body of a refusal began."""


class PushShown(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one event at one endpoint."""

    event_id: str
    type: str | None
    """The event's type; null when the event is no longer kept."""
    state: PushState
    attempts: int
    """Tries of the schedule so far."""
    next_attempt_at: str | None
    updated_at: str
    history: list[TryShown]
    """The latest tries, oldest first."""


class PushPage(msgspec.Struct, frozen=True):
    """A page of deliveries, newest event first; `next` is given as `after` to read on, and null at the end."""

    data: list[PushShown]
    next: str | None


class TestSent(msgspec.Struct, frozen=True):
    """The test event, whose way can be looked up among the deliveries."""

    event_id: str


class ReplayAnswer(msgspec.Struct, frozen=True):
    """How many events are sent again; with `after`, more are left: ask again from there."""

    queued: int
    after: str | None


class WebhooksController(Controller):
    """Endpoints that events are pushed to, signed as Standard Webhooks has it."""

    path = "/v1/webhooks"
    tags = ("Webhooks",)

    @get(opt=READ, summary="List webhooks")
    async def listed(
        self,
        services: GivenServices,
        caller: GivenCaller,
        after: Annotated[str, QueryParameter(description="Where to read on: `next` of the page before.")] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=1000, description="How many at the most.")] = 100,
    ) -> WebhookPage:
        """Return the project's endpoints in the order they were made."""
        found = await services.webhooks.listed(caller.project.id, after=place("whk", after), limit=limit)
        return WebhookPage([shown(each) for each in found], found[-1].id if len(found) == limit else None)

    @post(opt=FULL | SECRET, status_code=201, summary="Make a webhook")
    async def create(self, data: JSONBody[WebhookInput], services: GivenServices, caller: GivenCaller) -> WebhookMade:
        """Make an endpoint that gets the events from now on; its secret is in this answer only."""
        new = NewWebhook(url=data.url, types=tuple(data.types), description=data.description, secret=data.secret)
        made, secret = await services.webhooks.create(caller.project.id, new, author=caller.key.id)
        return WebhookMade(webhook=shown(made), secret=secret)

    @get("/{webhook_id:str}", opt=READ, summary="Show a webhook")
    async def show(self, webhook_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> WebhookShown:
        """Return one endpoint and how it has been answering."""
        return shown(await services.webhooks.get(caller.project.id, WebhookId(webhook_id)))

    @patch("/{webhook_id:str}", opt=FULL, summary="Change a webhook")
    async def update(
        self, webhook_id: FromPath[str], data: JSONBody[WebhookPatch], services: GivenServices, caller: GivenCaller
    ) -> WebhookShown:
        """Change where events go and which; a new URL is tried at once, whatever became of the old one."""
        change = WebhookChange(
            url=msgspec.UNSET if data.url is None else data.url,
            types=msgspec.UNSET if data.types is None else tuple(data.types),
            description=msgspec.UNSET if data.description is None else data.description,
        )
        changed = await services.webhooks.change(caller.project.id, WebhookId(webhook_id), change, author=caller.key.id)
        return shown(changed)

    @delete("/{webhook_id:str}", opt=FULL, status_code=204, summary="Delete a webhook")
    async def delete(self, webhook_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> None:
        """Take an endpoint away, with what is known of its deliveries."""
        await services.webhooks.remove(caller.project.id, WebhookId(webhook_id), author=caller.key.id)

    @post("/{webhook_id:str}/rotate", opt=FULL | SECRET, status_code=200, summary="Make a new signing secret")
    async def rotate(
        self,
        webhook_id: FromPath[str],
        services: GivenServices,
        caller: GivenCaller,
        data: JSONBody[RotateInput] = _ROTATE,
    ) -> WebhookMade:
        """Change over to a new secret; while both are in use, every request carries both signatures."""
        changed, secret = await services.webhooks.rotate(
            caller.project.id,
            WebhookId(webhook_id),
            overlap_s=data.overlap_s,
            secret=data.secret,
            author=caller.key.id,
        )
        return WebhookMade(webhook=shown(changed), secret=secret)

    @post("/{webhook_id:str}/enable", opt=FULL, status_code=200, summary="Send to a webhook again")
    async def enable(
        self,
        webhook_id: FromPath[str],
        services: GivenServices,
        caller: GivenCaller,
        data: JSONBody[EnableInput] = _ENABLE,
    ) -> WebhookShown:
        """Switch an endpoint on; it first gets what it missed, unless that is to be skipped."""
        changed = await services.webhooks.enable(
            caller.project.id, WebhookId(webhook_id), skip_missed=data.skip_missed, author=caller.key.id
        )
        return shown(changed)

    @post("/{webhook_id:str}/disable", opt=FULL, status_code=200, summary="Send nothing to a webhook")
    async def disable(self, webhook_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> WebhookShown:
        """Switch an endpoint off; its place in the feed is kept."""
        changed = await services.webhooks.disable(caller.project.id, WebhookId(webhook_id), author=caller.key.id)
        return shown(changed)

    @post("/{webhook_id:str}/test", opt=FULL, status_code=202, summary="Send a test event")
    async def test(self, webhook_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> TestSent:
        """Send a `webhook.test` event to this endpoint alone, on the road that all events take."""
        return TestSent(await services.webhooks.test(caller.project.id, WebhookId(webhook_id)))

    @get("/{webhook_id:str}/deliveries", opt=READ, summary="List what became of events at a webhook")
    async def deliveries(
        self,
        webhook_id: FromPath[str],
        services: GivenServices,
        caller: GivenCaller,
        after: Annotated[str | None, QueryParameter(description="Where to read on: `next` of the page before.")] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=1000, description="How many at the most.")] = 100,
        standing: Annotated[
            PushState | None, QueryParameter(name="state", description="Only those that stand so.")
        ] = None,
    ) -> PushPage:
        """Return the deliveries to an endpoint with every try, newest event first."""
        found = await services.webhooks.pushed(
            caller.project.id, WebhookId(webhook_id), after=after, limit=limit, state=standing
        )
        data = [_push(push, kind) for push, kind in found]
        return PushPage(data, data[-1].event_id if len(data) == limit else None)

    @post("/{webhook_id:str}/replay", opt=FULL, status_code=202, summary="Send events again")
    async def replay(
        self,
        webhook_id: FromPath[str],
        services: GivenServices,
        caller: GivenCaller,
        data: JSONBody[ReplayInput] = _REPLAY,
    ) -> ReplayAnswer:
        """Send events again with the same identifiers, each on a new schedule."""
        wanted = Replay(event_id=data.event_id, failed=data.failed, after=data.after, until=data.until)
        done = await services.webhooks.replay(caller.project.id, WebhookId(webhook_id), wanted)
        return ReplayAnswer(done.queued, done.after)


def shown(webhook: Webhook) -> WebhookShown:
    """Return an endpoint as it is shown."""
    return WebhookShown(
        id=webhook.id,
        url=webhook.url,
        types=webhook.types,
        description=webhook.description,
        enabled=webhook.disabled_at is None,
        disabled_at=_time(webhook.disabled_at),
        disabled_because=webhook.disabled_because,
        failing_since=_time(webhook.health.failing_since),
        failures=webhook.health.failures,
        paused_until=_time(webhook.health.paused_until),
        created_at=to_rfc3339(webhook.created_at),
        updated_at=to_rfc3339(webhook.updated_at),
    )


def _push(push: Push, kind: str | None) -> PushShown:
    return PushShown(
        event_id=event_id(push.seq),
        type=kind,
        state=push.state,
        attempts=push.attempts,
        next_attempt_at=_time(push.next_at),
        updated_at=to_rfc3339(push.updated_at),
        history=[
            TryShown(
                at=to_rfc3339(tried.at),
                duration_ms=tried.duration_ms,
                status=tried.status,
                trouble=tried.trouble,
                detail=tried.detail,
            )
            for tried in push.history
        ],
    )


def _time(at: Instant | None) -> str | None:
    return None if at is None else to_rfc3339(at)
