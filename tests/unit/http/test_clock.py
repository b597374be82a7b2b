"""The clock over HTTP, at a server that is not for tests."""

from doors import House


async def test_the_clock_is_shown(house: House):
    async with house.client() as client:
        shown = await client.get("/v1/clock")
    assert shown.status_code == 200
    assert (shown.json()["movable"], shown.json()["ahead_s"]) == (False, 0)


async def test_a_clock_that_is_not_for_tests_is_not_moved(house: House):
    async with house.client() as client:
        refused = await client.post("/v1/clock/advance", json={"by_s": 60})
    assert refused.status_code == 409
    assert refused.json()["code"] == "clock_fixed"


async def test_a_jump_is_forward_and_not_for_ever(house: House):
    async with house.client() as client:
        for by_s in (0, -1, 1e9):
            refused = await client.post("/v1/clock/advance", json={"by_s": by_s})
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["pointer"] == "/by_s"


async def test_health_says_nothing_of_a_clock_that_was_not_moved(house: House):
    async with house.client("") as client:
        assert (await client.get("/healthz")).json() == {"status": "ok", "reasons": []}
