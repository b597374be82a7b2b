"""The controller finds the speed of a site by trying, and its breaker gives it peace."""

import pytest

from postroad.model.clock import MINUTE, SECOND, Instant
from postroad.model.shaping import Flow, What
from postroad.pipeline.shaping.breaker import Breaker
from postroad.pipeline.shaping.controller import Controller

T0 = Instant(1_795_000_000_000_000)
CEILING = 10


@pytest.fixture
def told():
    return []


@pytest.fixture
def controller(told):
    return Controller(4, lambda what, sentence, connections: told.append((what, sentence, connections)))


def at(seconds: float) -> Instant:
    return Instant(T0 + int(seconds * SECOND))


def test_each_round_that_goes_well_adds_a_connection_up_to_the_ceiling(controller, told):
    for _ in range(4):
        controller.good(CEILING)
    assert controller.window == 5
    assert told == [(What.RAISED, "Raised from 4 to 5 connections: all went well", (4, 5))]
    for _ in range(1000):
        controller.good(CEILING)
    assert controller.window == CEILING


def test_a_reply_that_asks_for_less_halves_the_connections_and_says_why(controller, told):
    controller.window = 10
    controller.throttled(T0, 0.0, "421 4.7.28 too fast")
    assert controller.window == 5
    assert told == [(What.LOWERED, "Lowered from 10 to 5 connections because: 421 4.7.28 too fast", (10, 5))]


def test_connections_that_are_told_the_same_together_count_once(controller):
    controller.window = 10
    controller.throttled(T0, 0.0, "421")
    controller.throttled(at(1), 0.0, "421")
    assert controller.window == 5


def test_it_never_goes_below_one_connection(controller):
    for n in range(50):
        controller.broken(at(20 * n), 0.0, "The connection was closed by the peer")
    assert controller.window == 1


def test_three_throttling_replies_within_a_minute_suspend(controller, told):
    for n in range(3):
        assert controller.look(at(n)) is Flow.FLOWING
        controller.throttled(at(n), 0.0, "421 4.7.0 slow down")
    assert controller.look(at(3)) is Flow.SUSPENDED
    assert told[-1][:2] == (What.SUSPENDED, "Suspended for 1.0 minutes because: 421 4.7.0 slow down")


def test_throttling_replies_over_a_longer_time_do_not(controller):
    for n in range(10):
        controller.throttled(at(31 * n), 0.0, "421")
    assert controller.look(at(310)) is Flow.FLOWING


def open_controller(controller):
    for n in range(3):
        controller.throttled(at(n), 0.0, "421")
    assert controller.look(at(63)) is Flow.PROBING


def test_after_the_pause_three_probes_that_go_well_resume(controller, told):
    open_controller(controller)
    assert told[-1][0] is What.PROBING
    for _ in range(2):
        controller.good(CEILING)
        assert controller.look(at(64)) is Flow.PROBING
    controller.good(CEILING)
    assert controller.look(at(65)) is Flow.FLOWING
    assert told[-1][:2] == (What.RESUMED, "Resumed with 1 connection after: 421")


@pytest.mark.parametrize("how", ["throttled", "refused", "broken"])
def test_a_probe_that_goes_wrong_doubles_the_pause(controller, how):
    open_controller(controller)
    getattr(controller, how)(at(70), 0.0, "no")
    assert controller.look(at(70 + 119)) is Flow.SUSPENDED
    assert controller.look(at(70 + 121)) is Flow.PROBING


def test_more_than_half_of_a_hundred_refused_for_what_we_are_stops(controller):
    for _ in range(50):
        controller.refused(T0, 0.0, "550 5.7.1 blocked")
    assert controller.look(T0) is Flow.FLOWING
    controller.refused(T0, 0.0, "550 5.7.1 blocked")
    assert controller.look(T0) is Flow.SUSPENDED


def test_as_many_among_many_more_do_not(controller):
    for n in range(300):
        if n % 3:
            controller.good(CEILING)
        else:
            controller.refused(T0, 0.0, "550 5.7.1 blocked")
    assert controller.look(T0) is Flow.FLOWING


def test_pauses_double_up_to_half_an_hour_with_a_bit_at_random_on_top():
    breaker, now = Breaker(), T0
    pauses = []
    for _ in range(8):
        breaker.trip(now, 0.0, "x")
        pauses.append((breaker.until - now) // MINUTE)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    breaker.trip(now, 0.999, "x")
    assert 35 * MINUTE < breaker.until - now < 36 * MINUTE


def test_a_hundred_successes_make_earlier_openings_forgotten():
    breaker = Breaker()
    breaker.trip(T0, 0.0, "x")
    assert not breaker.look(at(59))
    assert breaker.look(at(60))
    assert [breaker.good() for _ in range(3)] == [False, False, True]
    assert breaker.openings == 1
    for _ in range(100):
        breaker.good()
    assert breaker.openings == 0
