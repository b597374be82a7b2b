"""The role that pushes events: a reader of the log for each endpoint, none in the way of another.

The notifier wakes when events were committed, and by a timer. It finds the endpoints whose turn it is and serves each
in a task of its own: lease, take events over, send, write down what came of it, and again until nothing is due. The
events of one delivery go out one after the other; those of different deliveries side by side, on a few lanes. Requests
in flight are bounded, and endpoints that fail may hold only half of them.
"""

import asyncio
import contextlib
import random
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import msgspec
import structlog

from postroad.config.tree import Webhooks as Settings
from postroad.features.egress import Answer, Egress, Failure, Trouble
from postroad.features.webhooks.payload import payload
from postroad.features.webhooks.schedule import DOWN_AFTER, Ruling, is_down, judge
from postroad.features.webhooks.secrets import Vault, active, unseal
from postroad.model.clock import DAY, SECOND, Clock, Instant, after
from postroad.model.errors import Unavailable
from postroad.model.event import Event, EventType, NewEvent
from postroad.model.webhook import DisabledBecause, Health, Push, PushState, Try, Webhook
from postroad.store import Connection, events, pushes, webhooks
from postroad.store.database import Database
from postroad.wire.webhook import sign

LANES: Final = 8
BATCH: Final = 64
IDLE_S: Final = 5.0
"""Longest time between two looks: what another node has committed may wake nobody here."""
_PACE_S: Final = 0.025
"""The least time between two looks for events to push."""
_IDLE_PACE_S: Final = 0.1
"""The same behind a look that found nobody who waits for events."""
LEASE_S: Final = 120.0
"""Longer than twice the longest request; lanes stop at half of it, so that a lease lapses only when its node died."""

_log = structlog.get_logger("postroad.webhooks")
Sleep = Callable[[float], Awaitable[None]]


class Wake(Protocol):
    """Tells that events were committed. A beat missed between `beat` and `wait` ends the wait at once."""

    @property
    def beat(self) -> int:
        """How many times it has told so far."""
        ...

    def ring(self) -> None:
        """Wake whoever waits."""
        ...

    async def wait(self, seen: int, timeout_s: float) -> int:
        """Return the count of beats once it is past `seen`, or after `timeout_s`."""
        ...


@dataclass(slots=True, eq=False)
class _Serving:
    """An endpoint in a round: what was learnt of it while the lanes run."""

    webhook: Webhook
    secrets: list[bytes] | Failure
    until: Instant
    """The lanes begin nothing more at this instant."""
    health: Health
    closed: bool = False
    """Whether nothing more is sent to it in this round."""


@dataclass(slots=True)
class Counters:
    """What was pushed since the start; read by the metrics."""

    delivered: int = 0
    failed: int = 0
    given_up: int = 0
    in_flight: int = 0


@dataclass(slots=True)
class _Slots:
    """Bounds requests in flight; endpoints that fail share half of them."""

    all: asyncio.Semaphore
    failing: asyncio.Semaphore


class Notifier:
    """Pushes the events of all projects to their endpoints, on this node."""

    def __init__(
        self,
        database: Database,
        egress: Egress,
        vault: Vault,
        clock: Clock,
        *,
        settings: Settings,
        node: str,
        wake: Wake,
        sleep: Sleep = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Set the role up; `run` starts it.

        Args:
            database: the pushes.
            egress: sends the requests.
            vault: opens the signing secrets.
            clock: for schedules and timestamps.
            settings: concurrency, and when a failing endpoint is switched off.
            node: this node's name; leases of the same name are taken over at once, so no two may share it.
            wake: rings when events were committed.
            sleep: waits for a time after the store failed.
            draw: chance from 0 to 1, for the jitter.
        """
        self._database = database
        self._egress = egress
        self._vault = vault
        self._clock = clock
        self._settings = settings
        self._node = node
        self._wake = wake
        self._sleep = sleep
        self._draw = draw
        self._stopping = False
        self._at_work = False
        self._running: dict[str, asyncio.Task[None]] = {}
        self._look_again = False
        self._next_at: Instant | None = None
        self._pace_s = _PACE_S
        self._through = asyncio.Event()
        half = max(1, settings.concurrency // 2)
        self._slots = _Slots(asyncio.Semaphore(settings.concurrency), asyncio.Semaphore(half))
        self.counters = Counters()

    async def run(self) -> None:
        """Push events until `stop`; then finish the requests in flight and give the leases back.

        When it is cancelled, the requests in flight are dropped, and the leases are given back all the same.
        """
        seen = self._wake.beat
        loop = asyncio.get_running_loop()
        self._at_work = True
        try:
            while not self._stopping:
                looked_s = loop.time()
                try:
                    await self.begin_turns()
                    pause_s = self._until_next_turn()
                except Exception as problem:  # noqa: BLE001 - the loop of a role: it tells, backs off and goes on
                    _log.warning("notifier_failed", exc_info=None if isinstance(problem, Unavailable) else problem)
                    await self._sleep(1.0)
                else:
                    seen = await self._wait(seen, pause_s)
                    # under load every commit rings; looking at each would cost more than all webhooks together
                    await asyncio.sleep(looked_s + self._pace_s - loop.time())
            await self.finish_turns()
        finally:
            self._at_work = False
            left = list(self._running.values())
            for task in left:
                task.cancel()  # what was on its way is sent again, with the same identifier
            await asyncio.gather(*left, return_exceptions=True)

    def stop(self) -> None:
        """Begin no further request; `run` returns when those in flight are through."""
        self._stopping = True
        self._wake.ring()

    async def begin_now(self) -> bool:
        """Serve those whose turn it is without waiting for the next look, and tell whether anybody is being served.

        Where the role does not run, or stops, nobody is.
        """
        if self._at_work and not self._stopping:
            await self.begin_turns()
        return bool(self._running)

    async def begin_turns(self) -> int:
        """Serve the endpoints whose turn it is, each in its own task; return how many were begun."""
        now = self._clock.now()
        turns, self._next_at = await self._database.read(
            lambda c: (pushes.turns(c, now=now, node=self._node), pushes.next_turn(c, now=now))
        )
        self._pace_s = _PACE_S if turns else _IDLE_PACE_S
        most, failing, begun = self._settings.concurrency, 0, 0
        for turn in turns:
            failing += turn.failures >= DOWN_AFTER
            crowded = len(self._running) >= most or failing > max(1, most // 2)
            if turn.webhook_id in self._running or crowded:
                # It may be through with what it saw, or there is room as soon as one is: look again then.
                self._look_again = True
                continue
            task = asyncio.create_task(self._serve(turn), name=f"webhook {turn.webhook_id}")
            self._running[turn.webhook_id] = task
            task.add_done_callback(partial(self._ended, turn.webhook_id))
            begun += 1
        return begun

    async def finish_turns(self) -> None:
        """Wait until every endpoint that is being served has been."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    def _ended(self, webhook: str, task: asyncio.Task[None]) -> None:
        self._running.pop(webhook, None)
        if self._look_again:
            self._look_again = False
            self._through.set()
        if not task.cancelled() and (problem := task.exception()) is not None:
            _log.error("webhook_turn_failed", webhook=webhook, exc_info=problem)

    def _until_next_turn(self) -> float:
        if self._next_at is None:
            return IDLE_S
        return max(0.01, min(IDLE_S, (self._next_at - self._clock.now()) / SECOND))

    async def _wait(self, seen: int, pause_s: float) -> int:
        """Wait for a beat, for the time, or for a turn that ended while others waited for it."""
        beat = asyncio.ensure_future(self._wake.wait(seen, pause_s))
        through = asyncio.ensure_future(self._through.wait())
        try:
            await asyncio.wait([beat, through], return_when=asyncio.FIRST_COMPLETED)
            self._through.clear()
            return beat.result() if beat.done() else seen
        finally:
            for waiting in (beat, through):
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await waiting

    # --- one endpoint ------------------------------------------------------------------------------------------------

    async def _serve(self, turn: pushes.Turn) -> None:
        """Run rounds until nothing is due; whatever happens, the lease is not kept."""
        failures, held = turn.failures, True
        give_back = partial(pushes.give_back, webhook_id=turn.webhook_id, node=self._node)
        try:
            while not self._stopping:
                begin = partial(
                    pushes.begin_round,
                    webhook_id=turn.webhook_id,
                    now=self._clock.now(),
                    node=self._node,
                    duration=int(LEASE_S * SECOND),
                    limit=1 if failures >= DOWN_AFTER else BATCH,
                )
                current = await self._database.write(begin, patient=True)
                if current is None:
                    held = False
                    return
                if current.pushes:
                    failures = await self._send(current)
        finally:
            if held:
                await self._database.write(give_back)

    async def _send(self, current: pushes.Round) -> int:
        """Send the pushes of one round, and return how often in a row the endpoint has failed after it."""
        webhook = current.webhook
        serving = _Serving(
            webhook=webhook,
            secrets=self._secrets(webhook),
            until=after(self._clock.now(), int(LEASE_S * SECOND / 2)),
            health=webhook.health,
        )
        places = [push.seq for push in current.pushes]
        found = await self._database.read(partial(events.at, project=webhook.project_id, places=places))
        by_place = {event.seq: event for event in found}
        async with asyncio.TaskGroup() as lanes:
            for lane in _lanes(current.pushes, by_place):
                lanes.create_task(self._run_lane(serving, lane))
        return serving.health.failures

    def _secrets(self, webhook: Webhook) -> list[bytes] | Failure:
        try:
            return active(unseal(webhook.secrets, self._vault, webhook.id), self._clock.now())
        except Unavailable as problem:
            return Failure(Trouble.SECRET, problem.detail)

    async def _run_lane(self, serving: _Serving, lane: Sequence[tuple[Push, Event | None]]) -> None:
        for push, event in lane:
            if self._stopping or serving.closed or self._clock.now() >= serving.until:
                return
            if event is None:
                await self._drop(push)
            elif serving.health.failures:
                async with self._slots.failing:
                    await self._push(serving, push, event)
            else:
                await self._push(serving, push, event)

    async def _push(self, serving: _Serving, push: Push, event: Event) -> None:
        """Send one event, and write down what came of it before the lane goes on."""
        async with self._slots.all:
            if self._stopping or serving.closed:
                return
            began = self._clock.now()
            self.counters.in_flight += 1
            try:
                outcome = await self._request(serving, event)
            finally:
                self.counters.in_flight -= 1
        now = max(began, self._clock.now())
        healthy = not serving.health.failures
        ruling = judge(push, outcome, serving.health, began=began, now=now, draw=self._draw())
        serving.health = ruling.health
        if ruling.gone or ruling.health.paused_until is not None or is_down(ruling.health):
            serving.closed = True
        await self._settle(serving.webhook, ruling, healthy=healthy)

    async def _request(self, serving: _Serving, event: Event) -> Answer | Failure:
        if isinstance(serving.secrets, Failure):
            return serving.secrets
        body = payload(event)
        signed = sign(event.id, self._clock.now() // SECOND, body, serving.secrets)
        return await self._egress.post(
            serving.webhook.url, headers={"content-type": "application/json", **signed}, body=body
        )

    async def _settle(self, webhook: Webhook, ruling: Ruling, *, healthy: bool) -> None:
        unchanged = healthy and not ruling.health.failures
        settled = pushes.Settled(
            push=ruling.push, health=None if unchanged else ruling.health, recovered=ruling.recovered
        )
        await self._database.write_each(pushes.settle, settled, patient=True)
        self.counters.delivered += ruling.push.state is PushState.DELIVERED
        self.counters.failed += ruling.push.state is not PushState.DELIVERED
        self.counters.given_up += ruling.given_up
        because = self._verdict(ruling)
        if because is not None:
            now = self._clock.now()
            await self._database.write(partial(_disable, webhook=webhook, at=now, because=because), patient=True)
            self._wake.ring()

    def _verdict(self, ruling: Ruling) -> DisabledBecause | None:
        """Return why the endpoint is switched off, if it is."""
        if ruling.gone:
            return DisabledBecause.GONE
        since = ruling.health.failing_since
        patience = int(self._settings.disable_after_days * DAY)
        if is_down(ruling.health) and since is not None and ruling.push.updated_at - since >= patience:
            return DisabledBecause.FAILING
        return None

    async def _drop(self, push: Push) -> None:
        """End the push of an event that is no longer kept."""
        now = self._clock.now()
        told = Try(at=now, duration_ms=0, trouble="expired", detail="The event is no longer kept.")
        ended = msgspec.structs.replace(
            push,
            state=PushState.FAILED,
            attempts=push.attempts + 1,
            next_at=None,
            updated_at=now,
            history=(*push.history, told),
        )
        await self._database.write_each(pushes.settle, pushes.Settled(push=ended), patient=True)
        self.counters.given_up += 1


def _lanes(pushes: Sequence[Push], by_place: dict[int, Event]) -> list[list[tuple[Push, Event | None]]]:
    """Spread pushes over lanes: the events of one delivery share a lane, in order."""
    lanes: list[list[tuple[Push, Event | None]]] = [[] for _ in range(LANES)]
    for push in pushes:
        event = by_place.get(push.seq)
        key = str(push.seq) if event is None else str(event.data.get("delivery_id") or push.seq)
        lanes[zlib.crc32(key.encode()) % LANES].append((push, event))
    return [lane for lane in lanes if lane]


def _disable(connection: Connection, *, webhook: Webhook, at: Instant, because: DisabledBecause) -> None:
    """Switch an endpoint off, and tell so in the log, once."""
    if not webhooks.disable(connection, webhook.id, at, because):
        return
    told = {"webhook": {"id": webhook.id, "url": webhook.url, "reason": because}}
    event = NewEvent(
        project_id=webhook.project_id, type=EventType.WEBHOOK_DISABLED, at=at, data=msgspec.json.encode(told)
    )
    events.append(connection, [event])
