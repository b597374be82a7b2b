"""Webhooks as their owners meet them: the API."""

import dataclasses
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import CollectorRegistry

from doors import House
from postroad.features.egress import Policy
from postroad.features.webhooks import Webhooks
from postroad.http.server import build
from postroad.model.clock import Instant
from postroad.model.event import EventType, NewEvent
from postroad.model.ids import WebhookId, event_id
from postroad.model.project import KeyScope
from postroad.model.webhook import Health, Push, PushState, Try
from postroad.store import events, pushes
from postroad.store.vault import Vault
from postroad.wire.webhook import parse_secret

PATH = "/v1/webhooks"
URL = "https://example.com/hook"


@pytest.fixture
async def api(house: House) -> AsyncIterator[httpx.AsyncClient]:
    services = house.services
    made = Webhooks(
        services.database, Vault(b"v" * 32), services.clock, services.mint, policy=Policy(), wake=services.event_signal
    )
    house.services = dataclasses.replace(services, webhooks=made, metrics=CollectorRegistry())
    house.app = build(house.services)
    async with house.client() as client:
        yield client


def tell(house: House, *kinds: EventType) -> None:
    new = [NewEvent(project_id=house.project.id, type=kind, at=Instant(1)) for kind in kinds]
    house.services.database.write_now(lambda connection: events.append(connection, new))


async def made(api: httpx.AsyncClient, **fields: object) -> str:
    answer = await api.post(PATH, json={"url": URL} | fields)
    assert answer.status_code == 201
    identifier: str = answer.json()["webhook"]["id"]
    return identifier


async def test_an_endpoint_is_made_with_a_secret_that_is_shown_once(api: httpx.AsyncClient) -> None:
    answer = await api.post(
        PATH, json={"url": URL, "types": ["message.*", "domain.verified"], "description": "shop"},
        headers={"idempotency-key": "one"},
    )  # fmt: skip
    assert answer.status_code == 201
    shown, secret = answer.json()["webhook"], answer.json()["secret"]
    assert len(parse_secret(secret)) == 32
    assert shown["url"] == URL
    assert shown["types"] == ["message.*", "domain.verified"]
    assert (shown["enabled"], shown["failures"], shown["description"]) == (True, 0, "shop")
    for path in (PATH, f"{PATH}/{shown['id']}"):
        assert secret not in (await api.get(path)).text
    assert (await api.get(f"{PATH}/{shown['id']}")).json() == shown
    again = await api.post(
        PATH, json={"url": URL, "types": ["message.*", "domain.verified"], "description": "shop"},
        headers={"idempotency-key": "one"},
    )  # fmt: skip
    assert secret not in again.text
    assert len((await api.get(PATH)).json()["data"]) == 1


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"url": "http://example.com/"}, "/url"),
        ({"url": "https://127.0.0.1/"}, "/url"),
        ({"url": "https://[::ffff:169.254.169.254]/"}, "/url"),
        ({"url": "https://example.com:22/"}, "/url"),
        ({"types": ["message.opened?"]}, "/types/0"),
        ({"secret": "whsec_!"}, "/secret"),
        ({"cursor": 0}, "/cursor"),
        ({"types": "message.*"}, "/types"),
    ],
)
async def test_what_is_wrong_with_an_endpoint_is_pointed_at(
    api: httpx.AsyncClient, fields: dict[str, object], pointer: str
) -> None:
    answer = await api.post(PATH, json={"url": URL} | fields)
    assert answer.status_code == 422
    assert [flaw["pointer"] for flaw in answer.json()["errors"]] == [pointer]


async def test_an_endpoint_is_changed_switched_off_and_on_and_removed(api: httpx.AsyncClient) -> None:
    webhook = await made(api)
    changed = await api.patch(f"{PATH}/{webhook}", json={"url": f"{URL}/2", "types": ["message.bounced"]})
    assert (changed.json()["url"], changed.json()["types"]) == (f"{URL}/2", ["message.bounced"])
    assert (await api.patch(f"{PATH}/{webhook}", json={"url": "https://10.0.0.1/"})).status_code == 422
    off = (await api.post(f"{PATH}/{webhook}/disable")).json()
    assert (off["enabled"], off["disabled_because"]) == (False, "requested")
    assert (await api.post(f"{PATH}/{webhook}/disable")).json()["disabled_at"] == off["disabled_at"]
    assert (await api.post(f"{PATH}/{webhook}/test")).status_code == 409
    on = (await api.post(f"{PATH}/{webhook}/enable", json={})).json()
    assert (on["enabled"], on["disabled_at"], on["disabled_because"]) == (True, None, None)
    assert (await api.delete(f"{PATH}/{webhook}")).status_code == 204
    assert (await api.get(f"{PATH}/{webhook}")).status_code == 404


async def test_a_secret_is_rotated(api: httpx.AsyncClient) -> None:
    webhook = await made(api)
    first = (await api.post(f"{PATH}/{webhook}/rotate", json={})).json()["secret"]
    second = (await api.post(f"{PATH}/{webhook}/rotate", json={"overlap_s": 60})).json()["secret"]
    assert first != second
    assert (await api.post(f"{PATH}/{webhook}/rotate", json={"overlap_s": -1})).status_code == 422
    assert (await api.post(f"{PATH}/{webhook}/rotate", json={"secret": "whsec_no"})).status_code == 422


async def test_what_became_of_events_is_shown_page_by_page(house: House, api: httpx.AsyncClient) -> None:
    webhook = await made(api)
    tell(house, EventType.DELIVERED, EventType.BOUNCED, EventType.EXPIRED)
    database, now = house.services.database, house.clock.now()
    begun = database.write_now(
        lambda c: pushes.begin_round(c, WebhookId(webhook), now=now, node="n", duration=1, limit=10)
    )
    assert begun is not None
    first = begun.pushes[0]
    tried = Push(
        webhook_id=first.webhook_id, seq=first.seq, state=PushState.PENDING, attempts=1, next_at=now, created_at=now,
        updated_at=now, history=(Try(at=now, duration_ms=7, status=500, detail="oops"),),
    )  # fmt: skip
    health = Health(failures=1, failing_since=now, paused_until=now)
    database.write_now(lambda c: pushes.settle(c, [pushes.Settled(push=tried, health=health)]))
    page = (await api.get(f"{PATH}/{webhook}/deliveries", params={"limit": 2})).json()
    assert [one["type"] for one in page["data"]] == ["message.expired", "message.bounced"]
    rest = (await api.get(f"{PATH}/{webhook}/deliveries", params={"limit": 2, "after": page["next"]})).json()
    (last,) = rest["data"]
    assert (last["event_id"], last["state"], last["attempts"]) == (event_id(1), "pending", 1)
    assert last["history"] == [
        {"at": last["updated_at"], "duration_ms": 7, "status": 500, "trouble": None, "detail": "oops"}
    ]
    assert rest["next"] is None
    delivered = await api.get(f"{PATH}/{webhook}/deliveries", params={"state": "delivered"})
    assert delivered.json()["data"] == []
    assert (await api.get(f"{PATH}/{webhook}/deliveries", params={"state": "lost"})).status_code == 422
    assert (await api.get(f"{PATH}/{webhook}/deliveries", params={"after": "x"})).status_code == 422
    shown = (await api.get(f"{PATH}/{webhook}")).json()
    assert (shown["failures"], shown["failing_since"], shown["paused_until"]) == (
        1,
        last["updated_at"],
        last["updated_at"],
    )


async def test_a_test_event_and_a_replay_are_answered_at_once(house: House, api: httpx.AsyncClient) -> None:
    webhook = await made(api)
    sent = await api.post(f"{PATH}/{webhook}/test")
    assert (sent.status_code, sent.json()) == (202, {"event_id": event_id(1)})
    again = await api.post(f"{PATH}/{webhook}/replay", json={"event_id": event_id(1)})
    assert (again.status_code, again.json()) == (202, {"queued": 1, "after": None})
    assert (await api.post(f"{PATH}/{webhook}/replay", json={"failed": True})).json()["queued"] == 0
    assert (await api.post(f"{PATH}/{webhook}/replay", json={})).status_code == 422


async def test_another_project_and_a_narrow_key_get_nowhere(house: House, api: httpx.AsyncClient) -> None:
    webhook = await made(api)
    calls = [
        ("GET", "", None), ("PATCH", "", {}), ("DELETE", "", None), ("POST", "/rotate", {}), ("POST", "/enable", {}),
        ("POST", "/disable", None), ("POST", "/test", None), ("GET", "/deliveries", None),
        ("POST", "/replay", {"failed": True}),
    ]  # fmt: skip
    async with house.client(await house.another_project("other")) as other:
        assert (await other.get(PATH)).json() == {"data": [], "next": None}
        for method, path, body in calls:
            answer = await other.request(method, f"{PATH}/{webhook}{path}", json=body)
            assert answer.status_code == 404, path
    async with house.client(house.secrets[KeyScope.READ]) as reader:
        for method, path, body in calls:
            answer = await reader.request(method, f"{PATH}/{webhook}{path}", json=body)
            assert answer.status_code == (200 if method == "GET" else 403), path
