"""The feed of events: page by page, and as they happen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from doors import House
from postroad.http.api import events as feed
from postroad.http.api.events import _follow
from postroad.model.ids import event_id
from postroad.model.project import Caller
from postroad.store import events

DRAFT = {"from": "app@shop.example", "to": "ann@example.org", "subject": "Hi", "text": "Hello."}


async def test_the_feed_is_read_through_a_cursor_that_goes_on_where_it_stands(house: House) -> None:
    async with house.client() as client:
        for _ in range(3):
            await client.post("/v1/messages", json=DRAFT)
        first = (await client.get("/v1/events", params={"limit": 2})).json()
        second = (await client.get("/v1/events", params={"after": first["next"]})).json()
        empty = (await client.get("/v1/events", params={"after": second["next"]})).json()
    assert [len(page["data"]) for page in (first, second, empty)] == [2, 1, 0]
    assert empty["next"] == second["next"] == second["data"][-1]["id"]
    assert first["data"][0]["data"]["to"] == "ann@example.org"


async def test_the_feed_gives_only_the_types_asked_for_and_only_ones_own(house: House) -> None:
    stranger = await house.another_project("other")
    async with house.client() as client, house.client(stranger) as other:
        message = (await client.post("/v1/messages", json=DRAFT)).json()["id"]
        await client.post(f"/v1/messages/{message}/cancel")
        one = (await client.get("/v1/events", params={"types": "message.canceled"})).json()["data"]
        family = (await client.get("/v1/events", params={"types": "message.*, domain.created"})).json()["data"]
        assert (await other.get("/v1/events")).json()["data"] == []
    assert [event["type"] for event in one] == ["message.canceled"]
    assert [event["type"] for event in family] == ["message.accepted", "message.canceled"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("after=evt_!", "#/query/after"), ("types=message.sung", "#/query/types"), ("limit=1001", "#/query/limit")],
)
async def test_a_cursor_or_type_that_is_none_is_refused(house: House, query: str, pointer: str) -> None:
    async with house.client() as client:
        for path in ("/v1/events", "/v1/events/stream"):
            if "limit" in query and path.endswith("stream"):
                continue
            answer = await client.get(f"{path}?{query}")
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def caller_of(house: House) -> Caller:
    return await house.keys.authenticate(house.secret, "127.0.0.1")


async def next_event(stream: AsyncIterator[bytes]) -> dict[str, Any]:
    """Return the next event of a stream of server-sent events, with its identifier."""
    while True:
        block = (await asyncio.wait_for(anext(stream), 5)).decode()
        if block.startswith("id: "):
            lines = dict(line.split(": ", 1) for line in block.strip().split("\n\n")[0].split("\n"))
            return {"id": lines["id"], "event": lines["event"], "data": json.loads(lines["data"])}


async def test_a_stream_tells_what_happens_while_it_is_followed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "LOOK_S", 60.0)  # only a wake-up can be in time
    stream = _follow(house.services, await caller_of(house), 0, [])
    assert (await anext(stream)).startswith(b": ")
    waiting = asyncio.create_task(next_event(stream))
    await asyncio.sleep(0.05)
    assert house.services.readiness.streams == 1
    async with house.client() as client:
        await client.post("/v1/messages", json=DRAFT)
    told = await waiting
    assert (told["event"], told["id"], told["data"]["id"]) == ("message.accepted", event_id(1), event_id(1))
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert house.services.readiness.streams == 0


async def test_a_silent_stream_says_that_it_is_alive_and_ends_when_the_server_stops(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LOOK_S", 0.01)
    monkeypatch.setattr(feed, "HEARTBEAT_S", 0.02)
    stream = _follow(house.services, await caller_of(house), 0, [])
    await anext(stream)
    assert (await asyncio.wait_for(anext(stream), 5)).startswith(b": ")
    house.services.readiness.stopping.set()
    async with asyncio.timeout(5):
        assert [piece async for piece in stream if not piece.startswith(b": ")] == []


@pytest.mark.parametrize("how", ["header", "query", "none"])
async def test_a_stream_goes_on_behind_the_event_it_is_told(house: House, how: str) -> None:
    async with house.client() as client:
        for _ in range(3):
            await client.post("/v1/messages", json=DRAFT)
        house.services.readiness.stopping.set()  # the stream ends after its greeting; the place is what is looked at
        headers = {"last-event-id": event_id(2)} if how == "header" else {}
        query = {"after": event_id(2)} if how == "query" else {}
        answer = await client.get("/v1/events/stream", headers=headers, params=query)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_stream_ends_with_its_key(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "KEY_S", 0.0)
    monkeypatch.setattr(feed, "LOOK_S", 0.01)
    caller = await caller_of(house)
    last = await house.services.database.read(lambda c: events.last_seq(c, house.project.id))
    stream = _follow(house.services, caller, last, [])
    await anext(stream)
    waiting = asyncio.create_task(anext(stream, None))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await house.keys.revoke(house.project.id, caller.key.id, actor="test")
    assert await asyncio.wait_for(waiting, 10) is None
    assert house.services.readiness.streams == 0


async def test_streams_are_bounded(house: House) -> None:
    house.services.readiness.streams = feed.MOST_STREAMS
    async with house.client() as client:
        answer = await client.get("/v1/events/stream")
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
