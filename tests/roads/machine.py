"""What may happen on the road, in any order, and what must hold after each step.

Two nodes share a store; sites answer as they like; nodes die, lose their leases to each other and come back; operators
pin and suspend.
"""

from __future__ import annotations

import sys
from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from postroad.model.clock import MINUTE, SECOND, Instant
from postroad.model.delivery import CRASH_BACKOFF, State
from postroad.model.event import EventType
from postroad.model.ids import SuspensionId
from postroad.model.shaping import Pin
from postroad.model.stream import PRECEDENCE
from postroad.model.suspension import ANY, Suspension, SuspensionCause
from postroad.store import bulk, suspensions
from roads.nodes import LEASE, MOST
from roads.parts import ALL_MAIL, AWAY, BROKEN, GOOD, SIGNALS, SITES, THROTTLED, Parts
from stores import START

NODES = st.integers(0, 1)


class Road(Parts, RuleBasedStateMachine):
    """Any order of what may happen to the parts."""

    def __init__(self) -> None:
        super().__init__()
        self.open()

    @initialize(count=st.sampled_from([0, 4, 12]), kind=st.sampled_from(PRECEDENCE))
    def everybody_has_mail(self, count, kind):
        for project in range(3 if count else 0):
            self.accept(count, SITES[project % 2], project, kind, 0, None)

    @precondition(lambda self: len(self.rows) < ALL_MAIL)
    @rule(
        count=st.sampled_from([1, 5, 20]),
        site=st.sampled_from(SITES),
        project=st.integers(0, 2),
        kind=st.sampled_from(PRECEDENCE),
        later=st.sampled_from([0, 0, 0, MINUTE]),
        offered=st.sampled_from([None, None, 0, 1]),
    )
    def mail_comes(self, count, site, project, kind, later, offered):
        self.accept(count, site, project, kind, later, offered)

    @precondition(lambda self: self.rows)
    @rule(node=NODES, limit=st.sampled_from([2, 7, 20]))
    def mail_is_taken(self, node, limit):
        self.take(self.nodes[node], limit)

    @precondition(lambda self: self.rows)
    @rule(node=NODES)
    def mail_is_taken_one_by_one(self, node):
        for _ in range(4):
            self.take(self.nodes[node], 1)

    @precondition(lambda self: self.rows)
    @rule(node=NODES, how=st.sampled_from([GOOD, *SIGNALS]), count=st.sampled_from([1, 3, 20]))
    def a_node_works(self, node, how, count):
        """It takes what it can, begins what it may, and some of that ends."""
        self.take(self.nodes[node], 20)
        self.begin(self.nodes[node])
        self.end(self.nodes[node], how, count)

    @precondition(lambda self: self.rows)
    @rule(
        node=NODES,
        how=st.sampled_from([AWAY, THROTTLED, BROKEN]),
        after=st.sampled_from([0, 70 * SECOND, 5 * MINUTE]),
    )
    def sites_are_in_trouble(self, node, how, after):
        """All that is tried ends alike, until there is a pause, and perhaps the pause ends."""
        for _ in range(6):
            self.take(self.nodes[node], 7)
            self.begin(self.nodes[node])
            self.end(self.nodes[node], how, 20)
            self.clock.pass_by(3 * SECOND)
        self.clock.pass_by(after)
        self.begin(self.nodes[node])

    @precondition(lambda self: any(node.held for node in self.nodes))
    @rule(node=NODES)
    def attempts_begin(self, node):
        self.begin(self.nodes[node])

    @precondition(lambda self: any(node.begun for node in self.nodes))
    @rule(node=NODES, how=st.sampled_from([GOOD, *SIGNALS]), count=st.sampled_from([1, 3, 20]))
    def attempts_end(self, node, how, count):
        self.end(self.nodes[node], how, count)

    @precondition(lambda self: self.told)
    @rule(which=st.integers(0, 11))
    def an_end_is_told_again(self, which):
        """As after a commit whose answer was lost."""
        self.settle([self.told[which % len(self.told)]])

    @precondition(lambda self: any(node.held for node in self.nodes))
    @rule(node=NODES)
    def mail_is_handed_back(self, node):
        self.hand_back(self.nodes[node])

    # --- nodes --------------------------------------------------------------------------------------------------------

    @precondition(lambda self: all(node.up for node in self.nodes))
    @rule(node=NODES)
    def a_node_dies(self, node):
        died = self.nodes[node if self.nodes[node].in_hand else 1 - node]
        died.up, died.held, died.begun = False, [], []
        self.deal()

    @precondition(lambda self: not all(node.up for node in self.nodes))
    @rule()
    def a_node_comes_back(self):
        self.start_all()

    @rule(node=NODES)
    def lapsed_leases_are_taken_over(self, node):
        """And what lapsed while this one itself had it in hand."""
        if self.nodes[node].up:
            self.reclaim(self.nodes[node], own=False)

    @precondition(lambda self: any(node.in_hand for node in self.nodes))
    @rule(node=NODES, again=st.booleans())
    def a_node_stands_still_until_its_leases_have_lapsed(self, node, again):
        """The other takes over what it has in hand; with `again` it leases that anew, and both end together."""
        node = node if self.nodes[node].in_hand else 1 - node
        self.clock.pass_by(LEASE + SECOND)
        if self.nodes[1 - node].up:
            self.reclaim(self.nodes[1 - node], own=False)
        if again:
            self.clock.pass_by(CRASH_BACKOFF)
            self.take(self.nodes[node], 20)
            self.nodes[node].held.sort(key=lambda lease: (lease.delivery_id, lease.token))
            self.begin(self.nodes[node])
            self.end(self.nodes[node], GOOD, 20)

    # --- people and time ----------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.1, 1.0, 30.0, 61.0, 600.0]))
    def time_passes(self, seconds):
        self.clock.pass_by(int(seconds * SECOND))

    @rule(site=st.sampled_from(SITES), value=st.sampled_from([1, 2, 4, 6, None]))
    def somebody_pins(self, site, value):
        kept = [pin for pin in self.pins if pin.site != site]
        new = [] if value is None else [Pin(site=site, limit="connections", value=value, author="cli", at=START)]
        self.pin(kept + new)

    @precondition(lambda self: not self.suspended)
    @rule(
        site=st.sampled_from([*SITES, ANY]),
        project=st.sampled_from([0, 1, None]),
        kind=st.sampled_from([*PRECEDENCE, None]),
        lasting=st.sampled_from([None, 2 * MINUTE]),
        node=NODES,
    )
    def somebody_suspends(self, site, project, kind, lasting, node):
        """And mail that this concerns comes in right behind it."""
        now = self.clock.now()
        made = Suspension(
            id=SuspensionId(self.mints("sus")), site=site, stream=ANY if kind is None else kind.value,
            project_id=ANY if project is None else self.projects[project].id, cause=SuspensionCause.OPERATOR,
            reason="x", author="cli", created_at=now, until=None if lasting is None else Instant(now + lasting),
        )  # fmt: skip
        self.database.write_now(lambda c: suspensions.put(c, made))
        self.suspended[made.site, made.project_id, made.stream] = made
        self.read_suspensions()
        self.accept(1, SITES[0] if site == ANY else site, project or 0, kind or PRECEDENCE[0], 0, node)

    @precondition(lambda self: self.suspended)
    @rule()
    def all_is_resumed(self):
        self.resume()

    # --- what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def the_store_is_as_it_was_left(self):
        self.check_rows()

    @invariant()
    def every_end_is_told_once(self):
        types = (EventType.DELIVERED.value, EventType.BOUNCED.value, EventType.DUPLICATE_SUSPECTED.value)
        text = "SELECT delivery_id, type, count(*) FROM events WHERE type IN (?, ?, ?) GROUP BY 1, 2"
        found = {(row[0], row[1]): row[2] for row in self.database.read_now(lambda c: bulk.run(c, text, types))}
        wanted = {(each.id, f"message.{each.state}"): 1 for each in self.rows.values() if each.ended}
        wanted |= {(each.id, types[2]): each.suspected for each in self.rows.values() if each.suspected}
        assert found == wanted, "every end is told once, and every copy too many"

    @invariant()
    def an_attempt_is_open_while_somebody_is_at_it(self):
        text = "SELECT delivery_id, number FROM attempts WHERE finished_at IS NULL"
        found = sorted(tuple(row) for row in self.database.read_now(lambda c: bulk.run(c, text)))
        wanted = sorted((each.id, each.attempts) for each in self.rows.values() if each.state is State.SENDING)
        assert found == wanted, "an attempt is open while somebody is at it"

    @invariant()
    def what_is_in_hand_is_counted(self):
        for node in self.nodes:
            if not node.up:
                continue
            assert node.hand.total == len(node.in_hand) <= MOST, "a node knows what it has in hand"
            held, begun = Counter(x.domain for x in node.in_hand), Counter(x.domain for x in node.begun)
            for site in node.shaping:
                assert site.held == held[site.name], "a site knows what is in hand for it"
                assert site.busy == begun[site.name], "a site knows what is under way to it"

    @invariant()
    def limits_hold(self):
        now = self.clock.now()
        for node in self.nodes:
            for site in node.shaping if node.up else ():
                assert site.connections == node.share(site.name, self.pins), "a site has the node's share of its limit"
                for controller in site.kinds.values():
                    assert 1 <= controller.window <= max(site.connections, 1), "a window lies within the limit"
                    assert site.window(controller, now) <= site.connections, "nobody gets more than the limit"
            for until in node.pauses() if node.up else ():
                assert now < until <= now + 36 * MINUTE, "a pause ends"

    def teardown(self):
        """Once the sites are well again, everything gets out in the end."""
        try:
            if sys.exc_info()[0] is None:
                self.drain()
                self.the_store_is_as_it_was_left()
                self.every_end_is_told_once()
        finally:
            self.close()
