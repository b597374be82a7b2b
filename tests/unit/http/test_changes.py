"""Changing messages that were accepted: cancel, reschedule, resend."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from doors import House
from postroad.model.attempt import Attempt, Phase, SmtpReply
from postroad.model.clock import DAY, HOUR, MINUTE, to_rfc3339
from postroad.model.delivery import Hold, State
from postroad.model.event import EventType
from postroad.model.project import KeyLimits
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.verdict import Verdict
from postroad.store import deliveries, settlements

DRAFT = {"from": "app@shop.example", "to": ["ann@example.org", "bob@example.org"], "subject": "Hi", "text": "Hello."}


async def sent(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.post("/v1/messages", json={**DRAFT, **more})
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def lease(house: House, limit: int = 100) -> list[Any]:
    request = deliveries.LeaseRequest(now=house.clock.now(), limit=limit, hold=Hold(node="n", boot="b", duration=HOUR))
    return await house.services.database.write(lambda c: deliveries.lease(c, request))


async def bounce(house: House, leases: list[Any]) -> None:
    reason = Reason(
        cls=Class.POLICY,
        permanence=Permanence.PERMANENT,
        scope=Scope.CONTENT,
        action=Action.STOP,
        rule="x",
        detail="No.",
    )
    now = house.clock.now()
    attempt = Attempt(phase=Phase.RCPT, reply=SmtpReply(550, "no"), started_at=now, finished_at=now)
    verdict = Verdict(state=State.BOUNCED, reason=reason, failures=1, event=EventType.BOUNCED)
    made = [settlements.Settlement(lease=each, verdict=verdict, at=now, attempt=attempt) for each in leases]
    await house.services.database.write(lambda c: settlements.settle(c, made))


async def events(client: httpx.AsyncClient, message: str) -> list[str]:
    return [event["type"] for event in (await client.get(f"/v1/messages/{message}/events")).json()["data"]]


async def test_what_was_not_sent_can_be_canceled_and_is_never_sent(house: House) -> None:
    async with house.client() as client:
        message = (await sent(client))["id"]
        rung = house.services.event_signal.beat
        answer = await client.post(f"/v1/messages/{message}/cancel")
        assert [each["state"] for each in answer.json()["data"]] == ["canceled", "canceled"]
        assert answer.json()["data"][0]["reason"]["rule"] == "api.cancel"
        assert (await events(client, message)).count("message.canceled") == 2
        assert house.services.event_signal.beat > rung
        assert await lease(house) == []
        again = await client.post(f"/v1/messages/{message}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_what_is_released_before_its_time_waits_for_it(house: House) -> None:
    async with house.client() as client:
        message = (await sent(client, send_at="2026-11-25T00:00:00Z"))["id"]
        await house.services.database.write(
            lambda c: c.exec_driver_sql("UPDATE deliveries SET state = 'held', next_at = NULL")
        )
        released = (await client.post(f"/v1/messages/{message}/release")).json()["data"]
    assert {(each["state"], each["next_attempt_at"][:19]) for each in released} == {
        ("scheduled", "2026-11-25T00:00:00")
    }
    assert await lease(house) == []


async def test_what_is_held_goes_on_when_it_is_released(house: House) -> None:
    async with house.client() as client:
        message = (await sent(client))["id"]
        refused = await client.post(f"/v1/messages/{message}/release")
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        await house.services.database.write(
            lambda c: c.exec_driver_sql("UPDATE deliveries SET state = 'held', next_at = NULL")
        )
        rung = house.services.due.beat
        answer = await client.post(f"/v1/messages/{message}/release")
        assert [each["state"] for each in answer.json()["data"]] == ["queued", "queued"]
        assert (await events(client, message)).count("message.released") == 2
        assert house.services.due.beat > rung
    assert len(await lease(house)) == 2


async def test_a_delivery_in_a_workers_hands_is_left_to_it(house: House) -> None:
    async with house.client() as client:
        message = (await sent(client))["id"]
        await lease(house, limit=1)
        answer = await client.post(f"/v1/messages/{message}/cancel")
        assert sorted(each["state"] for each in answer.json()["data"]) == ["canceled", "sending"]


async def test_a_cancellation_under_a_key_is_answered_the_same_again(house: House) -> None:
    key = {"idempotency-key": "cancel-1"}
    async with house.client() as client:
        one, two = (await sent(client))["id"], (await sent(client))["id"]
        first = await client.post(f"/v1/messages/{one}/cancel", headers=key)
        again = await client.post(f"/v1/messages/{one}/cancel", headers=key)
        other = await client.post(f"/v1/messages/{two}/cancel", headers=key)
        left = (await client.get(f"/v1/messages/{two}")).json()["state"]
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert left == "queued"


async def test_a_refused_change_keeps_nothing_under_its_key(house: House) -> None:
    key = {"idempotency-key": "k"}
    async with house.client() as client:
        message = (await sent(client))["id"]
        leases = await lease(house)
        refused = await client.post(f"/v1/messages/{message}/resend", json={}, headers=key)
        await bounce(house, leases)
        taken = await client.post(f"/v1/messages/{message}/resend", json={}, headers=key)
    assert (refused.status_code, taken.status_code) == (409, 202)


async def test_a_message_is_given_another_time_and_its_end_moves_along(house: House) -> None:
    now = house.clock.now()
    async with house.client() as client:
        message = (await sent(client, send_at=to_rfc3339(now + HOUR)))["id"]
        later = to_rfc3339(now + 3 * HOUR)
        answer = await client.post(f"/v1/messages/{message}/reschedule", json={"send_at": later})
        found = answer.json()["data"][0]
        assert (found["state"], found["next_attempt_at"]) == ("scheduled", later)
        assert found["expires_at"] == to_rfc3339(now + 3 * HOUR + DAY)
        shown = (await client.get(f"/v1/messages/{message}")).json()
        assert (shown["send_at"], shown["expires_at"]) == (later, found["expires_at"])
        assert "message.rescheduled" in await events(client, message)
        house.clock.pass_by(2 * HOUR)
        assert await lease(house) == []
        house.clock.pass_by(HOUR)
        assert len(await lease(house)) == 2


async def test_a_time_that_has_passed_means_at_once(house: House) -> None:
    async with house.client() as client:
        message = (await sent(client, send_at=to_rfc3339(house.clock.now() + HOUR)))["id"]
        past = to_rfc3339(house.clock.now() - MINUTE)
        answer = await client.post(f"/v1/messages/{message}/reschedule", json={"send_at": past})
    assert answer.json()["data"][0]["state"] == "queued"
    assert len(await lease(house)) == 2


async def test_what_was_tried_is_not_rescheduled(house: House) -> None:
    async with house.client() as client:
        message = (await sent(client))["id"]
        await bounce(house, await lease(house))
        body = {"send_at": to_rfc3339(house.clock.now() + HOUR)}
        answer = await client.post(f"/v1/messages/{message}/reschedule", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize("body", [{}, {"send_at": "soon"}, {"send_at": "2026-12-01T00:00:00"}, {"send_at": None}])
async def test_a_time_is_rfc_3339_with_an_offset(house: House, body: dict[str, Any]) -> None:
    async with house.client() as client:
        message = (await sent(client))["id"]
        answer = await client.post(f"/v1/messages/{message}/reschedule", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/send_at")


async def test_a_time_too_far_ahead_is_refused(house: House) -> None:
    async with house.client() as client:
        message = (await sent(client))["id"]
        body = {"send_at": to_rfc3339(house.clock.now() + 31 * DAY)}
        answer = await client.post(f"/v1/messages/{message}/reschedule", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/send_at")


async def test_a_message_is_sent_again_as_a_new_one_with_the_same_content(house: House) -> None:
    async with house.client() as client:
        octets = b"invoice" * 100
        blob = (await client.post("/v1/blobs", content=octets)).json()["blob"]
        old = await sent(client, tags=["a"], attachments=[{"filename": "a.pdf", "blob": blob}])
        await bounce(house, await lease(house))
        house.clock.pass_by(HOUR)
        answer = await client.post(f"/v1/messages/{old['id']}/resend", json={})
        assert answer.status_code == 202
        new = answer.json()
        assert new["id"] != old["id"]
        assert [each["to"] for each in new["deliveries"]] == ["ann@example.org", "bob@example.org"]
        first, second = [(await client.get(f"/v1/messages/{m['id']}")).json() for m in (old, new)]
        assert (first["state"], second["state"], second["tags"]) == ("bounced", "queued", ["a"])
        assert first["header_id"] != second["header_id"]
        found = (await client.get("/v1/messages", params={"tag": "a"})).json()["data"]
        assert [message["id"] for message in found] == [new["id"], old["id"]]
    again = await lease(house)
    assert len(again) == 2
    assert again[0].content is not None


async def test_only_those_who_are_named_get_it_again(house: House) -> None:
    async with house.client() as client:
        old = await sent(client)
        await bounce(house, await lease(house))
        body = {"deliveries": [old["deliveries"][1]["id"]] * 2}
        new = (await client.post(f"/v1/messages/{old['id']}/resend", json=body)).json()
        unknown = await client.post(f"/v1/messages/{old['id']}/resend", json={"deliveries": ["dlv_x"]})
    assert [each["to"] for each in new["deliveries"]] == ["bob@example.org"]
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/deliveries/0")


async def test_what_has_not_ended_is_not_sent_twice(house: House) -> None:
    async with house.client() as client:
        old = await sent(client)
        whole = await client.post(f"/v1/messages/{old['id']}/resend", json={})
        named = await client.post(f"/v1/messages/{old['id']}/resend", json={"deliveries": [old["deliveries"][0]["id"]]})
    assert (whole.status_code, named.status_code) == (409, 409)


async def test_a_suppressed_recipient_stays_suppressed(house: House) -> None:
    async with house.client() as client:
        old = await sent(client)
        await bounce(house, await lease(house))
        await client.post("/v1/suppressions", json={"address": "ann@example.org"})
        new = (await client.post(f"/v1/messages/{old['id']}/resend", json={})).json()
    assert [each["state"] for each in new["deliveries"]] == ["suppressed", "queued"]


@pytest.mark.parametrize("limits", [KeyLimits(recipients=("*@other.example",)), KeyLimits(from_domains=("b.example",))])
async def test_a_confined_key_sends_nothing_again_that_it_could_not_send(house: House, limits: KeyLimits) -> None:
    made = await house.keys.create(house.project.id, "confined", limits=limits, actor="test")
    async with house.client() as client, house.client(made.secret) as confined:
        old = await sent(client)
        await bounce(house, await lease(house))
        answer = await confined.post(f"/v1/messages/{old['id']}/resend", json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "key_not_allowed")


async def test_a_raw_message_keeps_its_own_message_id(house: House) -> None:
    raw = (
        b"From: app@shop.example\r\nTo: ann@example.org\r\nMessage-ID: <mine@shop.example>\r\nSubject: x\r\n\r\nHi\r\n"
    )
    async with house.client() as client:
        body = {"from": "app@shop.example", "to": "ann@example.org", "raw": base64.b64encode(raw).decode()}
        old = await client.post("/v1/messages", json=body)
        assert old.status_code == 202, old.text
        await bounce(house, await lease(house))
        new = await client.post(f"/v1/messages/{old.json()['id']}/resend", json={})
        shown = (await client.get(f"/v1/messages/{new.json()['id']}")).json()
    assert shown["header_id"] == "mine@shop.example"
