"""Values are loaded once, believed for a moment, and never outlive a change made here."""

from __future__ import annotations

import asyncio

import pytest

from postroad.features.accounts.memory import Memory
from postroad.model.clock import SECOND
from stores import StillClock


class Source:
    """Gives the number of times it was asked; waits while told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()
        self.go.set()

    async def load(self, key: str) -> str:
        self.asked += 1
        answer = f"{key}{self.asked}"
        await self.go.wait()
        return answer


async def test_a_value_is_loaded_again_once_its_life_is_over(clock: StillClock) -> None:
    source = Source()
    memory = Memory(source.load, clock, life=SECOND)
    assert [await memory.get("a"), await memory.get("a")] == ["a1", "a1"]
    clock.pass_by(SECOND)
    assert await memory.get("a") == "a2"


async def test_a_clock_set_back_makes_no_value_live_longer(clock: StillClock) -> None:
    source = Source()
    memory = Memory(source.load, clock, life=SECOND)
    await memory.get("a")
    clock.pass_by(-3600 * SECOND)
    assert await memory.get("a") == "a2"


async def test_all_who_wait_share_one_load(clock: StillClock) -> None:
    source = Source()
    memory = Memory(source.load, clock)
    source.go.clear()
    waiting = [asyncio.ensure_future(memory.get("a")) for _ in range(20)]
    await asyncio.sleep(0)
    source.go.set()
    assert await asyncio.gather(*waiting) == ["a1"] * 20


async def test_one_who_gives_up_waiting_does_not_take_the_load_from_the_others(clock: StillClock) -> None:
    source = Source()
    memory = Memory(source.load, clock)
    source.go.clear()
    impatient, patient = asyncio.ensure_future(memory.get("a")), asyncio.ensure_future(memory.get("a"))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0)
    source.go.set()
    assert await patient == "a1"
    assert impatient.cancelled()


@pytest.mark.parametrize("everything", [False, True])
async def test_what_was_read_before_a_change_is_not_kept_after_it(clock: StillClock, everything: bool) -> None:
    source = Source()
    memory = Memory(source.load, clock)
    source.go.clear()
    reading = asyncio.ensure_future(memory.get("a"))
    await asyncio.sleep(0.001)
    assert source.asked == 1
    if everything:
        memory.forget_where(lambda key, value: True)
    else:
        memory.forget("a")
    source.go.set()
    assert await reading == "a1"
    assert await memory.get("a") == "a2"


async def test_only_what_a_change_concerns_is_forgotten(clock: StillClock) -> None:
    source = Source()
    memory = Memory(source.load, clock)
    await memory.get("a")
    await memory.get("b")
    memory.forget_where(lambda key, value: key == "a" and value == "a1")
    assert [await memory.get("b"), await memory.get("a")] == ["b2", "a3"]


async def test_no_more_is_kept_than_allowed(clock: StillClock) -> None:
    source = Source()
    memory = Memory(source.load, clock, most=2)
    for key in "abc":
        await memory.get(key)
    assert [await memory.get("b"), await memory.get("c"), await memory.get("a")] == ["b2", "c3", "a4"]


async def test_a_load_that_fails_is_tried_again_by_the_next(clock: StillClock) -> None:
    answers: list[Exception | str] = [ValueError("away"), "here"]

    async def load(key: str) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    memory = Memory(load, clock)
    with pytest.raises(ValueError, match="away"):
        await memory.get("a")
    assert await memory.get("a") == "here"
