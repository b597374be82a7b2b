"""The model of queue, leases and controller can fail: for each law, a break of the real parts that it must find.

A break is made here and nowhere else, for the time of one test. Each is one that a change could make by accident, and
each must be found by the law that it breaks, in a few stories that are the same in every run.
"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from postroad.model.clock import MINUTE
from postroad.model.shaping import Flow
from postroad.pipeline import turns
from postroad.pipeline.in_hand import InHand
from postroad.pipeline.shaping.breaker import Breaker
from postroad.pipeline.shaping.controller import Controller
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.shaping.site import Site
from postroad.pipeline.suspensions import Suspensions, Waiting
from postroad.store import bulk, deliveries, settlements
from roads.machine import Road

SEARCH = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    print_blob=False,
)

take, settle = deliveries.take, settlements.settle
reclaim, hand_back = deliveries.reclaim, deliveries.hand_back


def a_settlement_does_not_look_at_the_token(patch):
    def broken(connection, given):
        names = [s.lease.delivery_id for s in given]
        found = bulk.select_in(connection, "SELECT id, lease_token FROM deliveries WHERE id IN (:values)", names)
        tokens = dict(tuple(row) for row in found)
        replace = msgspec.structs.replace
        return settle(
            connection,
            [replace(s, lease=replace(s.lease, token=tokens[s.lease.delivery_id])) for s in given],
        )

    patch.setattr(settlements, "settle", broken)


def settlements_of_one_commit_go_by_the_delivery_alone(patch):
    def broken(connection, given):
        answers = settle(connection, given)
        good = {s.lease.delivery_id for s, answer in zip(given, answers, strict=True) if answer}
        return [s.lease.delivery_id in good for s in given]

    patch.setattr(settlements, "settle", broken)


def a_terminal_state_may_change(patch):
    def broken(connection, given):
        for s in given:
            text = "UPDATE deliveries SET state = 'sending' WHERE id = ? AND lease_token = ?"
            bulk.run(connection, text, (s.lease.delivery_id, s.lease.token))
        return settle(connection, given)

    patch.setattr(settlements, "settle", broken)


def an_end_is_not_told(patch):
    patch.setattr(settlements, "_events", lambda s, good: [])


def a_lease_that_is_taken_over_keeps_its_token(patch):
    def broken(connection, **given):
        taken = reclaim(connection, **given)
        for lease, _ in taken:
            text = "UPDATE deliveries SET lease_token = lease_token - 1 WHERE id = ?"
            bulk.run(connection, text, (lease.delivery_id,))
        return [(msgspec.structs.replace(x, token=x.token - 1), holder) for x, holder in taken]

    patch.setattr(deliveries, "reclaim", broken)


def leases_are_taken_over_before_they_lapse(patch):
    def broken(connection, *, now, **given):
        return reclaim(connection, now=now if given["own"] else now + 4 * MINUTE, **given)

    patch.setattr(deliveries, "reclaim", broken)


def a_node_forgets_what_it_held_when_it_died(patch):
    patch.setattr(deliveries, "reclaim", lambda c, *, own, **given: [] if own else reclaim(c, own=own, **given))


def mail_in_hand_is_leased_again(patch):
    def broken(connection, request):
        text = "UPDATE deliveries SET state = 'queued', next_at = ? WHERE state = 'sending'"
        bulk.run(connection, text, (request.now,))
        return take(connection, request)

    patch.setattr(deliveries, "take", broken)


def mail_is_leased_before_its_time(patch):
    def broken(connection, request):
        hold = msgspec.structs.replace(request.hold, ahead=10 * MINUTE)
        return take(connection, msgspec.structs.replace(request, now=request.now + 10 * MINUTE, hold=hold))

    patch.setattr(deliveries, "take", broken)


def mail_that_is_handed_back_loses_its_next_attempt(patch):
    def broken(connection, leases, now):
        hand_back(connection, leases, now)
        for lease in leases:
            bulk.run(connection, "UPDATE deliveries SET next_at = NULL WHERE id = ?", (lease.delivery_id,))

    patch.setattr(deliveries, "hand_back", broken)


def a_deferral_loses_its_next_attempt(patch):
    row = settlements._settled_row
    patch.setattr(settlements, "_settled_row", lambda s: (*row(s)[:3], None, *row(s)[4:]))


def what_is_suspended_is_leased(patch):
    patch.setattr(Suspensions, "find", lambda *_: None)
    patch.setattr(Suspensions, "waiting", lambda _: Waiting())


def what_is_suspended_is_leased_at_the_door(patch):
    patch.setattr(InHand, "_waits", lambda *_: False)


def a_suspension_is_never_over(patch):
    # what waits for a site is asked for by a name that is never free again
    patch.setattr(turns.Choosing, "_most", lambda self, line: 0 if line.parked else 1 << 30)


def the_controller_raises_when_it_is_asked_for_less(patch):
    def broken(self, now, chance, because):
        self.window += 1

    patch.setattr(Controller, "throttled", broken)


def the_controller_never_pauses(patch):
    patch.setattr(Controller, "_open", lambda *_: None)


def a_site_that_is_away_is_asked_on_and_on(patch):
    patch.setattr(Site, "unreachable", lambda *_: None)


def a_pause_never_ends(patch):
    patch.setattr(Breaker, "look", lambda *_: False)


def a_site_that_is_tried_again_gets_all_its_mail(patch):
    window = Site.window

    def broken(self, controller, now):
        return self.connections if self.flow(controller, now) is Flow.PROBING else window(self, controller, now)

    patch.setattr(Site, "window", broken)


def a_pin_holds_for_new_sites_only(patch):
    pin = Shaping.pin

    def broken(self, pins):
        reset, self._reset = self._reset, lambda: None
        pin(self, pins)
        self._reset = reset

    patch.setattr(Shaping, "pin", broken)


def each_node_takes_the_whole_limit(patch):
    patch.setattr(Shaping, "divide", lambda *_: None)


def connections_under_way_are_not_counted(patch):
    patch.setattr(Site, "may_begin", lambda self, controller, now, now_s: self.messages.fill(now_s) >= 1)


def the_rate_does_not_count(patch):
    def broken(self, controller, now, now_s):
        return self.busy < self.connections and controller.busy < self.window(controller, now)

    patch.setattr(Site, "may_begin", broken)


def what_was_settled_stays_in_hand(patch):
    patch.setattr(Site, "give", lambda *_: None)


def the_last_project_gets_no_turn(patch):
    rank = turns.Choosing._rank

    def broken(self, kind, found):
        ranked = rank(self, kind, found)
        return ranked[:-1] if len(ranked) > 1 else ranked

    patch.setattr(turns.Choosing, "_rank", broken)


def the_turn_begins_with_the_same_project_each_time(patch):
    rank = turns.Choosing._rank

    def broken(self, kind, found):
        self.served.pop(kind, None)
        return rank(self, kind, found)

    patch.setattr(turns.Choosing, "_rank", broken)


def broadcast_goes_first(patch):
    patch.setattr(turns, "PRECEDENCE", turns.PRECEDENCE[::-1])


BREAKS = [
    (a_settlement_does_not_look_at_the_token, "counts if and only if|every end is told once"),
    (settlements_of_one_commit_go_by_the_delivery_alone, "counts if and only if"),
    (a_terminal_state_may_change, "counts if and only if|an end is final"),
    (an_end_is_not_told, "every end is told once"),
    (a_lease_that_is_taken_over_keeps_its_token, "a token of its own"),
    (leases_are_taken_over_before_they_lapse, "and no more"),
    (a_node_forgets_what_it_held_when_it_died, "what nobody will settle is taken over"),
    (mail_in_hand_is_leased_again, "in nobody's hands|has its part"),
    (mail_is_leased_before_its_time, "only what is due|but for next_at"),
    (mail_that_is_handed_back_loses_its_next_attempt, "but for next_at"),
    (a_deferral_loses_its_next_attempt, "but for next_at"),
    (what_is_suspended_is_leased, "what is suspended is not leased"),
    (what_is_suspended_is_leased_at_the_door, "what is suspended is not leased"),
    (a_suspension_is_never_over, "gets out when the sites allow it"),
    (the_controller_raises_when_it_is_asked_for_less, "trouble never adds connections|within the limit"),
    (the_controller_never_pauses, "too much trouble makes a pause"),
    (a_site_that_is_away_is_asked_on_and_on, "too much trouble makes a pause"),
    (a_pause_never_ends, "a pause ends"),
    (a_site_that_is_tried_again_gets_all_its_mail, "one message at a time"),
    (a_pin_holds_for_new_sites_only, "the node's share"),
    (each_node_takes_the_whole_limit, "the node's share|than the rate allows"),
    (connections_under_way_are_not_counted, "no more connections than|that is shut"),
    (the_rate_does_not_count, "than the rate allows"),
    (what_was_settled_stays_in_hand, "what is in hand for it"),
    (the_last_project_gets_no_turn, "each project has its part|is passed over"),
    (the_turn_begins_with_the_same_project_each_time, "is passed over"),
    (broadcast_goes_first, "goes first|has its part"),
]


@pytest.mark.parametrize(("apply", "law"), BREAKS, ids=[apply.__name__ for apply, _ in BREAKS])
def test_the_model_finds_that(apply, law, monkeypatch):
    apply(monkeypatch)
    with pytest.raises(AssertionError, match=law):
        run_state_machine_as_test(Road, settings=SEARCH)
