"""Incidents behind suppressions, and undoing what they did."""

from collections.abc import AsyncIterator

import httpx
import pytest
from msgspec.structs import replace

from doors import House
from postroad.model.clock import DAY, HOUR, MINUTE
from postroad.model.errors import Refused
from postroad.model.ids import ProjectId, SuppressionId
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.suppression import WHOLE_PROJECT, Cause, Suppression
from postroad.store import audit, events, sites
from postroad.store import suppressions as store
from postroad.store.suppressions import Filter

PATH = "/v1/suppressions"
UNKNOWN = Reason(
    cls=Class.INVALID_RECIPIENT,
    permanence=Permanence.PERMANENT,
    scope=Scope.RECIPIENT,
    action=Action.SUPPRESS,
    rule="enhanced.1.1",
    detail="There is no such mailbox.",
)


@pytest.fixture
async def api(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as client:
        yield client


def put(house: House, *addresses: str, **changes: object) -> list[Suppression]:
    """Put addresses on the list as a bounce does, and return how they stand there."""
    made = [
        replace(
            Suppression(
                id=SuppressionId(house.services.mint("sup")),
                project_id=house.project.id,
                scope=WHOLE_PROJECT,
                address=address,
                cause=Cause.BOUNCE,
                author="system",
                created_at=house.clock.now(),
                evidence=UNKNOWN,
            ),
            **changes,
        )
        for address in addresses
    ]
    database = house.services.database
    database.write_now(lambda c: store.put(c, made, house.clock.now()))
    found = [database.read_now(lambda c, each=each: store.one(c, each.project_id, each.id)) for each in made]
    return [each for each in found if each is not None]


async def incidents(api: httpx.AsyncClient) -> list[tuple[str, str, int]]:
    rows = (await api.get(f"{PATH}/incidents")).json()["data"]
    return [(row["site"], row["rule"], row["count"]) for row in rows]


async def undo(api: httpx.AsyncClient, **body: object) -> tuple[int, int, int]:
    answer = await api.post(f"{PATH}/undo", json=body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return told["matched"], told["removed"], told["kept"]


async def left(api: httpx.AsyncClient) -> list[str]:
    return [row["address"] for row in (await api.get(PATH)).json()["data"]]


async def test_what_one_rule_does_at_one_site_is_one_incident(house: House, api: httpx.AsyncClient) -> None:
    house.services.database.write_now(
        lambda c: sites.note(c, {"a.example": "google", "b.example": "google"}, house.clock.now())
    )
    first, second = put(house, "ann@a.example", "bob@B.example")
    house.clock.pass_by(50 * MINUTE)
    (third,) = put(house, "cyd@a.example")
    (elsewhere,) = put(house, "dan@c.example")
    (otherwise,) = put(house, "eve@a.example", evidence=replace(UNKNOWN, rule="text.gone"))
    assert first.incident == second.incident == third.incident
    assert (first.site, elsewhere.site) == ("google", "c.example")
    assert len({first.incident, elsewhere.incident, otherwise.incident}) == 3
    assert sorted(await incidents(api)) == [
        ("c.example", "enhanced.1.1", 1),
        ("google", "enhanced.1.1", 3),
        ("google", "text.gone", 1),
    ]
    shown = (await api.get(PATH, params={"incident": first.incident})).json()["data"]
    assert [(row["address"], row["site"]) for row in shown] == [
        ("ann@a.example", "google"), ("bob@B.example", "google"), ("cyd@a.example", "google"),
    ]  # fmt: skip


async def test_an_incident_ends_after_an_hour_of_quiet_or_a_day(house: House) -> None:
    (first,) = put(house, "a0@a.example")
    house.clock.pass_by(HOUR)
    (second,) = put(house, "a1@a.example")
    assert second.incident != first.incident
    names = set()
    for n in range(30):
        house.clock.pass_by(59 * MINUTE)
        names.add(put(house, f"b{n}@a.example")[0].incident)
    assert len(names) == 2


async def test_what_people_put_there_belongs_to_no_incident(house: House, api: httpx.AsyncClient) -> None:
    (manual,) = put(house, "ann@a.example", cause=Cause.MANUAL, evidence=None)
    (told,) = put(house, "bob@a.example", cause=Cause.BOUNCE, evidence=None)
    assert (manual.incident, told.incident, await incidents(api)) == (None, None, [])


async def test_what_an_incident_did_is_undone_in_one_call(house: House, api: httpx.AsyncClient) -> None:
    first, _ = put(house, "ann@a.example", "bob@a.example")
    put(house, "cyd@b.example")
    last = house.services.database.read_now(events.last_seq)
    assert await undo(api, incident=first.incident, dry_run=True) == (2, 0, 0)
    assert await undo(api, incident=first.incident, note="They broke it.") == (2, 2, 0)
    assert await undo(api, incident=first.incident) == (0, 0, 0)
    assert await left(api) == ["cyd@b.example"]
    log = house.services.database.read_now(lambda c: events.feed(c, house.project.id, after=last, limit=10))
    assert [event.type for event in log] == ["suppression.removed"] * 2
    assert log[0].data["suppression"]["incident"] == first.incident
    (entry,) = house.services.database.read_now(lambda c: audit.entries(c, house.project.id, limit=1))
    assert (entry.action, entry.data["count"], entry.data["note"]) == ("suppression.undone", 2, "They broke it.")


async def test_an_incident_that_never_was_is_not_found(house: House, api: httpx.AsyncClient) -> None:
    put(house, "ann@a.example")
    for dry_run in (False, True):
        answer = await api.post(f"{PATH}/undo", json={"incident": "inc_nobody", "dry_run": dry_run})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert await left(api) == ["ann@a.example"]


async def test_an_incident_of_which_nothing_is_left_is_still_known(house: House, api: httpx.AsyncClient) -> None:
    (entry,) = put(house, "ann@a.example")
    await api.delete(f"{PATH}/{entry.id}")
    assert await undo(api, incident=entry.incident) == (0, 0, 0)
    assert (await house.services.undoing.undo(None, Filter(incident=entry.incident), author="cli")).matched == 0
    (again,) = put(house, "ann@a.example", "bob@a.example")[:1]
    assert await undo(api, incident=again.incident, site="b.example") == (0, 0, 0)


async def test_a_forgotten_incident_is_known_while_entries_of_it_are_left(house: House, api: httpx.AsyncClient) -> None:
    (entry,) = put(house, "ann@a.example")
    database = house.services.database
    assert database.write_now(lambda c: store.remove_incidents(c, house.clock.now(), 9)) == 0
    house.clock.pass_by(DAY)
    assert database.write_now(lambda c: store.remove_incidents(c, house.clock.now(), 9)) == 1
    assert await undo(api, incident=entry.incident) == (1, 1, 0)
    assert (await api.post(f"{PATH}/undo", json={"incident": entry.incident})).status_code == 404


@pytest.mark.parametrize(
    ("body", "gone"),
    [
        ({"class": "invalid_recipient"}, ["ann@a.example", "bob@b.example"]),
        ({"rule": "enhanced.1.1", "site": "b.example"}, ["bob@b.example"]),
        ({"site": "a.example"}, ["ann@a.example"]),
        ({"cause": "manual"}, ["cyd@a.example"]),
        ({"since": "2026-11-18T11:06:40.5Z"}, ["bob@b.example"]),
        ({"until": "2026-11-18T11:06:40.5Z"}, ["ann@a.example"]),
    ],
)
async def test_what_fits_is_undone(house: House, api: httpx.AsyncClient, body: dict, gone: list[str]) -> None:
    put(house, "ann@a.example")
    put(house, "cyd@a.example", cause=Cause.MANUAL, evidence=None)
    house.clock.pass_by(1_000_000)
    put(house, "bob@b.example")
    assert await undo(api, **body) == (len(gone), len(gone), 0)
    assert not set(await left(api)) & set(gone)
    assert len(await left(api)) == 3 - len(gone)


async def test_a_recipients_own_will_needs_force(house: House, api: httpx.AsyncClient) -> None:
    put(house, "ann@a.example", cause=Cause.COMPLAINT)
    put(house, "bob@a.example")
    assert await undo(api, site="a.example") == (2, 1, 1)
    assert await left(api) == ["ann@a.example"]
    assert await undo(api, cause="complaint", force=True) == (1, 1, 0)


async def test_an_undo_of_nothing_in_particular_is_refused(house: House, api: httpx.AsyncClient) -> None:
    assert (await api.post(f"{PATH}/undo", json={"force": True})).status_code == 422
    with pytest.raises(Refused):
        await house.services.undoing.undo(None, Filter(automatic=True), author="cli")


async def test_another_projects_list_is_left_alone_unless_all_are_meant(house: House, api: httpx.AsyncClient) -> None:
    secret = await house.another_project("other")
    (entry,) = put(house, "ann@a.example")
    async with house.client(secret) as stranger:
        assert (await stranger.post(f"{PATH}/undo", json={"incident": entry.incident})).status_code == 404
        assert (await stranger.get(f"{PATH}/incidents")).json()["data"] == []
        other = (await stranger.get("/v1/project")).json()["id"]
    put(house, "bob@a.example", project_id=ProjectId(other))
    undoing = house.services.undoing
    assert [each.count for each in await undoing.incidents()] == [2]
    assert (await undoing.undo(None, Filter(incident=entry.incident), author="cli")).removed == 2


async def test_many_addresses_are_removed_at_once(house: House, api: httpx.AsyncClient) -> None:
    put(house, "ann@a.example", "bob@a.example")
    put(house, "cyd@a.example", cause=Cause.UNSUBSCRIBE, scope="broadcast", evidence=None)
    body = {"addresses": ["ANN@a.example", "ann@a.example", "nobody@a.example", "cyd@a.example"]}
    answer = (await api.post(f"{PATH}/remove", json=body)).json()
    assert (answer["matched"], answer["removed"], answer["kept"]) == (2, 1, 1)
    assert await left(api) == ["bob@a.example", "cyd@a.example"]
    assert (await api.post(f"{PATH}/remove", json={"addresses": ["bob@a.example"], "scope": "news"})).json()[
        "removed"
    ] == 0
    again = (await api.post(f"{PATH}/remove", json={**body, "force": True})).json()
    assert (again["removed"], again["sample"][0]["address"]) == (1, "cyd@a.example")


async def test_the_list_is_read_from_the_newest(house: House, api: httpx.AsyncClient) -> None:
    put(house, *[f"u{n}@a.example" for n in range(3)])
    page = (await api.get(PATH, params={"order": "newest", "limit": 2})).json()
    assert [row["address"] for row in page["data"]] == ["u2@a.example", "u1@a.example"]
    rest = (await api.get(PATH, params={"order": "newest", "after": page["next"]})).json()
    assert [row["address"] for row in rest["data"]] == ["u0@a.example"]


async def test_it_goes_on_behind_a_batch(house: House, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroad.features.suppressions.undoing._BATCH", 2)
    put(house, *[f"u{n}@a.example" for n in range(5)])
    house.clock.pass_by(DAY)
    assert await undo(api, **{"class": "invalid_recipient"}) == (5, 5, 0)
