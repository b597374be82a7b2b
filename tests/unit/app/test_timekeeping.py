"""The clock that tests move, and the jump that stops for what is due."""

import time

import pytest

from postroad.app.timekeeping import MovableClock, Timekeeper, clock_of, steady
from postroad.model.clock import DAY, HOUR, SECOND, Instant, after
from postroad.model.errors import Refused, Unavailable
from postroad.store import lines
from postroad.store.wakeup import WakeUp


class Hands:
    """A delivery role that is free at the times it is given, and notes where the clock stood."""

    def __init__(self, clock, *waits):
        self.clock = clock
        self.in_hand = 0
        self.moves = []
        self.ahead = 0
        self.waits = [after(clock.now(), wait) for wait in waits]

    def moved(self, ahead):
        assert ahead >= self.ahead
        self.ahead = ahead
        self.moves.append(self.clock.now())

    def finds_room_at(self):
        return next((at for at in self.waits if at > self.clock.now()), None)


class EmptyDatabase:
    """A store where nothing is due."""

    async def read(self, ask):
        return (False, set()) if "_in_the_queue" in ask.__qualname__ else []


def keeper(clock, *waits, rounds=()):
    hands, told = Hands(clock, *waits), WakeUp()
    return Timekeeper(clock, EmptyDatabase(), hands, told=told, rounds=rounds), hands, told


class FixedClock:
    def now(self):
        return Instant(1_700_000_000_000_000)


async def test_a_jump_stops_for_everything_that_is_due_on_its_way():
    clock = MovableClock()
    timekeeper, hands, told = keeper(clock, HOUR, 5 * HOUR, 2 * DAY)
    began = clock.now()
    shown = await timekeeper.advance(DAY / SECOND)
    assert shown.stops == 2
    hours = [(at - began) / HOUR for at in hands.moves]
    assert hours == pytest.approx([1, 5, 24], abs=0.01)
    assert shown.ahead_s == pytest.approx(86_400, abs=60)
    assert told.beat == 3
    assert timekeeper.ahead == hands.ahead


async def test_a_jump_at_once_stops_nowhere():
    clock = MovableClock()
    timekeeper, hands, _ = keeper(clock, HOUR)
    assert (await timekeeper.advance(7200, at_once=True)).stops == 0
    assert len(hands.moves) == 1


async def test_the_rounds_are_made_after_a_jump_and_one_that_cannot_be_holds_up_none():
    made = []

    async def fails():
        raise Unavailable("away", "The store is away.", retry_after_s=1)

    async def works():
        made.append(1)

    timekeeper, _, _ = keeper(MovableClock(), rounds=(fails, works))
    await timekeeper.advance(60)
    assert made == [1]


async def test_a_clock_that_is_not_for_tests_stands_fast():
    timekeeper, _, _ = keeper(FixedClock())
    with pytest.raises(Refused) as refused:
        await timekeeper.advance(60)
    assert refused.value.code == "clock_fixed"
    assert not timekeeper.shown().movable
    assert timekeeper.ahead == 0


@pytest.mark.parametrize("by_s", [0, -1, 1e12, float("nan")])
async def test_time_goes_forward_only_and_not_for_ever(by_s):
    timekeeper, _, _ = keeper(MovableClock())
    with pytest.raises(Refused):
        await timekeeper.advance(by_s)


async def test_two_do_not_move_the_clock_at_the_same_time():
    refused = []

    async def meanwhile():
        with pytest.raises(Unavailable) as problem:
            await timekeeper.advance(1)
        refused.append(problem.value.code)

    timekeeper, _, _ = keeper(MovableClock(), rounds=(meanwhile,))
    await timekeeper.advance(60)
    assert refused == ["clock_moving"]


async def test_a_jump_that_takes_too_long_tells_what_is_left(monkeypatch):
    monkeypatch.setattr("postroad.app.timekeeping._LONGEST_S", -1.0)
    timekeeper, _, _ = keeper(MovableClock(), HOUR)
    shown = await timekeeper.advance(7200)
    assert shown.left_s == pytest.approx(7200, abs=60)


async def test_mail_in_flight_holds_time_up_only_for_a_while(monkeypatch):
    monkeypatch.setattr("postroad.app.timekeeping._PATIENCE_S", 0.05)
    timekeeper, hands, _ = keeper(MovableClock())
    hands.in_hand = 1
    assert (await timekeeper.advance(60)).ahead_s == pytest.approx(60, abs=10)


class StandingDatabase(EmptyDatabase):
    """A store where something is due that nobody begins."""

    def __init__(self, clock):
        self.line = lines.Line("0 prj_1", clock.now())

    async def read(self, ask):
        return (False, {self.line}) if "_in_the_queue" in ask.__qualname__ else []


async def test_a_stop_where_nothing_is_due_any_more_costs_no_time(monkeypatch):
    monkeypatch.setattr("postroad.app.timekeeping._QUIET_S", 3600.0)
    monkeypatch.setattr("postroad.app.timekeeping._PATIENCE_S", 3600.0)
    timekeeper, _, _ = keeper(MovableClock(), *[n * HOUR for n in range(1, 20)])
    assert (await timekeeper.advance(DAY / SECOND)).stops == 19


async def test_what_stands_still_is_waited_for_a_little(monkeypatch):
    monkeypatch.setattr("postroad.app.timekeeping._QUIET_S", 0.02)
    clock = MovableClock()
    began_s = time.monotonic()
    shown = await Timekeeper(clock, StandingDatabase(clock), Hands(clock, HOUR), told=WakeUp()).advance(7200)
    assert shown.stops == 1
    assert time.monotonic() - began_s >= 0.04


class Pushing:
    """A notifier that is busy for so many looks at each stop."""

    def __init__(self, looks):
        self.looks = looks
        self.left = 0
        self.begun = 0

    async def begin_now(self):
        self.left = self.left - 1 if self.left else self.looks
        self.begun += self.left == self.looks
        return bool(self.left)


async def test_a_stop_lasts_until_webhooks_were_pushed(monkeypatch):
    monkeypatch.setattr("postroad.app.timekeeping._QUIET_S", 3600.0)
    monkeypatch.setattr("postroad.app.timekeeping._PATIENCE_S", 3600.0)
    clock, pushing = MovableClock(), Pushing(looks=3)
    timekeeper = Timekeeper(clock, EmptyDatabase(), Hands(clock, HOUR, 5 * HOUR), told=WakeUp(), pushing=pushing)
    assert (await timekeeper.advance(DAY / SECOND)).stops == 2
    assert (pushing.begun, pushing.left) == (3, 0)


async def test_an_endpoint_that_does_not_answer_holds_time_up_only_for_a_while(monkeypatch):
    monkeypatch.setattr("postroad.app.timekeeping._QUIET_S", 0.02)
    clock = MovableClock()
    timekeeper = Timekeeper(clock, EmptyDatabase(), Hands(clock), told=WakeUp(), pushing=Pushing(looks=10**9))
    assert (await timekeeper.advance(60)).left_s == 0


async def test_after_a_restart_time_goes_on_from_the_last_event():
    class Ahead:
        async def read(self, ask):
            return after(MovableClock().now(), DAY)

    class Empty:
        async def read(self, ask):
            return None

    assert (await clock_of(Ahead())).ahead == pytest.approx(DAY, abs=60 * SECOND)
    assert (await clock_of(Empty())).ahead == 0


def test_what_is_kept_by_steady_time_is_over_after_a_jump():
    clock = MovableClock()
    moved = steady(clock)
    before = moved()
    clock.ahead += 5 * HOUR
    assert moved() - before == pytest.approx(5 * 3600, abs=60)
    assert steady(FixedClock()) is time.monotonic


async def test_other_nodes_are_told_and_follow_ahead_only(monkeypatch):
    monkeypatch.setattr("postroad.app.timekeeping._QUIET_S", 0.01)
    monkeypatch.setattr("postroad.app.timekeeping._HEARD_S", 0.2)
    clock, theirs, told = MovableClock(), MovableClock(), []
    paused = lines.Line("0 prj_1", clock.now())
    answers = [(True, {paused})]

    class SharedDatabase:
        async def read(self, ask):
            if "_next" in ask.__qualname__:
                return []
            return answers.pop(0) if answers else (False, {paused})

    ours = Timekeeper(clock, SharedDatabase(), Hands(clock, HOUR), told=WakeUp(), elsewhere=told.append)
    await ours.advance(2 * HOUR / SECOND)
    assert told[0] == pytest.approx(HOUR, abs=60 * SECOND)
    assert told[-1] == clock.ahead
    assert not answers, "mail in flight elsewhere was looked for"
    hands = Hands(theirs)
    follower = Timekeeper(theirs, EmptyDatabase(), hands, told=WakeUp())
    for ahead in (told[-1], told[0]):
        follower.follow(ahead)
    assert theirs.ahead == hands.ahead == clock.ahead
    assert len(hands.moves) == 1
    Timekeeper(FixedClock(), EmptyDatabase(), hands, told=WakeUp()).follow(9)
    assert len(hands.moves) == 1
