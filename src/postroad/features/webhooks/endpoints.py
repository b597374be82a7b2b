"""What the owner of a webhook does with it."""

import secrets as chance
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec
from msgspec.structs import replace

from postroad.features.egress import BadUrl, Policy, parse_target
from postroad.features.webhooks.notifier import Wake
from postroad.features.webhooks.secrets import Ring, Vault, rotate, seal, unseal
from postroad.model.clock import HOUR, SECOND, Clock, Instant, after
from postroad.model.errors import Flaw, Refused
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import EventId, Mint, ProjectId, WebhookId, event_id, event_seq
from postroad.model.webhook import DisabledBecause, Health, Push, PushState, Webhook
from postroad.store import Connection, audit, events, pushes
from postroad.store import webhooks as store
from postroad.store.database import Database
from postroad.wire.webhook import SECRET_OCTETS, WebhookError, format_secret, parse_secret

MOST_WEBHOOKS: Final = 100
MOST_REPLAYED: Final = 100_000
DEFAULT_OVERLAP_S: Final = 24 * HOUR // SECOND
LONGEST_OVERLAP_S: Final = 30 * 24 * HOUR // SECOND
_DESCRIPTION_CHARACTERS: Final = 500
_CHUNK: Final = 1000
_FAMILIES: Final = frozenset(f"{kind.partition('.')[0]}.*" for kind in EventType)


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint to be made."""

    url: str
    types: tuple[str, ...] = ()
    """Event types to send, such as `message.bounced` or `message.*`; none: all."""
    description: str = ""
    secret: str | None = None
    """A signing secret `whsec_…` of your own; left out, one is made."""


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed; what is left out stays."""

    url: str | msgspec.UnsetType = msgspec.UNSET
    types: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET


class Replay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be sent again: one event, all that failed for good, or a range of the log."""

    event_id: str | None = None
    failed: bool = False
    after: str | None = None
    """Event behind which the range (or the search for failed ones) begins."""
    until: str | None = None
    """Last event of the range; left out: the newest that the endpoint has been sent."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How much is sent again. With `after`, more is left: ask again from there."""

    queued: int
    after: EventId | None = None


class Webhooks:
    """The endpoints of all projects."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        clock: Clock,
        mint: Mint,
        *,
        policy: Policy,
        wake: Wake,
        octets: Callable[[int], bytes] = chance.token_bytes,
    ) -> None:
        """Set the service up.

        Args:
            database: the store.
            vault: seals the signing secrets.
            clock: gives the time.
            mint: makes identifiers.
            policy: that of the client which will send, so that a URL it would refuse is refused at once.
            wake: rung when there is something to push.
            octets: draws secrets.
        """
        self._database = database
        self._vault = vault
        self._clock = clock
        self._mint = mint
        self._policy = policy
        self._wake = wake
        self._octets = octets

    async def create(self, project: ProjectId, new: NewWebhook, *, author: str) -> tuple[Webhook, str]:
        """Make an endpoint that gets the events from now on; return it with its secret, which is shown only now.

        Raises:
            Refused: a field is not valid, or the project has as many endpoints as it may.
        """
        self._check(new.url, new.types, new.description)
        now = self._clock.now()
        identifier = WebhookId(self._mint("whk"))
        octets = self._octets(SECRET_OCTETS) if new.secret is None else _own_secret(new.secret)
        webhook = Webhook(
            id=identifier,
            project_id=project,
            url=new.url,
            description=new.description,
            types=new.types,
            secrets=seal(rotate((), octets, now=now, old_until=now), self._vault, identifier),
            created_at=now,
            updated_at=now,
        )

        def insert(connection: Connection) -> Webhook:
            if store.count(connection, project) >= MOST_WEBHOOKS:
                raise Refused("too_many_webhooks", f"A project has at most {MOST_WEBHOOKS} webhooks; remove one first.")
            placed = replace(webhook, cursor=events.last_seq(connection, project))
            store.insert(connection, placed)
            audit.record(connection, _entry(placed, now, author, "webhook.created"))
            return placed

        return await self._database.write(insert), format_secret(octets)

    async def get(self, project: ProjectId, webhook: WebhookId) -> Webhook:
        """Return one endpoint. Raises `Refused`: `not_found`."""
        return await self._database.read(lambda connection: _one(connection, project, webhook))

    async def listed(self, project: ProjectId, *, after: str = "", limit: int = 100) -> list[Webhook]:
        """Return endpoints in the order they were made, behind the identifier `after`."""
        return await self._database.read(partial(store.listed, project_id=project, after=after, limit=limit))

    async def change(self, project: ProjectId, webhook: WebhookId, change: WebhookChange, *, author: str) -> Webhook:
        """Change an endpoint. A new URL begins in good health."""

        def apply(found: Webhook, now: Instant) -> Webhook:
            url = found.url if change.url is msgspec.UNSET else change.url
            types = found.types if change.types is msgspec.UNSET else change.types
            description = found.description if change.description is msgspec.UNSET else change.description
            self._check(url, types, description)
            health = found.health if url == found.url else Health()
            return replace(found, url=url, types=types, description=description, health=health)

        return await self._update(project, webhook, apply, author=author, action="webhook.changed")

    async def enable(self, project: ProjectId, webhook: WebhookId, *, skip_missed: bool, author: str) -> Webhook:
        """Send to an endpoint (again): first what it missed, unless that is skipped."""

        def write(connection: Connection) -> Webhook:
            found = _one(connection, project, webhook, lock=True)
            now = self._clock.now()
            cursor = events.last_seq(connection, project) if skip_missed else found.cursor
            if skip_missed:
                pushes.give_up(connection, webhook, now)
            changed = replace(
                found, disabled_at=None, disabled_because=None, health=Health(), cursor=cursor, updated_at=now
            )
            store.replace(connection, changed)
            audit.record(connection, _entry(changed, now, author, "webhook.enabled"))
            return changed

        changed = await self._database.write(write)
        self._wake.ring()
        return changed

    async def disable(self, project: ProjectId, webhook: WebhookId, *, author: str) -> Webhook:
        """Send nothing to an endpoint until it is enabled; its place in the log is kept."""

        def apply(found: Webhook, now: Instant) -> Webhook:
            if found.disabled_at is not None:
                return found
            return replace(found, disabled_at=now, disabled_because=DisabledBecause.REQUESTED)

        return await self._update(project, webhook, apply, author=author, action="webhook.disabled")

    async def rotate(
        self, project: ProjectId, webhook: WebhookId, *, overlap_s: int, secret: str | None, author: str
    ) -> tuple[Webhook, str]:
        """Give an endpoint a new secret, and return it with that, which is shown only now.

        The secret so far signs beside the new one for `overlap_s` seconds, so that the owner can change over.
        """
        if not 0 <= overlap_s <= LONGEST_OVERLAP_S:
            raise Refused.field("/overlap_s", f"The overlap is 0 to {LONGEST_OVERLAP_S} seconds.")
        octets = self._octets(SECRET_OCTETS) if secret is None else _own_secret(secret)

        def apply(found: Webhook, now: Instant) -> Webhook:
            ring: Ring = unseal(found.secrets, self._vault, webhook)
            turned = rotate(ring, octets, now=now, old_until=after(now, overlap_s * SECOND))
            return replace(found, secrets=seal(turned, self._vault, webhook))

        changed = await self._update(project, webhook, apply, author=author, action="webhook.secret_rotated")
        return changed, format_secret(octets)

    async def remove(self, project: ProjectId, webhook: WebhookId, *, author: str) -> None:
        """Remove an endpoint and what is known of its pushes."""

        def write(connection: Connection) -> None:
            found = _one(connection, project, webhook, lock=True)
            store.remove(connection, project, webhook)
            audit.record(connection, _entry(found, self._clock.now(), author, "webhook.removed"))

        await self._database.write(write)

    async def test(self, project: ProjectId, webhook: WebhookId) -> EventId:
        """Send a `webhook.test` event to this endpoint alone, whatever types it wants; return the event's identifier.

        Raises:
            Refused: `conflict`, the endpoint is disabled.
        """

        def write(connection: Connection) -> int:
            found = _one(connection, project, webhook, lock=True)
            if found.disabled_at is not None:
                raise Refused("conflict", "The webhook is disabled; enable it first.")
            now = self._clock.now()
            told = msgspec.json.encode({"webhook": {"id": found.id, "url": found.url}})
            event = NewEvent(project_id=project, type=EventType.WEBHOOK_TEST, at=now, data=told)
            events.append(connection, [event])  # the log is this transaction's alone from here on
            seq = events.last_seq(connection, project)
            pushes.queue(connection, webhook, [seq], now)
            return seq

        seq = await self._database.write(write)
        self._wake.ring()
        return event_id(seq)

    async def pushed(
        self,
        project: ProjectId,
        webhook: WebhookId,
        *,
        after: str | None = None,
        limit: int = 100,
        state: PushState | None = None,
    ) -> list[tuple[Push, str | None]]:
        """Return what became of events, newest first, behind the event `after`, each with the event's type."""
        before = None if after is None else _place(after, "#/query/after")

        def read(connection: Connection) -> list[tuple[Push, str | None]]:
            _one(connection, project, webhook)
            return pushes.listed(connection, webhook, before=before, limit=limit, state=state)

        return await self._database.read(read)

    async def replay(self, project: ProjectId, webhook: WebhookId, wanted: Replay) -> Replayed:
        """Send events again, with the same identifiers, each on a new schedule.

        Raises:
            Refused: nothing or several things are asked for, or an event is not known.
        """
        ranged = not wanted.failed and (wanted.after is not None or wanted.until is not None)
        if sum((wanted.event_id is not None, wanted.failed, ranged)) != 1:
            raise Refused.field("", "Ask for one of event_id, failed, or a range by after and until.")
        if wanted.event_id is not None:
            return await self._replay_one(project, webhook, _place(wanted.event_id, "/event_id"))
        start = 0 if wanted.after is None else _place(wanted.after, "/after")
        until = None if wanted.until is None else _place(wanted.until, "/until")
        queued, looked_at = 0, 0
        while looked_at < MOST_REPLAYED:
            step = partial(self._replay_chunk, project, webhook, failed=wanted.failed, start=start, until=until)
            seen, taken, last = await self._database.write(step)
            queued += taken
            looked_at += seen
            if seen < _CHUNK:
                self._wake.ring()
                return Replayed(queued=queued)
            start = last
        self._wake.ring()
        return Replayed(queued=queued, after=event_id(start))

    # --- within a transaction ----------------------------------------------------------------------------------------

    async def _replay_one(self, project: ProjectId, webhook: WebhookId, seq: int) -> Replayed:
        def write(connection: Connection) -> None:
            _one(connection, project, webhook, lock=True)
            if not events.at(connection, project, [seq]):
                raise Refused.field("/event_id", "The project has no such event, or it is no longer kept.")
            pushes.replay(connection, webhook, [seq], self._clock.now())

        await self._database.write(write)
        self._wake.ring()
        return Replayed(queued=1)

    def _replay_chunk(
        self,
        project: ProjectId,
        webhook: WebhookId,
        connection: Connection,
        *,
        failed: bool,
        start: int,
        until: int | None,
    ) -> tuple[int, int, int]:
        """Replay one chunk, and return how many were looked at, how many are sent, and the last place."""
        found = _one(connection, project, webhook, lock=True)
        if failed:
            places = pushes.failed(connection, webhook, after=start, limit=_CHUNK)
            pushes.replay(connection, webhook, places, self._clock.now())
            return len(places), len(places), places[-1] if places else start
        last = (
            found.cursor if until is None else min(until, found.cursor)
        )  # what is behind the cursor is to come anyway
        looked = pushes.between(connection, found, after=start, until=last, limit=_CHUNK)
        places = [seq for seq, wanted in looked if wanted]
        pushes.replay(connection, webhook, places, self._clock.now())
        return len(looked), len(places), looked[-1][0] if looked else start

    async def _update(
        self,
        project: ProjectId,
        webhook: WebhookId,
        apply: Callable[[Webhook, Instant], Webhook],
        *,
        author: str,
        action: str,
    ) -> Webhook:
        def write(connection: Connection) -> Webhook:
            now = self._clock.now()
            found = _one(connection, project, webhook, lock=True)
            changed = replace(apply(found, now), updated_at=now)
            store.replace(connection, changed)
            audit.record(connection, _entry(changed, now, author, action))
            return changed

        changed = await self._database.write(write)
        self._wake.ring()
        return changed

    def _check(self, url: str, types: tuple[str, ...], description: str) -> None:
        flaws: list[Flaw] = []
        try:
            parse_target(url, self._policy)
        except BadUrl as problem:
            flaws.append(Flaw("/url", str(problem)))
        for position, kind in enumerate(types):
            if kind == EventType.WEBHOOK_TEST or (kind not in EventType.__members__.values() and kind not in _FAMILIES):
                flaws.append(Flaw(f"/types/{position}", "There is no such event type."))
        if len(description) > _DESCRIPTION_CHARACTERS:
            flaws.append(Flaw("/description", f"A description has at most {_DESCRIPTION_CHARACTERS} characters."))
        if flaws:
            raise Refused("invalid_request", "The webhook is not valid.", flaws=flaws)


def _one(connection: Connection, project: ProjectId, webhook: WebhookId, *, lock: bool = False) -> Webhook:
    found = store.one(connection, project, webhook, lock=lock)
    if found is None:
        raise Refused("not_found", "The project has no such webhook.")
    return found


def _own_secret(text: str) -> bytes:
    try:
        return parse_secret(text)
    except WebhookError as problem:
        raise Refused.field("/secret", str(problem)) from problem


def _place(event: str, pointer: str) -> int:
    seq = event_seq(event)
    if seq is None:
        raise Refused.field(pointer, "This is not the identifier of an event.")
    return seq


def _entry(webhook: Webhook, at: Instant, author: str, action: str) -> audit.Entry:
    return audit.Entry(
        project_id=webhook.project_id, at=at, actor=author, action=action, subject=webhook.id, data={"url": webhook.url}
    )
