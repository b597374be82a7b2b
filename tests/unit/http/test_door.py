"""The door: what every request meets and every answer carries."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from doors import House, open_house
from postroad.config import Settings
from postroad.http.openapi import documentation
from postroad.http.reference import older
from postroad.model.errors import Unavailable
from postroad.model.project import Project
from postroad.store.database import Database
from stores import CountingMint, StillClock

DRAFT = {"from": "app@shop.example", "to": "ann@example.org", "subject": "Hi", "text": "Hello."}
ROOT = Path(__file__).parents[3]


def settings(**http: Any) -> Settings:
    made = Settings()
    rates = http.pop("rates", made.rates)
    return msgspec.structs.replace(made, http=msgspec.structs.replace(made.http, **http), rates=rates)


@pytest.fixture
def opened(database: Database, clock: StillClock, mints: CountingMint, project: Project, tmp_path: Path) -> Any:
    """Opens a door with other settings."""

    async def open_with(**http: Any) -> House:
        return await open_house(database, clock, mints, project, tmp_path, settings(**http))

    return open_with


async def test_a_request_is_named_by_the_caller_or_by_us(house: House) -> None:
    async with house.client() as client:
        ours = [await client.get("/healthz") for _ in range(2)]
        theirs = await client.get("/nowhere", headers={"x-request-id": "abc-1"})
        odd = await client.get("/healthz", headers={b"x-request-id": b"a b\xff"})
    assert ours[0].headers["x-request-id"] != ours[1].headers["x-request-id"]
    assert (theirs.headers["x-request-id"], theirs.json()["request_id"]) == ("abc-1", "abc-1")
    assert odd.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/messages", "/docs", "/u/x", "/openapi.json"])
async def test_every_answer_carries_the_security_headers_and_opens_to_no_other_origin(house: House, path: str) -> None:
    async with house.client() as client:
        answer = await client.get(path, headers={"origin": "https://evil.example"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "cache-control" in answer.headers
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_a_server_behind_https_asks_for_https_ever_after(opened: Any) -> None:
    house = await opened(public_url="https://mail.example.com")
    async with house.client() as client:
        assert "max-age" in (await client.get("/healthz")).headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Basic YTpi"}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": "Bearer pr_live_wrong"}, 401),
    ],
)
async def test_without_a_key_there_is_nothing_but_a_challenge(
    house: House, headers: dict[str, str], status: int
) -> None:
    async with house.client("") as client:
        for answer in (
            await client.get("/v1/messages", headers=headers),
            await client.post("/v1/messages", headers=headers),
        ):
            assert (answer.status_code, answer.json()["code"]) == (status, "unauthorized")
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_path_tells_which_methods_it_has(house: House) -> None:
    async with house.client() as client:
        refused = await client.put("/v1/messages")
        options = await client.options("/v1/messages")
    assert refused.status_code == 405
    assert set(refused.headers["allow"].replace(" ", "").split(",")) >= {"GET", "POST"}
    assert (options.status_code, options.headers["allow"]) == (204, "GET, OPTIONS, POST")


async def test_a_nul_in_a_path_is_nowhere(house: House) -> None:
    async with house.client() as client:
        assert (await client.get("/v1/messages/%00")).status_code == 404


async def test_the_limit_of_a_key_is_told_and_held(opened: Any) -> None:
    rates = msgspec.structs.replace(Settings().rates, requests_per_second=0.01, burst=2)
    house = await opened(rates=rates)
    async with house.client() as client:
        answers = [await client.get("/v1/messages") for _ in range(3)]
        other = await client.get("/healthz")
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["ratelimit"].startswith('"key";r=1;')
    assert answers[0].headers["ratelimit-policy"].startswith('"key";q=2;')
    assert int(answers[2].headers["retry-after"]) > 1
    assert answers[2].headers["ratelimit"].startswith('"key";r=0;')
    assert other.status_code == 200


async def test_too_many_requests_at_a_time_are_refused_and_the_others_served(opened: Any) -> None:
    house = await opened(max_requests=1)
    go = asyncio.Event()
    house.app._fast = {("GET", "/slow"): lambda *_: go.wait()}
    async with house.client() as client:
        slow = asyncio.create_task(client.get("/slow"))
        await asyncio.sleep(0.01)
        refused = await client.get("/v1/messages")
        looked_at = [await client.get(path) for path in ("/healthz", "/metrics")]
        go.set()
        with pytest.raises(AssertionError):  # the slow handler answers nothing, which httpx finds odd
            await slow
        assert (await client.get("/v1/messages")).status_code == 200
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert [answer.status_code for answer in looked_at] == [200, 200], "who is busy is alive, and can be looked at"
    assert house.app.in_flight == 0


async def test_streams_leave_room_for_other_requests(opened: Any) -> None:
    house = await opened(max_requests=10)
    house.services.readiness.streams = 5
    async with house.client() as client:
        answer = await client.get("/v1/events/stream")
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")


async def test_a_body_over_the_limit_is_refused(opened: Any) -> None:
    house = await opened(max_body_octets=1024)
    async with house.client() as client:
        for path in ("/v1/messages", "/v1/messages/batch", "/v1/blobs"):
            answer = await client.post(path, content=b"x" * 1025)
            assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


async def test_a_gzip_body_is_taken_on_every_route(house: House) -> None:
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    async with house.client() as client:
        sent = await client.post("/v1/messages", content=gzip.compress(json.dumps(DRAFT).encode()), headers=headers)
        stream = gzip.compress(b'{"name": "news", "kind": "broadcast"}')
        made = await client.post("/v1/streams", content=stream, headers=headers)
    assert (sent.status_code, made.status_code) == (202, 201)


async def test_a_change_under_a_key_is_made_once_and_answered_twice(house: House) -> None:
    key = {"idempotency-key": "stream-1"}
    async with house.client() as client:
        body = {"name": "news", "kind": "broadcast"}
        first = await client.post("/v1/streams", json=body, headers=key)
        again = await client.post("/v1/streams", json=body, headers=key)
        other = await client.post("/v1/streams", json={**body, "name": "other"}, headers=key)
        plain = await client.post("/v1/streams", json=body)
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert plain.status_code == 409


async def test_whoever_has_an_answer_is_given_it_again_at_once(house: House) -> None:
    key, body = {"idempotency-key": "stream-1"}, {"name": "news", "kind": "broadcast"}
    again: list[httpx.Response] = []

    async with house.client() as client, house.client() as other:

        class Hasty(httpx.AsyncBaseTransport):
            """Asks again with the last octet of the answer in its hands."""

            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                async def app(scope: Any, receive: Any, send: Any) -> None:
                    async def sending(message: Any) -> None:
                        await send(message)
                        if message["type"] == "http.response.body" and not message.get("more_body"):
                            again.append(await other.post("/v1/streams", json=body, headers=key))

                    await house.app(scope, receive, sending)

                return await httpx.ASGITransport(app=app).handle_async_request(request)

        client._transport = Hasty()
        first = await client.post("/v1/streams", json=body, headers=key)
    assert first.status_code == 201
    assert [(answer.status_code, answer.content) for answer in again] == [(201, first.content)]


async def test_what_was_done_is_told_even_where_it_cannot_be_noted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise Unavailable("low_disk", "The disk is full.", retry_after_s=1)

    monkeypatch.setattr("postroad.store.idempotency.keep", full)
    async with house.client() as client:
        answer = await client.post(
            "/v1/streams", json={"name": "news", "kind": "broadcast"}, headers={"idempotency-key": "stream-1"}
        )
    assert answer.status_code == 201


async def test_a_secret_is_shown_once_even_under_a_key(house: House) -> None:
    key = {"idempotency-key": "key-1"}
    async with house.client() as client:
        first = await client.post("/v1/keys", json={"name": "app"}, headers=key)
        again = await client.post("/v1/keys", json={"name": "app"}, headers=key)
        keys = (await client.get("/v1/keys")).json()["data"]
    assert first.status_code == 201
    assert (again.status_code, again.json()["code"]) == (409, "shown_once")
    assert [each["name"] for each in keys].count("app") == 1
    found = house.services.database.read_now(
        lambda c: c.exec_driver_sql("SELECT response FROM idempotency_keys").scalars().all()
    )
    assert not any(b"pr_live_" in bytes(row) for row in found)


async def test_two_requests_with_one_key_at_a_time_make_one_change(house: House) -> None:
    key = {"idempotency-key": "same"}
    async with house.client() as client:
        body = {"name": "news", "kind": "broadcast"}
        answers = await asyncio.gather(*[client.post("/v1/streams", json=body, headers=key) for _ in range(4)])
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 201
    assert set(codes) <= {201, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_in_flight"}


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("", "198.51.100.1", ""),
    ],
)
async def test_only_a_trusted_proxy_speaks_for_others(opened: Any, peer: str, forwarded: str, seen: str) -> None:
    from postroad.http.admission import Doorkeeper

    house = await opened(trusted_proxies=("10.0.0.0/8",))
    keeper = Doorkeeper(house.services)
    scope: Any = {"type": "http", "client": (peer, 1) if peer else None}
    assert keeper.address(scope, {b"x-forwarded-for": forwarded.encode()}) == seen


async def test_metrics_are_for_this_machine_or_for_those_who_may_read(house: House) -> None:
    async with house.client() as client:
        local = await client.get("/metrics")
        assert local.headers["content-type"].count("charset") == 1
    far = httpx.ASGITransport(app=house.app, client=("203.0.113.9", 1))
    async with httpx.AsyncClient(transport=far, base_url="http://x") as client:
        refused = await client.get("/metrics")
        allowed = await client.get("/metrics", headers={"authorization": f"Bearer {house.secret}"})
    assert "postroad_http_requests_total" in local.text
    assert (refused.status_code, allowed.status_code) == (401, 200)


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip", "via"])
async def test_metrics_are_not_shown_through_a_proxy_of_this_machine(opened: Any, header: str) -> None:
    house = await opened()
    async with house.client("") as client:
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/metrics", headers={header: "127.0.0.1"})).status_code == 401


async def test_metrics_are_shown_through_a_trusted_proxy_to_this_machine_only(opened: Any) -> None:
    house = await opened(trusted_proxies=("127.0.0.1",))
    async with house.client("") as client:
        assert (await client.get("/metrics", headers={"x-forwarded-for": "127.0.0.1"})).status_code == 200
        assert (await client.get("/metrics", headers={"x-forwarded-for": "203.0.113.9"})).status_code == 401


async def test_the_server_tells_when_it_is_not_ready(house: House) -> None:
    state = house.services.readiness
    async with house.client("") as client:
        assert (await client.get("/readyz")).status_code == 200
        state.draining = True
        state.ready = False
        answer = await client.get("/readyz")
    assert (answer.status_code, len(answer.json()["reasons"])) == (503, 2)


async def test_the_server_is_not_ready_while_the_store_is_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("store_unavailable", "The store cannot be read now.", retry_after_s=2)

    async with house.client("") as client:
        with monkeypatch.context() as patch:
            patch.setattr(Database, "read", away)
            answer = await client.get("/readyz")
        back = await client.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["The store cannot be read now."])
    assert back.status_code == 200


async def test_what_breaks_is_answered_without_its_reason(house: House) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    house.app._fast = {("GET", "/broken"): broken}
    async with house.client() as client:
        answer = await client.get("/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


async def test_the_reference_stands_on_its_own(house: House) -> None:
    async with house.client("") as client:
        page = await client.get("/docs")
        assert "http://" not in page.text
        assert "https://" not in page.text
        for asset in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js", "favicon-32x32.png", "openapi-3.0.json"):
            assert asset in page.text or asset.endswith(".json")
            answer = await client.get(f"/docs/{asset}")
            assert (answer.status_code, len(answer.content) > 100) == (200, True)
        assert (await client.get("/docs/../secret")).status_code == 404
        assert (await client.get("/docs/swagger-ui.js.map")).status_code == 404
        assert (await client.post("/docs/start.js")).status_code == 405
        served = (await client.get("/openapi.json")).json()
    assert served == json.loads(json.dumps(documentation()))


def test_no_description_keeps_the_indentation_of_the_code() -> None:
    said = [each["description"] for path in documentation()["paths"].values() for each in path.values()]
    assert any("\n\n" in each for each in said)
    assert [each for each in said if "\n  " in each] == []


def test_the_committed_document_is_the_one_that_is_served() -> None:
    committed = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text())
    assert committed == json.loads(json.dumps(documentation())), "run: make docs"


def test_every_operation_is_named_once_and_described() -> None:
    operations = [each for path in documentation()["paths"].values() for each in path.values()]
    names = [each["operationId"] for each in operations]
    assert sorted(set(names)) == sorted(names)
    assert all(each["summary"] and each["description"] and each["tags"] for each in operations)


def test_every_reference_leads_somewhere() -> None:
    document = documentation()
    waiting: list[Any] = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if "$ref" in node:
                found: Any = document
                for step in node["$ref"].removeprefix("#/").split("/"):
                    found = found[step]
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def test_the_older_translation_says_nothing_that_openapi_3_0_does_not_know() -> None:
    translated = json.dumps(older(documentation()))
    assert '"openapi": "3.0.3"' in translated
    assert '{"type": "null"}' not in translated
    assert '"const"' not in translated
