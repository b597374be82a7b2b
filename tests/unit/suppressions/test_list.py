"""The list as its users meet it: through the API, and by unsubscribing."""

import dataclasses
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import CollectorRegistry

from doors import House
from postroad.features.suppressions import Suppressions
from postroad.features.suppressions import listing as module
from postroad.http.server import build
from postroad.model.clock import DAY, Instant
from postroad.model.errors import Refused
from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.project import KeyScope
from postroad.model.suppression import WHOLE_PROJECT, Cause
from postroad.model.token import Unsubscribe, seal
from postroad.store import audit, events
from postroad.store.suppressions import Filter

PATH = "/v1/suppressions"


@pytest.fixture
def suppressions(house: House) -> Suppressions:
    services = house.services
    made = Suppressions(
        services.database, services.clock, services.mint, streams=services.streams, told=services.event_signal.ring
    )
    house.services = dataclasses.replace(services, suppressions=made, metrics=CollectorRegistry())
    house.app = build(house.services)
    return made


@pytest.fixture
async def api(house: House, suppressions: Suppressions) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as client:
        yield client


def kinds(house: House) -> list[str]:
    found = house.services.database.read_now(lambda c: events.feed(c, house.project.id, after=0, limit=1000))
    return [event.type.value for event in found]


async def test_an_address_is_put_on_the_list_and_taken_off(house: House, api: httpx.AsyncClient) -> None:
    made = await api.post(PATH, json={"address": "Ann@Bücher.example", "note": "asked by phone"})
    assert made.status_code == 201
    shown = made.json()
    assert shown["address"] == "Ann@xn--bcher-kva.example"
    assert (shown["scope"], shown["cause"], shown["note"]) == ("*", "manual", "asked by phone")
    assert shown["author"].startswith("key_")
    assert (await api.get(f"{PATH}/{shown['id']}")).json() == shown
    assert (await api.get(PATH, params={"address": "ann@bücher.example"})).json() == {"data": [shown], "next": None}
    again = await api.post(PATH, json={"address": "ann@xn--bcher-kva.example"})
    assert again.json() == shown
    assert (await api.delete(f"{PATH}/{shown['id']}")).status_code == 204
    assert (await api.get(f"{PATH}/{shown['id']}")).status_code == 404
    assert (await api.delete(f"{PATH}/{shown['id']}")).status_code == 404
    assert kinds(house) == ["suppression.added", "suppression.removed"]


async def test_what_is_wrong_with_an_entry_is_pointed_at(api: httpx.AsyncClient, house: House) -> None:
    past = "2020-01-01T00:00:00Z"
    for body, pointers in (
        ({"address": "nobody"}, ["/address"]),
        ({"address": "ann@example.com", "scope": "no-stream"}, ["/scope"]),
        ({"address": "ann@example.com", "expires_at": past}, ["/expires_at"]),
        ({"address": "ann@example.com", "cause": "complaint", "expires_at": "2099-01-01T00:00:00Z"}, ["/expires_at"]),
        ({"address": "ann@example.com", "expires_at": "9999-12-31T23:59:59-14:00"}, ["/expires_at"]),
        ({"address": "nobody", "scope": "no-stream", "note": "x" * 501}, ["/address", "/scope", "/note"]),
        ({"address": "ann@example.com", "colour": "red"}, ["/colour"]),
    ):
        refused = await api.post(PATH, json=body)
        assert refused.status_code == 422
        assert [flaw["pointer"] for flaw in refused.json()["errors"]] == pointers
    assert (await api.get(PATH, params={"address": "nobody"})).status_code == 422
    for far in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        done = await api.post(
            f"{PATH}/import",
            content=f"email,expires_at\na@example.com,{far}\n",
            headers={"content-type": "text/csv"},
        )
        assert done.json()["refused"] == 1
    assert kinds(house) == []


@pytest.mark.parametrize("cause", ["complaint", "unsubscribe"])
async def test_somebodys_own_will_is_removed_with_force_only(house: House, api: httpx.AsyncClient, cause: str) -> None:
    made = (await api.post(PATH, json={"address": "ann@example.com", "cause": cause})).json()
    refused = await api.delete(f"{PATH}/{made['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "force_required")
    assert (await api.delete(f"{PATH}/{made['id']}", params={"force": "true"})).status_code == 204
    entry = house.services.database.read_now(lambda c: audit.entries(c, house.project.id, limit=1))[0]
    assert entry.action == "suppression.removed"
    assert entry.data == {"address": "ann@example.com", "scope": "*", "cause": cause, "forced": True}


async def test_the_list_comes_in_pages(api: httpx.AsyncClient) -> None:
    for n in range(5):
        await api.post(PATH, json={"address": f"a{n}@example.com", "scope": "broadcast" if n % 2 else "*"})
    first = (await api.get(PATH, params={"limit": 3})).json()
    second = (await api.get(PATH, params={"limit": 3, "after": first["next"]})).json()
    assert [one["address"][:2] for one in first["data"] + second["data"]] == ["a0", "a1", "a2", "a3", "a4"]
    assert second["next"] is None
    scoped = (await api.get(PATH, params={"scope": "broadcast", "cause": "manual"})).json()["data"]
    assert [one["address"][:2] for one in scoped] == ["a1", "a3"]


async def test_another_project_and_a_narrow_key_see_nothing(house: House, api: httpx.AsyncClient) -> None:
    made = (await api.post(PATH, json={"address": "ann@example.com"})).json()
    async with house.client(await house.another_project("other")) as other:
        assert (await other.get(PATH)).json()["data"] == []
        assert (await other.get(f"{PATH}/{made['id']}")).status_code == 404
        assert (await other.delete(f"{PATH}/{made['id']}")).status_code == 404
        assert (await other.get(f"{PATH}/export")).text.count("\n") == 1
    async with house.client(house.secrets[KeyScope.READ]) as reader:
        assert (await reader.get(PATH)).status_code == 200
        assert (await reader.post(PATH, json={"address": "bob@example.com"})).status_code == 403
    async with house.client(house.secrets[KeyScope.SEND]) as sender:
        assert (await sender.get(PATH)).status_code == 403


async def test_a_list_is_taken_in_line_by_line(house: House, api: httpx.AsyncClient) -> None:
    await api.post(PATH, json={"address": "old@example.com", "cause": "bounce"})
    text = (
        "address,cause,scope,expires_at\nnew@example.com,,,\nold@example.com,bounce,,\nOLD@example.com,complaint,,\n"
        "nobody,,,\nx@example.com,,nowhere,\ny@example.com,unsubscribe,,2099-01-01T00:00:00Z\nz@example.com,,broadcast,\n"
    )
    done = await api.post(f"{PATH}/import", content=text, headers={"content-type": "text/csv; charset=utf-8"})
    assert done.status_code == 200
    answer = done.json()
    counts = {name: answer[name] for name in ("lines", "added", "changed", "already_listed", "refused")}
    assert counts == {"lines": 7, "added": 2, "changed": 1, "already_listed": 1, "refused": 3}
    assert [(one["line"], one["status"]) for one in answer["results"]] == [
        (5, "refused"), (6, "refused"), (7, "refused"),
    ]  # fmt: skip
    assert (await api.get(PATH, params={"address": "new@example.com"})).json()["data"][0]["cause"] == "import"
    assert (await api.get(PATH, params={"address": "old@example.com"})).json()["data"][0]["cause"] == "complaint"
    again = await api.post(
        f"{PATH}/import", content=text, headers={"content-type": "text/csv"}, params={"results": "all"}
    )
    assert (again.json()["added"], again.json()["changed"], len(again.json()["results"])) == (0, 0, 7)
    assert kinds(house) == ["suppression.added"] * 4


async def test_json_lines_with_defaults_are_taken_in(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 2)
    text = "".join(json.dumps({"address": f"a{n}@example.com"}) + "\n" for n in range(7))
    done = await api.post(
        f"{PATH}/import",
        content=text,
        headers={"content-type": "application/x-ndjson"},
        params={"scope": "broadcast", "cause": "unsubscribe"},
    )
    assert done.json()["added"] == 7
    listed = (await api.get(PATH, params={"cause": "unsubscribe", "scope": "broadcast"})).json()["data"]
    assert len(listed) == 7


async def test_what_is_no_list_is_refused(api: httpx.AsyncClient) -> None:
    for kind, content, status in (
        ("application/json", "[]", 415),
        ("text/csv", "name\nx\n", 422),
    ):
        done = await api.post(f"{PATH}/import", content=content, headers={"content-type": kind})
        assert done.status_code == status
    wrong = await api.post(
        f"{PATH}/import", content="a@example.com", headers={"content-type": "text/csv"}, params={"scope": "nowhere"}
    )
    assert wrong.json()["errors"][0]["pointer"] == "#/query/scope"


async def test_a_list_is_given_out_and_taken_in_elsewhere(
    house: House, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE", 3)
    for n in range(7):
        await api.post(PATH, json={"address": f"+a{n}@example.com", "note": "=1+1"})
    out = await api.get(f"{PATH}/export")
    assert out.headers["content-type"] == "text/csv; charset=utf-8"
    assert out.headers["content-disposition"] == 'attachment; filename="suppressions.csv"'
    lines = out.text.splitlines()
    assert len(lines) == 8
    assert lines[1].startswith("'+a0@example.com,*,manual,'=1+1,")
    bare = await api.get(f"{PATH}/export", params={"guard": "false", "address": "+a3@example.com"})
    assert bare.text.splitlines()[1].startswith("+a3@example.com,*,manual,=1+1,")
    as_json = await api.get(f"{PATH}/export", params={"format": "jsonl"})
    assert as_json.headers["content-type"] == "application/x-ndjson"
    async with house.client(await house.another_project("other")) as other:
        for exported, kind in ((out, "text/csv"), (as_json, "application/x-ndjson")):
            done = await other.post(f"{PATH}/import", content=exported.content, headers={"content-type": kind})
            assert done.json()["refused"] == 0
        copied = (await other.get(PATH)).json()["data"]
    assert [(one["address"], one["note"]) for one in copied] == [(f"+a{n}@example.com", "=1+1") for n in range(7)]


async def test_the_list_holds_at_the_door(house: House, api: httpx.AsyncClient) -> None:
    await api.post(PATH, json={"address": "Ann@Example.com", "scope": "broadcast"})
    mail = {"from": "me@example.org", "to": "ann@example.com", "subject": "s", "text": "t"}
    sent = (await api.post("/v1/messages", json=mail)).json()
    held = (await api.post("/v1/messages", json=mail | {"stream": "broadcast"})).json()
    assert sent["deliveries"][0]["state"] == "queued"
    assert held["deliveries"][0]["state"] == "suppressed"


async def test_a_reader_unsubscribes_with_one_post_and_only_once(house: House, suppressions: Suppressions) -> None:
    right = Unsubscribe(
        project_id=house.project.id,
        stream="broadcast",
        recipient="ann@example.com",
        message_id=MessageId("msg_1"),
        delivery_id=DeliveryId("dlv_1"),
    )
    path = f"/u/{seal(right, house.services.token_key)}"
    async with house.client("") as reader:
        for method in ("GET", "HEAD", "OPTIONS"):
            await reader.request(method, path)
        assert kinds(house) == []
        for _ in range(2):
            done = await reader.post(path, data={"List-Unsubscribe": "One-Click"})
            assert done.status_code == 200
    assert kinds(house) == ["suppression.added", "message.unsubscribed"]
    (entry,) = await suppressions.listed(house.project.id, Filter())
    assert (entry.cause, entry.scope, entry.author) == (Cause.UNSUBSCRIBE, "broadcast", "recipient")
    assert (entry.message_id, entry.delivery_id) == ("msg_1", "dlv_1")


async def test_a_link_that_outlived_its_project_does_nothing(house: House, suppressions: Suppressions) -> None:
    await suppressions.unsubscribe(
        Unsubscribe(
            project_id=ProjectId("prj_gone"), stream="broadcast", recipient="ann@example.com",
            message_id=MessageId("msg_1"), delivery_id=DeliveryId("dlv_1"),
        )
    )  # fmt: skip


async def test_an_entry_that_ended_gives_way_to_a_new_one(house: House, suppressions: Suppressions) -> None:
    project, soon = house.project.id, Instant(house.clock.now() + DAY)
    first = await suppressions.add(project, "a@example.com", cause=Cause.MANUAL, author="cli", expires_at=soon)
    house.clock.pass_by(DAY)
    second = await suppressions.add(project, "a@example.com", WHOLE_PROJECT, cause=Cause.BOUNCE, author="system")
    assert (second.id, second.cause, second.expires_at) == (first.id, Cause.BOUNCE, None)
    with pytest.raises(Refused):
        await suppressions.add(project, "not an address", cause=Cause.MANUAL, author="cli")
