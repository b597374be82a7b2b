"""A mailbox that stays full is suppressed for a while, probed, and mended."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from doors import House
from postroad.config.guard import Guard as GuardSettings
from postroad.config.suppressions import Suppressions as Settings
from postroad.features.guard import Guard
from postroad.features.suppressions import Softening
from postroad.model.clock import DAY, HOUR
from postroad.model.delivery import Hold
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import DeliveryId, MessageId
from postroad.model.message import Mode
from postroad.model.suppression import Suppression
from postroad.store import Connection, audit, bulk, deliveries, events
from postroad.store import suppressions as store
from postroad.store.suppressions import Filter

FULL = {
    "class": "mailbox_full", "permanence": "transient", "scope": "recipient", "action": "retry", "rule": "enhanced.2.2",
    "detail": "The mailbox is full.",
}  # fmt: skip
ADDRESS = "ann@a.example"


@pytest.fixture
async def api(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as client:
        yield client


@pytest.fixture
def softening(house: House) -> Softening:
    services = house.services
    return Softening(services.database, services.clock, services.mint, Settings(), told=services.event_signal.ring)


@pytest.fixture
def guard(house: House, softening: Softening) -> Guard:
    services = house.services
    return Guard(
        services.database, services.clock, services.mint, GuardSettings(enabled=False), streams=services.streams,
        changed=services.suspensions.refresh, told=services.event_signal.ring, softening=softening,
    )  # fmt: skip


async def send(api: httpx.AsyncClient, **more: object) -> tuple[str, str, str]:
    """Send a message, and return it, its delivery and the delivery's state."""
    body = {"from": "a@shop.example", "to": ADDRESS, "subject": "Hi", "text": "Hello", **more}
    answer = (await api.post("/v1/messages", json=body)).json()
    return answer["id"], answer["deliveries"][0]["id"], answer["deliveries"][0]["state"]


def end(house: House, message: str, delivery: str, state: str) -> None:
    """Let a delivery end as a settle does."""
    kind = EventType.DELIVERED if state == "delivered" else EventType.EXPIRED
    now = house.clock.now()
    reason = FULL if state == "delivered" else {**FULL, "class": "expired", "evidence": {"last_class": "mailbox_full"}}
    data = msgspec.json.encode({"reason": reason})

    def write(connection: Connection) -> None:
        bulk.run(
            connection,
            "UPDATE deliveries SET state = ?, attempts = 1, updated_at = ?, reason_class = ?, next_at = NULL "
            "WHERE id = ?",
            (state, now, "mailbox_full" if state != "delivered" else "accepted", delivery),
        )
        event = NewEvent(
            project_id=house.project.id, type=kind, at=now, message_id=MessageId(message),
            delivery_id=DeliveryId(delivery), data=data,
        )  # fmt: skip
        events.append(connection, [event])

    house.services.database.write_now(write)


async def fail(house: House, api: httpx.AsyncClient, guard: Guard, *, times: int, apart: int) -> None:
    for number in range(times):
        if number:
            house.clock.pass_by(apart)
        message, delivery, _ = await send(api)
        end(house, message, delivery, "expired")
        await guard.follow()


def listed(house: House) -> list[Suppression]:
    return house.services.database.read_now(lambda c: store.listed(c, house.project.id, Filter()))


async def test_five_messages_over_two_weeks_suppress(house: House, api: httpx.AsyncClient, guard: Guard) -> None:
    await fail(house, api, guard, times=4, apart=5 * DAY)
    assert listed(house) == []
    house.clock.pass_by(DAY)
    await fail(house, api, guard, times=1, apart=0)
    (entry,) = listed(house)
    now = house.clock.now()
    assert (entry.address, entry.scope, entry.cause, entry.author) == (ADDRESS, "*", "bounce", "system")
    assert (entry.expires_at, entry.probe_at) == (now + 30 * DAY, now + 7 * DAY)
    assert entry.note == "The mailbox was full for 5 messages over 16 days."
    assert entry.incident is not None
    assert entry.evidence is not None


@pytest.mark.parametrize(("times", "apart"), [(6, DAY), (4, 10 * DAY)])
async def test_less_than_that_says_nothing(
    house: House, api: httpx.AsyncClient, guard: Guard, times: int, apart: int
) -> None:
    await fail(house, api, guard, times=times, apart=apart)
    assert listed(house) == []


async def test_a_message_that_arrived_ends_the_series(house: House, api: httpx.AsyncClient, guard: Guard) -> None:
    await fail(house, api, guard, times=4, apart=5 * DAY)
    message, delivery, _ = await send(api)
    house.clock.pass_by(1)
    end(house, message, delivery, "delivered")
    house.clock.pass_by(DAY)
    await fail(house, api, guard, times=1, apart=0)
    assert listed(house) == []


async def test_it_can_be_switched_off(house: House, api: httpx.AsyncClient, guard: Guard, softening: Softening) -> None:
    softening._settings = Settings(soft=False)
    await fail(house, api, guard, times=6, apart=5 * DAY)
    assert listed(house) == []


async def test_one_probe_is_let_through_and_at_dispatch_too(
    house: House, api: httpx.AsyncClient, guard: Guard, softening: Softening
) -> None:
    await fail(house, api, guard, times=5, apart=5 * DAY)
    assert (await send(api))[2] == "suppressed"
    house.clock.pass_by(7 * DAY)
    message, probe, state = await send(api)
    assert state == "queued"
    assert (await send(api))[2] == "suppressed"
    (entry,) = listed(house)
    assert (entry.probe_at, entry.probe_delivery) == (None, probe)
    assert await softening.mend() == 0
    hold = Hold(node="n", boot="b", duration=HOUR)
    request = deliveries.LeaseRequest(now=house.clock.now(), limit=9, hold=hold)
    leases = house.services.database.write_now(lambda c: deliveries.lease(c, request))
    assert [lease.delivery_id for lease in leases] == [probe]

    end(house, message, probe, "expired")
    assert await softening.mend() == 1
    (entry,) = listed(house)
    assert (entry.probe_at, entry.probe_delivery) == (house.clock.now() + 7 * DAY, None)


async def test_an_address_that_takes_its_probe_comes_off_the_list(
    house: House, api: httpx.AsyncClient, guard: Guard, softening: Softening
) -> None:
    await fail(house, api, guard, times=5, apart=5 * DAY)
    house.clock.pass_by(7 * DAY)
    message, probe, _ = await send(api)
    end(house, message, probe, "delivered")
    task = asyncio.create_task(guard.run())
    async with asyncio.timeout(10):
        while listed(house):
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (entry,) = house.services.database.read_now(lambda c: audit.entries(c, house.project.id, limit=1))
    assert (entry.action, entry.data["probe"]) == ("suppression.probed", probe)
    assert (await send(api))[2] == "queued"


async def test_another_reason_beside_it_lets_no_probe_through(
    house: House, api: httpx.AsyncClient, guard: Guard
) -> None:
    await fail(house, api, guard, times=5, apart=5 * DAY)
    await api.post("/v1/suppressions", json={"address": ADDRESS, "scope": "broadcast"})
    house.clock.pass_by(7 * DAY)
    assert (await send(api, stream="broadcast"))[2] == "suppressed"
    assert (await send(api))[2] == "queued"


async def test_what_is_tested_is_no_probe(house: House, api: httpx.AsyncClient, guard: Guard) -> None:
    await fail(house, api, guard, times=5, apart=5 * DAY)
    house.clock.pass_by(7 * DAY)
    key = await house.keys.create(house.project.id, "tests", mode=Mode.TEST, actor="test")
    async with house.client(key.secret) as tester:
        assert (await send(tester))[2] == "suppressed"


async def test_a_suppression_ends_after_a_month(house: House, api: httpx.AsyncClient, guard: Guard) -> None:
    await fail(house, api, guard, times=5, apart=5 * DAY)
    house.clock.pass_by(30 * DAY)
    assert (await send(api))[2] == "queued"
