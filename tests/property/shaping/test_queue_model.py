"""Queue, leases and controller together, in any order: what may never happen, and what must go on happening.

A store with real lines and leases, real shaping and turns; the world is what answers. The model knows for each delivery
whether it has ended, and asks after each step that limits held and nothing was lost.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from postroad.model.attempt import Attempt, Phase, SmtpReply, Trouble
from postroad.model.clock import DAY, HOUR, MINUTE, SECOND, Instant
from postroad.model.delivery import Hold, State
from postroad.model.event import EventType
from postroad.model.ids import ProjectId
from postroad.model.project import Project
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.shaping import Flow, Pin
from postroad.model.stream import PRECEDENCE, StreamKind
from postroad.model.verdict import Verdict
from postroad.pipeline.in_hand import InHand
from postroad.pipeline.shaping.limits import Book, Limits
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.turns import Turns
from postroad.store import audit, bulk, projects
from postroad.store.database import Database
from postroad.store.deliveries import LeaseRequest, take
from postroad.store.messages import accept
from postroad.store.settlements import Settlement, settle
from stores import START, CountingMint, StillClock, acceptance, new_message, prepare

SITES = ("a.test", "b.test")
LIMITS = Limits(connections=6, start=2, messages_per_second=50.0)
HERE = Hold(node="n1", boot="b1", duration=HOUR)
GOOD, REFUSED, THROTTLED, BLOCKED, BROKEN = "good", "refused", "throttled", "blocked", "broken"
_template: list[Path] = []


def template() -> Path:
    if not _template:
        path = Path(tempfile.mkdtemp()) / "template.db"
        prepare(f"sqlite:///{path}")
        _template.append(path)
    return _template[0]


def an_attempt(how: str, site: str, at: Instant) -> Attempt:
    facts = {
        GOOD: {"phase": Phase.DOT, "reply": SmtpReply(250, "ok")},
        REFUSED: {"phase": Phase.CONNECT, "trouble": Trouble.REFUSED},
        THROTTLED: {"phase": Phase.MAIL, "reply": SmtpReply(421, "slow down", "4.7.28")},
        BLOCKED: {"phase": Phase.RCPT, "reply": SmtpReply(550, "blocked", "5.7.1")},
        BROKEN: {"phase": Phase.BODY, "trouble": Trouble.CLOSED},
    }[how]
    return Attempt(site=site, started_at=at, finished_at=at, **facts)


def a_verdict(how: str, lease, now: Instant) -> Verdict:
    ends = how in (GOOD, BLOCKED)
    state = State.DELIVERED if how == GOOD else State.BOUNCED if how == BLOCKED else State.DEFERRED
    reason = Reason(
        cls=Class.UNKNOWN, permanence=Permanence.UNKNOWN, scope=Scope.DOMAIN, action=Action.RETRY, rule="x", detail=""
    )
    return Verdict(
        state=state,
        reason=reason,
        next_at=None if ends else Instant(now + 5 * MINUTE),
        failures=lease.failures + 1,
        event=EventType.DELIVERED if ends else None,
    )


class Road(RuleBasedStateMachine):
    """Mail of several projects and kinds to two sites, which answer as they like."""

    @initialize()
    def begin(self):
        self.place = Path(tempfile.mkdtemp())
        shutil.copy(template(), self.place / "store.db")
        self.database = Database(f"sqlite:///{self.place / 'store.db'}", pace_s=0)
        self.clock = StillClock()
        self.mints = CountingMint(self.clock)
        self.projects = []
        for number in range(2):
            made = Project(id=ProjectId(self.mints("prj")), name=f"p{number}", created_at=START)
            entry = audit.Entry(project_id=made.id, at=START, actor="t", action="x", subject=made.id)
            self.database.write_now(lambda c, made=made, entry=entry: projects.insert(c, made, entry))
            self.projects.append(made)
        self.shaping = Shaping(Book(LIMITS), clock=self.clock, chance=lambda: 0.5)
        self.turns = Turns(self.shaping, None, self.clock)
        self.hand = InHand(40, self.shaping, None, self.clock)
        self.held = []
        self.accepted = self.ended = 0
        self.pin = None

    @property
    def now_s(self):
        return (self.clock.now() - START) / SECOND

    @rule(
        count=st.sampled_from([1, 5, 40]),
        site=st.sampled_from(SITES),
        project=st.integers(0, 1),
        kind=st.sampled_from(PRECEDENCE),
    )
    def mail_comes(self, count, site, project, kind):
        owner = self.projects[project]
        made = []
        for number in range(count):
            new = new_message(
                self.mints, owner, f"r{number}@{site}", at=self.clock.now(),
                expires_at=Instant(self.clock.now() + 30 * DAY), stream=kind.value,
            )  # fmt: skip
            made.append(type(new)(new.message, new.deliveries, new.content, place=PRECEDENCE.index(kind)))
        self.database.write_now(lambda c: accept(c, [acceptance(owner, *made, at=self.clock.now())]))
        self.accepted += count

    @rule()
    def mail_is_taken(self):
        limit = min(self.hand.room, 20)
        if not limit:
            return
        request = LeaseRequest(
            now=self.clock.now(), limit=limit, hold=HERE, choose=lambda: self.turns.choose(self.now_s)
        )
        before = {site: (self.flow(site), self.shaping.site(site).held) for site in SITES}
        taken = self.database.write_now(lambda c: take(c, request))
        self.hand.take(taken.leases)
        self.held += taken.leases
        for site, (flow, held) in before.items():
            mine = self.shaping.site(site).held
            if flow is Flow.SUSPENDED:
                assert mine == held, "nothing is taken for a site that is suspended"
            if flow is Flow.PROBING and mine > held:
                assert mine == 1, "a probe is one message"

    def flow(self, name):
        """How the site flows for whoever asks next, without asking."""
        breakers = [self.shaping.site(name).breaker]
        breakers += [each.breaker for each in self.shaping.site(name).kinds.values()]
        now = self.clock.now()
        if any(each.flow is Flow.SUSPENDED and each.until > now for each in breakers[:1]):
            return Flow.SUSPENDED
        shut = [each for each in breakers[:1] if each.flow is not Flow.FLOWING]
        return Flow.PROBING if shut else Flow.FLOWING

    @precondition(lambda self: self.held)
    @rule(
        how=st.sampled_from([GOOD, GOOD, REFUSED, REFUSED, THROTTLED, BLOCKED, BROKEN]),
        count=st.sampled_from([1, 8, 20]),
    )
    def attempts_end(self, how, count):
        for lease in self.held[:count]:
            site = self.shaping.site(lease.domain)
            kind = StreamKind(lease.stream)
            controller = site.kind(kind)
            began = site.may_begin(controller, self.clock.now(), self.now_s)
            if began:
                site.begin(controller)
                assert site.busy <= site.connections
                site.end(controller)
                attempt = an_attempt(how, lease.domain, self.clock.now())
                verdict = a_verdict(how, lease, self.clock.now())
            else:
                attempt = an_attempt(REFUSED, lease.domain, self.clock.now())
                attempt = Attempt(
                    phase=Phase.CONNECT, trouble=Trouble.HANDED_BACK, site=lease.domain,
                    started_at=self.clock.now(), finished_at=self.clock.now(),
                )  # fmt: skip
                verdict = Verdict(
                    state=State.QUEUED, reason=a_verdict(GOOD, lease, self.clock.now()).reason,
                    next_at=self.clock.now(), failures=lease.failures,
                )  # fmt: skip
            self.shaping.settled(lease, kind, attempt, verdict)
            done = Settlement(lease=lease, verdict=verdict, at=self.clock.now(), attempt=attempt)
            assert self.database.write_now(lambda c, done=done: settle(c, [done])) == [True]
            self.hand.give(lease, self.now_s)
            self.ended += verdict.state in (State.DELIVERED, State.BOUNCED)
        del self.held[:count]

    @rule(seconds=st.sampled_from([0.1, 1.0, 30.0, 61.0, 600.0]))
    def time_passes(self, seconds):
        self.clock.pass_by(int(seconds * SECOND))

    @rule(value=st.integers(1, 6))
    def somebody_pins(self, value):
        self.pin = value
        self.shaping.pin([Pin(site="a.test", limit="connections", value=value, author="cli", at=START)])

    @rule()
    def somebody_unpins(self):
        self.pin = None
        self.shaping.pin([])

    @rule(rank=st.integers(0, 1), nodes=st.integers(1, 2))
    def nodes_come_and_go(self, rank, nodes):
        self.shaping.divide(min(rank, nodes - 1), nodes)

    @invariant()
    def every_window_lies_between_one_and_the_limit(self):
        if not hasattr(self, "shaping"):
            return
        for site in self.shaping:
            for controller in site.kinds.values():
                assert 1 <= controller.window <= max(site.connections, 1)
                window = site.window(controller, self.clock.now())
                assert 0 <= window <= site.connections
                if window == 0 and site.connections:
                    breakers = (site.breaker, controller.breaker)
                    assert any(each.flow is Flow.SUSPENDED for each in breakers), "never below one probe but in a pause"

    @invariant()
    def a_pin_stays(self):
        if hasattr(self, "shaping") and self.pin is not None and self.shaping.known("a.test"):
            limits, _ = self.shaping.limits_of("a.test")
            assert limits.connections == self.pin

    @invariant()
    def pauses_end(self):
        if hasattr(self, "shaping"):
            for site in self.shaping:
                for breaker in [site.breaker, *[each.breaker for each in site.kinds.values()]]:
                    if breaker.flow is Flow.SUSPENDED:
                        assert breaker.until - self.clock.now() <= 36 * MINUTE

    @invariant()
    def nothing_is_lost_or_taken_twice(self):
        if hasattr(self, "database"):
            rows = dict(self.database.read_now(
                lambda c: bulk.run(c, "SELECT state, count(*) FROM deliveries GROUP BY state")
            ))  # fmt: skip
            assert sum(rows.values()) == self.accepted
            assert rows.get("sending", 0) == len(self.held) == self.hand.total
            assert rows.get("delivered", 0) + rows.get("bounced", 0) == self.ended

    def teardown(self):
        """Once the sites are well again, everything gets out in the end."""
        if not hasattr(self, "database"):
            return
        try:
            self.shaping.divide(0, 1)
            for _ in range(400):
                if self.ended == self.accepted:
                    break
                self.mail_is_taken()
                if self.held:
                    self.attempts_end(GOOD, len(self.held))
                self.clock.pass_by(MINUTE)
            assert self.ended == self.accepted, "what was accepted is delivered when the sites allow it"
        finally:
            self.database.close()
            shutil.rmtree(self.place)


TestRoad = Road.TestCase
TestRoad.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
