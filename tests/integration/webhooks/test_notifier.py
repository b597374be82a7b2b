"""The notifier against a real receiver, over both engines. Time stands still unless a test moves it."""

import asyncio
import base64
import datetime as dt
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import msgspec
import pytest
import standardwebhooks.webhooks
from structlog.testing import capture_logs

from peers.http import Answer, HttpReceiver, Request
from peers.process import free_port
from postroad.config.tree import Webhooks as Settings
from postroad.features.egress import Egress, Policy
from postroad.features.webhooks import NewWebhook, Notifier, Replay, WebhookChange, Webhooks
from postroad.features.webhooks.notifier import BATCH
from postroad.http.shapes import show_event
from postroad.model.clock import DAY, HOUR, MINUTE, SECOND, Instant
from postroad.model.errors import Refused
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import DeliveryId, WebhookId, event_id
from postroad.model.project import Project
from postroad.model.webhook import DisabledBecause, Push, PushState, Webhook
from postroad.store import events, pushes, webhooks
from postroad.store.database import Database
from postroad.store.vault import Vault
from postroad.store.wakeup import WakeUp
from stores import CountingMint, StillClock

POLICY = Policy(allow_private=True, timeout_s=5.0)


@dataclass
class Yard:
    """A notifier with everything around it."""

    database: Database
    clock: StillClock
    project: Project
    vault: Vault
    egress: Egress
    owner: Webhooks
    wake: WakeUp
    settings: Settings = field(default_factory=lambda: Settings(allow_private_addresses=True))

    def notifier(self, database: Database | None = None, node: str = "one") -> Notifier:
        return Notifier(
            database or self.database, self.egress, self.vault, self.clock,
            settings=self.settings, node=node, wake=self.wake, draw=lambda: 0.5,
        )  # fmt: skip

    def tell(self, *kinds: EventType, delivery: str | None = None) -> None:
        new = [
            NewEvent(
                project_id=self.project.id, type=kind, at=self.clock.now(),
                delivery_id=None if delivery is None else DeliveryId(delivery), data=b'{"n":1}',
            )
            for kind in kinds
        ]  # fmt: skip
        self.database.write_now(lambda connection: events.append(connection, new))

    async def add(self, url: str, **fields: object) -> tuple[Webhook, str]:
        return await self.owner.create(self.project.id, NewWebhook(url=url, **fields), author="test")  # type: ignore[arg-type] # fields of several types

    async def catch_up(self, notifier: Notifier) -> Instant | None:
        """Do everything that is due, and return when the next thing is."""
        while await notifier.begin_turns():
            await notifier.finish_turns()
        return self.database.read_now(lambda connection: pushes.next_turn(connection, now=self.clock.now()))

    def pushed(self, webhook: Webhook) -> list[Push]:
        found = self.database.read_now(lambda c: pushes.listed(c, webhook.id, before=None, limit=1000))
        return [push for push, _ in found][::-1]

    def stored(self, webhook: Webhook) -> Webhook:
        found = self.database.read_now(lambda c: webhooks.one(c, self.project.id, webhook.id))
        assert found is not None
        return found


@pytest.fixture
async def yard(database: Database, project: Project, clock: StillClock, mints: CountingMint) -> AsyncIterator[Yard]:
    vault, wake, egress = Vault(b"m" * 32), WakeUp(), Egress(POLICY)
    owner = Webhooks(database, vault, clock, mints, policy=POLICY, wake=wake)
    yield Yard(database, clock, project, vault, egress, owner, wake)
    await egress.aclose()


def ids(requests: list[Request]) -> list[str]:
    return [request.headers["webhook-id"] for request in requests]


def verify(request: Request, secret: str, monkeypatch: pytest.MonkeyPatch, now: Instant) -> dict[str, object]:
    """Check a request as a receiver does, with the package of Standard Webhooks, its clock at ours."""

    class At(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> "At":
            return cls.fromtimestamp(now / SECOND, tz)

    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", At)
    verified: dict[str, object] = standardwebhooks.Webhook(secret).verify(request.body, request.headers)
    return verified


async def test_an_event_arrives_once_signed_in_its_envelope(
    yard: Yard, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, secret = await yard.add(f"{receiver.url}/hook")
    yard.tell(EventType.DELIVERED)
    assert await yard.catch_up(yard.notifier()) is None
    (request,) = receiver.requests
    assert request.path == "/hook"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == event_id(1)
    body = verify(request, secret, monkeypatch, yard.clock.now())
    assert body == {
        "id": event_id(1),
        "type": "message.delivered",
        "created_at": "2026-11-18T11:06:40.000000Z",
        "project": yard.project.id,
        "data": {"n": 1},
    }
    (event,) = yard.database.read_now(lambda c: events.feed(c, yard.project.id, after=0, limit=9))
    assert body == msgspec.to_builtins(show_event(event))
    (push,) = yard.pushed(webhook)
    assert (push.state, push.attempts, push.history[0].status) == (PushState.DELIVERED, 1, 204)


async def test_events_from_before_the_endpoint_are_not_sent(yard: Yard, receiver: HttpReceiver) -> None:
    yard.tell(EventType.DELIVERED)
    await yard.add(receiver.url)
    yard.tell(EventType.BOUNCED)
    await yard.catch_up(yard.notifier())
    assert ids(receiver.requests) == [event_id(2)]


async def test_both_secrets_sign_during_a_rotation(
    yard: Yard, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, old = await yard.add(receiver.url)
    _, new = await yard.owner.rotate(yard.project.id, webhook.id, overlap_s=3600, secret=None, author="test")
    assert new != old
    yard.tell(EventType.DELIVERED)
    await yard.catch_up(yard.notifier())
    for secret in (old, new):
        verify(receiver.requests[0], secret, monkeypatch, yard.clock.now())
    yard.clock.pass_by(HOUR)
    yard.tell(EventType.DELIVERED)
    await yard.catch_up(yard.notifier())
    verify(receiver.requests[1], new, monkeypatch, yard.clock.now())
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verify(receiver.requests[1], old, monkeypatch, yard.clock.now())


async def test_a_retry_has_the_same_identifier_and_body_and_a_new_timestamp(
    yard: Yard, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, secret = await yard.add(receiver.url)
    receiver.then(Answer(500, b"<html>oops</html>"), Answer(503), Answer(302, headers={"Location": "/elsewhere"}))
    yard.tell(EventType.DELIVERED)
    notifier = yard.notifier()
    moments = []
    while (moment := await yard.catch_up(notifier)) is not None:
        moments.append(moment - yard.clock.now())
        yard.clock.at = moment
    assert moments == [5 * SECOND, 5 * MINUTE, 30 * MINUTE]
    assert ids(receiver.requests) == [event_id(1)] * 4
    assert len({request.body for request in receiver.requests}) == 1
    assert len({request.headers["webhook-timestamp"] for request in receiver.requests}) == 4
    assert [request.path for request in receiver.requests] == ["/"] * 4
    verify(receiver.requests[-1], secret, monkeypatch, yard.clock.now())
    (push,) = yard.pushed(webhook)
    assert [told.status for told in push.history] == [500, 503, 302, 204]
    assert push.history[0].detail == "<html>oops</html>"


async def test_a_page_of_html_with_200_is_taken_for_an_answer(yard: Yard, receiver: HttpReceiver) -> None:
    webhook, _ = await yard.add(receiver.url)
    receiver.then(Answer(200, b"<html>" + b"x" * 1_000_000))
    yard.tell(EventType.DELIVERED)
    await yard.catch_up(yard.notifier())
    assert yard.pushed(webhook)[0].state is PushState.DELIVERED


async def test_nobody_listening_uses_up_the_schedule_and_a_replay_brings_it(yard: Yard, receiver: HttpReceiver) -> None:
    webhook, _ = await yard.add(f"http://127.0.0.1:{free_port()}/")
    yard.tell(EventType.DELIVERED)
    notifier, began = yard.notifier(), yard.clock.now()
    while (moment := await yard.catch_up(notifier)) is not None:
        yard.clock.at = moment
    (push,) = yard.pushed(webhook)
    assert (push.state, push.attempts) == (PushState.FAILED, 10)
    assert {told.trouble for told in push.history} == {"unreachable"}
    assert yard.clock.now() - began > 75 * HOUR
    assert yard.stored(webhook).disabled_at is None  # three days are not five
    await yard.owner.change(yard.project.id, webhook.id, WebhookChange(url=receiver.url), author="test")
    replayed = await yard.owner.replay(yard.project.id, webhook.id, Replay(failed=True))
    assert (replayed.queued, replayed.after) == (1, None)
    await yard.catch_up(notifier)
    assert ids(receiver.requests) == [event_id(1)]


async def test_an_event_that_one_endpoint_cannot_digest_holds_up_no_other(yard: Yard, receiver: HttpReceiver) -> None:
    webhook, _ = await yard.add(receiver.url)
    receiver.answer_by(lambda request: Answer(500 if b'"message.bounced"' in request.body else 204))
    yard.tell(EventType.BOUNCED, EventType.DELIVERED, EventType.EXPIRED)
    notifier = yard.notifier()
    await yard.catch_up(notifier)
    assert [push.state for push in yard.pushed(webhook)] == ["pending", "delivered", "delivered"]


async def test_410_disables_and_tells_and_nothing_is_lost(yard: Yard, receiver: HttpReceiver) -> None:
    webhook, _ = await yard.add(f"{receiver.url}/gone")
    witness, _ = await yard.add(f"{receiver.url}/witness", types=("webhook.*",))
    receiver.answer_by(lambda request: Answer(410 if request.path == "/gone" else 204))
    yard.tell(EventType.DELIVERED)
    notifier = yard.notifier()
    await yard.catch_up(notifier)
    stored = yard.stored(webhook)
    assert (stored.disabled_at, stored.disabled_because) == (yard.clock.now(), DisabledBecause.GONE)
    (told,) = [json.loads(r.body) for r in receiver.requests if r.path == "/witness"]
    assert told["type"] == "webhook.disabled"
    assert told["data"]["webhook"] == {"id": webhook.id, "url": webhook.url, "reason": "gone"}
    yard.tell(EventType.BOUNCED)
    yard.clock.pass_by(DAY)
    await yard.catch_up(notifier)
    assert len([r for r in receiver.requests if r.path == "/gone"]) == 1
    receiver.answer_by(lambda _: Answer())
    await yard.owner.enable(yard.project.id, webhook.id, skip_missed=False, author="test")
    await yard.catch_up(notifier)
    after = ids([r for r in receiver.requests if r.path == "/gone"])[1:]
    assert sorted(after) == [event_id(1), event_id(2), event_id(3)]
    assert yard.stored(witness).disabled_at is None


async def test_missed_events_can_be_skipped_when_an_endpoint_is_enabled(yard: Yard, receiver: HttpReceiver) -> None:
    webhook, _ = await yard.add(receiver.url)
    receiver.then(Answer(500))
    yard.tell(EventType.DELIVERED)
    notifier = yard.notifier()
    await yard.catch_up(notifier)
    await yard.owner.disable(yard.project.id, webhook.id, author="test")
    yard.tell(EventType.DELIVERED)
    await yard.owner.enable(yard.project.id, webhook.id, skip_missed=True, author="test")
    yard.tell(EventType.BOUNCED)
    yard.clock.pass_by(HOUR)
    await yard.catch_up(notifier)
    assert ids(receiver.requests) == [event_id(1), event_id(3)]


async def test_an_endpoint_that_only_failed_for_days_is_switched_off(yard: Yard, receiver: HttpReceiver) -> None:
    webhook, _ = await yard.add(receiver.url)
    receiver.answer_by(lambda _: Answer(500))
    notifier, began = yard.notifier(), yard.clock.now()
    yard.tell(EventType.DELIVERED)
    told = 1
    while yard.stored(webhook).disabled_at is None:
        moment = await yard.catch_up(notifier)
        if yard.clock.now() - began > told * 12 * HOUR:
            yard.tell(EventType.DELIVERED)
            told += 1
        yard.clock.at = Instant(yard.clock.now() + HOUR) if moment is None else moment
        assert yard.clock.now() - began < 20 * DAY
    assert yard.clock.now() - began > 5 * DAY
    assert yard.stored(webhook).disabled_because is DisabledBecause.FAILING
    kinds = yard.database.read_now(lambda c: [e.type for e in events.feed(c, yard.project.id, after=0, limit=100)])
    assert kinds.count(EventType.WEBHOOK_DISABLED) == 1


async def test_it_is_switched_off_when_its_time_is_over_and_not_when_an_events_is(
    yard: Yard, receiver: HttpReceiver
) -> None:
    yard.settings = msgspec.structs.replace(yard.settings, disable_after_days=1)
    webhook, _ = await yard.add(receiver.url)
    receiver.answer_by(lambda _: Answer(500))
    notifier, began = yard.notifier(), yard.clock.now()
    yard.tell(*[EventType.DELIVERED] * 30)
    while (moment := await yard.catch_up(notifier)) is not None and yard.stored(webhook).disabled_at is None:
        yard.clock.at = moment
    assert yard.stored(webhook).disabled_because is DisabledBecause.FAILING
    assert DAY <= yard.clock.now() - began < 2 * DAY
    assert {push.state for push in yard.pushed(webhook)} == {PushState.PENDING}, "nothing is lost when it is enabled"


async def test_a_day_of_outage_is_probed_gently_and_made_up_in_order(yard: Yard, receiver: HttpReceiver) -> None:
    webhook, _ = await yard.add(receiver.url)
    receiver.answer_by(lambda _: Answer(502))
    notifier, began = yard.notifier(), yard.clock.now()
    total = 0
    while yard.clock.now() - began < DAY:
        yard.tell(*[EventType.DELIVERED] * 20)
        total += 20
        for _ in range(5):
            moment = await yard.catch_up(notifier)
            yard.clock.at = min(moment or Instant(1 << 62), Instant(yard.clock.now() + 10 * MINUTE))
    tries = len(receiver.requests)
    assert tries < 24 * 12 + 100
    assert len(yard.pushed(webhook)) < BATCH + 10  # the rest waits in the log
    receiver.answer_by(lambda _: Answer())
    back = yard.clock.now()
    while (moment := await yard.catch_up(notifier)) is not None:
        yard.clock.at = moment
    assert yard.clock.now() - back <= 2 * HOUR
    taken = ids(receiver.requests)[tries:]
    assert sorted(set(taken)) == [event_id(n) for n in range(1, total + 1)]
    assert len(taken) == total


async def test_retry_after_is_honoured_for_the_whole_endpoint(yard: Yard, receiver: HttpReceiver) -> None:
    await yard.add(receiver.url)
    receiver.then(Answer(429, headers={"Retry-After": "600"}))
    yard.tell(EventType.DELIVERED)
    notifier = yard.notifier()
    assert await yard.catch_up(notifier) == yard.clock.now() + 600 * SECOND
    yard.tell(EventType.BOUNCED)
    yard.clock.pass_by(599 * SECOND)
    await yard.catch_up(notifier)
    assert len(receiver.requests) == 1
    yard.clock.pass_by(SECOND)
    await yard.catch_up(notifier)
    assert sorted(ids(receiver.requests)) == [event_id(1), event_id(1), event_id(2)]


async def test_the_events_of_one_delivery_arrive_in_order(yard: Yard, receiver: HttpReceiver) -> None:
    await yard.add(receiver.url)
    for n in range(40):
        yard.tell(EventType.ACCEPTED, EventType.DEFERRED, EventType.DELIVERED, delivery=f"dlv_{n % 7}")
    await yard.catch_up(yard.notifier())
    by_delivery: dict[str, list[str]] = {}
    for request in receiver.requests:
        delivery = json.loads(request.body)["data"]["delivery_id"]
        by_delivery.setdefault(delivery, []).append(request.headers["webhook-id"])
    assert sum(map(len, by_delivery.values())) == 120
    for taken in by_delivery.values():
        assert taken == sorted(taken)


async def test_a_slow_endpoint_does_not_delay_another(yard: Yard, receiver: HttpReceiver) -> None:
    let_go = threading.Event()

    def hold(_: Request) -> Answer:
        let_go.wait(30)
        return Answer()

    with HttpReceiver() as slow:
        slow.answer_by(hold)
        await yard.add(slow.url)
        quick, _ = await yard.add(receiver.url)
        yard.tell(*[EventType.DELIVERED] * 50)
        notifier = yard.notifier()
        await notifier.begin_turns()
        await asyncio.to_thread(receiver.await_requests, 50, timeout_s=20.0)
        assert notifier.counters.delivered < 51  # the slow one has answered nothing yet
        notifier.stop()
        let_go.set()
        await notifier.finish_turns()
    assert all(push.state is PushState.DELIVERED for push in yard.pushed(quick))


async def test_a_node_that_dies_in_the_middle_loses_nothing(yard: Yard, receiver: HttpReceiver) -> None:
    webhook, _ = await yard.add(receiver.url)
    yard.tell(*[EventType.DELIVERED] * 30)
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()

    def script(request: Request) -> Answer:
        if len(receiver.requests) == 10:
            loop.call_soon_threadsafe(arrived.set)
        return Answer(latency_s=0.02)

    receiver.answer_by(script)
    dying = yard.notifier()
    await dying.begin_turns()
    await arrived.wait()
    for task in list(dying._running.values()):
        task.cancel()  # as abrupt as it gets in one process: no answer is written down, no lease given back
    await dying.finish_turns()
    assert any(push.state is PushState.PENDING for push in yard.pushed(webhook)) or len(yard.pushed(webhook)) < 30
    receiver.answer_by(lambda _: Answer())
    other = yard.notifier(node="two")
    if yard.database.engine_name == "postgresql":
        yard.database.write_now(lambda c: c.exec_driver_sql("UPDATE webhooks SET lease_until = 0"))
    yard.clock.pass_by(10 * MINUTE)
    await yard.catch_up(other)
    assert sorted(set(ids(receiver.requests))) == [event_id(n) for n in range(1, 31)]
    assert all(push.state is PushState.DELIVERED for push in yard.pushed(webhook))
    bodies: dict[str, set[bytes]] = {}
    for request in receiver.requests:
        if len(request.body) == int(request.headers["content-length"]):  # the dying node broke some off
            bodies.setdefault(request.headers["webhook-id"], set()).add(request.body)
    assert all(len(same) == 1 for same in bodies.values())


async def test_two_nodes_share_endpoints_without_sending_twice(
    yard: Yard, receiver: HttpReceiver, another: Callable[[], Database]
) -> None:
    yard.settings = Settings(concurrency=2, allow_private_addresses=True)  # the receiver listens with a short queue
    for n in range(6):
        await yard.add(f"{receiver.url}/{n}")
    receiver.answer_by(lambda _: Answer(latency_s=0.005))
    yard.tell(*[EventType.DELIVERED] * 40)
    one, two = yard.notifier(), yard.notifier(another(), node="two")
    await asyncio.gather(*(yard.catch_up(node) for node in (one, two, one, two)))
    for n in range(6):
        assert sorted(ids([r for r in receiver.requests if r.path == f"/{n}"])) == [event_id(e) for e in range(1, 41)]


async def test_running_it_wakes_at_a_ring_and_drains_at_a_stop(yard: Yard, receiver: HttpReceiver) -> None:
    webhook, _ = await yard.add(receiver.url)
    receiver.answer_by(lambda _: Answer(latency_s=0.2))
    notifier = yard.notifier()
    running = asyncio.create_task(notifier.run())
    await asyncio.sleep(0.05)
    yard.tell(EventType.DELIVERED)
    yard.wake.ring()
    await asyncio.to_thread(receiver.await_requests, 1, timeout_s=10.0)
    notifier.stop()
    await asyncio.wait_for(running, 20)
    assert yard.pushed(webhook)[0].state is PushState.DELIVERED
    assert notifier.counters.delivered == 1
    free = yard.database.read_now(lambda c: c.exec_driver_sql("SELECT lease_node FROM webhooks").scalar())
    assert free is None


async def test_a_ring_while_an_endpoint_is_served_is_not_missed(yard: Yard, receiver: HttpReceiver) -> None:
    await yard.add(receiver.url)
    notifier = yard.notifier()
    running = asyncio.create_task(notifier.run())
    for n in range(1, 40):
        yard.tell(EventType.DELIVERED)
        yard.wake.ring()
        await asyncio.sleep(0.003 * (n % 3))
    await asyncio.to_thread(receiver.await_requests, 39, timeout_s=20.0)
    notifier.stop()
    await asyncio.wait_for(running, 20)
    assert sorted(ids(receiver.requests)) == [event_id(n) for n in range(1, 40)]


async def test_who_moves_the_clock_may_have_it_begin_at_once_while_the_role_runs(
    yard: Yard, receiver: HttpReceiver
) -> None:
    await yard.add(receiver.url)
    yard.tell(EventType.DELIVERED)
    notifier = yard.notifier()
    assert not await notifier.begin_now()
    running = asyncio.create_task(notifier.run())
    async with asyncio.timeout(20):
        while not receiver.requests:
            await asyncio.sleep(0)
        while await notifier.begin_now():
            await asyncio.sleep(0.01)
        receiver.answer_by(lambda _: Answer(latency_s=0.5))
        yard.tell(EventType.BOUNCED)
        assert await notifier.begin_now()  # nobody rang
        await asyncio.to_thread(receiver.await_requests, 2, timeout_s=10.0)
        notifier.stop()
        await running
    assert not await notifier.begin_now()


async def test_a_store_that_fails_stops_the_loop_for_a_moment_only(yard: Yard) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            notifier.stop()

    notifier = Notifier(
        yard.database, yard.egress, yard.vault, yard.clock,
        settings=yard.settings, node="one", wake=yard.wake, sleep=sleep,
    )  # fmt: skip
    yard.database.write_now(lambda c: c.exec_driver_sql("ALTER TABLE webhooks RENAME TO elsewhere"))
    with capture_logs() as logged:
        await asyncio.wait_for(notifier.run(), 20)
    assert slept == [1.0] * 3
    assert [entry["event"] for entry in logged] == ["notifier_failed"] * 3


async def test_a_secret_that_cannot_be_opened_is_told_on_the_push(yard: Yard, receiver: HttpReceiver) -> None:
    webhook, _ = await yard.add(receiver.url)
    yard.tell(EventType.DELIVERED)
    yard.vault = Vault(b"other" + b"m" * 27)
    await yard.catch_up(yard.notifier())
    assert receiver.requests == []
    (push,) = yard.pushed(webhook)
    assert push.history[0].trouble == "secret"
    assert "master_key" in push.history[0].detail


async def test_an_event_that_is_no_longer_kept_ends_its_push(yard: Yard, receiver: HttpReceiver) -> None:
    webhook, _ = await yard.add(receiver.url)
    yard.tell(EventType.DELIVERED)
    receiver.then(Answer(500))
    notifier = yard.notifier()
    moment = await yard.catch_up(notifier)
    assert moment is not None
    yard.database.write_now(lambda c: c.exec_driver_sql("DELETE FROM events"))
    yard.clock.at = moment
    assert await yard.catch_up(notifier) is None
    (push,) = yard.pushed(webhook)
    assert (push.state, push.history[-1].trouble) == (PushState.FAILED, "expired")


async def test_a_test_event_goes_to_one_endpoint_whatever_it_wants(yard: Yard, receiver: HttpReceiver) -> None:
    narrow, _ = await yard.add(f"{receiver.url}/narrow", types=("message.bounced",))
    await yard.add(f"{receiver.url}/wide")
    event = await yard.owner.test(yard.project.id, narrow.id)
    await yard.catch_up(yard.notifier())
    (request,) = receiver.requests
    assert (request.path, request.headers["webhook-id"]) == ("/narrow", event)
    assert json.loads(request.body)["type"] == "webhook.test"
    await yard.owner.disable(yard.project.id, narrow.id, author="test")
    with pytest.raises(Refused, match="disabled"):
        await yard.owner.test(yard.project.id, narrow.id)


async def test_one_event_or_a_range_is_sent_again(yard: Yard, receiver: HttpReceiver) -> None:
    webhook, _ = await yard.add(receiver.url, types=("message.bounced",))
    kinds = [EventType.BOUNCED, EventType.DELIVERED, EventType.BOUNCED, EventType.BOUNCED]
    yard.tell(*kinds)
    notifier, project = yard.notifier(), yard.project.id
    await yard.catch_up(notifier)
    first = len(receiver.requests)
    assert first == 3
    again = await yard.owner.replay(project, webhook.id, Replay(after=event_id(1), until=event_id(3)))
    assert (again.queued, again.after) == (1, None)
    await yard.owner.replay(project, webhook.id, Replay(event_id=event_id(2)))
    await yard.catch_up(notifier)
    assert sorted(ids(receiver.requests[first:])) == [event_id(2), event_id(3)]
    assert (await yard.owner.replay(project, webhook.id, Replay(until=event_id(4)))).queued == 3
    for wrong in (
        Replay(), Replay(event_id="evt_nonsense"), Replay(event_id=event_id(99)), Replay(after="evt_x"),
        Replay(failed=True, event_id=event_id(1)), Replay(failed=True, until="x"),
    ):  # fmt: skip
        with pytest.raises(Refused):
            await yard.owner.replay(project, webhook.id, wrong)


async def test_a_long_replay_says_where_to_go_on(
    yard: Yard, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroad.features.webhooks.endpoints._CHUNK", 3)
    monkeypatch.setattr("postroad.features.webhooks.endpoints.MOST_REPLAYED", 6)
    webhook, _ = await yard.add(receiver.url)
    yard.tell(*[EventType.DELIVERED] * 8)
    await yard.catch_up(yard.notifier())
    first = await yard.owner.replay(yard.project.id, webhook.id, Replay(until=event_id(8)))
    assert (first.queued, first.after) == (6, event_id(6))
    rest = await yard.owner.replay(yard.project.id, webhook.id, Replay(after=first.after))
    assert (rest.queued, rest.after) == (2, None)


async def test_owners_are_told_what_is_wrong_with_an_endpoint(yard: Yard) -> None:
    for fields, pointers in (
        ({"url": "ftp://example.com/"}, ["/url"]),
        ({"url": "https://169.254.169.254/"}, ["/url"]),
        (
            {"url": "https://x.example/", "types": ("message.bounced", "nonsense", "webhook.test")},
            ["/types/1", "/types/2"],
        ),
        ({"url": "https://x.example/", "description": "x" * 501}, ["/description"]),
        ({"url": "https://x.example/", "secret": "whsec_short"}, ["/secret"]),
    ):
        with pytest.raises(Refused) as refused:
            await yard.add(**fields)  # type: ignore[arg-type] # fields of several types
        assert [flaw.pointer for flaw in refused.value.flaws] == pointers


async def test_a_secret_of_ones_own_is_taken(yard: Yard, receiver: HttpReceiver) -> None:
    own = "whsec_" + base64.b64encode(b"s" * 32).decode()
    webhook, secret = await yard.add("https://x.example/", secret=own)
    assert secret == own
    assert own.encode() not in yard.stored(webhook).secrets
    assert b"s" * 32 not in yard.stored(webhook).secrets
    with pytest.raises(Refused):
        await yard.owner.rotate(yard.project.id, webhook.id, overlap_s=-1, secret=None, author="test")


async def test_what_is_not_there_cannot_be_changed(yard: Yard) -> None:
    project, nobody = yard.project.id, WebhookId("whk_none")
    for call in (
        yard.owner.get(project, nobody),
        yard.owner.remove(project, nobody, author="t"),
        yard.owner.enable(project, nobody, skip_missed=False, author="t"),
        yard.owner.disable(project, nobody, author="t"),
        yard.owner.test(project, nobody),
        yard.owner.pushed(project, nobody),
        yard.owner.replay(project, nobody, Replay(failed=True)),
    ):
        with pytest.raises(Refused, match="no such webhook"):
            await call


async def test_a_project_has_a_bounded_number_of_endpoints(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroad.features.webhooks.endpoints.MOST_WEBHOOKS", 1)
    webhook, _ = await yard.add("https://x.example/")
    with pytest.raises(Refused, match="at most"):
        await yard.add("https://y.example/")
    assert [one.id for one in await yard.owner.listed(yard.project.id)] == [webhook.id]
    await yard.owner.remove(yard.project.id, webhook.id, author="test")
    assert await yard.owner.listed(yard.project.id) == []


async def test_a_crowd_of_endpoints_is_served_within_the_bounds(yard: Yard, receiver: HttpReceiver) -> None:
    yard.settings = Settings(concurrency=2, allow_private_addresses=True)
    for n in range(9):
        await yard.add(f"{receiver.url}/{n}")
    yard.tell(*[EventType.DELIVERED] * 3)
    notifier = yard.notifier()
    running = asyncio.create_task(notifier.run())
    await asyncio.to_thread(receiver.await_requests, 27, timeout_s=20.0)
    notifier.stop()
    await asyncio.wait_for(running, 20)
    assert len(receiver.requests) == 27
