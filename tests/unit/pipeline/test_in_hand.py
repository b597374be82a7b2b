"""What a node has in hand: bounded, and neither a site that stands still nor a project that floods keeps others out."""

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from leases import make_lease
from postroad.model.ids import ProjectId
from postroad.model.project import Project
from postroad.pipeline.in_hand import InHand
from postroad.pipeline.shaping.limits import Book, Limits
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.turns import Turns
from stores import START, CountingMint, StillClock, new_message

CLOCK = StillClock()
MINTS = CountingMint(CLOCK)
PROJECT = Project(id=ProjectId("prj_1"), name="one", created_at=START)
OTHER = Project(id=ProjectId("prj_2"), name="two", created_at=START)


def make(most, suspensions=None, **limits):
    given = {"connections": 10, "messages_per_second": 1e6} | limits
    shaping = Shaping(Book(Limits(**given)), clock=CLOCK, chance=lambda: 0.0)
    return InHand(most, shaping, suspensions, CLOCK)


class Numbers:
    """Leases are told apart by their numbers."""

    def __init__(self):
        self.last = 0

    def leases(self, count, domain="x.test", **changes):
        self.last += count
        return [make_lease(self.last - n, domain=domain, **changes) for n in range(count)]


leases = Numbers().leases


def mail(count=1, domain="x.test", project=PROJECT):
    return [new_message(MINTS, project, f"r{n}@{domain}") for n in range(count)]


def promise(hand, count, domain="x.test", now_s=0.0, project=PROJECT):
    return hand.promise(count, mail(count, domain, project), now_s)


def test_an_empty_hand_has_room_for_all_it_may_hold():
    assert make(100).room == 100


def test_room_is_not_offered_until_it_is_worth_a_lease():
    hand = make(100)
    hand.take(leases(75))
    assert hand.room == 25
    hand.take(leases(1))
    assert hand.room == 0


def test_a_delivery_that_is_leased_again_while_its_lapsed_lease_is_in_hand_is_counted_out_twice():
    hand, (first,) = make(100), leases(1)
    again = msgspec.structs.replace(first, token=first.token + 1)
    hand.take([first])
    hand.take([again])
    hand.give(first, 0.0)
    hand.give(again, 0.0)
    assert hand.total == 0
    assert promise(hand, 10)


def test_a_hand_that_was_full_says_when_there_is_room_again():
    hand, held = make(100), leases(100)
    hand.take(held)
    assert hand.room == 0
    told = [hand.give(lease, 0.0) for lease in held]
    assert told.index(True) == 24
    assert told.count(True) == 1
    assert hand.total == 0


def test_a_promise_keeps_its_room_until_it_ends():
    hand = make(10)
    assert promise(hand, 6)
    assert not promise(hand, 5)
    assert hand.room == 4
    hand.keep(6)
    assert promise(hand, 10)


def test_a_site_that_stands_still_gets_a_small_share():
    hand = make(10_000)
    hand.take(leases(64, "slow.test"))
    assert not promise(hand, 1, "slow.test")
    assert not hand.promise(2, mail(1, "ok.test") + mail(1, "slow.test"), 0.0)
    assert promise(hand, 1, "ok.test")


def test_while_others_wait_a_project_is_promised_no_more_than_its_share():
    hand = make(100)
    hand.fell_short({}, frozenset({"prj_2", "prj_3"}))
    hand.take(leases(33))
    assert not promise(hand, 1)
    assert promise(hand, 1, project=OTHER)
    hand.fell_short({}, frozenset())
    assert promise(hand, 1)


def test_while_others_wait_a_part_of_the_hand_is_left_for_the_queue():
    hand = make(100)
    hand.fell_short({}, frozenset({"prj_3"}))
    hand.take([lease for n in range(3) for lease in leases(25, f"d{n}.test", project_id=f"prj_{n + 5}")])
    assert not promise(hand, 1)


@dataclass
class Suspended:
    subjects: set = field(default_factory=set)

    def find(self, *subject):
        return object() if self.subjects & set(subject) else None


def test_what_is_suspended_is_not_taken_in_hand():
    hand = make(100, Suspended({"x.test"}))
    assert not promise(hand, 1)
    assert promise(hand, 1, "y.test")


def test_a_site_that_fell_short_rings_when_half_of_it_is_settled():
    hand, held = make(10_000), leases(64, "slow.test")
    hand.take(held)
    site = hand._shaping.site("slow.test")
    assert not hand.fell_short({site: 64}, frozenset())
    told = [hand.give(lease, 0.0) for lease in held]
    assert told.count(True) == 1
    assert told.index(True) == 31


@pytest.mark.parametrize(("settled", "again"), [(64, True), (32, True), (31, False), (0, False)])
def test_what_was_settled_before_it_is_known_that_a_site_fell_short_calls_for_another_look(settled, again):
    hand, held = make(10_000), leases(64, "slow.test")
    hand.take(held)
    site = hand._shaping.site("slow.test")
    for lease in held[:settled]:
        hand.give(lease, 0.0)
    assert hand.fell_short({site: 64}, frozenset()) is again
    assert any(hand.give(lease, 0.0) for lease in held[settled:]) is not again


def test_a_site_of_which_nothing_is_in_hand_does_not_call_for_another_look():
    hand = make(10_000)
    assert not hand.fell_short({hand._shaping.site("slow.test"): 0}, frozenset())


@pytest.mark.parametrize("known", [True, False])
def test_what_is_counted_in_is_counted_out_where_it_was_counted(known):
    hand, held = make(100), leases(3)
    site = hand._shaping.site("mx.test") if known else hand._shaping.site("x.test")
    if known:
        hand._shaping.learn("prj_1", "x.test", "live", site)
    hand.take(held)
    assert site.held == 3
    hand._shaping.learn("prj_1", "x.test", "live", hand._shaping.site("elsewhere.test"))
    for lease in held:
        hand.give(lease, 0.0)
    assert (site.held, hand._shaping.site("elsewhere.test").held) == (0, 0)


class Hand(RuleBasedStateMachine):
    """Any order of promises, takes and gives."""

    @initialize(most=st.integers(1, 200))
    def begin(self, most):
        self.most, self.hand = most, make(most)
        self.turns = Turns(self.hand._shaping, None, CLOCK)
        self.held, self.promises, self.now_s, self.numbers = [], [], 0.0, Numbers()

    @rule(count=st.integers(1, 50), domain=st.sampled_from(["a.test", "b.test"]))
    def promise(self, count, domain):
        if promise(self.hand, count, domain, self.now_s):
            self.promises.append((count, domain))

    @precondition(lambda self: self.promises)
    @rule(kept=st.booleans())
    def end_promise(self, kept):
        count, domain = self.promises.pop()
        self.hand.keep(count)
        if kept:
            self.take(count, domain)

    @rule(share=st.floats(0, 1), domain=st.sampled_from(["a.test", "b.test", "c.test"]))
    def lease(self, share, domain):
        if room := self.hand.room:
            self.take(int(room * share), domain)

    def take(self, count, domain):
        new = self.numbers.leases(count, domain)
        self.hand.take(new)
        self.held += new

    @precondition(lambda self: self.held)
    @rule(count=st.integers(1, 100))
    def give(self, count):
        for _ in range(min(count, len(self.held))):
            self.hand.give(self.held.pop(), self.now_s)

    @rule(passed_s=st.floats(0, 5))
    def time_passes(self, passed_s):
        self.now_s += passed_s

    @invariant()
    def holds_what_was_taken_and_no_more_than_it_may(self):
        if hasattr(self, "hand"):
            assert self.hand.total == len(self.held) <= self.most
            assert 0 <= self.hand.room <= self.most - self.hand.total
            assert sum(site.held for site in self.hand._shaping) == len(self.held)

    def teardown(self):
        if hasattr(self, "hand"):
            for count, _ in self.promises:
                self.hand.keep(count)
            for lease in self.held:
                self.hand.give(lease, self.now_s)
            assert self.hand.room == self.most


TestAnyOrder = Hand.TestCase
TestAnyOrder.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
