"""Five days of retries in seconds: `postroad dev`, the simulated internet, and a clock that is moved."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterator

import pytest

from integration.road.living import Api, Document, api_of
from peers.postroad import PostroadServer, postroad_server
from peers.process import wait_until
from postroad.simulator import PROVIDERS, Move, Personality, Simulator
from postroad.simulator.personality import At

DAYS = 5
DELAYS_S = (300, 600, 1200, 2400, 4800, 9600, 14_400)
JITTER = 0.2


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    sluggish = Personality(domain="sluggish.test", says="Thinks before it takes.", moves={At.DOT: Move(wait_s=5.0)})
    with Simulator((*PROVIDERS, sluggish), seed=1, ledger=tmp_path_factory.mktemp("simulator") / "ledger") as running:
        yield running


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def node(request: pytest.FixtureRequest, simulator: Simulator) -> Iterator[PostroadServer]:
    with postroad_server(command=("dev",)) as server:
        kept = {"POSTROAD_DATA_DIRECTORY", "POSTROAD_HTTP_PORT", "POSTROAD_LOG_LEVEL"}
        server.environment = {name: value for name, value in server.environment.items() if name in kept}
        server.environment |= simulator.environment
        server.environment |= {
            "POSTROAD_SMTP_PORT": "0",
            "POSTROAD_STREAMS_TRANSACTIONAL_EXPIRE_S": str(DAYS * 86_400),
        }
        if request.param == "postgresql":
            postgres = request.getfixturevalue("postgres")
            server.environment["POSTROAD_DATABASE_URL"] = postgres.database()
        server.start()
        yield server


@pytest.fixture(scope="module")
def key(node: PostroadServer) -> str:
    wait_until(lambda: "Stop with Ctrl-C." in node.log(), timeout_s=10, what="the greeting")
    found = re.search(r"API key +(\S+)", node.log())
    assert found is not None
    return found[1]


@pytest.fixture
def api(node: PostroadServer, key: str) -> Iterator[Api]:
    with api_of(node, key) as client:
        yield client


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def send(api: Api, to: str, **more: str) -> Document:
    return api.send(sender="shop@example.com", to=to, subject="Hi", text="Hello.", **more)


def test_five_days_of_retries_are_watched_in_seconds_each_at_its_own_time(api: Api, node: PostroadServer) -> None:
    message = send(api, "ann@deferred.test")
    api.when(message, lambda found: found["deliveries"][0]["state"] == "deferred")
    moved = node.tell("clock", "advance", f"{DAYS + 1}d")
    assert (DAYS + 1) * 86_400 - 120 <= moved["ahead_s"] <= (DAYS + 1) * 86_400  # the rest has passed by itself
    found = api.ended(message, "expired")
    began = sorted(at(attempt["started_at"]) for attempt in api.attempts(found))
    gaps_s = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(began)]
    wanted_s = [DELAYS_S[min(n, len(DELAYS_S) - 1)] for n in range(len(gaps_s))]
    assert len(gaps_s) >= 25
    for gap_s, wait_s in zip(gaps_s, wanted_s, strict=True):
        assert wait_s * (1 - JITTER) - 1 <= gap_s <= wait_s * (1 + JITTER) + 60
    events = [event["type"] for event in found["events"]]
    assert events[0] == "message.accepted"
    assert events[-1] == "message.expired"
    times = [at(event["created_at"]) for event in found["events"]]
    assert times == sorted(times)


def test_a_message_in_flight_is_not_lost_when_the_clock_jumps_over_its_lease(
    api: Api, node: PostroadServer, simulator: Simulator
) -> None:
    message = send(api, "bob@sluggish.test")
    node.tell("clock", "advance", "2d", "--at-once")
    found = api.ended(message, "delivered", timeout_s=60)
    assert [taken.message_id for taken in simulator.taken].count(f"<{found['header_id']}>") == 1
    (delivery,) = found["deliveries"]
    assert len(api.attempts(found)) == 1
    assert not delivery["possible_duplicate"]


def test_the_clock_is_shown_and_the_api_moves_it_too(api: Api, node: PostroadServer) -> None:
    before = api.get("/v1/clock")
    assert before["movable"]
    moved = api.post("/v1/clock/advance", json={"by_s": 3600}).json()
    assert at(moved["now"]) - at(before["now"]) >= dt.timedelta(hours=1)
    assert node.tell("clock", "show")["ahead_s"] == moved["ahead_s"]
    assert api.get("/healthz")["clock_ahead_s"] == round(moved["ahead_s"], 3)


def test_what_is_scheduled_goes_out_when_its_time_comes(api: Api, node: PostroadServer) -> None:
    now = at(api.get("/v1/clock")["now"])
    due = (now + dt.timedelta(days=3)).isoformat()
    message = send(api, "eve@everybody.test", send_at=due)
    node.tell("clock", "advance", "2d")
    assert api.get(f"/v1/messages/{message['id']}")["deliveries"][0]["state"] == "scheduled"
    node.tell("clock", "advance", "1d")
    api.ended(message, "delivered", timeout_s=30)
