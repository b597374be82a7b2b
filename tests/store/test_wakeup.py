"""A bell on one loop: everybody who waits hears it, and nobody misses a ring between a look and a wait."""

from __future__ import annotations

import asyncio

from postroad.store.wakeup import WakeUp


async def test_a_ring_wakes_everybody_who_waits() -> None:
    bell = WakeUp()
    waiting = [asyncio.ensure_future(bell.wait(bell.beat, 10)) for _ in range(3)]
    await asyncio.sleep(0)
    bell.ring()
    assert await asyncio.wait_for(asyncio.gather(*waiting), 1) == [1, 1, 1]


async def test_a_ring_that_came_before_the_wait_is_heard() -> None:
    bell = WakeUp()
    seen = bell.beat
    bell.ring()
    bell.ring()
    assert await asyncio.wait_for(bell.wait(seen, 10), 1) == 2


async def test_a_wait_ends_by_itself() -> None:
    bell = WakeUp()
    assert await bell.wait(bell.beat, 0.01) == 0


async def test_a_waiter_that_went_away_is_forgotten() -> None:
    bell = WakeUp()
    waiting = asyncio.ensure_future(bell.wait(bell.beat, 10))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    bell.ring()
    assert await bell.wait(bell.beat, 0.01) == 1


async def test_a_ring_and_a_departure_in_the_same_moment_do_no_harm() -> None:
    bell = WakeUp()
    waiting = asyncio.ensure_future(bell.wait(bell.beat, 10))
    await asyncio.sleep(0)
    waiting.cancel()
    bell.ring()
    (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
    assert outcome == 1 or isinstance(outcome, asyncio.CancelledError)
