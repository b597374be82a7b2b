"""Webhooks: the endpoints of a project, and what became of their pushes."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from postroad.app.administration.operation import (
    ACTOR,
    MOST_ROWS,
    Answer,
    OfProject,
    Operation,
    operation,
    project_of,
    time_of,
)
from postroad.features.webhooks import NewWebhook, Replay
from postroad.features.webhooks.endpoints import DEFAULT_OVERLAP_S
from postroad.model.ids import WebhookId, event_id
from postroad.model.webhook import Push, Webhook

if TYPE_CHECKING:
    from postroad.app.house import House

_LATEST: Final = 100


class NewEndpoint(OfProject, frozen=True, kw_only=True):
    """An endpoint to be made."""

    url: str
    types: tuple[str, ...] = ()


class OneEndpoint(OfProject, frozen=True, kw_only=True):
    """An endpoint that there is."""

    webhook: str

    @property
    def id(self) -> WebhookId:
        """Its identifier."""
        return WebhookId(self.webhook)


class Again(OneEndpoint, frozen=True, kw_only=True):
    """From where an endpoint is to be sent events again."""

    after: str


async def create(house: "House", given: NewEndpoint) -> Answer:
    """Make an endpoint; its signing secret is in this answer and is not shown again."""
    project = await project_of(house, given.project)
    new = NewWebhook(url=given.url, types=given.types)
    webhook, secret = await house.webhooks.create(project.id, new, author=ACTOR)
    return {**_webhook(webhook), "secret": secret}


async def list_all(house: "House", given: OfProject) -> Answer:
    """Return the endpoints of a project."""
    project = await project_of(house, given.project)
    return {"data": [_webhook(webhook) for webhook in await house.webhooks.listed(project.id, limit=MOST_ROWS)]}


async def attempts(house: "House", given: OneEndpoint) -> Answer:
    """Return the latest tries to reach an endpoint, the newest first, and before them what is still to be tried."""
    project = await project_of(house, given.project)
    pushed = await house.webhooks.pushed(project.id, given.id, limit=_LATEST)
    tries = sorted(_tries(pushed), key=lambda row: str(row["at"]), reverse=True)
    return {"data": [*_untried(pushed), *tries][:_LATEST]}


async def rotate(house: "House", given: OneEndpoint) -> Answer:
    """Give an endpoint a new signing secret; the old one signs beside it for a day."""
    project = await project_of(house, given.project)
    webhook, secret = await house.webhooks.rotate(
        project.id, given.id, overlap_s=DEFAULT_OVERLAP_S, secret=None, author=ACTOR
    )
    return {**_webhook(webhook), "secret": secret}


async def enable(house: "House", given: OneEndpoint) -> Answer:
    """Send to an endpoint again, what it missed first."""
    project = await project_of(house, given.project)
    return _webhook(await house.webhooks.enable(project.id, given.id, skip_missed=False, author=ACTOR))


async def disable(house: "House", given: OneEndpoint) -> Answer:
    """Send nothing to an endpoint for now."""
    project = await project_of(house, given.project)
    return _webhook(await house.webhooks.disable(project.id, given.id, author=ACTOR))


async def remove(house: "House", given: OneEndpoint) -> Answer:
    """Remove an endpoint."""
    project = await project_of(house, given.project)
    webhook = await house.webhooks.get(project.id, given.id)
    await house.webhooks.remove(project.id, given.id, author=ACTOR)
    return {**_webhook(webhook), "removed": True}


async def replay(house: "House", given: Again) -> Answer:
    """Send past events again; with `after` in the answer, more are left behind that one."""
    project = await project_of(house, given.project)
    done = await house.webhooks.replay(project.id, given.id, Replay(after=given.after))
    return {"queued": done.queued} if done.after is None else {"queued": done.queued, "after": done.after}


def _webhook(webhook: Webhook) -> Answer:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "types": list(webhook.types),
        "state": "enabled" if webhook.disabled_at is None else "disabled",
        "disabled_because": None if webhook.disabled_because is None else webhook.disabled_because.value,
        "failures": webhook.health.failures,
        "failing_since": time_of(webhook.health.failing_since),
        "paused_until": time_of(webhook.health.paused_until),
        "created_at": time_of(webhook.created_at),
    }


def _tries(pushed: Iterable[tuple[Push, str | None]]) -> list[Answer]:
    return [
        {
            **_push(push, kind),
            "at": time_of(each.at),
            "status": each.status,
            "trouble": each.trouble,
            "detail": each.detail,
            "duration_ms": each.duration_ms,
        }
        for push, kind in pushed
        for each in push.history
    ]


def _untried(pushed: Iterable[tuple[Push, str | None]]) -> list[Answer]:
    nothing: Answer = {"at": None, "status": None, "trouble": None, "detail": "", "duration_ms": None}
    return [{**_push(push, kind), **nothing} for push, kind in pushed if not push.history]


def _push(push: Push, kind: str | None) -> Answer:
    return {
        "event": event_id(push.seq),
        "type": kind,
        "state": push.state.value,
        "next_attempt_at": time_of(push.next_at),
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    "webhook.create": operation(NewEndpoint, create, seals=True),
    "webhook.list": operation(OfProject, list_all),
    "webhook.attempts": operation(OneEndpoint, attempts),
    "webhook.rotate": operation(OneEndpoint, rotate, seals=True),
    "webhook.enable": operation(OneEndpoint, enable),
    "webhook.disable": operation(OneEndpoint, disable),
    "webhook.remove": operation(OneEndpoint, remove),
    "webhook.replay": operation(Again, replay),
}
