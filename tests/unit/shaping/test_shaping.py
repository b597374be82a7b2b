"""All sites of a process: room, limits, learning, pins, and what survives."""

import msgspec
import pytest

from leases import make_lease
from postroad.model.attempt import Attempt, Phase, SmtpReply, Trouble
from postroad.model.clock import DAY, HOUR, MINUTE, SECOND, Instant
from postroad.model.delivery import State
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.shaping import Flow, Pin, What
from postroad.model.stream import StreamKind
from postroad.model.traffic import Measure, Traffic
from postroad.model.verdict import Verdict
from postroad.pipeline.shaping.limits import Limits, read_book
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.shaping.warming import WarmUp
from stores import START, StillClock

MAIL, NEWS = StreamKind.TRANSACTIONAL, StreamKind.BROADCAST


def build(text="", *, clock=None, **floor):
    book = read_book([("test.toml", text)], Limits(**floor))
    return Shaping(book, clock=clock or StillClock(), chance=lambda: 0.0, node="node_1")


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def shaping(clock):
    return build(clock=clock)


def an_attempt(*, code=None, enhanced=None, phase=Phase.DOT, trouble=None, site="mx.test"):
    reply = None if code is None else SmtpReply(code, "some words", enhanced)
    detail = "The connection was refused." if trouble else ""
    return Attempt(phase=phase, reply=reply, trouble=trouble, detail=detail, site=site, started_at=START,
                   finished_at=START)  # fmt: skip


def a_verdict(cls=Class.UNKNOWN, traffic=None):
    reason = Reason(
        cls=cls, permanence=Permanence.UNKNOWN, scope=Scope.DOMAIN, action=Action.RETRY, rule="x", detail=""
    )
    return Verdict(state=State.DEFERRED, reason=reason, failures=1, traffic=traffic)


def hear(shaping, attempt, verdict=None, kind=MAIL, lease=None):
    shaping.settled(lease or make_lease(), kind, attempt, verdict or a_verdict())


GOOD = an_attempt(code=250)
REFUSED = an_attempt(phase=Phase.CONNECT, trouble=Trouble.REFUSED)
THROTTLED = an_attempt(code=421, enhanced="4.7.28", phase=Phase.MAIL)


def test_a_site_that_is_not_known_yet_has_a_share(shaping, clock):
    site = shaping.site("mx.test")
    assert site.room(MAIL, "prj_1", clock.now(), 0.0) == 64
    for _ in range(60):
        site.take()
    assert site.room(MAIL, "prj_1", clock.now(), 0.0) == 4


def test_a_site_that_moves_may_have_in_hand_what_it_moved_in_a_second(clock):
    site = build(clock=clock, messages_per_second=10_000).site("mx.test")
    for _ in range(500):
        site.take()
    for _ in range(300):
        site.give(10.0)
    assert site.room(MAIL, "prj_1", clock.now(), 10.5) == 100
    assert site.room(MAIL, "prj_1", clock.now(), 13.0) == 0


def test_no_more_is_taken_than_the_rate_will_carry_soon(clock):
    site = build(clock=clock, messages_per_second=0.5).site("mx.test")
    assert site.room(MAIL, "prj_1", clock.now(), 0.0) == 1
    site.begin(site.kind(MAIL))
    site.messages.tokens = -1.0
    assert site.room(MAIL, "prj_1", clock.now(), 0.0) == 0
    assert site.wait_us(MAIL, clock.now(), 0.0) == 2 * SECOND


def test_where_mail_went_is_where_the_next_is_counted(shaping):
    assert shaping.find("prj_1", "x.test", "live").name == "x.test"
    hear(shaping, GOOD)
    assert shaping.find("prj_1", "x.test", "live").name == "mx.test"
    assert shaping.find("prj_2", "x.test", "live").name == "x.test"


def test_what_never_came_to_a_site_teaches_nothing(shaping):
    hear(shaping, an_attempt(phase=Phase.RESOLVE, trouble=Trouble.DNS_TIMEOUT, site=None))
    assert list(shaping) == []


def test_five_failures_to_connect_in_a_row_suspend_the_site_for_all_mail(shaping, clock):
    site = shaping.site("mx.test")
    for _ in range(4):
        hear(shaping, REFUSED)
    hear(shaping, GOOD)
    for _ in range(4):
        hear(shaping, REFUSED)
    assert site.room(MAIL, "prj_1", clock.now(), 0.0) > 0
    stopped = []
    shaping.on_stop(stopped.append)
    hear(shaping, REFUSED)
    assert stopped == ["mx.test"]
    assert site.room(MAIL, "prj_1", clock.now(), 0.0) == 0
    assert site.room(NEWS, "prj_2", clock.now(), 0.0) == 0
    assert site.wait_us(MAIL, clock.now(), 0.0) == MINUTE
    assert shaping.changes[-1].sentence == "Suspended for 1.0 minutes because: The connection was refused."


def test_after_the_pause_one_message_at_a_time_until_three_went_well(shaping, clock):
    site = shaping.site("mx.test")
    for _ in range(5):
        hear(shaping, REFUSED)
    clock.pass_by(MINUTE)
    assert site.room(MAIL, "prj_1", clock.now(), 60.0) == 1
    site.take()
    assert site.room(MAIL, "prj_1", clock.now(), 60.0) == 0
    assert site.may_begin(site.kind(MAIL), clock.now(), 60.0)
    site.begin(site.kind(MAIL))
    assert not site.may_begin(site.kind(MAIL), clock.now(), 60.0)
    site.end(site.kind(MAIL))
    site.give(60.0)
    for _ in range(3):
        hear(shaping, GOOD)
    assert site.room(MAIL, "prj_1", clock.now(), 60.0) > 1
    assert [change.what for change in shaping.changes] == [What.SUSPENDED, What.PROBING, What.RESUMED]


def test_a_probe_that_fails_doubles_the_pause(shaping, clock):
    site = shaping.site("mx.test")
    for _ in range(5):
        hear(shaping, REFUSED)
    clock.pass_by(MINUTE)
    assert site.room(MAIL, "prj_1", clock.now(), 60.0) == 1
    hear(shaping, REFUSED)
    assert site.wait_us(MAIL, clock.now(), 0.0) == 2 * MINUTE


def test_a_throttled_broadcast_does_not_slow_what_is_transactional(shaping, clock):
    site = shaping.site("mx.test")
    for _ in range(3):
        hear(shaping, THROTTLED, kind=NEWS)
    assert site.room(NEWS, "prj_1", clock.now(), 0.0) == 0
    assert site.room(MAIL, "prj_1", clock.now(), 0.0) > 0


def test_growth_is_one_entry_that_grows(shaping):
    for _ in range(100):
        hear(shaping, GOOD)
    assert [change.sentence for change in shaping.taken_changes()] == [
        "Raised from 5 to 10 connections: all went well."
    ]
    assert shaping.taken_changes() == []


def test_a_pin_holds_whatever_happens_and_goes_when_it_is_taken_away(shaping, clock):
    site = shaping.site("mx.test")
    pin = Pin(site="mx.test", limit="connections", value=3, author="cli", at=START)
    shaping.pin([pin])
    for _ in range(50):
        hear(shaping, GOOD)
    assert site.window(site.kind(MAIL), clock.now()) == 3
    hear(shaping, THROTTLED)
    assert site.window(site.kind(MAIL), clock.now()) == 3
    shaping.pin([])
    assert site.window(site.kind(MAIL), clock.now()) <= 3
    assert site.connections == 10


def test_other_limits_can_be_pinned_too(shaping):
    shaping.pin([Pin(site="mx.test", limit="messages_per_second", value=2, author="cli", at=START)])
    assert shaping.site("mx.test").limits.messages_per_second == 2.0


def test_nodes_share_the_limits_exactly():
    parts = []
    for rank in range(3):
        shaping = build(connections=10, messages_per_second=90)
        site = shaping.site("mx.test")
        shaping.divide(rank, 3)
        parts.append((site.connections, site.messages.rate))
    assert parts == [(4, 30.0), (3, 30.0), (3, 30.0)]


def test_a_node_without_a_part_of_a_small_limit_takes_none(clock):
    shaping = build(connections=2, clock=clock)
    shaping.divide(2, 3)
    assert shaping.site("mx.test").room(MAIL, "prj_1", clock.now(), 0.0) == 0


def test_a_domain_and_a_project_with_limits_of_their_own_count_apart():
    shaping = build('[domain."vip.test"]\nconnections = 1\n[project.prj_9.default]\nconnections = 2')
    assert shaping.site("google", domain="x.test", project="prj_1").name == "google"
    assert shaping.site("google", domain="vip.test", project="prj_1").name == "vip.test"
    apart = shaping.site("google", domain="x.test", project="prj_9")
    assert (apart.name, apart.connections) == ("google/prj_9", 2)
    assert shaping.site("google", pool="bulk").name == "google@bulk"


def traffic(measure, **changes):
    return Traffic(measure=measure, rule="test.rule", lasting=HOUR, **changes)


def test_a_rule_slows_a_site_down_for_its_time(shaping, clock):
    site = shaping.site("mx.test")
    hear(shaping, GOOD, a_verdict(traffic=traffic(Measure.SLOW_DOWN, connections=1, per_minute=6.0)))
    assert site.window(site.kind(MAIL), clock.now()) == 1
    assert site.messages.rate == pytest.approx(0.1)
    assert shaping.changes[-1].sentence == (
        "Slowed to 1 at a time and 6 a minute for 60 minutes by the rule test.rule."
    )
    clock.pass_by(HOUR)
    assert site.window(site.kind(MAIL), clock.now()) == 5
    assert site.messages.rate == 100.0


def test_a_rule_that_needs_several_replies_waits_for_them(shaping, clock):
    site = shaping.site("mx.test")
    verdict = a_verdict(traffic=traffic(Measure.SLOW_DOWN, connections=1, after=3, within=MINUTE))
    for _ in range(2):
        hear(shaping, GOOD, verdict)
    clock.pass_by(2 * MINUTE)
    hear(shaping, GOOD, verdict)
    assert site.slowness is None
    hear(shaping, GOOD, verdict)
    hear(shaping, GOOD, verdict)
    assert site.slowness is not None


@pytest.mark.parametrize("measure", [Measure.SUSPEND_SITE, Measure.SUSPEND_PROJECT])
def test_a_rule_that_suspends_has_it_written_down_and_acts_at_once(shaping, clock, measure):
    written = []
    shaping.suspend_by(lambda **given: written.append(given))
    hear(shaping, THROTTLED, a_verdict(traffic=traffic(measure)))
    site = shaping.site("mx.test")
    assert site.room(MAIL, "prj_1", clock.now(), 0.0) == 0
    assert (site.room(MAIL, "prj_2", clock.now(), 0.0) > 0) is (measure is Measure.SUSPEND_PROJECT)
    assert written[0]["site"] == "mx.test"
    assert written[0]["project"] == ("prj_1" if measure is Measure.SUSPEND_PROJECT else None)
    assert written[0]["until"] == clock.now() + HOUR
    assert written[0]["because"] == "421 4.7.28 some words"


def test_what_one_project_sets_off_is_not_counted_for_another(shaping, clock):
    verdict = a_verdict(traffic=traffic(Measure.SUSPEND_PROJECT, after=2, within=MINUTE))
    site = shaping.site("mx.test")
    for project in ("prj_1", "prj_2", "prj_3"):
        hear(shaping, GOOD, verdict, lease=make_lease(project_id=project))
    assert site.held_projects == {}
    hear(shaping, GOOD, verdict, lease=make_lease(project_id="prj_2"))
    assert list(site.held_projects) == ["prj_2"]


def test_what_was_learned_survives_a_restart(clock):
    before = build(clock=clock)
    for _ in range(100):
        hear(before, GOOD)
    for _ in range(3):
        hear(before, THROTTLED, kind=NEWS)
    hear(before, GOOD, a_verdict(traffic=traffic(Measure.SLOW_DOWN, per_minute=6.0)))
    memories = before.changed()
    assert before.changed() == {}
    after = build(clock=clock)
    after.recall(memories)
    site = after.site("mx.test")
    assert site.kind(MAIL).window == 10
    assert site.flow(site.kind(NEWS), clock.now()) is Flow.SUSPENDED
    assert site.messages.rate == pytest.approx(0.1)
    assert site.slowness is not None


def test_a_site_that_was_met_before_it_was_recalled_is_brought_up_to_date(clock):
    before = build(clock=clock)
    for _ in range(5):
        hear(before, REFUSED)
    after = build(clock=clock)
    site = after.site("mx.test")
    after.recall(before.changed())
    assert site.room(MAIL, "prj_1", clock.now(), 0.0) == 0


def test_sites_that_nobody_uses_are_forgotten_but_not_those_in_trouble(shaping, clock):
    hear(shaping, GOOD)
    for _ in range(5):
        hear(shaping, an_attempt(phase=Phase.CONNECT, trouble=Trouble.REFUSED, site="dead.test"))
    shaping.forget(Instant(START + HOUR + 1))
    assert [site.name for site in shaping] == ["dead.test"]
    assert shaping.find("prj_1", "x.test", "live").name == "dead.test"


def test_other_limits_are_taken_without_losing_what_was_learned(shaping):
    for _ in range(100):
        hear(shaping, GOOD)
    shaping.reload(read_book([("new.toml", '[site."mx.test"]\nconnections = 4')], Limits()))
    site = shaping.site("mx.test")
    assert (site.connections, site.kind(MAIL).window) == (4, 4)


def test_new_connections_are_counted_by_the_minute():
    site = build(connections_per_minute=2).site("mx.test")
    for _ in range(2):
        assert site.may_dial(0.0)
        site.dial()
    assert not site.may_dial(0.0)
    assert site.wait_s() == pytest.approx(30.0)
    assert not site.may_dial(29.0)
    assert site.may_dial(31.0)


# --- warm-up ---------------------------------------------------------------------------------------------------------


def warming(clock, part=1):
    since = Instant(START // DAY * DAY)
    shaping = Shaping(read_book([], Limits()), clock=clock, chance=lambda: 0.0, warm_ups={"": WarmUp(since, (2, 5))})
    shaping.divide(0, part)
    return shaping


def test_a_new_address_sends_a_little_more_each_day_until_it_is_warm(clock):
    shaping = warming(clock)
    site = shaping.site("mx.test")
    rooms = []
    for _ in range(3):
        rooms.append(site.room(MAIL, "prj_1", clock.now(), 0.0))
        hear(shaping, GOOD)
    assert rooms == [2, 1, 0]
    assert shaping.changes[0].sentence == "Warming up: 2 messages may go there today."
    wait = site.wait_us(MAIL, clock.now(), 0.0)
    assert (clock.now() + wait) % DAY == 0
    clock.pass_by(wait)
    assert site.room(MAIL, "prj_1", clock.now(), 0.0) == 5
    clock.pass_by(DAY)
    assert site.room(MAIL, "prj_1", clock.now(), 0.0) == 64


def test_what_was_sent_today_survives_a_restart(clock):
    before = warming(clock)
    hear(before, GOOD)
    after = warming(clock)
    after.recall(before.changed())
    assert after.site("mx.test").room(MAIL, "prj_1", clock.now(), 0.0) == 1


def test_what_was_not_sent_does_not_count(clock):
    shaping = warming(clock)
    hear(shaping, an_attempt(phase=Phase.CONNECT, trouble=Trouble.HANDED_BACK))
    assert shaping.site("mx.test").room(MAIL, "prj_1", clock.now(), 0.0) == 2


def test_nodes_share_the_day(clock):
    assert warming(clock, 2).site("mx.test").room(MAIL, "prj_1", clock.now(), 0.0) == 1


def test_what_a_source_learns_is_its_own(shaping):
    attempt = msgspec.structs.replace(GOOD, source="second")
    hear(shaping, attempt)
    assert shaping.find("prj_1", "x.test", "live").name == "mx.test@second"


def test_a_long_reply_is_told_up_to_where_it_is_cut(shaping):
    reply = SmtpReply(421, "Much mail. " * 40, "4.7.28")
    hear(shaping, msgspec.structs.replace(THROTTLED, reply=reply))
    told = shaping.changes[-1].sentence.partition("because: ")[2]
    assert told.startswith("421 4.7.28 Much mail.")
    assert told.endswith("….")
    assert len(told) <= 201


def test_the_full_stop_of_a_reply_is_not_doubled(shaping):
    hear(shaping, msgspec.structs.replace(THROTTLED, reply=SmtpReply(421, "Slow down.", "4.7.28")))
    assert shaping.changes[-1].sentence.endswith("because: 421 4.7.28 Slow down.")
