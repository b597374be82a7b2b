"""Actions whose fields may all be left out need no body at all."""

from __future__ import annotations

import httpx
import pytest

from doors import House
from postroad.http.openapi import documentation

_NO_BODY = ({}, {"content-type": "application/json"}, {"content-type": "application/x-www-form-urlencoded"})
"""What clients say of a body that is not there: nothing, what they always say, and what curl says with `-d ''`."""


async def _webhook(client: httpx.AsyncClient) -> str:
    answer = await client.post("/v1/webhooks", json={"url": "https://example.com/hook"})
    return f"/v1/webhooks/{answer.json()['webhook']['id']}"


@pytest.mark.parametrize("headers", _NO_BODY)
async def test_a_webhook_is_enabled_and_its_secret_rotated_without_a_body(
    house: House, headers: dict[str, str]
) -> None:
    async with house.client() as client:
        webhook = await _webhook(client)
        await client.post(f"{webhook}/disable", headers=headers)
        enabled = await client.post(f"{webhook}/enable", headers=headers)
        rotated = await client.post(f"{webhook}/rotate", headers=headers)
    assert (enabled.status_code, enabled.json()["enabled"]) == (200, True)
    assert (rotated.status_code, rotated.json()["secret"][:6]) == (200, "whsec_")


async def test_a_message_is_sent_again_without_a_body(house: House) -> None:
    draft = {"from": "app@shop.example", "to": ["ann@example.org"], "subject": "Hi", "text": "Hello."}
    async with house.client() as client:
        message = (await client.post("/v1/messages", json=draft)).json()["id"]
        await client.post(f"/v1/messages/{message}/cancel")
        again = await client.post(f"/v1/messages/{message}/resend")
    assert (again.status_code, len(again.json()["deliveries"])) == (202, 1)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/v1/queue/hold", "Say which deliveries are meant, or give `all` as true for the whole queue."),
        ("/v1/suppressions/undo", "Say what to undo: an incident, a cause, a class, a rule, a site or a time."),
        ("{webhook}/replay", "Ask for one of event_id, failed, or a range by after and until."),
    ],
)
async def test_what_must_say_what_is_meant_says_so_without_a_body(house: House, path: str, sentence: str) -> None:
    async with house.client() as client:
        answer = await client.post(path.format(webhook=await _webhook(client)))
    assert (answer.status_code, answer.json()["detail"]) == (422, sentence)


async def test_an_empty_body_under_an_idempotency_key_is_the_same_request_again(house: House) -> None:
    async with house.client() as client:
        webhook = await _webhook(client)
        key = {"idempotency-key": "one"}
        first = await client.post(f"{webhook}/enable", headers=key)
        second = await client.post(f"{webhook}/enable", headers=key)
    assert (first.json(), second.headers["idempotency-replayed"]) == (second.json(), "true")


async def test_what_is_made_or_changed_still_needs_its_body(house: House) -> None:
    async with house.client() as client:
        webhook = await _webhook(client)
        for method, path in (("POST", "/v1/keys"), ("PATCH", webhook), ("POST", "/v1/clock/advance")):
            answer = await client.request(method, path)
            assert (answer.status_code, answer.json()["detail"]) == (422, "A JSON body is required."), path


def test_the_document_asks_for_no_body_where_every_field_of_an_action_may_be_left_out() -> None:
    document = documentation()
    actions = {path: said["post"] for path, said in document["paths"].items() if "post" in said}
    free: set[str] = set()
    for path, action in actions.items():
        body = action.get("requestBody")
        schema = body and body["content"].get("application/json", {}).get("schema", {})
        if not schema or "201" in action["responses"] or "$ref" not in schema:
            continue
        fields = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert body["required"] == bool(fields.get("required")), path
        if not body["required"]:
            free.add(path.rpartition("/")[2])
    assert free == {"enable", "rotate", "replay", "resend", "undo", "{action}"}
