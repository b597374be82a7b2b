"""Pages: they begin where one ended, or at the beginning."""

from __future__ import annotations

import pytest

from doors import House


@pytest.mark.parametrize("kind", ["messages", "domains", "keys", "webhooks", "inbound", "suppressions"])
@pytest.mark.parametrize("after", ["xx", "evt_000000000000g", "prj_00000000000000000000000000", "msg_", "next"])
async def test_a_page_does_not_begin_where_none_can_have_ended(house: House, kind: str, after: str) -> None:
    async with house.client() as client:
        answer = await client.get(f"/v1/{kind}", params={"after": after})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/query/after")
    assert "`next`" in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["messages", "domains", "keys", "webhooks", "inbound", "suppressions"])
async def test_a_page_without_a_place_begins_at_the_beginning(house: House, kind: str) -> None:
    async with house.client() as client:
        without, empty = await client.get(f"/v1/{kind}"), await client.get(f"/v1/{kind}", params={"after": ""})
    assert (empty.status_code, empty.json()) == (200, without.json())


@pytest.mark.parametrize(
    ("place", "choices"),
    [("messages?state=gone", "scheduled, queued"), ("suppressions?order=best", "newest, oldest")],
)
async def test_whoever_asks_for_what_is_none_learns_the_choices(house: House, place: str, choices: str) -> None:
    async with house.client() as client:
        answer = await client.get(f"/v1/{place}")
    assert answer.status_code == 422
    assert choices in answer.json()["detail"]
