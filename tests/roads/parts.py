"""The parts at work, and the model beside them: each step here does one thing with the real parts and checks it.

Every assertion has a sentence of its own, which names the law that was broken.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from postroad.model.attempt import Attempt, Phase, SmtpReply, Trouble
from postroad.model.clock import DAY, MINUTE, SECOND, Instant
from postroad.model.delivery import CRASH_BACKOFF, Lease, State
from postroad.model.event import EventType
from postroad.model.ids import ProjectId
from postroad.model.project import Project
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.shaping import Flow, Pin
from postroad.model.stream import PRECEDENCE, StreamKind
from postroad.model.suspension import Suspension
from postroad.model.verdict import Verdict
from postroad.pipeline.shaping.signals import Signal
from postroad.store import audit, bulk, deliveries, messages, projects, settlements, suspensions
from postroad.store.database import Database
from roads.expected import COLUMNS, Expected, compare
from roads.nodes import LEASE, MOST, Node
from stores import START, CountingMint, StillClock, acceptance, new_message, prepare

SITES = ("a.test", "b.test")
GOOD, AWAY, THROTTLED, BLOCKED, BROKEN, DOUBT = "good", "away", "throttled", "blocked", "broken", "doubt"
SIGNALS = {
    GOOD: Signal.GOOD, AWAY: Signal.UNREACHABLE, THROTTLED: Signal.THROTTLED, BLOCKED: Signal.BLOCKED,
    BROKEN: Signal.BROKEN, DOUBT: Signal.BROKEN,
}  # fmt: skip
FACTS = {
    GOOD: {"phase": Phase.DOT, "reply": SmtpReply(250, "ok")},
    AWAY: {"phase": Phase.CONNECT, "trouble": Trouble.REFUSED},
    THROTTLED: {"phase": Phase.MAIL, "reply": SmtpReply(421, "slow down", "4.7.28")},
    BLOCKED: {"phase": Phase.RCPT, "reply": SmtpReply(550, "blocked", "5.7.1")},
    BROKEN: {"phase": Phase.BODY, "trouble": Trouble.CLOSED},
    DOUBT: {"phase": Phase.DOT, "trouble": Trouble.TIMEOUT},
}
ENDS = {GOOD: (State.DELIVERED, EventType.DELIVERED), BLOCKED: (State.BOUNCED, EventType.BOUNCED)}
REASON = Reason(
    cls=Class.UNKNOWN, permanence=Permanence.UNKNOWN, scope=Scope.DOMAIN, action=Action.RETRY, rule="x", detail=""
)
ALL_MAIL = 120
"""So many deliveries are enough for one story."""
MEMORY = Path("/dev/shm")
"""A file system without a disk, where there is one: nothing here is about durability."""
_template: list[Path] = []


def fresh_store() -> Path:
    """A folder with a migrated SQLite file."""
    root = MEMORY if MEMORY.is_dir() else None
    if not _template:
        _template.append(Path(tempfile.mkdtemp()) / "template.db")
        prepare(f"sqlite:///{_template[0]}")
    place = Path(tempfile.mkdtemp(dir=root))
    shutil.copy(_template[0], place / "store.db")
    return place


def verdict_of(how: str, lease: Lease, now: Instant) -> Verdict:
    state, event = ENDS.get(how, (State.DEFERRED, None))
    wait = CRASH_BACKOFF if how == DOUBT else 5 * MINUTE
    return Verdict(
        state=state, reason=REASON, next_at=None if how in ENDS else Instant(now + wait), failures=lease.failures + 1,
        event=event, in_doubt=how == DOUBT,
    )  # fmt: skip


class Parts:
    """Two nodes on a store, with mail of three projects and both kinds to two sites."""

    def open(self) -> None:
        """Begin with an empty store and two nodes."""
        self.place = fresh_store()
        self.database = Database(f"sqlite:///{self.place / 'store.db'}", pace_s=0, readers=1)
        self.loop = asyncio.new_event_loop()
        self.clock = StillClock()
        self.mints = CountingMint(self.clock)
        self.projects = [Project(id=ProjectId(f"prj_{n}"), name=f"p{n}", created_at=START) for n in range(3)]
        for made in self.projects:
            entry = audit.Entry(project_id=made.id, at=START, actor="t", action="x", subject=made.id)
            self.database.write_now(lambda c, made=made, entry=entry: projects.insert(c, made, entry))
        self.rows: dict[str, Expected] = {}
        self.told: list[settlements.Settlement] = []
        self.pins: list[Pin] = []
        self.suspended: dict[tuple[str, str, str], Suspension] = {}
        self.nodes = [Node(name, self.database, self.clock) for name in ("n1", "n2")]
        for node in self.nodes:
            node.start()
        self.deal()

    def close(self) -> None:
        self.loop.close()
        self.database.close()
        shutil.rmtree(self.place)

    def accept(self, count: int, site: str, project: int, kind: StreamKind, later: int, offered: int | None) -> None:
        """Accept mail and, if a node offers to, lease it as it is."""
        now, owner = self.clock.now(), self.projects[project]
        send_at = Instant(now + later) if later else None
        new = [self.a_message(owner, f"r{number}@{site}", kind, send_at) for number in range(count)]
        node = None if offered is None or later else self.nodes[offered]
        if node is not None and not (node.up and node.hand.promise(count, new, node.now_s)):
            node = None
        asked = acceptance(owner, *new, at=now, hold=None if node is None else node.hold)
        (answer,) = self.database.write_now(lambda c: messages.accept(c, [asked]))
        state = State.SCHEDULED if later else State.QUEUED
        for one in new:
            (delivery,) = one.deliveries
            self.rows[delivery.id] = Expected(delivery.id, owner.id, site, kind, state, send_at or now)
        if node is not None:
            node.hand.keep(count)
            self.takes(node, list(answer.leases))

    def a_message(self, owner: Project, recipient: str, kind: StreamKind, send_at: Instant | None):
        at = self.clock.now()
        expires = Instant(at + 30 * DAY)
        new = new_message(
            self.mints, owner, recipient, at=at, send_at=send_at, expires_at=expires, stream=kind.value
        )  # fmt: skip
        return type(new)(new.message, new.deliveries, new.content, place=PRECEDENCE.index(kind))

    # --- leases -------------------------------------------------------------------------------------------------------

    def take(self, node: Node, limit: int) -> None:
        limit = min(node.hand.room if node.up else 0, limit)
        if not limit:
            return
        self.check_rows()  # before it is asked who was chosen
        now = self.clock.now()
        request = deliveries.LeaseRequest(
            now=now, limit=limit, hold=node.hold, choose=lambda: node.turns.choose(node.now_s)
        )
        free = [each for each in self.rows.values() if each.due(now) and not self.waits(each, now)]
        calm = not node.troubled() and not self.suspended and len(node.in_hand) + limit <= 10
        taken = self.database.write_now(lambda c: deliveries.take(c, request))
        assert len(taken.leases) <= limit, "no more is taken than there is room for"
        if calm and not self.parked():
            self.was_fair(node, free, {lease.delivery_id for lease in taken.leases}, limit)
        else:
            node.passed_over.clear()
        self.takes(node, taken.leases)
        last = node.turns.last
        node.hand.fell_short(last.fell_short(), last.projects)

    def check_rows(self) -> None:
        text = f"SELECT id, {', '.join(COLUMNS)} FROM deliveries"
        found = self.database.read_now(lambda c: bulk.run(c, text))
        compare(self.rows, {row[0]: tuple(row[1:]) for row in found})

    def takes(self, node: Node, leases: list[Lease]) -> None:
        """Check what a node has leased, and count it in."""
        now = self.clock.now()
        probes = Counter(lease.domain for lease in node.in_hand)
        for lease in leases:
            row = self.rows[lease.delivery_id]
            assert row.due(now), "only what is due and in nobody's hands is leased"
            assert not self.waits(row, now), "what is suspended is not leased"
            assert not node.shut(row.site, row.kind), "nothing is leased for a site that is shut"
            if node.probing(row.site, row.kind):
                probes[row.site] += 1
                assert probes[row.site] == 1, "a site that is tried again gets one message"
            assert (lease.token, lease.attempt) == (row.token + 1, row.attempts + 1), (
                "each lease has a token of its own"
            )
            assert lease.failures == row.failures, "failures are remembered"
            assert lease.until == now + LEASE, "a lease lasts as long as was asked"
            row.leased(lease, node.name, node.hold.boot)
            row.next_at = Instant(now + CRASH_BACKOFF)
        node.hand.take(leases)
        node.held += leases

    def waits(self, row: Expected, now: Instant) -> bool:
        return any(
            each.holds_at(now) and each.covers(row.project, row.kind.value, (row.site,))
            for each in self.suspended.values()
        )

    def was_fair(self, node: Node, free: list[Expected], taken: set[str], limit: int) -> None:
        """Check turns, where nothing but the turn kept mail back."""
        lines = Counter((each.kind, each.project) for each in free)
        got = Counter((each.kind, each.project) for each in free if each.id in taken)
        assert taken or not free, "something is taken where something may go"
        kinds = [kind for kind in PRECEDENCE if any(kind is each for each, _ in lines)]
        if not kinds:
            return
        first = {line: count for line, count in lines.items() if line[0] is kinds[0]}
        room = limit - limit // 8 if len(kinds) > 1 else limit
        for line, count in first.items():
            assert got[line] >= min(count, room // len(first)), "each project has its part"
        if min(first.values()) >= limit:
            later = sum(count for line, count in got.items() if line[0] is not kinds[0])
            assert later <= limit // 8, "mail of the higher kind goes first"
        for line in lines:
            served = any(got[other] for other in lines if other[0] is line[0])
            node.passed_over[line] = 0 if got[line] or not served else node.passed_over[line] + 1
            assert node.passed_over[line] < len(self.projects), "nobody is passed over again and again"

    def parked(self) -> bool:
        text = "SELECT 1 FROM deliveries WHERE line >= 'p' AND state IN ('scheduled', 'queued', 'deferred') LIMIT 1"
        return bool(self.database.read_now(lambda c: bulk.run(c, text)))

    # --- attempts -----------------------------------------------------------------------------------------------------

    def begin(self, node: Node) -> None:
        now, left = self.clock.now(), []
        for lease in node.held:
            kind = StreamKind(lease.stream)
            site = node.shaping.find(lease.project_id, lease.domain, lease.mode.value)
            controller = site.kind(kind)
            if not site.may_begin(controller, now, node.now_s):
                left.append(lease)
                continue
            assert not node.shut(lease.domain, kind), "nothing begins at a site that is shut"
            tried = site.flow(controller, now) is not Flow.FLOWING
            site.begin(controller)
            node.begun.append(lease)
            watch = node.watch(lease.domain)
            watch.begin(node.rate, node.now_s)
            assert watch.under_way <= node.share(lease.domain, self.pins), "no more connections than the node's share"
            alike = [each for each in node.begun if (each.domain, each.stream) == (lease.domain, lease.stream)]
            assert not tried or len(alike) == 1, "a site that is tried again gets one message at a time"
        node.held = left

    def end(self, node: Node, how: str, count: int) -> None:
        now, done = self.clock.now(), node.begun[:count]
        ended = []
        for lease in done:
            kind = StreamKind(lease.stream)
            site = node.shaping.site(lease.domain)
            site.end(site.kind(kind))
            watch = node.watch(lease.domain)
            before = watch.before(site, kind, now)
            attempt = Attempt(site=lease.domain, started_at=now, finished_at=now, **FACTS[how])
            verdict = verdict_of(how, lease, now)
            node.shaping.settled(lease, kind, attempt, verdict)
            watch.heard(site, kind, SIGNALS[how], now, before)
            ended.append(settlements.Settlement(lease=lease, verdict=verdict, at=now, attempt=attempt))
        del node.begun[:count]
        self.settle(ended)
        for lease in done:
            node.hand.give(lease, node.now_s)

    def settle(self, ended: list[settlements.Settlement]) -> None:
        """Settle, and hold what came of it against what must."""
        counts = [self.counts(each.lease) for each in ended]
        answers = self.database.write_now(lambda c: settlements.settle(c, ended))
        assert answers == counts, "a settlement counts if and only if its lease is the last one and open"
        for each, good in zip(ended, counts, strict=True):
            row, verdict = self.rows[each.lease.delivery_id], each.verdict
            if good:
                row.let_go(verdict.state, verdict.next_at)
                row.failures, row.in_doubt = verdict.failures, each.lease.in_doubt + verdict.in_doubt
            elif row.token != each.lease.token:
                row.suspected += verdict.in_doubt or verdict.state is State.DELIVERED
        self.told = [*self.told, *ended][-12:]

    def counts(self, lease: Lease) -> bool:
        row = self.rows[lease.delivery_id]
        return row.state is State.SENDING and row.token == lease.token

    def hand_back(self, node: Node) -> None:
        now, leases = self.clock.now(), node.held
        self.database.write_now(lambda c: deliveries.hand_back(c, leases, now))
        for lease in leases:
            if self.counts(lease):
                self.rows[lease.delivery_id].let_go(State.QUEUED, now)
            node.hand.give(lease, node.now_s)
        node.held = []

    # --- nodes and people ---------------------------------------------------------------------------------------------

    def start_all(self) -> None:
        """Start the nodes that are down; each first takes over what it held when it died."""
        for node in self.nodes:
            if not node.up:
                node.start()
                self.read_suspensions()
                node.shaping.pin(self.pins)
                self.reclaim(node, own=True)
        self.deal()

    def reclaim(self, node: Node, *, own: bool) -> None:
        """Take over what nobody will settle, and settle it as an attempt whose end is not known."""
        now, hold = self.clock.now(), node.hold
        sending = [each for each in self.rows.values() if each.state is State.SENDING]
        if own:
            wanted = {each.id for each in sending if each.node == node.name and each.boot != hold.boot}
        else:
            wanted = {each.id for each in sending if each.until is not None and each.until < now}
        taken = self.database.write_now(
            lambda c: deliveries.reclaim(c, now=now, hold=hold, limit=ALL_MAIL * 2, own=own)
        )
        assert {lease.delivery_id for lease, _ in taken} == wanted, "what nobody will settle is taken over, and no more"
        left = []
        for lease, holder in taken:
            row = self.rows[lease.delivery_id]
            assert holder == row.node, "it is known who held a lease"
            assert (lease.token, lease.attempt) == (row.token + 1, row.attempts), (
                "who takes over has a token of its own"
            )
            row.leased(lease, node.name, hold.boot)
            attempt = Attempt(phase=Phase.DOT, trouble=Trouble.LOST, started_at=now, finished_at=now)
            left.append(
                settlements.Settlement(lease=lease, verdict=verdict_of(DOUBT, lease, now), at=now, attempt=attempt)
            )
        node.hand.take([each.lease for each in left])
        self.settle(left)
        for each in left:
            node.hand.give(each.lease, node.now_s)

    def deal(self) -> None:
        """Each node that is up takes its part of the limits."""
        alive = [node for node in self.nodes if node.up]
        for rank, node in enumerate(alive):
            node.divide(rank, len(alive))

    def pin(self, pins: list[Pin]) -> None:
        self.pins = pins
        for node in self.nodes:
            if node.up:
                node.shaping.pin(pins)

    def resume(self) -> None:
        now = self.clock.now()
        for each in self.database.read_now(lambda c: suspensions.in_force(c, now)):
            self.database.write_now(lambda c, each=each: suspensions.lift(c, each, author="cli", at=now))
        self.suspended.clear()
        self.read_suspensions()

    def read_suspensions(self) -> None:
        for node in self.nodes:
            self.loop.run_until_complete(node.suspensions.refresh())

    def drain(self) -> None:
        self.resume()
        self.pin([])
        if not all(node.up for node in self.nodes):
            self.start_all()
        idle = 0
        while idle < 60 and not all(each.ended for each in self.rows.values()):
            left = sum(not each.ended for each in self.rows.values())
            for node in self.nodes:
                self.take(node, 20)
                self.begin(node)
                self.end(node, GOOD, MOST)
                if any(node.shut(lease.domain, StreamKind(lease.stream)) for lease in node.held):
                    self.hand_back(node)
            if left == sum(not each.ended for each in self.rows.values()):
                idle += 1
                self.reclaim(self.nodes[0], own=False)
                self.clock.pass_by(MINUTE)
            else:
                idle = 0
                self.clock.pass_by(SECOND)
        assert all(each.ended for each in self.rows.values()), "what was accepted gets out when the sites allow it"
