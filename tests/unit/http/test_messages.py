"""Messages over HTTP: send, find, follow, change."""

from __future__ import annotations

from doors import House

DRAFT = {"from": "app@shop.example", "to": "ann@example.org", "subject": "Welcome", "text": "Hello."}


async def test_a_message_is_accepted_and_can_be_read_back(house: House) -> None:
    async with house.client() as client:
        sent = await client.post("/v1/messages", json={**DRAFT, "tags": ["welcome"], "metadata": {"user": "42"}})
        assert sent.status_code == 202
        shown = (await client.get(f"/v1/messages/{sent.json()['id']}")).json()
        print(sent.headers, shown)
    assert shown["state"] == "queued"
