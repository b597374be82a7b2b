"""What a node has in hand: bounded, and no domain that stands still keeps the others out."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from leases import make_lease
from postroad.pipeline.in_hand import InHand


def leases(count, domain="x.test"):
    return [make_lease(domain=domain) for _ in range(count)]


def test_an_empty_hand_has_room_for_all_it_may_hold():
    assert InHand(100).room == 100


def test_room_is_not_offered_until_it_is_worth_a_lease():
    hand = InHand(100)
    hand.take(leases(75))
    assert hand.room == 25
    hand.take(leases(1))
    assert hand.room == 0


def test_a_hand_that_was_full_says_when_there_is_room_again():
    hand, held = InHand(100), [lease for n in range(100) for lease in leases(1, f"d{n}.test")]
    hand.take(held)
    assert hand.room == 0
    told = [hand.give(lease, 0.0) for lease in held]
    assert told.index(True) == 24
    assert told.count(True) == 1
    assert hand.total == 0


def test_a_promise_keeps_its_room_until_it_ends():
    hand = InHand(10)
    assert hand.promise(6, ["x.test"])
    assert not hand.promise(5, ["x.test"])
    assert hand.room == 4
    hand.keep(6)
    assert hand.promise(10, ["x.test"])


def test_a_domain_that_stands_still_gets_a_small_share():
    hand = InHand(10_000)
    assert hand.full(0.0) == ()
    hand.take(leases(63, "slow.test"))
    assert hand.full(0.0) == ()
    hand.take(leases(1, "slow.test"))
    assert hand.full(0.0) == ("slow.test",)
    assert not hand.promise(1, ["ok.test", "slow.test"])
    assert hand.promise(1, ["ok.test"])


def test_a_domain_that_moves_may_have_as_many_as_it_moved_in_a_second():
    hand, held = InHand(10_000), leases(500, "fast.test")
    hand.take(held)
    for lease in held[:300]:
        hand.give(lease, 10.0)
    assert hand.full(10.5) == ()
    hand.take(leases(100, "fast.test"))
    assert hand.full(10.5) == ("fast.test",)
    assert hand.full(11.2) == ("fast.test",)
    for lease in held[300:]:
        hand.give(lease, 11.3)
    assert hand.full(11.4) == ()


def test_what_moved_long_ago_does_not_count():
    hand, held = InHand(10_000), leases(300, "once.test")
    hand.take(held)
    for lease in held[:200]:
        hand.give(lease, 10.0)
    assert hand.full(10.9) == ()
    assert hand.full(13.0) == ("once.test",)


def test_a_domain_that_was_held_back_rings_when_half_its_share_is_free():
    hand, held = InHand(10_000), leases(64, "slow.test")
    hand.take(held)
    assert hand.full(0.0) == ("slow.test",)
    told = [hand.give(lease, 0.0) for lease in held]
    assert told.count(True) == 1
    assert told.index(True) == 31


class Hand(RuleBasedStateMachine):
    """Any order of promises, takes and gives."""

    @initialize(most=st.integers(1, 200))
    def begin(self, most):
        self.most, self.hand = most, InHand(most)
        self.held, self.promises, self.now_s = [], [], 0.0

    @rule(count=st.integers(1, 50), domain=st.sampled_from(["a.test", "b.test"]))
    def promise(self, count, domain):
        if self.hand.promise(count, [domain]):
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
        room = self.hand.room
        if room and domain not in self.hand.full(self.now_s):
            self.take(int(room * share), domain)

    def take(self, count, domain):
        new = leases(count, domain)
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

    def teardown(self):
        if hasattr(self, "hand"):
            for count, _ in self.promises:
                self.hand.keep(count)
            for lease in self.held:
                self.hand.give(lease, self.now_s)
            assert self.hand.room == self.most
            assert self.hand.full(self.now_s) == ()


TestAnyOrder = Hand.TestCase
TestAnyOrder.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
