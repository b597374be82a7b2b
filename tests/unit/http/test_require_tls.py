"""A stream and a sending domain may ask for verified TLS."""

from __future__ import annotations

from doors import House


async def test_a_stream_and_a_domain_are_told_to_require_tls(house: House) -> None:
    async with house.client() as client:
        made = await client.post("/v1/streams", json={"name": "secrets", "require_tls": True})
        assert made.status_code == 201, made.text
        assert made.json()["require_tls"] is True
        changed = await client.patch("/v1/streams/transactional", json={"require_tls": True})
        assert changed.json()["require_tls"] is True
        domain = await client.post("/v1/domains", json={"name": "bank.example", "settings": {"require_tls": True}})
        assert domain.status_code == 201, domain.text
        assert domain.json()["settings"]["require_tls"] is True
        sent = await client.post(
            "/v1/messages",
            json={"from": "a@bank.example", "to": "b@x.example", "subject": "s", "text": "t", "require_tls": True},
        )
        assert sent.status_code == 202, sent.text
    stream = await house.services.streams.get(house.project.id, "secrets")
    assert stream.require_tls
    outfit = await house.services.domains.outfit(house.project.id, "bank.example")
    assert outfit.require_tls
