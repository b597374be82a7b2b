"""Sites as they are shown and pinned, and what is kept of them."""

from collections.abc import AsyncIterator

import httpx
import pytest
from msgspec.structs import replace

from doors import House
from postroad.features.queue import NewSuspension
from postroad.model.attempt import Attempt, Phase, SmtpReply, Trouble
from postroad.model.clock import MINUTE, SECOND, Instant, to_rfc3339
from postroad.model.project import KeyScope
from postroad.model.route import RelayRoute, Source
from postroad.model.shaping import Pin
from postroad.model.stream import StreamKind
from postroad.pipeline.keeping import Keeper
from postroad.pipeline.shaping.limits import Limits, read_book
from postroad.pipeline.shaping.shaping import Shaping
from postroad.store import bulk
from postroad.store.database import Database
from stores import START, StillClock

PATH = "/v1/sites"


def keeper_over(database, clock, *, node="n1", texts=("",), due=lambda: None):
    waiting = list(texts[1:])

    def reread():
        return read_book([("x.toml", waiting.pop(0))], Limits()) if waiting else None

    shaping = Shaping(read_book([("x.toml", texts[0])], Limits()), clock=clock, chance=lambda: 0.0, node=node)
    return shaping, Keeper(shaping, database, clock, node=node, reread=reread, due=due)


def break_down(shaping, clock, name="mx.test"):
    site = shaping.site(name)
    for _ in range(5):
        site.unreachable(clock.now(), 0.0, "the connection was refused")
    return site


# --- kept ------------------------------------------------------------------------------------------------------------


async def test_what_a_node_has_learned_survives_its_restart(database: Database, clock: StillClock) -> None:
    shaping, keeper = keeper_over(database, clock)
    break_down(shaping, clock)
    await keeper.flush()
    again, keeper = keeper_over(database, clock)
    await keeper.load()
    site = again.site("mx.test")
    assert site.room(StreamKind.TRANSACTIONAL, "prj", clock.now(), 0.0) == 0
    assert [change.sentence for change in await keeper.changes("mx.test", 5)] == [
        "Suspended for 1.0 minutes because: the connection was refused."
    ]


async def test_what_cannot_be_written_down_now_is_written_down_later(database: Database, clock: StillClock) -> None:
    shaping, keeper = keeper_over(database, clock)
    break_down(shaping, clock)
    shaping.learn("prj", "example.com", "live", shaping.site("google"))
    changes, states, domains = shaping.taken_changes(), shaping.changed(), shaping.taken_domains()
    shaping.give_back(changes, [*states, "forgotten.test"], domains)
    assert (shaping.taken_changes(), shaping.changed(), shaping.taken_domains()) == (changes, states, domains)
    assert await keeper.changes(None, 5) == []


async def test_a_pin_survives_a_restart_and_reaches_other_nodes(database: Database, clock: StillClock) -> None:
    rung = []
    _, one = keeper_over(database, clock, due=lambda: rung.append(1))
    await one.pin(Pin(site="google", limit="connections", value=2, author="cli", at=START))
    shaping, two = keeper_over(database, clock, node="n2")
    await two.load()
    assert shaping.site("google").connections == 2
    assert await one.unpin("google", "connections", "cli")
    assert not await one.unpin("google", "connections", "cli")
    await two.refresh()
    assert shaping.site("google").connections == 10
    assert len(rung) == 2


async def test_nodes_that_are_alive_share_what_there_is(database: Database, clock: StillClock) -> None:
    if database.engine_name == "sqlite":
        pytest.skip("SQLite has one process")
    (one, first), (two, second) = (keeper_over(database, clock, node=node) for node in ("n1", "n2"))
    for keeper in (first, second, first):
        await keeper._round()
    assert [shaping.site("mx.test").connections for shaping in (one, two)] == [5, 5]
    await second._leave()
    await first._round()
    assert one.site("mx.test").connections == 10


async def test_a_changed_file_is_taken_and_wakes_who_waits(database: Database, clock: StillClock) -> None:
    rung = []
    texts = ("", "[default]\nconnections = 3")
    shaping, keeper = keeper_over(database, clock, texts=texts, due=lambda: rung.append(1))
    assert shaping.site("mx.test").connections == 10
    await keeper._round()
    assert (shaping.site("mx.test").connections, rung) == (3, [1])
    await keeper._round()
    assert rung == [1]


async def test_the_domains_of_a_site_are_written_down(database: Database, clock: StillClock) -> None:
    shaping, keeper = keeper_over(database, clock)
    shaping.learn("prj", "example.com", "live", shaping.site("google"))
    await keeper.flush()
    rows = database.read_now(lambda c: bulk.run(c, "SELECT domain, site FROM domain_sites"))
    assert rows == [("example.com", "google")]


# --- shown -----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def api(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as client:
        yield client


async def test_sites_in_trouble_are_listed_first_with_the_reason(house: House, api: httpx.AsyncClient) -> None:
    shaping = house.services.sites._shaping
    shaping.site("a.test").kind(StreamKind.TRANSACTIONAL)
    break_down(shaping, house.clock, "z.test")
    found = (await api.get(PATH)).json()["data"]
    assert [(each["site"], each["flow"]) for each in found] == [("z.test", "suspended"), ("a.test", "flowing")]
    assert found[0]["sentence"].endswith("because: the connection was refused.")
    assert found[1]["kinds"] == [
        {"kind": "transactional", "flow": "flowing", "connections": 5, "until": None, "because": None}
    ]


async def test_a_site_that_is_suspended_is_not_said_to_flow(house: House, api: httpx.AsyncClient) -> None:
    shaping = house.services.sites._shaping
    for name in ("a.test", "b.test", "yahoo"):
        shaping.site(name).kind(StreamKind.TRANSACTIONAL)
    wanted = [
        NewSuspension(site="yahoo", reason="A rule asks for it."),
        NewSuspension(site="b.test", project_id=house.project.id, reason="They asked us."),
    ]
    for each in wanted:
        await house.services.suspending.suspend(each, author="cli")
    found = {each["site"]: each for each in (await api.get(PATH)).json()["data"]}
    assert (found["yahoo"]["flow"], found["yahoo"]["sentence"]) == (
        "suspended",
        "Suspended by cli: A rule asks for it.",
    )
    assert (await api.get(f"{PATH}/yahoo")).json()["flow"] == "suspended"
    assert found["b.test"]["sentence"] == "Mail flows. Some of it is suspended."
    assert found["a.test"]["sentence"] == "Mail flows."


async def test_a_site_is_shown_with_its_limits_and_changes(house: House, api: httpx.AsyncClient) -> None:
    shaping = house.services.sites._shaping
    site = break_down(shaping, house.clock)
    house.clock.pass_by(MINUTE + SECOND)
    site.flow(site.kind(StreamKind.BROADCAST), house.clock.now())
    shown = (await api.get(f"{PATH}/mx.test")).json()
    assert [change["what"] for change in shown["changes"]] == ["probing", "suspended"]
    assert {limit["name"]: limit["value"] for limit in shown["limits"]}["connections"] == 10
    assert shown["flow"] in ("probing", "suspended")


async def test_a_site_that_nobody_knows_is_not_found_but_a_provider_is(api: httpx.AsyncClient) -> None:
    assert (await api.get(f"{PATH}/nowhere.test")).status_code == 404
    assert (await api.get(f"{PATH}/google")).json()["sentence"] == "Mail flows."


async def test_limits_are_pinned_and_unpinned(api: httpx.AsyncClient) -> None:
    pinned = (await api.put(f"{PATH}/google/pins", json={"limits": {"connections": 3, "idle_s": 5}})).json()
    limits = {limit["name"]: limit for limit in pinned["limits"]}
    assert (limits["connections"]["value"], limits["connections"]["pinned_by"][:4]) == (3.0, "key_")
    assert [change["what"] for change in pinned["changes"]] == ["pinned", "pinned"]
    one = (await api.delete(f"{PATH}/google/pins", params={"limit": "idle_s"})).json()
    assert [limit["name"] for limit in one["limits"] if limit["pinned_by"]] == ["connections"]
    none = (await api.delete(f"{PATH}/google/pins")).json()
    assert not any(limit["pinned_by"] for limit in none["limits"])
    assert (await api.delete(f"{PATH}/google/pins")).status_code == 404


@pytest.mark.parametrize(
    "limits", [{"connections": 0}, {"speed": 3}, {"connections": 2.5}, {}, {"messages_per_second": -1}]
)
async def test_what_is_no_limit_is_refused(api: httpx.AsyncClient, limits: dict) -> None:
    assert (await api.put(f"{PATH}/google/pins", json={"limits": limits})).status_code in (400, 422)


async def test_a_key_that_may_only_read_pins_nothing(house: House) -> None:
    async with house.client(house.secrets[KeyScope.READ]) as client:
        assert (await client.get(PATH)).status_code == 200
        assert (await client.put(f"{PATH}/google/pins", json={"limits": {"connections": 3}})).status_code == 403


async def test_with_several_projects_no_key_moves_what_holds_for_all(house: House, api: httpx.AsyncClient) -> None:
    shaping = house.services.sites._shaping
    break_down(shaping, house.clock, "secret.test")
    break_down(shaping, house.clock, "google")
    await house.services.projects.create("another", actor="test")
    assert [each["site"] for each in (await api.get(PATH)).json()["data"]] == ["google"]
    assert ((await api.get(f"{PATH}/google")).status_code, (await api.get(f"{PATH}/secret.test")).status_code) == (
        200,
        404,
    )
    assert (await api.put(f"{PATH}/google/pins", json={"limits": {"connections": 3}})).status_code == 403


# --- relays that rest ------------------------------------------------------------------------------------------------

FIRST = RelayRoute("first", "mx.test", 587)
UNREACHED = Attempt(
    phase=Phase.CONNECT, trouble=Trouble.REFUSED, detail="The connection was refused.", started_at=START,
    finished_at=START,
)  # fmt: skip
HALF_A_MINUTE = to_rfc3339(Instant(START + 30 * SECOND))
RESTS = f"The relay first rests until {HALF_A_MINUTE}, and others are asked first, because: The connection was refused."


async def test_a_relay_that_rests_is_told_until_it_does_not(house: House, api: httpx.AsyncClient) -> None:
    sites = house.services.sites
    for name in ("mx.test:587", "mx.test:587@second", "mx.test:587/prj", "mx.test:25"):
        sites._shaping.site(name)
    sites._relays.failed(FIRST, UNREACHED)
    found = {each["site"]: each for each in (await api.get(PATH)).json()["data"]}
    assert {name for name, each in found.items() if each["flow"] == "resting"} == {"mx.test:587", "mx.test:587/prj"}
    assert (found["mx.test:587"]["sentence"], found["mx.test:587"]["until"]) == (RESTS, HALF_A_MINUTE)
    assert next(iter(found)).startswith("mx.test:587")
    house.clock.pass_by(31 * SECOND)
    assert (await api.get(f"{PATH}/mx.test:587")).json()["sentence"] == "Mail flows."


async def test_a_relay_rests_by_the_source_it_was_not_reached_from(house: House, api: httpx.AsyncClient) -> None:
    sites = house.services.sites
    for name in ("mx.test:587", "mx.test:587@second"):
        sites._shaping.site(name)
    sites._relays.failed(replace(FIRST, source=Source("second", ipv4="192.0.2.1")), UNREACHED)
    found = {each["site"]: each["flow"] for each in (await api.get(PATH)).json()["data"]}
    assert found == {"mx.test:587@second": "resting", "mx.test:587": "flowing"}


async def test_a_relay_that_was_never_reached_is_shown_too(house: House, api: httpx.AsyncClient) -> None:
    house.services.sites._relays.failed(FIRST, UNREACHED)
    (found,) = (await api.get(PATH)).json()["data"]
    assert (found["site"], found["sentence"]) == ("mx.test:587", RESTS)
    house.clock.pass_by(31 * SECOND)
    assert (await api.get(PATH)).json()["data"] == []


async def test_of_two_rests_at_one_place_the_longer_is_told(house: House, api: httpx.AsyncClient) -> None:
    sites = house.services.sites
    sites._shaping.site("mx.test:587")
    refused = SmtpReply(code=535, enhanced="5.7.8", text="Who are you")
    login = replace(UNREACHED, phase=Phase.AUTH, trouble=None, detail="", reply=refused)
    sites._relays.failed(replace(FIRST, name="with login", username="ann"), login)
    sites._relays.failed(FIRST, UNREACHED)
    sentence = (await api.get(f"{PATH}/mx.test:587")).json()["sentence"]
    assert "with login rests until" in sentence
    assert sentence.endswith("because: 535 5.7.8 Who are you.")


async def test_where_mail_waits_anyway_a_rest_is_told_behind(house: House, api: httpx.AsyncClient) -> None:
    sites = house.services.sites
    break_down(sites._shaping, house.clock, "mx.test:587")
    sites._relays.failed(FIRST, UNREACHED)
    shown = (await api.get(f"{PATH}/mx.test:587")).json()
    assert shown["flow"] == "suspended"
    assert shown["sentence"].startswith("Mail waits until ")
    assert shown["sentence"].endswith(RESTS)


async def test_an_explanation_tells_of_a_rest_and_waits_for_none(house: House, api: httpx.AsyncClient) -> None:
    sites = house.services.sites
    sites._shaping.learn(house.project.id, "mx.test", "live", sites._shaping.site("mx.test:587"))
    sites._relays.failed(FIRST, UNREACHED)
    told = await explained(api)
    assert (told["road"]["flow"], told["road"]["sentence"]) == ("resting", RESTS)
    assert told["next"]["what"] == "The next attempt is due and begins as soon as there is room."


# --- explained -------------------------------------------------------------------------------------------------------


async def explained(api: httpx.AsyncClient) -> dict:
    message = {"from": "a@shop.example", "to": ["ann@mx.test"], "subject": "Hi", "text": "Hello"}
    made = (await api.post("/v1/messages", json=message)).json()
    return (await api.get(f"/v1/messages/{made['id']}/explain")).json()["recipients"][0]


async def test_an_explanation_tells_what_a_pause_of_the_site_does_to_it(house: House, api: httpx.AsyncClient) -> None:
    break_down(house.services.sites._shaping, house.clock)
    told = await explained(api)
    assert (told["road"]["site"], told["road"]["flow"]) == ("mx.test", "suspended")
    assert told["next"]["at"] == told["road"]["until"]
    assert told["next"]["what"].startswith("The next attempt waits for mx.test until ")
    assert "because: the connection was refused" in told["next"]["what"]


async def test_an_explanation_tells_of_a_suspension(house: House, api: httpx.AsyncClient) -> None:
    await house.services.suspending.suspend(NewSuspension(site="mx.test", reason="They asked us."), author="cli")
    told = await explained(api)
    assert told["road"]["sentence"] == "Suspended by cli: They asked us."
    assert told["next"]["what"].endswith("Suspended by cli: They asked us.")


async def test_an_explanation_tells_that_the_project_is_paused(house: House, api: httpx.AsyncClient) -> None:
    assert (await api.post("/v1/project/pause")).status_code == 200
    told = await explained(api)
    assert told["road"]["flow"] == "suspended"
    assert "The project has been paused since" in told["next"]["what"]
    assert (await api.post("/v1/project/resume")).status_code == 200
    assert (await explained(api))["road"]["sentence"] == "Mail flows."


async def test_where_mail_flows_an_explanation_says_so(api: httpx.AsyncClient) -> None:
    told = await explained(api)
    assert told["road"] == {
        "site": "mx.test", "flow": "flowing", "sentence": "Mail flows.", "connections": None, "until": None,
    }  # fmt: skip
    assert told["next"]["what"] == "The next attempt is due and begins as soon as there is room."
