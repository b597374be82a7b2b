"""Unsubscribe links: only a POST acts, and a wrong token says nothing."""

from __future__ import annotations

import random

import httpx
import pytest

from doors import TOKEN_KEY, House
from postroad.model.clock import DAY
from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.token import Unsubscribe, seal, unseal

ONE_CLICK = {"content-type": "application/x-www-form-urlencoded"}
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
    {"content-type": "multipart/form-data; boundary=b"},
)


def right(house: House, recipient: str = "ann@example.org") -> Unsubscribe:
    return Unsubscribe(
        project_id=ProjectId(house.project.id),
        stream="broadcast",
        recipient=recipient,
        message_id=MessageId("msg_1"),
        delivery_id=DeliveryId("dlv_1"),
    )


async def listed(client: httpx.AsyncClient) -> list[tuple[str, str, str]]:
    found = (await client.get("/v1/suppressions")).json()["data"]
    return [(each["address"], each["scope"], each["cause"]) for each in found]


async def test_get_head_and_options_of_scanners_change_nothing(house: House) -> None:
    link = f"/u/{seal(right(house), TOKEN_KEY)}"
    async with house.client("") as client:
        for method in ("GET", "HEAD", "OPTIONS"):
            for headers in ({}, {"purpose": "prefetch"}, {"sec-purpose": "prefetch;prerender"}, {"user-agent": "bot"}):
                answer = await client.request(method, link, headers=headers)
                assert answer.status_code in (200, 204)
        page = await client.get(link)
    async with house.client() as client:
        assert await listed(client) == []
    assert '<form method="post">' in page.text
    assert "script" not in page.text
    assert "ann@" not in page.text
    assert page.headers["x-robots-tag"] == "noindex"
    assert "set-cookie" not in page.headers
    assert "form-action 'self'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(("body", "headers"), [(b"List-Unsubscribe=One-Click", ONE_CLICK), MULTIPART])
async def test_one_click_unsubscribes_at_once_and_once(house: House, body: bytes, headers: dict[str, str]) -> None:
    link = f"/u/{seal(right(house), TOKEN_KEY)}"
    async with house.client("") as client:
        for _ in range(2):
            answer = await client.post(link, content=body, headers=headers)
            assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
            house.clock.pass_by(DAY)
    async with house.client() as client:
        assert await listed(client) == [("ann@example.org", "broadcast", "unsubscribe")]
        events = [event["type"] for event in (await client.get("/v1/events")).json()["data"]]
    assert events.count("suppression.added") == 1


@pytest.mark.parametrize("body", [b"", b"List-Unsubscribe=Two-Clicks", b"a=b&" * 1000, b"\xff\xfe"])
async def test_a_post_that_does_not_ask_to_unsubscribe_changes_nothing(house: House, body: bytes) -> None:
    async with house.client("") as client:
        answer = await client.post(f"/u/{seal(right(house), TOKEN_KEY)}", content=body, headers=ONE_CLICK)
    assert answer.status_code == 400
    async with house.client() as client:
        assert await listed(client) == []


async def test_a_body_that_is_no_form_is_not_read_to_its_end(house: House) -> None:
    async with house.client("") as client:
        answer = await client.post(f"/u/{seal(right(house), TOKEN_KEY)}", content=bytes(5000))
    assert answer.status_code == 413


async def test_every_wrong_token_gets_the_same_answer(house: House) -> None:
    token = seal(right(house), TOKEN_KEY)
    wrong = ["", "x", token[:-1], token + "A", seal(right(house), b"o" * 32), "é", "A" * 2000, token.swapcase()]
    async with house.client("") as client:
        answers = [await client.get(f"/u/{each}") for each in wrong]
        posts = [await client.post(f"/u/{each}", content=b"List-Unsubscribe=One-Click") for each in wrong]
    assert {answer.status_code for answer in answers + posts} == {404}
    assert len({answer.content for answer in answers + posts}) == 1


async def test_other_methods_are_refused(house: House) -> None:
    async with house.client("") as client:
        assert (await client.delete(f"/u/{seal(right(house), TOKEN_KEY)}")).status_code == 405


def test_no_changed_octet_of_a_token_is_accepted() -> None:
    chance = random.Random(1)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for n in range(200):
        given = Unsubscribe(ProjectId("prj_1"), "news", f"user{n}@example.org", MessageId("msg_1"), DeliveryId("dlv_1"))
        token = seal(given, TOKEN_KEY)
        assert unseal(token, TOKEN_KEY) == given
        for place in range(len(token)):
            other = chance.choice(alphabet.replace(token[place], ""))
            assert unseal(token[:place] + other + token[place + 1 :], TOKEN_KEY) is None
