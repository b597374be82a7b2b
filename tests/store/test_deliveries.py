"""The queue: nothing is leased twice, nothing is lost, and an old lease changes nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from postroad.model.attempt import Attempt, Phase, SmtpReply, Trouble
from postroad.model.clock import HOUR, MINUTE, Instant, after
from postroad.model.delivery import TERMINAL, Hold, Lease, State
from postroad.model.event import EventType
from postroad.model.ids import SuppressionId
from postroad.model.project import Project
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.verdict import Verdict
from postroad.store import bulk, events, projects
from postroad.store.audit import Entry
from postroad.store.database import Database
from postroad.store.deliveries import LeaseRequest, hand_back, lease, next_due, reclaim
from postroad.store.messages import accept
from postroad.store.settlements import Settlement, settle
from stores import START, CountingMint, StillClock, acceptance, new_message, state_of

HERE = Hold(node="n1", boot="b1", duration=HOUR)
THERE = Hold(node="n2", boot="b1", duration=HOUR)
REASON = Reason(
    cls=Class.ACCEPTED, permanence=Permanence.PERMANENT, scope=Scope.RECIPIENT, action=Action.NONE, rule="r", detail="d"
)


def rows(database: Database, statement: str, *values: object) -> list[tuple[Any, ...]]:
    return database.read_now(lambda c: bulk.run(c, statement, values))


def fill(database: Database, mints: CountingMint, project: Project, count: int, **options: Any) -> list[str]:
    new = [new_message(mints, project, f"r{n}@d{n % 3}.test", **options) for n in range(count)]
    database.write_now(lambda c: accept(c, [acceptance(project, each) for each in new]))
    return [delivery.id for each in new for delivery in each.deliveries]


def take(
    database: Database, *, now: Instant = START, limit: int = 100, hold: Hold = HERE, without: tuple[str, ...] = ()
) -> list[Lease]:
    request = LeaseRequest(now=now, limit=limit, hold=hold, without_domains=frozenset(without))
    return database.write_now(lambda c: lease(c, request))


def attempt(phase: Phase = Phase.DOT, reply: SmtpReply | None = None, trouble: Trouble | None = None) -> Attempt:
    return Attempt(phase=phase, reply=reply, trouble=trouble, started_at=START, finished_at=after(START, 1))


DELIVERED = attempt(reply=SmtpReply(250, "ok"))


def ended(
    taken: Lease, state: State = State.DELIVERED, tried: Attempt | None = DELIVERED, **verdict: Any
) -> Settlement:
    event = verdict.pop("event", EventType.DELIVERED)
    suppression = SuppressionId("sup_1") if verdict.get("suppress") else None
    made = Verdict(**{"state": state, "reason": REASON, "failures": taken.failures, "event": event, **verdict})
    return Settlement(lease=taken, verdict=made, at=after(START, 2), attempt=tried, suppression_id=suppression)


def finish(database: Database, *settlements: Settlement) -> list[bool]:
    return database.write_now(lambda c: settle(c, list(settlements)))


def types(database: Database, project: Project) -> list[str]:
    return [event.type.value for event in database.read_now(lambda c: events.feed(c, project.id, after=0, limit=1000))]


# --- lease -----------------------------------------------------------------------------------------------------------


def test_a_lease_carries_all_that_sending_needs_and_opens_an_attempt(
    database: Database, project: Project, mints: CountingMint
) -> None:
    (delivery,) = fill(database, mints, project, 1)
    (taken,) = take(database)
    assert (taken.delivery_id, taken.token, taken.attempt, taken.failures) == (delivery, 1, 1, 0)
    assert (taken.sender, taken.header_id, taken.content, taken.first_due_at) == (
        "from@shop.test", "1@shop.test", b"content", START,
    )  # fmt: skip
    assert rows(database, "SELECT state, lease_node, next_at FROM deliveries") == [
        ("sending", "n1", START + 15 * MINUTE)
    ]
    assert rows(database, "SELECT number, node, finished_at FROM attempts") == [(1, "n1", None)]


def test_what_is_leased_is_not_leased_again(database: Database, project: Project, mints: CountingMint) -> None:
    made = fill(database, mints, project, 5)
    first, second = take(database, limit=3), take(database, limit=3)
    assert sorted(x.delivery_id for x in first + second) == made
    assert take(database) == []


def test_the_oldest_due_are_leased_first_and_none_before_its_time(
    database: Database, project: Project, mints: CountingMint
) -> None:
    late = fill(database, mints, project, 1, send_at=after(START, HOUR))
    fill(database, mints, project, 1, send_at=after(START, 2 * HOUR))
    now = fill(database, mints, project, 1)
    assert [x.delivery_id for x in take(database)] == now
    assert database.read_now(lambda c: next_due(c, START)) == START + HOUR
    assert [x.delivery_id for x in take(database, now=after(START, 3 * HOUR), limit=1)] == late


def test_domains_without_room_are_left_out(database: Database, project: Project, mints: CountingMint) -> None:
    fill(database, mints, project, 6)
    assert {x.domain for x in take(database, without=("d0.test", "d2.test"))} == {"d1.test"}


def test_a_paused_project_is_not_leased_until_it_is_resumed(
    database: Database, project: Project, mints: CountingMint
) -> None:
    fill(database, mints, project, 1)
    entry = Entry(project_id=project.id, at=START, actor="test", action="x", subject=project.id)
    database.write_now(lambda c: projects.pause(c, project.id, START, entry))
    assert take(database) == []
    database.write_now(lambda c: projects.resume(c, project.id, entry))
    assert len(take(database)) == 1


def test_a_suppression_between_accept_and_lease_ends_it_there(
    database: Database, project: Project, mints: CountingMint
) -> None:
    gone, kept = fill(database, mints, project, 2)
    database.write_now(
        lambda c: bulk.run(
            c,
            "INSERT INTO suppressions (id, project_id, scope, folded, address, cause, author, created_at) "
            "VALUES ('sup_1', ?, 'transactional', 'r0@d0.test', 'r0@d0.test', 'unsubscribe', 'system', ?)",
            (project.id, START),
        )
    )
    assert [x.delivery_id for x in take(database)] == [kept]
    assert state_of(database, gone) == "suppressed"
    assert types(database, project)[-1] == "message.suppressed"
    assert rows(database, "SELECT next_at, lease_node FROM deliveries WHERE id = ?", gone) == [(None, None)]


async def test_nodes_never_lease_the_same_delivery(
    another: Callable[[], Database], database: Database, project: Project, mints: CountingMint
) -> None:
    made = fill(database, mints, project, 600)
    nodes = [database, another(), another(), another()]

    async def drain(node: Database, name: str) -> list[str]:
        mine: list[str] = []
        hold = Hold(node=name, boot="b", duration=HOUR)
        while leases := await node.write(lambda c: lease(c, LeaseRequest(now=START, limit=7, hold=hold))):
            assert len(leases) <= 7
            mine += [x.delivery_id for x in leases]
        return mine

    shares = await asyncio.gather(*[drain(node, f"n{n}") for n, node in enumerate(nodes)])
    taken = [delivery for share in shares for delivery in share]
    assert len(taken) == len(set(taken))
    left = [x.delivery_id for x in take(database, limit=1000)]  # passed over while another held it
    assert sorted(taken + left) == made
    assert rows(database, "SELECT DISTINCT lease_token, attempts FROM deliveries") == [(1, 1)]


# --- settle ----------------------------------------------------------------------------------------------------------


def test_a_settlement_writes_state_attempt_and_event(database: Database, project: Project, mints: CountingMint) -> None:
    fill(database, mints, project, 1)
    (taken,) = take(database)
    assert finish(database, ended(taken)) == [True]
    assert rows(database, "SELECT state, next_at, lease_until, lease_node FROM deliveries") == [
        ("delivered", None, None, None)
    ]
    assert rows(database, "SELECT outcome, finished_at FROM attempts") == [("delivered", START + 1)]
    last = database.read_now(lambda c: events.feed(c, project.id, after=0, limit=10))[-1]
    assert last.type is EventType.DELIVERED
    assert last.data["attempt"]["smtp"] == {"code": 250, "text": "ok", "enhanced": None}


def test_a_deferral_comes_back_when_it_is_due_and_is_told_as_counted(
    database: Database, project: Project, mints: CountingMint
) -> None:
    fill(database, mints, project, 1)
    (taken,) = take(database)
    again = after(START, 5 * MINUTE)
    tried = attempt(Phase.RCPT, SmtpReply(451, "later"))
    finish(database, ended(taken, State.DEFERRED, tried, next_at=again, failures=1, event=EventType.DEFERRED))
    assert take(database, now=after(again, -1)) == []
    (second,) = take(database, now=again)
    assert (second.token, second.attempt, second.failures, second.noticed_at) == (2, 2, 1, START + 2)
    assert second.reason == REASON


def test_an_old_lease_changes_nothing_but_the_log(database: Database, project: Project, mints: CountingMint) -> None:
    fill(database, mints, project, 1)
    (old,) = take(database)
    ((new, holder),) = database.write_now(
        lambda c: reclaim(c, now=START, hold=Hold(node="n1", boot="b2", duration=HOUR), limit=10, own=True)
    )
    assert (new.token, new.attempt, holder) == (2, 1, "n1")
    before = rows(database, "SELECT * FROM deliveries"), rows(database, "SELECT * FROM attempts")
    assert finish(database, ended(old, State.BOUNCED, suppress=True)) == [False]
    database.write_now(lambda c: hand_back(c, [old], START))
    assert (rows(database, "SELECT * FROM deliveries"), rows(database, "SELECT * FROM attempts")) == before
    assert rows(database, "SELECT count(*) FROM suppressions") == [(0,)]
    assert types(database, project)[-1] == "message.duplicate_suspected"
    assert finish(database, ended(new)) == [True]


def test_an_old_lease_counts_for_nothing_in_one_commit_with_the_new_one_too(
    database: Database, project: Project, mints: CountingMint
) -> None:
    fill(database, mints, project, 1)
    (old,) = take(database)
    again = after(START, MINUTE)
    ((lapsed, _),) = database.write_now(
        lambda c: reclaim(c, now=START, hold=Hold(node="n1", boot="b2", duration=HOUR), limit=10, own=True)
    )
    finish(database, ended(lapsed, State.DEFERRED, None, next_at=again, event=None))
    (new,) = take(database, now=again)
    assert finish(database, ended(old, State.BOUNCED, suppress=True), ended(new)) == [False, True]
    assert rows(database, "SELECT state FROM deliveries") == [("delivered",)]
    assert rows(database, "SELECT count(*) FROM suppressions") == [(0,)]
    assert types(database, project)[-2:] == ["message.duplicate_suspected", "message.delivered"]


def test_a_settlement_whose_commit_came_through_unseen_is_not_suspected_when_it_runs_again(
    database: Database, project: Project, mints: CountingMint
) -> None:
    fill(database, mints, project, 1)
    (taken,) = take(database)
    assert finish(database, ended(taken)) == [True]
    told = types(database, project)
    assert finish(database, ended(taken)) == [False]
    assert types(database, project) == told


def test_an_old_lease_that_sent_nothing_leaves_no_trace(
    database: Database, project: Project, mints: CountingMint
) -> None:
    fill(database, mints, project, 1)
    (old,) = take(database)
    finish(database, ended(old))
    told = types(database, project)
    refused = attempt(Phase.RCPT, SmtpReply(550, "no"))
    assert finish(database, ended(old, State.BOUNCED, refused, event=EventType.BOUNCED)) == [False]
    assert types(database, project) == told
    assert state_of(database, old.delivery_id) == "delivered"


def test_a_bounce_suppresses_once_with_its_evidence(database: Database, project: Project, mints: CountingMint) -> None:
    both = [new_message(mints, project, "gone@x.test") for _ in range(2)]
    database.write_now(lambda c: accept(c, [acceptance(project, *both)]))
    first, second = take(database)
    bounced = [ended(x, State.BOUNCED, event=EventType.BOUNCED, suppress=True) for x in (first, second)]
    finish(database, bounced[0], msgspec.structs.replace(bounced[1], suppression_id=SuppressionId("sup_2")))
    found = rows(database, "SELECT id, folded, scope, cause, delivery_id, evidence FROM suppressions")
    assert [row[:5] for row in found] == [("sup_1", "gone@x.test", "*", "bounce", first.delivery_id)]
    assert msgspec.json.decode(found[0][5], type=Reason) == REASON


def test_an_attempt_in_doubt_marks_the_delivery(database: Database, project: Project, mints: CountingMint) -> None:
    fill(database, mints, project, 1)
    (taken,) = take(database)
    lost = attempt(Phase.DOT, None, Trouble.CLOSED)
    verdict = {"next_at": START, "failures": 1, "in_doubt": True, "event": EventType.IN_DOUBT}
    finish(database, ended(taken, State.DEFERRED, lost, **verdict))
    (again,) = take(database)
    assert again.in_doubt == 1
    last = database.read_now(lambda c: events.feed(c, project.id, after=0, limit=10))[-1]
    assert (last.type, last.data["possible_duplicate"]) == (EventType.IN_DOUBT, True)


# --- hand back and reclaim -------------------------------------------------------------------------------------------


def test_what_is_handed_back_is_due_at_once_and_costs_no_failure(
    database: Database, project: Project, mints: CountingMint
) -> None:
    fill(database, mints, project, 1)
    database.write_now(lambda c: hand_back(c, take_in(c), START))
    (again,) = take(database)
    assert (again.attempt, again.failures, again.token) == (2, 0, 2)
    assert rows(database, "SELECT number, outcome FROM attempts ORDER BY number") == [(1, "handed_back"), (2, None)]


def take_in(connection: Any) -> list[Lease]:
    return lease(connection, LeaseRequest(now=START, limit=10, hold=HERE))


def test_a_node_takes_back_what_its_earlier_run_held_and_nothing_else(
    database: Database, project: Project, mints: CountingMint
) -> None:
    mine, theirs = fill(database, mints, project, 2)
    assert len(take(database, limit=1)) == len(take(database, limit=1, hold=THERE)) == 1
    reborn = Hold(node="n1", boot="b2", duration=HOUR)
    found = database.write_now(lambda c: reclaim(c, now=START, hold=reborn, limit=10, own=True))
    assert [(x.delivery_id, holder) for x, holder in found] == [(mine, "n1")]
    assert database.write_now(lambda c: reclaim(c, now=START, hold=reborn, limit=10, own=True)) == []
    assert state_of(database, theirs) == "sending"


def test_a_lapsed_lease_is_taken_over_and_one_that_holds_is_not(
    database: Database, project: Project, mints: CountingMint, clock: StillClock
) -> None:
    held, lapsed = fill(database, mints, project, 2)
    take(database, limit=1)
    take(database, limit=1, hold=Hold(node="n2", boot="b1", duration=-1))
    found = database.write_now(lambda c: reclaim(c, now=START, hold=HERE, limit=10, own=False))
    assert [(x.delivery_id, holder, x.attempt) for x, holder in found] == [(lapsed, "n2", 1)]
    assert database.write_now(lambda c: reclaim(c, now=START, hold=HERE, limit=10, own=False)) == []
    assert state_of(database, held) == "sending"


def test_two_nodes_never_take_over_the_same_lease(
    another: Callable[[], Database], database: Database, project: Project, mints: CountingMint
) -> None:
    made = fill(database, mints, project, 200)
    take(database, limit=200, hold=Hold(node="dead", boot="b", duration=-1))
    nodes, meeting = [another(), another()], threading.Barrier(2)
    found: list[list[str]] = [[], []]

    def work(n: int) -> None:
        hold = Hold(node=f"n{n}", boot="b", duration=HOUR)
        meeting.wait(10)
        while some := nodes[n].write_now(lambda c: reclaim(c, now=START, hold=hold, limit=9, own=False)):
            found[n] += [x.delivery_id for x, _ in some]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found[0] + found[1]) == made


# --- anything at all -------------------------------------------------------------------------------------------------


class Queue(RuleBasedStateMachine):
    """Two nodes that lease, settle, hand back, die and take over in any order, against what must always hold."""

    database: Database
    project: Project
    mints: CountingMint

    @initialize(count=st.integers(1, 6))
    def begin(self, count: int) -> None:
        self.database.write_now(lambda c: bulk.run(c, "UPDATE deliveries SET state = 'canceled'"))
        self.now = START
        self.held: dict[str, list[Lease]] = {"n1": [], "n2": []}
        self.ended: dict[str, str] = {}
        self.tokens: dict[str, int] = {}
        self.made = fill(self.database, self.mints, self.project, count)

    @rule(node=st.sampled_from(["n1", "n2"]), limit=st.integers(1, 3))
    def leases(self, node: str, limit: int) -> None:
        taken = take(self.database, now=self.now, limit=limit, hold=Hold(node=node, boot="b", duration=HOUR))
        for x in taken:
            if x.delivery_id not in self.made:
                continue
            assert x.delivery_id not in self.ended
            assert x.token > self.tokens.get(x.delivery_id, 0)
            self.tokens[x.delivery_id] = x.token
            self.held[node].append(x)

    @precondition(lambda self: self.held["n1"] or self.held["n2"])
    @rule(data=st.data(), state=st.sampled_from([State.DELIVERED, State.BOUNCED, State.DEFERRED]))
    def settles(self, data: st.DataObject, state: State) -> None:
        taken = data.draw(st.sampled_from(self.held["n1"] + self.held["n2"]))
        next_at = after(self.now, MINUTE) if state is State.DEFERRED else None
        (good,) = finish(self.database, ended(taken, state, next_at=next_at, event=None))
        assert good == (taken.token == self.tokens[taken.delivery_id] and taken.delivery_id in self._out())
        if good:
            self._drop(taken)
            if state in TERMINAL:
                self.ended[taken.delivery_id] = state.value

    @precondition(lambda self: self.held["n1"] or self.held["n2"])
    @rule(data=st.data())
    def hands_back(self, data: st.DataObject) -> None:
        taken = data.draw(st.sampled_from(self.held["n1"] + self.held["n2"]))
        self.database.write_now(lambda c: hand_back(c, [taken], self.now))
        if taken.token == self.tokens[taken.delivery_id]:
            self._drop(taken)

    @rule(heir=st.sampled_from(["n1", "n2"]))
    def takes_over(self, heir: str) -> None:
        hold = Hold(node=heir, boot="b2", duration=HOUR)
        for x, _ in self.database.write_now(lambda c: reclaim(c, now=self.now, hold=hold, limit=10, own=True)):
            if x.delivery_id in self.made:
                assert x.token == self.tokens[x.delivery_id] + 1
                self.tokens[x.delivery_id] = x.token
                self.held[heir].append(x)

    @rule(minutes=st.integers(0, 90))
    def time_passes(self, minutes: int) -> None:
        self.now = after(self.now, minutes * MINUTE)

    @invariant()
    def an_end_is_final(self) -> None:
        for delivery, state in getattr(self, "ended", {}).items():
            assert state_of(self.database, delivery) == state

    def _out(self) -> set[str]:
        return {x.delivery_id for share in self.held.values() for x in share if self.tokens[x.delivery_id] == x.token}

    def _drop(self, taken: Lease) -> None:
        for share in self.held.values():
            share[:] = [x for x in share if x != taken]


def test_whatever_nodes_do_tokens_grow_and_ends_are_final(
    database: Database, project: Project, mints: CountingMint
) -> None:
    class Here(Queue):
        pass

    Here.database, Here.project, Here.mints = database, project, mints
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 200])
def test_any_number_of_settlements_is_applied(
    database: Database, project: Project, mints: CountingMint, count: int
) -> None:
    fill(database, mints, project, count)
    leases = take(database, limit=1000)
    assert finish(database, *[ended(x) for x in leases]) == [True] * count
    assert rows(database, "SELECT count(*) FROM deliveries WHERE state = 'delivered'") == [(count,)]
