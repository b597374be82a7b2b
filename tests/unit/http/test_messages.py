"""Messages over HTTP: send, find, follow."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import httpx
import pytest

from doors import House
from postroad.model.attempt import Attempt, Line, Phase, SmtpReply
from postroad.model.clock import HOUR, SECOND
from postroad.model.delivery import Hold, State
from postroad.model.errors import Unavailable
from postroad.model.event import EventType
from postroad.model.project import KeyScope
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.verdict import Verdict
from postroad.store import deliveries, settlements

DRAFT = {"from": "App <app@shop.example>", "to": "ann@example.org", "subject": "Welcome", "text": "Hello."}
ACCEPTED = Reason(
    cls=Class.ACCEPTED,
    permanence=Permanence.PERMANENT,
    scope=Scope.RECIPIENT,
    action=Action.NONE,
    rule="smtp.dot.2xx",
    detail="The mail server took responsibility for the message.",
)


async def sent(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    """Send a message and return the answer."""
    answer = await client.post("/v1/messages", json={**DRAFT, **more})
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def deliver(house: House) -> None:
    """Deliver everything that is due."""
    now = house.clock.now()
    request = deliveries.LeaseRequest(now=now, limit=100, hold=Hold(node="n", boot="b", duration=HOUR))
    leases = await house.services.database.write(lambda c: deliveries.lease(c, request))
    made = [
        settlements.Settlement(
            lease=lease,
            verdict=Verdict(state=State.DELIVERED, reason=ACCEPTED, failures=0, event=EventType.DELIVERED),
            at=now,
            attempt=Attempt(
                phase=Phase.DOT,
                reply=SmtpReply(250, "taken as 1234", "2.0.0"),
                route="mx",
                mx="mx.example.org",
                started_at=now,
                finished_at=now,
                conversation=(Line(1, "S", "220 mx.example.org"), Line(2, "C", "EHLO us")),
            ),
        )
        for lease in leases
    ]
    await house.services.database.write(lambda c: settlements.settle(c, made))


async def test_a_message_is_accepted_and_can_be_followed_to_its_delivery(house: House) -> None:
    async with house.client() as client:
        answer = await sent(client, tags=["welcome"], metadata={"user": "42"})
        place = f"/v1/messages/{answer['id']}"
        before = (await client.get(place)).json()
        assert (before["state"], before["latest_attempt"]) == ("queued", None)
        assert [event["type"] for event in before["events"]] == ["message.accepted"]
        await deliver(house)
        after = (await client.get(place)).json()
        assert after["state"] == "delivered"
        assert after["deliveries"][0]["reason"]["rule"] == "smtp.dot.2xx"
        assert after["deliveries"][0]["next_attempt_at"] is None
        assert after["latest_attempt"]["reply"]["code"] == 250
        events = (await client.get(f"{place}/events")).json()["data"]
        assert [event["type"] for event in events] == ["message.accepted", "message.delivered"]
        attempts = (await client.get(f"{place}/deliveries/{answer['deliveries'][0]['id']}/attempts")).json()["data"]
        assert attempts[0]["conversation"][0] == {"at_ms": 1, "side": "S", "text": "220 mx.example.org"}
        told = (await client.get(f"{place}/explain")).json()
        assert (told["state"], told["recipients"][0]["last_attempt"]["mx"]) == ("delivered", "mx.example.org")


async def test_the_octets_of_a_delivery_are_given_as_they_are_and_never_shown_by_a_browser(house: House) -> None:
    async with house.client() as client:
        answer = await sent(client)
        delivery = answer["deliveries"][0]["id"]
        house.recomposer.octets[delivery] = b"From: a\r\n\r\n\xff<script>"
        raw = await client.get(f"/v1/messages/{answer['id']}/deliveries/{delivery}/raw")
    assert raw.content == b"From: a\r\n\r\n\xff<script>"
    assert raw.headers["content-type"] == "message/rfc822"
    assert raw.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in raw.headers["content-security-policy"]


async def test_an_idempotency_key_replays_the_answer_and_refuses_another_body(house: House) -> None:
    key = {"idempotency-key": "order-1"}
    async with house.client() as client:
        first = await client.post("/v1/messages", json=DRAFT, headers=key)
        again = await client.post("/v1/messages", json=DRAFT, headers=key)
        other = await client.post("/v1/messages", json={**DRAFT, "subject": "Other"}, headers=key)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", "x" * 256, "ünïcode"])
async def test_a_malformed_idempotency_key_is_refused(house: House, key: str) -> None:
    async with house.client() as client:
        answer = await client.post("/v1/messages", json=DRAFT, headers={b"idempotency-key": key.encode()})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/header/Idempotency-Key")


async def test_one_bad_message_of_a_batch_fails_alone_with_pointers_into_itself(house: House) -> None:
    items = [DRAFT, {**DRAFT, "to": "no address"}, {**DRAFT, "colour": "red"}, DRAFT]
    async with house.client() as client:
        answer = await client.post("/v1/messages/batch", json={"messages": items})
    found = answer.json()
    assert (answer.status_code, found["accepted"], found["refused"]) == (202, 2, 2)
    assert ["error" in item for item in found["data"]] == [False, True, True, False]
    assert found["data"][1]["error"]["errors"][0]["pointer"] == "/to"
    assert found["data"][2]["error"]["errors"][0]["pointer"] == "/colour"


async def test_a_batch_of_all_or_nothing_accepts_nothing_when_one_is_bad(house: House) -> None:
    body = {"messages": [DRAFT, {**DRAFT, "to": "no address"}], "mode": "all"}
    async with house.client() as client:
        answer = await client.post("/v1/messages/batch", json=body)
        kept = (await client.get("/v1/messages")).json()["data"]
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/messages/1/to")
    assert kept == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"{", 400, "malformed_json"),
        (b"[1]", 422, "invalid_request"),
        (b'{"messages": 3}', 422, "invalid_request"),
        (b'{"messages": []}', 422, "invalid_request"),
        (b'{"messages": ' + b"[" * 100_000, 400, "malformed_json"),
        ('{"messages": [{"subject": "Grüße"}]}'.encode("latin-1"), 400, "malformed_json"),
    ],
)
async def test_a_batch_that_is_none_is_refused_whole(house: House, body: bytes, status: int, code: str) -> None:
    async with house.client() as client:
        answer = await client.post("/v1/messages/batch", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_mode_that_there_is_not_is_refused_with_those_that_there_are(house: House) -> None:
    async with house.client() as client:
        answer = await client.post("/v1/messages/batch", json={"messages": [{}], "mode": "some"})
    (error,) = answer.json()["errors"]
    assert (error["pointer"], "; it is one of all, each." in error["detail"]) == ("/mode", True)


async def test_what_the_fast_route_answers_the_framework_answers_too(house: House) -> None:
    """The door answers sending itself, for speed; the handlers that describe the routes are not for show."""
    async with house.client() as client:
        fast = [await client.post("/v1/messages", content=body) for body in (b"{", b"{}", b'{"\xff": 1}')]
        house.app._fast = {}
        slow = [await client.post("/v1/messages", content=body) for body in (b"{", b"{}", b'{"\xff": 1}')]
        assert (await sent(client))["deliveries"][0]["state"] == "queued"
        batch = await client.post("/v1/messages/batch", json={"messages": [DRAFT]})
        key = {"idempotency-key": "k"}
        twice = [await client.post("/v1/messages", json=DRAFT, headers=key) for _ in range(2)]
    assert [a.json() | {"request_id": ""} for a in fast] == [b.json() | {"request_id": ""} for b in slow]
    assert batch.status_code == 202
    assert twice[1].headers["idempotency-replayed"] == "true"


async def test_messages_are_listed_newest_first_page_by_page(house: House) -> None:
    async with house.client() as client:
        made = []
        for _ in range(5):
            made.append((await sent(client))["id"])
            house.clock.pass_by(SECOND)
        seen: list[str] = []
        after: str | None = None
        while True:
            page = (await client.get("/v1/messages", params={"limit": 2, **({"after": after} if after else {})})).json()
            seen += [message["id"] for message in page["data"]]
            after = page["next"]
            if after is None:
                break
    assert seen == made[::-1]


@pytest.fixture
async def three(house: House) -> dict[str, str]:
    """Three messages that differ in everything one can search by."""
    async with house.client() as client:
        to = ["Ann@Example.org", "bob@other.example", "max@dritte.bücher.example"]
        first = await sent(client, to=to, tags=["a"], metadata={"order": "1"})
        await deliver(house)
        house.clock.pass_by(HOUR)
        second = await sent(client, subject="100% off_today", stream="broadcast", tags=["a", "b"])
        house.clock.pass_by(HOUR)
        third = await sent(client, **{"from": "news@shop.example"}, to="zoe@third.example", metadata={"order": "2"})
    return {first["id"]: "first", second["id"]: "second", third["id"]: "third"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"recipient": "ann@example.org"}, ["second", "first"]),
        ({"recipient": "bob@other.example"}, ["first"]),
        ({"recipient": "ann@example.org", "state": "delivered"}, ["first"]),
        ({"from": "NEWS@shop.example"}, ["third"]),
        ({"recipient": "Bob <BOB@Other.example>"}, ["first"]),
        ({"recipient": "max@dritte.bücher.example"}, ["first"]),
        ({"from": "App <app@shop.example>"}, ["second", "first"]),
        ({"domain": "Dritte.BÜCHER.example"}, ["first"]),
        ({"domain": "dritte.xn--bcher-kva.example"}, ["first"]),
        ({"subject": "WELCOME"}, ["third", "first"]),
        ({"subject": "😀" * 998}, []),
        ({"subject": "%" * 998}, []),
        ({"subject": "% off_"}, ["second"]),
        ({"subject": "100_ off"}, []),
        ({"tag": "a"}, ["second", "first"]),
        ({"tag": "b"}, ["second"]),
        ({"metadata[order]": "1"}, ["first"]),
        ({"metadata[order]": "1", "tag": "b"}, []),
        ({"stream": "broadcast"}, ["second"]),
        ({"state": "queued"}, ["third", "second"]),
        ({"domain": "OTHER.example"}, ["first"]),
        ({"since": "2026-11-18T12:06:40Z"}, ["third", "second"]),
        ({"until": "2026-11-18T12:06:40Z"}, ["first"]),
        ({"since": "2026-11-18T12:06:40Z", "until": "2026-11-18T13:06:40Z"}, ["second"]),
    ],
)
async def test_messages_are_found_by_what_is_known_of_them(
    house: House, three: dict[str, str], query: dict[str, str], found: list[str]
) -> None:
    async with house.client() as client:
        page = await client.get("/v1/messages", params=query)
    assert page.status_code == 200, page.text
    assert [three[message["id"]] for message in page.json()["data"]] == found


async def test_a_list_tells_recipients_and_how_many_deliveries_stand_where(house: House, three: dict[str, str]) -> None:
    async with house.client() as client:
        oldest = (await client.get("/v1/messages")).json()["data"][-1]
    assert oldest["to"] == ["Ann@example.org", "bob@other.example", "max@dritte.xn--bcher-kva.example"]
    assert (oldest["deliveries"], oldest["state"]) == ({"delivered": 3}, "delivered")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "#/query/limit"),
        ("limit=101", "#/query/limit"),
        ("limit=ten", "#/query/limit"),
        ("state=gone", "#/query/state"),
        ("recipient=ann", "#/query/recipient"),
        (f"subject={'%25' * 999}", "#/query/subject"),
        ("from=%25", "#/query/from"),
        ("domain=a..b", "#/query/domain"),
        ("since=yesterday", "#/query/since"),
        ("since=2026-01-01T00:00:00", "#/query/since"),
        ("since=17", "#/query/since"),
        ("colour=red", "#/query/colour"),
        ("tag=a&tag=b", "#/query/tag"),
        ("tag=%00", "#/query/tag"),
        ("state=null", "#/query/state"),
        ("after=xx", "#/query/after"),
        ("metadata[]=x", "#/query/metadata[]"),
        ("metadata[a=x", "#/query/metadata[a"),
    ],
)
async def test_a_query_that_is_not_understood_finds_nothing_but_its_fault(
    house: House, query: str, pointer: str
) -> None:
    async with house.client() as client:
        answer = await client.get(f"/v1/messages?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_another_projects_messages_do_not_exist(house: House) -> None:
    stranger = await house.another_project("other")
    async with house.client() as client, house.client(stranger) as other:
        answer = await sent(client)
        message, delivery = answer["id"], answer["deliveries"][0]["id"]
        place = f"/v1/messages/{message}"
        nothing = (await other.get("/v1/messages/msg_unknown")).json() | {"request_id": ""}
        for path in (place, f"{place}/events", f"{place}/explain"):
            found = await other.get(path)
            assert (found.status_code, found.json() | {"request_id": ""}) == (404, nothing)
        for path in (f"{place}/deliveries/{delivery}/attempts", f"{place}/deliveries/{delivery}/raw"):
            assert (await other.get(path)).status_code == 404
        for verb, body in (("cancel", None), ("reschedule", {"send_at": "2030-01-01T00:00:00Z"}), ("resend", {})):
            assert (await other.post(f"{place}/{verb}", json=body)).status_code in (404, 422)
        assert (await other.get("/v1/messages")).json()["data"] == []
        assert (await client.get(place)).json()["state"] == "queued"


async def test_a_delivery_is_only_found_under_its_own_message(house: House) -> None:
    async with house.client() as client:
        one, two = await sent(client), await sent(client)
        crossed = await client.get(f"/v1/messages/{one['id']}/deliveries/{two['deliveries'][0]['id']}/attempts")
    assert crossed.status_code == 404


async def test_a_blob_is_uploaded_once_and_attached_by_name(house: House) -> None:
    octets = bytes(range(256)) * 10
    async with house.client() as client:
        made = await client.post("/v1/blobs", content=octets)
        assert made.json() == {"blob": hashlib.sha256(octets).hexdigest(), "size": 2560}
        answer = await sent(client, attachments=[{"filename": "a.bin", "blob": made.json()["blob"]}])
        assert (await client.post("/v1/blobs", content=b"")).status_code == 422
        assert (await client.post("/v1/blobs", content=bytes(50 * 1024 * 1024))).status_code == 413
    assert answer["deliveries"][0]["state"] == "queued"
    assert await house.services.blobs.get(made.json()["blob"]) == octets


async def test_what_does_not_fit_is_refused_at_the_door_with_the_time_to_come_back(house: House) -> None:
    house.room.error = Unavailable("low_disk", "The server is short of disk space.", retry_after_s=60)
    async with house.client() as client:
        answers = [
            await client.post("/v1/messages", json=DRAFT),
            await client.post("/v1/messages/batch", json={"messages": [DRAFT]}),
            await client.post("/v1/blobs", content=b"x"),
        ]
        assert (await client.get("/readyz")).status_code == 503
        house.room.error = None
        assert (await client.get("/v1/messages")).json()["data"] == []
        assert (await client.get("/readyz")).json() == {"status": "ok", "reasons": []}
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "60")] * 3


@pytest.mark.parametrize(
    ("scope", "may_send", "may_read"),
    [(KeyScope.FULL, True, True), (KeyScope.SEND, True, False), (KeyScope.READ, False, True)],
)
async def test_a_key_does_what_its_scope_covers(house: House, scope: KeyScope, may_send: bool, may_read: bool) -> None:
    async with house.client(house.secrets[scope]) as client:
        send = await client.post("/v1/messages", json=DRAFT)
        read = await client.get("/v1/messages")
        full = await client.get("/v1/keys")
    assert (send.status_code, read.status_code) == (202 if may_send else 403, 200 if may_read else 403)
    assert (full.status_code == 200) is (scope is KeyScope.FULL)


async def test_attachments_in_base64_are_taken(house: House) -> None:
    async with house.client() as client:
        content = base64.b64encode(b"hello").decode()
        answer = await sent(client, attachments=[{"filename": "a.txt", "content": content}])
    assert answer["deliveries"][0]["state"] == "queued"
