"""The queue as operators see and change it, on both engines."""

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from postroad.model.clock import HOUR, MINUTE, Instant
from postroad.model.delivery import Hold, State
from postroad.model.errors import Refused
from postroad.model.event import EventType
from postroad.model.ids import DeliveryId, ProjectId
from postroad.model.project import Project
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.verdict import Verdict
from postroad.store import audit, events, queue, queue_changes, sites
from postroad.store.database import Database
from postroad.store.deliveries import LeaseRequest, lease
from postroad.store.messages import accept
from postroad.store.queue import LIVE, Filter, Grouping, Queued
from postroad.store.queue_changes import Change, QueueAction
from postroad.store.settlements import Settlement, kept_back_by, settle
from stores import START, CountingMint, StillClock, acceptance, new_message, state_of

LATER = Instant(START + HOUR)
EVERYTHING = Filter()
FULL = Reason(
    cls=Class.MAILBOX_FULL,
    permanence=Permanence.TRANSIENT,
    scope=Scope.RECIPIENT,
    action=Action.RETRY,
    rule="enhanced.2.2",
    detail="The mailbox is full.",
)
Send = Callable[..., list[str]]


@pytest.fixture
def send(database: Database, project: Project, mints: CountingMint) -> Send:
    """Accepts messages and returns the identifiers of their deliveries."""

    def accepted(*recipients: str, **options: object) -> list[str]:
        made = new_message(mints, project, *recipients, **options)
        database.write_now(lambda c: accept(c, [acceptance(project, made)]))
        return [each.id for each in made.deliveries]

    return accepted


def take(database: Database, count: int, at: Instant = START) -> list:
    hold = Hold(node="n", boot="b", duration=HOUR)
    return database.write_now(lambda c: lease(c, LeaseRequest(now=at, limit=count, hold=hold)))


def end(database: Database, taken: list, state: State, reason: Reason, next_at: Instant | None = None) -> None:
    verdict = Verdict(state=state, reason=reason, failures=1, next_at=next_at)
    done = [Settlement(lease=each, verdict=verdict, at=START, attempt=None) for each in taken]
    database.write_now(lambda c: settle(c, done))


def every(database: Database, wanted: Filter = EVERYTHING, **options: int) -> list[Queued]:
    """Return all that fits, page by page."""
    found: list[Queued] = []
    after: str | None = ""
    while after is not None:
        page = database.read_now(lambda c, after=after: queue.page(c, wanted, after=after, **options))
        found += page.found
        after = page.next
    return found


def names(found: list[Queued]) -> list[str]:
    return [each.delivery.id for each in found]


def change(database: Database, action: QueueAction, chosen: list[Queued], at: Instant = LATER, note: str = "") -> int:
    wanted = Change(
        action=action, chosen=chosen, at=at, author="cli", note=note, operation="qop_1", asked={"site": "x"}
    )
    return database.write_now(lambda c: queue_changes.change(c, wanted))


@pytest.fixture
def mixed(database: Database, send: Send) -> dict[State, str]:
    """One delivery in each state of the queue, and one that has ended."""
    (sending,) = send("sending@a.test")
    take(database, 1)
    (deferred,) = send("deferred@b.test")
    end(database, take(database, 1), State.DEFERRED, FULL, LATER)
    (held,) = send("held@a.test")
    end(database, take(database, 1), State.HELD, FULL)
    (delivered,) = send("delivered@a.test")
    end(database, take(database, 1), State.DELIVERED, FULL)
    (queued,) = send("queued@a.test")
    (scheduled,) = send("scheduled@b.test", send_at=Instant(START + 2 * HOUR), stream="broadcast")
    return {
        State.SENDING: sending, State.QUEUED: queued, State.DEFERRED: deferred, State.SCHEDULED: scheduled,
        State.HELD: held, State.DELIVERED: delivered,
    }  # fmt: skip


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize("look", [1, 3, 1000])
def test_the_queue_is_listed_whole_in_its_order(
    database: Database, mixed: dict[State, str], limit: int, look: int
) -> None:
    found = every(database, limit=limit, look=look)
    order = (State.SENDING, State.QUEUED, State.DEFERRED, State.SCHEDULED, State.HELD)
    assert names(found) == [mixed[state] for state in order]
    assert [each.delivery.state for each in found] == list(order)
    assert found[2].delivery.reason == FULL


@pytest.mark.parametrize(
    ("wanted", "states"),
    [
        (Filter(domain="B.test"), (State.DEFERRED, State.SCHEDULED)),
        (Filter(stream="broadcast"), (State.SCHEDULED,)),
        (Filter(states=(State.HELD, State.QUEUED)), (State.QUEUED, State.HELD)),
        (Filter(reason_class=Class.MAILBOX_FULL), (State.DEFERRED, State.HELD)),
        (Filter(accepted_before=START), ()),
        (Filter(accepted_before=Instant(START + 1), states=(State.QUEUED,)), (State.QUEUED,)),
        (Filter(due_after=Instant(LATER - 1), states=(State.DEFERRED, State.QUEUED)), (State.DEFERRED,)),
        (Filter(site="b.test"), (State.DEFERRED, State.SCHEDULED)),
        (Filter(project_id=ProjectId("prj_other")), ()),
        (Filter(recipient="Held@a.test"), (State.HELD,)),
    ],
)
def test_all_that_is_asked_for_must_hold(
    database: Database, mixed: dict[State, str], wanted: Filter, states: tuple[State, ...]
) -> None:
    assert names(every(database, wanted, limit=2, look=2)) == [mixed[state] for state in states]


def test_a_message_and_a_recipient_are_found_wherever_they_stand(
    database: Database, project: Project, send: Send
) -> None:
    for n in range(5):
        send(f"other{n}@a.test")
    both = send("ann@a.test", "bob@a.test")
    message = every(database, Filter(recipient="ann@a.test"))[0].delivery.message_id
    assert set(names(every(database, Filter(message_id=message), limit=1, look=1))) == set(both)
    narrow = Filter(recipient="bob@a.test", project_id=project.id)
    assert names(every(database, narrow, limit=10, look=1)) == both[1:]


def test_a_site_is_all_the_domains_that_roll_up_to_it(database: Database, mixed: dict[State, str]) -> None:
    database.write_now(lambda c: sites.note(c, {"a.test": "google.com", "b.test": "google.com"}, START))
    assert len(every(database, Filter(site="google.com"))) == 5
    assert every(database, Filter(site="a.test")) == []
    assert {each.site for each in every(database)} == {"google.com"}


def test_a_cursor_of_somebody_elses_is_refused(database: Database) -> None:
    for cursor in ("x", "4.0.", "1.x.dlv_1", "1.0.dlv 1", "1"):
        with pytest.raises(Refused):
            database.read_now(lambda c, cursor=cursor: queue.page(c, Filter(), after=cursor))


def test_what_is_in_the_queue_is_counted(database: Database, project: Project, mixed: dict[State, str]) -> None:
    def counted(by: Grouping, wanted: Filter = EVERYTHING) -> list[tuple[str, int]]:
        groups, complete = database.read_now(lambda c: queue.counts(c, wanted, by))
        assert complete
        return [(group.name, group.total) for group in groups]

    assert counted(Grouping.DOMAIN) == [("a.test", 3), ("b.test", 2)]
    assert counted(Grouping.SITE, Filter(states=(State.HELD,))) == [("a.test", 1)]
    assert counted(Grouping.PROJECT) == [("default", 5)]
    assert counted(Grouping.STREAM) == [("transactional", 4), ("broadcast", 1)]
    assert dict(counted(Grouping.STATE)) == dict.fromkeys(LIVE, 1)
    assert counted(Grouping.CLASS) == [("none", 3), ("mailbox_full", 2)]
    groups, complete = database.read_now(lambda c: queue.counts(c, Filter(), Grouping.DOMAIN, most=1))
    assert not complete
    assert groups[0].next_at == START
    (held,), _ = database.read_now(lambda c: queue.counts(c, Filter(states=(State.HELD,)), Grouping.STATE))
    assert (held.next_at, held.oldest_at) == (None, START)
    assert database.read_now(lambda c: queue.count_sending(c, Filter(domain="a.test", states=(State.HELD,)))) == 1
    assert database.read_now(lambda c: queue.count_sending(c, Filter(domain="b.test"))) == 0


def test_one_is_shown_in_the_queue_or_not(database: Database, project: Project, mixed: dict[State, str]) -> None:
    for state, name in mixed.items():
        found = database.read_now(lambda c, name=name: queue.one(c, DeliveryId(name), project.id))
        assert found is not None
        assert found.delivery.state is state
    assert database.read_now(lambda c: queue.one(c, DeliveryId(mixed[State.HELD]), ProjectId("prj_2"))) is None


@pytest.mark.parametrize(
    ("action", "after", "kind"),
    [
        (QueueAction.HOLD, State.HELD, EventType.HELD),
        (QueueAction.CANCEL, State.CANCELED, EventType.CANCELED),
        (QueueAction.BOUNCE, State.BOUNCED, EventType.BOUNCED),
    ],
)
def test_what_waits_is_stopped_and_told(
    database: Database, project: Project, mixed: dict[State, str], action: QueueAction, after: State, kind: EventType
) -> None:
    last = database.read_now(events.last_seq)
    chosen = every(database)
    count = change(database, action, chosen, note="a mistake")
    touched = [s for s in mixed if s in queue_changes.ACTS_ON[action]]
    assert count == len(touched)
    for state, name in mixed.items():
        assert state_of(database, name) == (after if state in touched else state)
    told = database.read_now(lambda c: events.feed(c, project.id, after=last, limit=100))
    assert [each.type for each in told] == [kind] * count
    assert "a mistake" in str(told[0].data["reason"])
    assert change(database, action, chosen) == 0
    (entry,) = database.read_now(lambda c: audit.entries(c, project.id, limit=1))
    assert (entry.action, entry.subject, entry.data["count"]) == (f"queue.{action}", "qop_1", count)
    assert entry.data["note"] == "a mistake"


def test_what_is_held_goes_on_with_the_time_it_lost(database: Database, send: Send, mixed: dict[State, str]) -> None:
    change(database, QueueAction.HOLD, every(database), at=START)
    before = {each.delivery.id: each.delivery for each in every(database)}
    assert change(database, QueueAction.RELEASE, every(database, Filter(states=(State.HELD,)))) == 4
    after = {each.delivery.id: each.delivery for each in every(database)}
    scheduled, queued = mixed[State.SCHEDULED], mixed[State.QUEUED]
    assert (after[scheduled].state, after[scheduled].next_at) == (State.SCHEDULED, START + 2 * HOUR)
    assert (after[queued].state, after[queued].next_at) == (State.QUEUED, LATER)
    assert after[queued].expires_at == before[queued].expires_at + HOUR
    assert after[queued].reason == before[queued].reason
    assert after[mixed[State.SENDING]] == before[mixed[State.SENDING]]


def test_what_is_requeued_is_due_now_and_keeps_its_reason(database: Database, mixed: dict[State, str]) -> None:
    at = Instant(START + MINUTE)
    chosen = every(database, Filter(states=(State.DEFERRED, State.SCHEDULED)))
    assert change(database, QueueAction.REQUEUE, chosen, at=at) == 2
    found = {each.delivery.id: each for each in every(database)}
    deferred = found[mixed[State.DEFERRED]]
    assert (deferred.delivery.state, deferred.delivery.next_at) == (State.DEFERRED, at)
    assert (deferred.delivery.reason, deferred.reason_class) == (FULL, "mailbox_full")
    assert found[mixed[State.SCHEDULED]].delivery.state is State.QUEUED


def test_what_a_worker_took_meanwhile_is_left_alone(database: Database, send: Send) -> None:
    (name,) = send("ann@a.test")
    seen = every(database)
    taken = take(database, 1)
    assert change(database, QueueAction.CANCEL, seen) == 0
    end(database, taken, State.DEFERRED, FULL, LATER)
    assert change(database, QueueAction.CANCEL, seen) == 0
    assert state_of(database, name) == "deferred"


def test_the_class_behind_an_end_of_ours_is_kept(clock: StillClock) -> None:
    expired = replace(FULL, cls=Class.EXPIRED, evidence={"last_class": "mailbox_full"})
    assert kept_back_by(expired) == "mailbox_full"
    assert kept_back_by(replace(expired, evidence={})) == "expired"
    assert kept_back_by(msgspec.structs.replace(expired, cls=Class.POLICY)) == "policy"
