"""The API's own administration: the project, its keys, streams and domains."""

from __future__ import annotations

import pytest

from doors import House
from postroad.model.clock import HOUR, after, to_rfc3339
from postroad.model.message import Mode
from postroad.model.project import KeyLimits, KeyScope

ADMINISTRATION = [
    ("GET", "/v1/keys"),
    ("POST", "/v1/keys"),
    ("DELETE", "/v1/keys/key_1"),
    ("POST", "/v1/streams"),
    ("PATCH", "/v1/streams/news"),
    ("POST", "/v1/domains"),
    ("PATCH", "/v1/domains/shop.test"),
    ("DELETE", "/v1/domains/shop.test"),
    ("POST", "/v1/domains/shop.test/check"),
    ("POST", "/v1/domains/shop.test/rotate"),
    ("POST", "/v1/project/pause"),
    ("POST", "/v1/project/resume"),
]


@pytest.mark.parametrize("scope", [KeyScope.SEND, KeyScope.READ])
async def test_only_a_full_key_administers(house: House, scope: KeyScope) -> None:
    async with house.client(house.secrets[scope]) as client:
        answers = [(await client.request(method, path, json={})).status_code for method, path in ADMINISTRATION]
    assert answers == [403] * len(ADMINISTRATION)


async def test_a_key_sees_its_own_project_and_can_pause_it(house: House) -> None:
    async with house.client() as client:
        shown = (await client.get("/v1/project")).json()
        assert (shown["id"], shown["name"], shown["paused_at"]) == (house.project.id, "default", None)
        paused = (await client.post("/v1/project/pause")).json()
        assert paused["paused_at"] == to_rfc3339(house.clock.now())
        assert (await client.post("/v1/project/resume")).json()["paused_at"] is None
        assert (await client.post("/v1/project", json={"name": "x"})).status_code == 405


async def test_a_key_is_made_used_listed_and_revoked(house: House) -> None:
    async with house.client() as client:
        asked = {"name": "ci", "mode": "test", "scope": "read", "limits": {"networks": ["127.0.0.0/8"]}}
        asked["expires_at"] = to_rfc3339(after(house.clock.now(), HOUR))
        made = await client.post("/v1/keys", json=asked)
        assert made.status_code == 201
        secret, key = made.json()["secret"], made.json()["key"]
        assert secret.startswith("pr_test_")
        assert key["limits"] == {"from_domains": [], "recipients": [], "networks": ["127.0.0.0/8"]}
        assert (await client.get(f"/v1/keys/{key['id']}")).json() == key
        page = (await client.get("/v1/keys", params={"limit": 3})).json()
        rest = (await client.get("/v1/keys", params={"after": page["next"]})).json()
        assert [each["name"] for each in page["data"] + rest["data"]] == ["full", "send", "read", "ci"]
        assert rest["next"] is None
        assert secret not in (await client.get("/v1/keys")).text
        assert (await client.delete(f"/v1/keys/{key['id']}")).json()["revoked_at"] is not None
        assert (await client.delete("/v1/keys/key_unknown")).status_code == 404
    async with house.client(secret) as dead:
        assert (await dead.get("/v1/project")).status_code == 401


async def test_a_key_made_twice_with_one_idempotency_key_keeps_no_secret(house: House) -> None:
    async with house.client() as client:
        first = await client.post("/v1/keys", json={"name": "ci"}, headers={"idempotency-key": "once"})
    assert first.status_code == 201
    kept = await house.services.database.read(
        lambda c: [bytes(row[0]) for row in c.exec_driver_sql("SELECT response FROM idempotency_keys")]
    )
    assert all(first.json()["secret"].encode() not in body for body in kept)


@pytest.mark.parametrize("confined", ["limits", "expiry", "mode"])
async def test_no_key_leads_to_more_than_it_may_do_itself(house: House, confined: str) -> None:
    made = await house.keys.create(
        house.project.id,
        "confined",
        mode=Mode.TEST if confined == "mode" else Mode.LIVE,
        limits=KeyLimits(recipients=("*@example.com",)) if confined == "limits" else None,
        expires_at=after(house.clock.now(), HOUR) if confined == "expiry" else None,
        actor="test",
    )
    async with house.client(made.secret) as client:
        refused = await client.post("/v1/keys", json={"name": "wide"})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        allowed = await client.post("/v1/keys", json={"name": "narrow", "mode": "test"})
        assert allowed.status_code == (201 if confined == "mode" else 403)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({}, "/name"),
        ({"name": "x", "scope": "all"}, "/scope"),
        ({"name": "x", "colour": 1}, "/colour"),
        ({"name": "x", "limits": {"networks": ["nowhere"]}}, "/limits/networks/0"),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "x", "expires_at": "2030-01-01T00:00:00"}, "/expires_at"),
    ],
)
async def test_a_wrong_key_is_pointed_at(house: House, body: dict[str, object], pointer: str) -> None:
    async with house.client() as client:
        answer = await client.post("/v1/keys", json=body)
    assert answer.status_code == 422
    assert [flaw["pointer"] for flaw in answer.json()["errors"]] == [pointer]


async def test_streams_are_listed_made_and_changed(house: House) -> None:
    async with house.client() as client:
        listed = (await client.get("/v1/streams")).json()["data"]
        assert [stream["name"] for stream in listed] == ["transactional", "broadcast"]
        made = await client.post("/v1/streams", json={"name": "otp", "expire_after_s": 600, "retry_delays_s": [1.5]})
        assert made.status_code == 201
        assert (made.json()["expire_after_s"], made.json()["retry_delays_s"]) == (600, [1.5])
        changed = (await client.patch("/v1/streams/otp", json={"retry_jitter": 0.5})).json()
        assert (changed["retry_jitter"], changed["expire_after_s"]) == (0.5, 600)
        assert (await client.get("/v1/streams/otp")).json() == changed
        assert (await client.get("/v1/streams/nope")).status_code == 404
        assert (await client.post("/v1/streams", json={"name": "otp"})).status_code == 409
        too_long = await client.patch("/v1/streams/otp", json={"expire_after_s": 10**9})
        assert too_long.json()["errors"][0]["pointer"] == "/expire_after_s"


async def test_a_domain_goes_from_made_to_verified_to_deleted(house: House) -> None:
    async with house.client() as client:
        made = (await client.post("/v1/domains", json={"name": "shop.test"})).json()
        assert (made["state"], {record["state"] for record in made["records"]}) == ("pending", {"unknown"})
        for record in made["records"]:
            house.dns.publish(record["name"], record["type"], record["value"])
        checked = (await client.post(f"/v1/domains/{made['id']}/check")).json()
        assert checked["state"] == "verified"
        assert {key["state"] for key in checked["keys"]} == {"active"}
        assert (await client.get("/v1/domains/shop.test")).json() == checked
        assert (await client.get("/v1/domains")).json() == {"data": [checked], "next": None}
        rotated = (await client.post("/v1/domains/shop.test/rotate")).json()
        assert [key["state"] for key in rotated["keys"]] == ["active", "active", "pending", "pending"]
        assert (await client.post("/v1/domains/shop.test/rotate")).status_code == 409
        patched = await client.patch("/v1/domains/shop.test", json={"settings": {"return_path": "b"}})
        assert patched.json()["settings"] == {
            "subdomains": True,
            "return_path": "b",
            "tracking": "track",
            "require_tls": False,
        }
        assert (await client.delete("/v1/domains/shop.test")).status_code == 204
        assert (await client.get("/v1/domains/shop.test")).status_code == 404
        log = (await client.get("/v1/events")).json()["data"]
        assert [event["type"] for event in log][:2] == ["domain.created", "domain.verified"]


async def test_another_project_s_things_are_not_found(house: House) -> None:
    async with house.client() as client:
        domain = (await client.post("/v1/domains", json={"name": "shop.test"})).json()
        key = (await client.get("/v1/keys")).json()["data"][0]
    async with house.client(await house.another_project("stranger")) as stranger:
        for method, path in (
            ("GET", f"/v1/domains/{domain['id']}"),
            ("DELETE", f"/v1/domains/{domain['id']}"),
            ("POST", f"/v1/domains/{domain['id']}/check"),
            ("POST", f"/v1/domains/{domain['id']}/rotate"),
            ("GET", f"/v1/keys/{key['id']}"),
            ("DELETE", f"/v1/keys/{key['id']}"),
        ):
            answer = await stranger.request(method, path)
            assert (method, path, answer.status_code) == (method, path, 404)
        assert (await stranger.get("/v1/domains")).json()["data"] == []
