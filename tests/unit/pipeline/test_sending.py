"""The delivery role of a node on a real store: a paper postman carries the mail, and anybody may die."""

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field

import msgspec
import obstore
import pytest

from leases import make_lease
from postroad.model.attempt import Attempt, Phase, SmtpReply, Trouble
from postroad.model.clock import DAY, HOUR, MINUTE, SECOND, after
from postroad.model.composition import SigningKey
from postroad.model.delivery import Hold
from postroad.model.errors import Refused
from postroad.model.ids import DeliveryId
from postroad.model.message import Content, Mode, Party, encode_content
from postroad.model.route import CaptureRoute, MxRoute
from postroad.model.stream import BUILT_IN
from postroad.pipeline.dressing import Dresser, Outfit
from postroad.pipeline.journal import Journal, Note
from postroad.pipeline.outcomes.judge import Policy
from postroad.pipeline.press import PressInside
from postroad.pipeline.recompose import Recomposer
from postroad.pipeline.routing import Router
from postroad.pipeline.sending import Sending
from postroad.pipeline.shaping.limits import Book, Limits
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.taking import TakingSettings
from postroad.store import bulk, events
from postroad.store.blobs import Blobs
from postroad.store.deliveries import LeaseRequest, lease
from postroad.store.messages import accept
from postroad.store.wakeup import WakeUp
from postroad.wire import dkim, verp
from stores import START, acceptance, new_message

VERP_KEY = b"v" * 32
ED = dkim.generate(dkim.Algorithm.ED25519_SHA256)
KEY = SigningKey("dkm_1", "shop.test", "s1", "ed25519-sha256", dkim.private_der(ED))
CONTENT = Content(sender=Party("from@shop.test"), to=(Party("ann@x.test"),), subject="Hi", text="Hello.\n")
OK = SmtpReply(250, "queued as 7", "2.0.0")


class Postman:
    """Carries mail on paper: `answers` says what becomes of a recipient's mail, a reply or a trouble or a wait."""

    def __init__(self, clock):
        self.clock = clock
        self.answers = {}
        self.carried = []
        self.refused_dots = 0
        self.drained = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_work = 0

    async def deliver(self, route, composed, *, before_dot=None, turn=None, require_tls=False):
        self.at_work += 1
        await self.gate.wait()
        answer = self.answers.get(composed.rcpt_to, OK)
        if self.drained or (isinstance(answer, SmtpReply) and before_dot is not None and not before_dot()):
            self.refused_dots += 1
            return self.attempt(Phase.BODY, trouble=Trouble.HANDED_BACK)
        self.carried.append((route, composed))
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, SmtpReply):
            return self.attempt(Phase.DOT, reply=answer)
        return answer

    def attempt(self, phase, **facts):
        now = self.clock.now()
        return Attempt(phase=phase, started_at=now, finished_at=now, route="mx", **facts)

    async def drain(self):
        self.drained = True
        self.gate.set()


class Senders:
    """One domain that signs and has a return path."""

    def __init__(self):
        self.found = Outfit((KEY,), "bounce.shop.test")

    async def outfit(self, project, domain):
        return self.found

    async def keys(self, project, identifiers):
        return (KEY,)


class Streams:
    async def get(self, project, name):
        return BUILT_IN[name]


class PressCounted(PressInside):
    """Keeps what it composed, in order."""

    def __init__(self):
        super().__init__()
        self.composed = []

    async def compose(self, jobs, keys):
        self.composed += [job.delivery_id for job in jobs]
        return await super().compose(jobs, keys)


@dataclass
class Post:
    """A node's delivery role and all that it stands on."""

    database: object
    clock: object
    project: object
    mints: object
    path: object
    blobs: Blobs
    postman: Postman
    senders: Senders = field(default_factory=Senders)
    due: WakeUp = field(default_factory=WakeUp)
    told: WakeUp = field(default_factory=WakeUp)
    sending: Sending = None
    journal: Journal = None
    press: object = None
    runs: object = field(default_factory=lambda: itertools.count(1))

    def begin(self, *, node="n1", boot="machine", **settings):
        """Build the role of another run of the node."""
        self.journal = Journal(self.path / f"journal-{node}", boot, reserved_octets=100_000)
        given = {"concurrency": 100, "idle_s": 0.05, **settings}
        self.press = PressCounted()
        self.sending = Sending(
            database=self.database,
            clock=self.clock,
            mint=self.mints,
            chance=lambda: 0.5,
            dresser=self.dresser(),
            press=self.press,
            deliverer=self.postman,
            router=Router([], None),
            journal=self.journal,
            policy=Policy(),
            due=self.due,
            told=self.told,
            shaping=Shaping(Book(Limits()), clock=self.clock, chance=lambda: 0.5),
            settings=TakingSettings(hold=Hold(node=node, boot=f"run-{next(self.runs)}", duration=HOUR), **given),
        )
        return self.sending

    def dresser(self):
        def headers(lease, stream):
            return (("List-Id", f"<{stream.name}.shop.test>"),)

        return Dresser(
            blobs=self.blobs, senders=self.senders, streams=Streams(), list_headers=headers, verp_key=VERP_KEY
        )

    @contextlib.asynccontextmanager
    async def working(self, **options):
        """Let the role work while the body runs."""
        sending = self.begin(**options)
        running = asyncio.ensure_future(sending.run())
        try:
            yield sending
        finally:
            await asyncio.wait_for(sending.stop(5), 20)
            await asyncio.wait_for(running, 20)

    def post(self, *recipients, content=CONTENT, **options):
        """Accept a message for each recipient, and return the identifiers of the deliveries."""
        octets = encode_content(content)
        new = [new_message(self.mints, self.project, one, **options) for one in recipients]
        new = [msgspec.structs.replace(one, content=octets) for one in new]
        self.database.write_now(lambda c: accept(c, [acceptance(self.project, *new)]))
        self.due.ring()
        return [delivery.id for one in new for delivery in one.deliveries]

    def rows(self, statement, *values):
        return self.database.read_now(lambda c: bulk.run(c, statement, values))

    def state(self, delivery):
        return self.rows("SELECT state FROM deliveries WHERE id = ?", delivery)[0][0]

    async def until(self, delivery, *states):
        """Wait until a delivery stands in one of these states, and return the one."""
        async with asyncio.timeout(10):
            while self.state(delivery) not in states:
                await asyncio.sleep(0.005)
        return self.state(delivery)

    def reason(self, delivery):
        return msgspec.json.decode(self.rows("SELECT reason FROM deliveries WHERE id = ?", delivery)[0][0])

    def types(self):
        found = self.database.read_now(lambda c: events.feed(c, self.project.id, after=0, limit=1000))
        return [event.type.value for event in found]

    def lease_as(self, node, boot, duration=HOUR):
        """Take what is due as a process that will die."""
        hold = Hold(node=node, boot=boot, duration=duration)
        request = LeaseRequest(now=self.clock.now(), limit=100, hold=hold)
        return self.database.write_now(lambda c: lease(c, request))


@pytest.fixture
def post(database, clock, mints, project, tmp_path):
    return Post(database, clock, project, mints, tmp_path, Blobs((tmp_path / "blobs").as_uri()), Postman(clock))


# --- the road --------------------------------------------------------------------------------------------------------


async def test_what_is_due_is_composed_signed_carried_and_settled(post):
    async with post.working() as sending:
        (delivery,) = post.post("ann@x.test")
        await post.until(delivery, "delivered")
    assert sending.settled["delivered"] == 1
    ((route, composed),) = post.postman.carried
    assert route == MxRoute("x.test")
    assert composed.mail_from == f"{verp.make(delivery, VERP_KEY)}@bounce.shop.test"
    assert composed.rcpt_to == "ann@x.test"
    assert composed.octets.startswith(b"DKIM-Signature:")
    assert post.types() == ["message.accepted", "message.delivered"]
    ((outcome, digest),) = post.rows("SELECT outcome, digest FROM attempts")
    assert (outcome, bytes(digest)) == ("delivered", composed.sha256)
    assert post.told.beat > 0
    assert sending.in_hand == 0


async def test_hundreds_are_all_settled_within_what_may_be_in_hand(post):
    made = post.post(*[f"p{n}@d{n % 7}.test" for n in range(300)])
    async with post.working(concurrency=40) as sending:
        async with asyncio.timeout(30):
            while sending.settled["delivered"] < 300:
                assert sending.in_hand <= 40
                await asyncio.sleep(0.002)
    assert {post.state(delivery) for delivery in made} == {"delivered"}
    assert len(post.postman.carried) == 300


async def test_test_mail_is_captured_and_the_stream_adds_its_headers(post):
    async with post.working():
        new = new_message(post.mints, post.project, "ann@x.test", stream="broadcast")
        message = msgspec.structs.replace(new.message, mode=Mode.TEST)
        new = msgspec.structs.replace(new, message=message, content=encode_content(CONTENT))
        post.database.write_now(lambda c: accept(c, [acceptance(post.project, new)]))
        post.due.ring()
        await post.until(new.deliveries[0].id, "delivered")
    ((route, composed),) = post.postman.carried
    assert route == CaptureRoute()
    assert b"List-Id: <broadcast.shop.test>" in composed.octets


async def test_without_a_return_path_of_its_own_bounces_go_to_the_sender(post):
    post.senders.found = Outfit((), None)
    async with post.working():
        await post.until(*post.post("ann@x.test"), "delivered")
    assert post.postman.carried[0][1].mail_from == "from@shop.test"


async def test_a_deferral_waits_for_its_time_and_a_bounce_suppresses(post):
    post.postman.answers = {
        "later@x.test": SmtpReply(451, "try later"),
        "gone@x.test": post.postman.attempt(Phase.RCPT, reply=SmtpReply(550, "no such user", "5.1.1")),
    }
    async with post.working():
        later, gone = post.post("later@x.test", "gone@x.test")
        await post.until(later, "deferred")
        await post.until(gone, "bounced")
        assert post.rows("SELECT folded FROM suppressions") == [("gone@x.test",)]
        post.postman.answers = {}
        post.clock.pass_by(HOUR)
        post.due.ring()
        await post.until(later, "delivered")
    assert post.rows("SELECT attempts FROM deliveries WHERE id = ?", later) == [(2,)]


async def test_scheduled_mail_is_sent_when_its_time_has_come_and_dated_so(post):
    async with post.working():
        (delivery,) = post.post("ann@x.test", send_at=after(START, DAY // 2))
        await asyncio.sleep(0.1)
        assert post.state(delivery) == "scheduled"
        post.clock.pass_by(DAY // 2)
        await post.until(delivery, "delivered")
    assert f"t={(START + DAY // 2) // SECOND}".encode() in post.postman.carried[0][1].octets


# --- what is not carried ---------------------------------------------------------------------------------------------


async def test_mail_whose_time_is_over_expires_untried(post):
    (delivery,) = post.post("ann@x.test", expires_at=after(START, MINUTE))
    post.clock.pass_by(HOUR)
    async with post.working():
        await post.until(delivery, "expired")
    assert post.postman.carried == []


async def test_content_that_cannot_be_composed_is_rejected_and_the_others_go_out(post):
    broken = msgspec.structs.replace(CONTENT, subject="a\nb")
    async with post.working():
        (bad,) = post.post("ann@x.test", content=broken)
        (good,) = post.post("bob@x.test")
        await post.until(good, "delivered")
        await post.until(bad, "rejected")
    assert "message.rejected" in post.types()


async def test_what_no_one_can_compose_is_held_for_somebody_to_look_at(post):
    post.senders.found = Outfit((msgspec.structs.replace(KEY, id="dkm_liar", algorithm="rsa-sha256"),), None)
    async with post.working():
        (poison,) = post.post("ann@x.test")
        await post.until(poison, "held")
        post.senders.found = Outfit((KEY,), None)
        (good,) = post.post("bob@x.test")
        await post.until(good, "delivered")
    assert "message.held" in post.types()


async def test_a_missing_file_holds_the_message_and_no_other(post):
    async with post.working():
        (bad,) = post.post("ann@x.test", content=msgspec.structs.replace(CONTENT, raw_sha256="ab" * 32))
        (good,) = post.post("bob@x.test")
        await post.until(good, "delivered")
        await post.until(bad, "held")
    assert "missing" in post.rows("SELECT document FROM attempts WHERE outcome = 'held'")[0][0].decode()


async def test_mail_of_a_domain_that_was_taken_away_is_held(post):
    post.senders.found = Outfit((), None, speaks=False)
    async with post.working():
        (delivery,) = post.post("ann@x.test")
        await post.until(delivery, "held")
    assert post.postman.carried == []
    assert "was deleted" in post.rows("SELECT document FROM attempts WHERE outcome = 'held'")[0][0].decode()


@pytest.mark.parametrize("mode", Mode)
async def test_mail_of_tests_needs_no_domain(post, mode):
    post.senders.found = Outfit((), None, speaks=False)
    assert (await post.dresser().dress(make_lease(mode=mode))).speaks is (mode is Mode.TEST)


async def test_a_bug_in_one_delivery_leaves_the_others_alone(post):
    post.postman.answers["ann@x.test"] = RuntimeError("a bug")
    async with post.working():
        bad, good = post.post("ann@x.test", "bob@x.test")
        await post.until(good, "delivered")
        assert post.state(bad) == "sending", "its lease lapses, and somebody judges it then"


async def test_no_final_dot_is_written_under_a_lease_that_is_about_to_lapse(post):
    post.postman.gate.clear()
    async with post.working():
        (delivery,) = post.post("ann@x.test")
        async with asyncio.timeout(10):
            while not post.postman.at_work:
                await asyncio.sleep(0.005)
        post.clock.pass_by(HOUR - SECOND)
        post.postman.gate.set()
        async with asyncio.timeout(10):
            while not post.postman.refused_dots:
                await asyncio.sleep(0.005)
        await post.until(delivery, "delivered")
    assert post.postman.refused_dots == 1
    assert post.rows("SELECT attempts, failures FROM deliveries") == [(2, 0)]


# --- stopping --------------------------------------------------------------------------------------------------------


async def test_a_stop_hands_back_what_has_not_begun_its_dot(post):
    post.postman.gate.clear()
    async with post.working():
        made = post.post(*[f"p{n}@x.test" for n in range(5)])
        async with asyncio.timeout(10):
            while post.postman.at_work < 5:
                await asyncio.sleep(0.005)
    assert post.postman.drained
    assert {post.state(delivery) for delivery in made} <= {"queued", "deferred"}
    assert post.postman.carried == []


def any_message(post):
    return new_message(post.mints, post.project, "ann@x.test")


async def test_a_role_that_stops_takes_nothing_in_hand(post):
    async with post.working() as sending:
        async with asyncio.timeout(10):
            while sending.offer(1, [any_message(post)]) is None:
                await asyncio.sleep(0.005)
        sending.taken(1, ())
    assert sending.offer(1, [any_message(post)]) is None


async def test_nothing_is_taken_in_hand_before_the_past_is_settled(post):
    assert post.begin().offer(1, [any_message(post)]) is None
    post.journal.close()


async def test_what_is_offered_and_taken_is_sent(post):
    async with post.working() as sending:
        async with asyncio.timeout(10):
            while (hold := sending.offer(1, [any_message(post)])) is None:
                await asyncio.sleep(0.005)
        new = new_message(post.mints, post.project, "ann@x.test")
        new = msgspec.structs.replace(new, content=encode_content(CONTENT))
        (answer,) = post.database.write_now(lambda c: accept(c, [acceptance(post.project, new, hold=hold)]))
        sending.taken(1, answer.leases)
        await post.until(new.deliveries[0].id, "delivered")


# --- foresight -------------------------------------------------------------------------------------------------------


async def offered(post, sending):
    """Return the hold of an offer, once the role makes one."""
    async with asyncio.timeout(10):
        while (hold := sending.offer(1, [any_message(post)])) is None:
            await asyncio.sleep(0.005)
    return hold


async def foreseen(post, sending, *recipients):
    """Let the role foresee a message that is being accepted; return it, and its acceptance."""
    hold = await offered(post, sending)
    new = msgspec.structs.replace(new_message(post.mints, post.project, *recipients), content=encode_content(CONTENT))
    asked = acceptance(post.project, new, hold=hold)
    sending.foresee([new], asked.at, hold)
    return new, asked


async def test_what_is_being_accepted_is_composed_once_and_sent_only_after_its_commit(post):
    async with post.working() as sending:
        new, asked = await foreseen(post, sending, "ann@x.test")
        delivery = new.deliveries[0].id
        async with asyncio.timeout(10):
            while not post.press.composed:
                await asyncio.sleep(0.005)
        assert post.postman.carried == []
        (answer,) = post.database.write_now(lambda c: accept(c, [asked]))
        sending.taken(1, answer.leases, [new])
        await post.until(delivery, "delivered")
    assert post.press.composed == [delivery]
    assert bytes(post.rows("SELECT digest FROM attempts")[0][0]) == post.postman.carried[0][1].sha256


async def test_what_was_foreseen_of_a_domain_that_was_taken_away_is_held(post):
    post.senders.found = Outfit((), None, speaks=False)
    async with post.working() as sending:
        new, asked = await foreseen(post, sending, "ann@x.test")
        (answer,) = post.database.write_now(lambda c: accept(c, [asked]))
        sending.taken(1, answer.leases, [new])
        await post.until(new.deliveries[0].id, "held")
    assert post.postman.carried == []


async def test_what_was_foreseen_and_not_accepted_is_thrown_away(post):
    async with post.working() as sending:
        hold = await offered(post, sending)
        new = new_message(post.mints, post.project, "ann@x.test")
        sending.foresee([new], START, hold)
        sending.taken(1, (), [new])
        (delivery,) = post.post("bob@x.test")
        await post.until(delivery, "delivered")
        again = await offered(post, sending)
        sending.foresee([new], START, again)  # a place was left for it
        sending.taken(1, (), [new])
    assert [composed.rcpt_to for _, composed in post.postman.carried] == ["bob@x.test"]


async def test_what_was_foreseen_and_is_suppressed_leaves_its_place_to_others(post):
    async with post.working() as sending:
        new, asked = await foreseen(post, sending, "ann@x.test", "off@x.test")
        (answer,) = post.database.write_now(lambda c: accept(c, [asked]))
        sending.taken(2, answer.leases[:1], [new])  # as if the other recipient were suppressed
        await post.until(new.deliveries[0].id, "delivered")
        next_one = msgspec.structs.replace(
            new_message(post.mints, post.project, "bob@x.test"), content=encode_content(CONTENT)
        )
        sending.foresee([next_one], START, await offered(post, sending))
        async with asyncio.timeout(10):
            while next_one.deliveries[0].id not in post.press.composed:
                await asyncio.sleep(0.005)
        sending.taken(1, (), [next_one])


async def test_foresight_that_fails_is_done_again_in_the_open(post):
    async with post.working() as sending:
        hold = await offered(post, sending)
        new = msgspec.structs.replace(new_message(post.mints, post.project, "ann@x.test"), content=b"no content")
        asked = acceptance(post.project, new, hold=hold)
        sending.foresee([new], asked.at, hold)
        (answer,) = post.database.write_now(lambda c: accept(c, [asked]))
        sending.taken(1, answer.leases, [new])
        await post.until(new.deliveries[0].id, "held")


async def test_many_recipients_and_scheduled_mail_are_not_foreseen(post):
    async with post.working() as sending:
        hold = await offered(post, sending)
        many = new_message(post.mints, post.project, *[f"p{n}@x.test" for n in range(5)])
        later = new_message(post.mints, post.project, "ann@x.test", send_at=after(START, HOUR))
        for new in (many, later):
            sending.foresee([new], START, hold)
        sending.taken(1, (), [many, later])
        (delivery,) = post.post("bob@x.test")
        await post.until(delivery, "delivered")
    assert post.press.composed == [delivery]


# --- what a dead process left ----------------------------------------------------------------------------------------


def note_of(taken, attempt):
    return Note(taken.delivery_id, taken.attempt, msgspec.Raw(msgspec.json.encode(attempt)), "ab" * 32)


async def test_after_a_kill_each_attempt_is_settled_by_what_the_journal_says(post):
    made = post.post("before@x.test", "doubt@x.test", "done@x.test")
    before, doubt, done = post.lease_as("n1", "run-0")
    assert [before.delivery_id, doubt.delivery_id, done.delivery_id] == made
    journal = Journal(post.path / "journal-n1", "machine", reserved_octets=100_000)
    journal.dot(doubt.delivery_id, 1)
    journal.dot(done.delivery_id, 1)
    journal.result(note_of(done, post.postman.attempt(Phase.DOT, reply=OK)))
    journal.close()
    async with post.working():
        assert await post.until(made[0], "delivered") == "delivered"
        assert await post.until(made[1], "deferred") == "deferred"
        assert await post.until(made[2], "delivered") == "delivered"
        assert post.journal.noted(doubt.delivery_id, 1) is None
        assert post.journal.complete
    assert [composed.rcpt_to for _, composed in post.postman.carried] == ["before@x.test"]
    assert post.reason(made[1])["class"] == "in_doubt"
    assert post.rows("SELECT in_doubt FROM deliveries ORDER BY id") == [(0,), (1,), (0,)]
    assert "message.in_doubt" in post.types()


async def test_after_a_loss_of_power_a_silence_of_the_journal_is_no_proof(post):
    (delivery,) = post.post("ann@x.test")
    post.lease_as("n1", "run-0")
    Journal(post.path / "journal-n1", "machine", reserved_octets=100_000).close()
    async with post.working(boot="machine started again"):
        await post.until(delivery, "deferred")
    assert post.reason(delivery)["class"] == "in_doubt"
    assert post.postman.carried == []


async def test_a_node_never_touches_what_another_holds_until_its_lease_has_lapsed(post):
    held, lapsed = (*post.post("held@x.test"), *post.post("lapsed@x.test"))
    first, second = post.lease_as("n2", "run-0")
    post.database.write_now(
        lambda c: bulk.run(c, "UPDATE deliveries SET lease_until = ? WHERE id = ?", (START - 1, second.delivery_id))
    )
    assert (first.delivery_id, second.delivery_id) == (held, lapsed)
    async with post.working():
        await post.until(lapsed, "deferred")
        assert post.state(held) == "sending"
    assert post.reason(lapsed)["class"] == "in_doubt"


async def test_a_settlement_under_a_lost_lease_changes_nothing(post):
    post.postman.gate.clear()
    async with post.working() as sending:
        (delivery,) = post.post("ann@x.test")
        async with asyncio.timeout(10):
            while not post.postman.at_work:
                await asyncio.sleep(0.005)
        post.database.write_now(
            lambda c: bulk.run(c, "UPDATE deliveries SET state = 'canceled', lease_token = lease_token + 1")
        )
        post.postman.gate.set()
        async with asyncio.timeout(10):
            while sending.in_hand:
                await asyncio.sleep(0.005)
    assert post.state(delivery) == "canceled"
    assert post.types()[-1] == "message.duplicate_suspected"


# --- the same octets again -------------------------------------------------------------------------------------------


def recomposer(post):
    return Recomposer(database=post.database, dresser=post.dresser(), press=PressInside(), cabinet=post.senders)


async def test_the_octets_that_were_sent_are_made_again_after_the_keys_have_changed(post):
    async with post.working():
        (delivery,) = post.post("ann@x.test", stream="broadcast")
        await post.until(delivery, "delivered")
    post.senders.found = Outfit((), None)
    post.clock.pass_by(DAY)
    assert await recomposer(post)(post.project.id, delivery) == post.postman.carried[0][1].octets


async def test_before_the_first_attempt_the_octets_are_those_that_would_be_sent(post):
    (delivery,) = post.post("ann@x.test", send_at=after(START, HOUR))
    expected = await recomposer(post)(post.project.id, delivery)
    async with post.working():
        post.clock.pass_by(HOUR)
        post.due.ring()
        await post.until(delivery, "delivered")
    assert post.postman.carried[0][1].octets == expected


async def test_octets_that_cannot_be_proved_are_not_shown(post):
    async with post.working():
        (delivery,) = post.post("ann@x.test")
        await post.until(delivery, "delivered")
    again = recomposer(post)
    post.database.write_now(lambda c: bulk.run(c, "UPDATE attempts SET digest = ?", (bytes(32),)))
    for project, asked, code in (
        (post.project.id, delivery, "gone"),
        (post.project.id, DeliveryId("dlv_nobody"), "not_found"),
        ("prj_stranger", delivery, "not_found"),
    ):
        with pytest.raises(Refused) as refused:
            await again(project, asked)
        assert refused.value.code == code


@pytest.mark.parametrize(
    "content",
    [msgspec.structs.replace(CONTENT, raw_sha256="ab" * 32), msgspec.structs.replace(CONTENT, subject="a\nb")],
)
async def test_octets_that_cannot_be_made_are_gone(post, content):
    (delivery,) = post.post("ann@x.test", content=content)
    with pytest.raises(Refused) as refused:
        await recomposer(post)(post.project.id, delivery)
    assert refused.value.code == "gone"


@pytest.mark.parametrize("store", ["folder", "object storage"])
async def test_content_and_raw_mail_come_from_the_blob_store(post, store):
    if store == "object storage":
        post.blobs = Blobs("memory:///")
    raw = b"From: from@shop.test\r\nSubject: Raw\r\n\r\nHi\r\n"
    content = encode_content(msgspec.structs.replace(CONTENT, raw_sha256=await post.blobs.put(raw)))
    new = new_message(post.mints, post.project, "ann@x.test")
    new = msgspec.structs.replace(new, content=None, content_sha256=await post.blobs.put(content))
    post.database.write_now(lambda c: accept(c, [acceptance(post.project, new)]))
    async with post.working():
        await post.until(new.deliveries[0].id, "delivered")
    octets = post.postman.carried[0][1].octets
    assert b"\r\nFrom: from@shop.test\r\nSubject: Raw\r\n" in octets
    assert octets.endswith(b"\r\n\r\nHi\r\n")
    assert post.rows("SELECT next_at FROM deliveries") == [(None,)]


async def test_mail_whose_files_are_waited_for_keeps_no_other_mail_waiting(post, monkeypatch):
    post.blobs = Blobs("memory:///")
    raw = await post.blobs.put(b"From: from@shop.test\r\nSubject: Raw\r\n\r\nHi\r\n")
    get, answered = obstore.get_async, asyncio.Event()

    async def slow(*arguments):
        await answered.wait()
        return await get(*arguments)

    monkeypatch.setattr("obstore.get_async", slow)
    (first,) = post.post("ann@x.test", content=msgspec.structs.replace(CONTENT, raw_sha256=raw))
    (second,) = post.post("bob@x.test")
    async with post.working():
        await post.until(second, "delivered")
        assert post.state(first) == "sending"
        answered.set()
        await post.until(first, "delivered")


@pytest.mark.parametrize("store", ["folder", "object storage"])
async def test_content_that_cannot_be_read_holds_the_message_and_no_other(post, store):
    if store == "object storage":
        post.blobs = Blobs("memory:///")
    (bad,) = post.post("ann@x.test")
    post.database.write_now(lambda c: bulk.run(c, "UPDATE messages SET content = ?", (b"no content",)))
    (good,) = post.post("bob@x.test")
    async with post.working():
        await post.until(bad, "held")
        await post.until(good, "delivered")


async def test_mail_waits_and_is_not_counted_against_while_the_object_storage_is_away(post, monkeypatch):
    post.blobs = Blobs("memory:///")
    raw = await post.blobs.put(b"From: from@shop.test\r\nSubject: Raw\r\n\r\nHi\r\n")
    get, failures = obstore.get_async, [OSError("away"), OSError("away")]

    async def away(*arguments):
        if failures:
            raise failures.pop()
        return await get(*arguments)

    monkeypatch.setattr("obstore.get_async", away)
    (delivery,) = post.post("ann@x.test", content=msgspec.structs.replace(CONTENT, raw_sha256=raw))
    async with post.working():
        await post.until(delivery, "delivered")
    assert post.rows("SELECT failures FROM deliveries") == [(0,)]
    assert post.types() == ["message.accepted", "message.delivered"]
