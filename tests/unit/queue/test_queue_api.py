"""The queue as it is operated over the API."""

from collections.abc import AsyncIterator

import httpx
import pytest

from doors import House
from postroad.features.queue import NewSuspension, Queue
from postroad.model.clock import HOUR, SECOND, Instant, to_rfc3339
from postroad.model.delivery import Hold
from postroad.model.errors import Refused
from postroad.model.project import KeyScope
from postroad.model.suspension import SuspensionCause
from postroad.store import audit, deliveries, events, sites
from postroad.store.queue import Filter
from postroad.store.queue_changes import QueueAction

PATH = "/v1/queue"


@pytest.fixture
async def api(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as client:
        yield client


async def send(api: httpx.AsyncClient, *recipients: str, **more: object) -> list[str]:
    message = {"from": "a@shop.example", "to": list(recipients), "subject": "Hi", "text": "Hello", **more}
    answer = await api.post("/v1/messages", json=message)
    assert answer.status_code == 202, answer.text
    return [each["id"] for each in answer.json()["deliveries"]]


async def listed(api: httpx.AsyncClient, **wanted: object) -> list[dict]:
    answer = await api.get(PATH, params=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def change(api: httpx.AsyncClient, action: str, **body: object) -> dict:
    answer = await api.post(f"{PATH}/{action}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def lease_one(house: House) -> None:
    request = deliveries.LeaseRequest(now=house.clock.now(), limit=1, hold=Hold(node="n", boot="b", duration=HOUR))
    house.services.database.write_now(lambda c: deliveries.lease(c, request))


async def test_what_waits_is_shown_with_all_that_is_known(house: House, api: httpx.AsyncClient) -> None:
    (name,) = await send(api, "ann@bücher.example")
    house.services.database.write_now(lambda c: sites.note(c, {"xn--bcher-kva.example": "google"}, house.clock.now()))
    house.clock.pass_by(90 * SECOND)
    (row,) = await listed(api)
    assert (row["id"], row["site"], row["state"], row["age_s"], row["suspended"]) == (
        name, "google", "queued", 90, None,
    )  # fmt: skip
    assert (await api.get(f"{PATH}/deliveries/{name}")).json() == row
    assert (await api.get(f"{PATH}/deliveries/dlv_none")).status_code == 404


async def test_the_queue_is_filtered_and_read_page_by_page(house: House, api: httpx.AsyncClient) -> None:
    names = await send(api, *[f"u{n}@a.example" for n in range(5)])
    await send(api, "x@b.example", stream="broadcast")
    found, after = [], ""
    while after is not None:
        page = (await api.get(PATH, params={"domain": "a.example", "limit": 2, "after": after})).json()
        found += [row["id"] for row in page["data"]]
        after = page["next"]
    assert found == names
    assert len(await listed(api, stream="broadcast")) == 1
    assert len(await listed(api, state="held")) == 0
    assert len(await listed(api, older_than_s=60)) == 0
    assert len(await listed(api, **{"class": "mailbox_full"})) == 0
    assert len(await listed(api, site="b.example")) == 1
    assert (await api.get(PATH, params={"after": "nowhere"})).status_code == 422


async def test_a_domain_or_recipient_is_meant_however_it_is_written(house: House, api: httpx.AsyncClient) -> None:
    (name,) = await send(api, "ann@bücher.example")
    assert [row["id"] for row in await listed(api, domain="BÜCHER.example")] == [name]
    assert (await api.get(f"{PATH}/counts", params={"by": "site", "domain": "Bücher.example"})).json()["data"]
    for meant in ({"domain": "Bücher.example"}, {"to": "Ann <ann@bücher.example>"}):
        assert (await change(api, "hold", **meant, dry_run=True))["matched"] == 1


async def test_a_domain_or_recipient_that_is_none_is_refused(api: httpx.AsyncClient) -> None:
    looked = await api.get(PATH, params={"domain": "a..example"})
    held = [await api.post(f"{PATH}/hold", json=given) for given in ({"domain": "a b"}, {"to": "ann"})]
    assert [answer.json()["errors"][0]["pointer"] for answer in (looked, *held)] == ["#/query/domain", "/domain", "/to"]


async def test_another_projects_queue_is_not_seen_or_changed(house: House, api: httpx.AsyncClient) -> None:
    (name,) = await send(api, "ann@a.example")
    async with house.client(await house.another_project("other")) as stranger:
        assert await listed(stranger) == []
        assert (await stranger.get(f"{PATH}/deliveries/{name}")).status_code == 404
        assert (await stranger.get(f"{PATH}/counts")).json() == {"data": [], "complete": True}
        assert (await change(stranger, "cancel", all=True))["matched"] == 0
    async with house.client(house.secrets[KeyScope.READ]) as reader:
        assert (await reader.get(PATH)).status_code == 200
        assert (await reader.post(f"{PATH}/cancel", json={})).status_code == 403


async def test_the_queue_is_counted(house: House, api: httpx.AsyncClient) -> None:
    await send(api, "a@a.example", "b@a.example", "c@b.example")
    answer = (await api.get(f"{PATH}/counts", params={"by": "domain"})).json()
    assert [(row["name"], row["total"], row["states"]) for row in answer["data"]] == [
        ("a.example", 2, {"queued": 2}),
        ("b.example", 1, {"queued": 1}),
    ]
    assert answer["data"][0]["oldest_age_s"] == 0


async def test_a_dry_run_says_what_would_be_and_changes_nothing(house: House, api: httpx.AsyncClient) -> None:
    await send(api, "a@a.example", "b@b.example")
    answer = await change(api, "cancel", domain="a.example", dry_run=True)
    assert (answer["matched"], answer["changed"], answer["next"]) == (1, 0, None)
    assert [row["to"] for row in answer["sample"]] == ["a@a.example"]
    assert [row["state"] for row in await listed(api)] == ["queued", "queued"]
    assert house.services.database.read_now(lambda c: audit.entries(c, house.project.id))[0].action != "queue.cancel"


async def test_mail_is_held_and_released(house: House, api: httpx.AsyncClient) -> None:
    (name,) = await send(api, "a@a.example")
    assert (await change(api, "hold", all=True, note="Wrong price."))["changed"] == 1
    (row,) = await listed(api)
    assert (row["state"], row["next_attempt_at"]) == ("held", None)
    assert row["reason"]["detail"] == "It was held by hand: Wrong price."
    assert (await change(api, "hold", all=True))["matched"] == 0
    due, told = house.services.due.beat, house.services.event_signal.beat
    assert (await change(api, "release", all=True))["changed"] == 1
    assert (house.services.due.beat, house.services.event_signal.beat) != (due, told)
    assert (await listed(api))[0]["state"] == "queued"
    kinds = [
        e.type for e in house.services.database.read_now(lambda c: events.feed(c, house.project.id, after=0, limit=9))
    ]
    assert kinds == ["message.accepted", "message.held", "message.released"]
    explained = (await api.get(f"/v1/messages/{row['message_id']}/explain")).json()
    assert "It was held by hand: Wrong price." in explained["recipients"][0]["sentence"]
    assert name == row["id"]


async def test_what_is_being_sent_is_left_alone_and_told(house: House, api: httpx.AsyncClient) -> None:
    await send(api, "a@a.example")
    lease_one(house)
    answer = await change(api, "bounce", all=True)
    assert (answer["matched"], answer["in_hand"]) == (0, 1)


async def test_scheduled_mail_is_sent_early_only_when_it_is_named(house: House, api: httpx.AsyncClient) -> None:
    later = Instant(house.clock.now() + HOUR)
    await send(api, "a@a.example", send_at=to_rfc3339(later))
    assert (await change(api, "requeue", all=True))["matched"] == 0
    assert (await change(api, "requeue", states=["scheduled"]))["changed"] == 1
    assert (await listed(api))[0]["state"] == "queued"


async def test_a_long_change_is_made_in_parts_under_one_name(house: House, api: httpx.AsyncClient) -> None:
    await send(api, *[f"u{n}@a.example" for n in range(5)])
    first = await change(api, "cancel", all=True, limit=3)
    assert (first["changed"], len(first["sample"])) == (3, 3)
    second = await change(api, "cancel", all=True, after=first["next"], operation=first["operation"])
    assert (second["changed"], second["next"]) == (2, None)
    entries = house.services.database.read_now(lambda c: audit.entries(c, house.project.id, limit=2))
    assert {(entry.action, entry.subject) for entry in entries} == {("queue.cancel", first["operation"])}


async def test_a_change_that_takes_long_says_where_to_go_on(house: House, api: httpx.AsyncClient) -> None:
    await send(api, "a@a.example")
    services = house.services
    hasty = Queue(services.database, services.clock, services.mint, due=lambda: None, told=lambda: None, longest_s=-1.0)
    done = await hasty.change(QueueAction.HOLD, Filter(), author="cli", after="2.0.")
    assert (done.matched, done.next) == (0, "2.0.")


@pytest.mark.parametrize(
    ("action", "body", "pointer"),
    [
        ("release", {"states": ["queued"]}, "/states"),
        ("hold", {"states": ["delivered"]}, "/states"),
        ("hold", {"all": True, "note": "x" * 501}, "/note"),
        ("hold", {"older_than_s": -1}, "/older_than_s"),
        ("hold", {"what": 1}, "/what"),
        ("hold", {}, "/all"),
        ("cancel", {"note": "Oops", "dry_run": True}, "/all"),
        ("bounce", {"all": False, "limit": 5}, "/all"),
    ],
)
async def test_what_cannot_be_changed_is_named(api: httpx.AsyncClient, action: str, body: dict, pointer: str) -> None:
    answer = await api.post(f"{PATH}/{action}", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_an_action_that_there_is_not_is_not_found_or_refused(api: httpx.AsyncClient) -> None:
    assert (await api.post(f"{PATH}/explode", json={})).status_code in (404, 422)


async def test_a_project_makes_its_mail_wait_and_lets_it_go_on(house: House, api: httpx.AsyncClient) -> None:
    await send(api, "a@a.example")
    made = await api.post("/v1/suspensions", json={"site": "A.example", "reason": "They asked us to."})
    assert made.status_code == 201
    shown = made.json()
    assert (shown["site"], shown["project"], shown["cause"]) == ("a.example", house.project.id, "operator")
    assert (await listed(api))[0]["suspended"] == shown
    assert (await api.get("/v1/suspensions")).json() == {"data": [shown], "next": None}
    again = (await api.post("/v1/suspensions", json={"site": "a.example"})).json()
    assert (again["id"], again["reason"]) == (shown["id"], "Suspended by hand.")
    assert (await api.delete(f"/v1/suspensions/{shown['id']}")).status_code == 204
    assert (await api.delete(f"/v1/suspensions/{shown['id']}")).status_code == 404
    assert (await listed(api))[0]["suspended"] is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"site": "no site"}, "/site"),
        ({"reason": "x" * 501}, "/reason"),
        ({"until": "2001-01-01T00:00:00Z"}, "/until"),
        ({"until": "2001-01-01T00:00:00"}, "/until"),
    ],
)
async def test_a_suspension_that_makes_no_sense_is_refused(api: httpx.AsyncClient, body: dict, pointer: str) -> None:
    answer = await api.post("/v1/suspensions", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_what_a_rule_or_the_guard_decided_needs_force(house: House, api: httpx.AsyncClient) -> None:
    suspending = house.services.suspending
    new = NewSuspension(project_id=house.project.id, stream="broadcast", reason="Too many bounces.")
    made = await suspending.suspend(new, author="system", cause=SuspensionCause.GUARD, evidence={"rate": 0.07})
    assert (await suspending.suspend(new, author="system", cause=SuspensionCause.GUARD)) == made
    answer = await api.delete(f"/v1/suspensions/{made.id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "force_required")
    assert (await api.delete(f"/v1/suspensions/{made.id}", params={"force": "true"})).status_code == 204


async def test_a_suspension_of_nothing_in_particular_is_refused(house: House) -> None:
    with pytest.raises(Refused) as refused:
        await house.services.suspending.suspend(NewSuspension(stream="broadcast"), author="cli")
    assert [flaw.pointer for flaw in refused.value.flaws] == ["/site", "/stream"]


async def test_what_holds_for_all_projects_is_shown_to_each_and_lifted_by_none(
    house: House, api: httpx.AsyncClient
) -> None:
    made = await house.services.suspending.suspend(NewSuspension(site="google"), author="cli")
    (shown,) = (await api.get("/v1/suspensions")).json()["data"]
    assert (shown["id"], shown["project"]) == (made.id, "*")
    assert (await api.delete(f"/v1/suspensions/{made.id}")).status_code == 404
