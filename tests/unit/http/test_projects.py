"""Projects over the API: the admin key makes them and their keys, and opens nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import structlog

from doors import House, open_house
from postroad.config import Secret, Settings
from postroad.config.tree import Http, Rates
from postroad.http.openapi import documentation
from postroad.model.clock import HOUR, after, to_rfc3339
from postroad.model.project import Project
from postroad.store import audit
from postroad.store.database import Database
from stores import CountingMint, StillClock

ADMIN_KEY = "0123456789abcdef0123456789abcdef"
ROUTES = [
    ("GET", "/v1/projects"),
    ("POST", "/v1/projects"),
    ("GET", "/v1/projects/{project}"),
    ("GET", "/v1/projects/{project}/keys"),
    ("POST", "/v1/projects/{project}/keys"),
    ("PATCH", "/v1/projects/{project}"),
    ("POST", "/v1/projects/{project}/pause"),
    ("POST", "/v1/projects/{project}/resume"),
    ("GET", "/v1/projects/{project}/keys/{key}"),
    ("DELETE", "/v1/projects/{project}/keys/{key}"),
]


@pytest_asyncio.fixture
async def governed(
    database: Database, clock: StillClock, mints: CountingMint, project: Project, tmp_path: Path
) -> AsyncIterator[House]:
    """A door with an admin key."""
    yield await open_house(database, clock, mints, project, tmp_path, Settings(http=Http(admin_key=Secret(ADMIN_KEY))))


async def answers(client: httpx.AsyncClient, house: House) -> list[tuple[int, str]]:
    """Return status and code of every route's answer."""
    asked = [
        await client.request(method, path.format(project=house.project.id, key="key_none"), json={"name": "x"})
        for method, path in ROUTES
    ]
    return [(answer.status_code, answer.json()["code"]) for answer in asked]


async def test_a_project_is_made_shown_and_listed_and_its_key_sends(governed: House) -> None:
    async with governed.client(ADMIN_KEY) as admin:
        made = await admin.post("/v1/projects", json={"name": " shop "})
        shown = made.json()
        assert (made.status_code, shown["name"], shown["paused_at"]) == (201, "shop", None)
        assert (await admin.get(f"/v1/projects/{shown['id']}")).json() == shown
        page = (await admin.get("/v1/projects", params={"limit": 1})).json()
        rest = (await admin.get("/v1/projects", params={"after": page["next"]})).json()
        assert [each["name"] for each in page["data"] + rest["data"]] == ["default", "shop"]
        assert rest["next"] is None
        key = (await admin.post(f"/v1/projects/{shown['id']}/keys", json={"name": "web"})).json()
    mail = {"from": "a@example.com", "to": "b@example.org", "subject": "x", "text": "x"}
    async with governed.client(key["secret"]) as client:
        assert (await client.get("/v1/project")).json() == shown
        assert (await client.post("/v1/messages", json=mail)).status_code == 202


async def test_keys_of_a_project_are_made_with_all_that_keys_have_and_listed_without_secrets(governed: House) -> None:
    keys = f"/v1/projects/{governed.project.id}/keys"
    asked = {"name": "ci", "mode": "test", "scope": "read", "limits": {"networks": ["127.0.0.0/8"]}}
    asked["expires_at"] = to_rfc3339(after(governed.clock.now(), HOUR))
    async with governed.client(ADMIN_KEY) as admin:
        made = await admin.post(keys, json=asked)
        secret, key = made.json()["secret"], made.json()["key"]
        assert (made.status_code, secret[:8], key["limits"]["networks"]) == (201, "pr_test_", ["127.0.0.0/8"])
        assert key["expires_at"] == asked["expires_at"]
        listed = await admin.get(keys)
        assert [each["name"] for each in listed.json()["data"]] == ["full", "send", "read", "ci"]
        assert secret not in listed.text
        first = (await admin.get(keys, params={"limit": 3})).json()
        assert (await admin.get(keys, params={"after": first["next"]})).json() == {"data": [key], "next": None}


async def test_a_project_is_renamed_paused_and_resumed_and_its_keys_go_on(governed: House) -> None:
    project = f"/v1/projects/{governed.project.id}"
    async with governed.client(ADMIN_KEY) as admin, governed.client() as owner:
        renamed = await admin.patch(project, json={"name": "shop"})
        assert (renamed.status_code, renamed.json()["name"]) == (200, "shop")
        assert (await owner.get("/v1/project")).json() == renamed.json()
        paused = (await admin.post(f"{project}/pause")).json()
        assert paused["paused_at"] is not None
        assert (await owner.get("/v1/project")).json() == paused
        beat = governed.services.due.beat
        assert (await admin.post(f"{project}/resume")).json()["paused_at"] is None
        assert governed.services.due.beat > beat
        await admin.post("/v1/projects", json={"name": "other"})
        assert (await admin.patch(project, json={"name": "other"})).status_code == 409
    found = await governed.services.database.read(lambda c: audit.entries(c, governed.project.id, limit=3))
    assert [(entry.actor, entry.action) for entry in found] == [
        ("admin", "project.resumed"), ("admin", "project.paused"), ("admin", "project.renamed"),
    ]  # fmt: skip


async def test_a_key_of_a_project_is_shown_and_revoked_by_the_admin(governed: House) -> None:
    async with governed.client(ADMIN_KEY) as admin, governed.client() as owner:
        other = (await admin.post("/v1/projects", json={"name": "other"})).json()["id"]
        keys = f"/v1/projects/{governed.project.id}/keys"
        key = (await admin.get(keys)).json()["data"][0]
        assert (await admin.get(f"{keys}/{key['id']}")).json() == key
        assert (await admin.delete(f"/v1/projects/{other}/keys/{key['id']}")).status_code == 404
        assert (await owner.get("/v1/project")).status_code == 200
        revoked = await admin.delete(f"{keys}/{key['id']}")
        assert (revoked.status_code, revoked.json()["revoked_at"] is not None) == (200, True)
        assert (await owner.get("/v1/project")).status_code == 401


async def test_the_audit_says_that_it_was_the_admin(governed: House) -> None:
    async with governed.client(ADMIN_KEY) as admin:
        made = (await admin.post("/v1/projects", json={"name": "shop"})).json()
        key = (await admin.post(f"/v1/projects/{made['id']}/keys", json={"name": "web"})).json()["key"]
    found = await governed.services.database.read(lambda connection: audit.entries(connection, made["id"]))
    assert [(entry.actor, entry.action, entry.subject) for entry in found] == [
        ("admin", "key.created", key["id"]),
        ("admin", "project.created", made["id"]),
    ]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "default"}, 409, "already_exists"),
        ({"name": " "}, 422, "invalid_request"),
        ({"name": "a\nb"}, 422, "invalid_request"),
        ({"name": "x" * 101}, 422, "invalid_request"),
        ({"name": 1}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
    ],
)
async def test_a_name_that_cannot_be_is_pointed_at(
    governed: House, body: dict[str, Any], status: int, code: str
) -> None:
    async with governed.client(ADMIN_KEY) as admin:
        answer = await admin.post("/v1/projects", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert [flaw["pointer"] for flaw in answer.json()["errors"]] == ["/name"]


async def test_a_project_that_is_not_there_is_not_found(governed: House) -> None:
    async with governed.client(ADMIN_KEY) as admin:
        for method, path in ROUTES[2:]:
            answer = await admin.request(
                method,
                path.format(project="prj_none", key="key_none"),
                json={"name": "x"},
                headers={"idempotency-key": "k"},
            )
            assert (method, path, answer.status_code) == (method, path, 404)
    kept = await governed.services.database.read(
        lambda c: c.exec_driver_sql("SELECT count(*) FROM idempotency_keys").scalar()
    )
    assert kept == 0


async def test_without_an_admin_key_the_routes_are_forbidden_and_say_what_to_set(house: House) -> None:
    for secret in (house.secret, ADMIN_KEY, ""):
        async with house.client(secret) as client:
            assert await answers(client, house) == [(403, "forbidden")] * len(ROUTES)
            assert "POSTROAD_HTTP_ADMIN_KEY" in (await client.get("/v1/projects")).json()["detail"]


async def test_no_other_key_opens_the_routes(governed: House) -> None:
    for secret in (governed.secret, ADMIN_KEY[:-1], ADMIN_KEY + "0", "é", ""):
        headers = {"authorization": f"Bearer {secret}".encode("latin-1")} if secret else {}
        async with governed.client("") as client:
            client.headers.update(headers)
            assert await answers(client, governed) == [(401, "unauthorized")] * len(ROUTES)


async def test_the_admin_key_opens_nothing_but_its_routes(governed: House) -> None:
    tried = 0
    async with governed.client(ADMIN_KEY) as admin:
        for path, operations in documentation()["paths"].items():
            for method, operation in operations.items():
                if operation.get("security", [{"key": []}]) != [{"key": []}]:
                    continue
                answer = await admin.request(method, path, json={})
                assert (method, path, answer.status_code) == (method, path, 401)
                tried += 1
    assert tried > 50


async def test_the_admin_s_routes_are_described_as_such() -> None:
    paths = documentation()["paths"]
    described = {(method.upper(), path) for path, each in paths.items() for method, operation in each.items()
                 if operation.get("security") == [{"admin": []}]}  # fmt: skip
    named = {
        (method, path.replace("{project}", "{project_id}").replace("{key}", "{key_id}")) for method, path in ROUTES
    }
    assert described == named


async def test_a_project_made_twice_with_one_idempotency_key_is_one_project(governed: House) -> None:
    async with governed.client(
        ADMIN_KEY,
    ) as admin:
        again = {"headers": {"idempotency-key": "once"}, "json": {"name": "shop"}}
        answered = [(await admin.post("/v1/projects", **again)).status_code for _ in range(2)]
        assert answered == [201, 409]
        assert len((await admin.get("/v1/projects")).json()["data"]) == 2


async def test_a_key_made_twice_with_one_idempotency_key_is_one_key_whose_secret_is_not_kept(governed: House) -> None:
    keys = f"/v1/projects/{governed.project.id}/keys"
    async with governed.client(ADMIN_KEY) as admin:
        again = {"headers": {"idempotency-key": "once"}, "json": {"name": "web"}}
        first, second = [await admin.post(keys, **again) for _ in range(2)]
        assert (first.status_code, second.status_code, second.json()["code"]) == (201, 409, "shown_once")
        assert [each["name"] for each in (await admin.get(keys)).json()["data"]].count("web") == 1
    kept = await governed.services.database.read(
        lambda c: [bytes(row[0]) for row in c.exec_driver_sql("SELECT response FROM idempotency_keys")]
    )
    assert len(kept) == 1
    assert first.json()["secret"].encode() not in kept[0]


async def test_the_admin_is_limited_and_told_so_but_only_with_the_right_key(
    database: Database, clock: StillClock, mints: CountingMint, project: Project, tmp_path: Path
) -> None:
    settings = Settings(http=Http(admin_key=Secret(ADMIN_KEY)), rates=Rates(requests_per_second=0.1, burst=2))
    house = await open_house(database, clock, mints, project, tmp_path, settings)
    async with house.client("wrong") as stranger:
        assert [(await stranger.get("/v1/projects")).status_code for _ in range(3)] == [401] * 3
    async with house.client(ADMIN_KEY) as admin:
        asked = [await admin.get("/v1/projects") for _ in range(3)]
    assert [answer.status_code for answer in asked] == [200, 200, 429]
    assert asked[0].headers["ratelimit"].startswith('"key";r=1')


async def test_a_failure_is_logged_with_the_admin_as_its_author(governed: House) -> None:
    with structlog.testing.capture_logs() as logs:
        async with governed.client(ADMIN_KEY) as admin:
            await admin.get("/v1/projects/prj_none")
            await admin.get("/v1/projects?colour=red")
        async with governed.client("wrong") as stranger:
            await stranger.get("/v1/projects")
    told = [(line["route"], line["status"], line["key"]) for line in logs if line["event"] == "request"]
    assert told == [
        ("/v1/projects/{project_id}", 404, "admin"),
        ("/v1/projects", 422, "admin"),
        ("/v1/projects", 401, None),
    ]
    assert ADMIN_KEY not in str(logs)
