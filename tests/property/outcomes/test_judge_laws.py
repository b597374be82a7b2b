"""Laws that hold for every attempt that anybody can bring back."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.attempt import Attempt, Phase, SmtpReply, Trouble
from postroad.model.clock import DAY, HOUR, MINUTE, SECOND, Instant, after
from postroad.model.delivery import DUE, TERMINAL, Delivery, Lease, State
from postroad.model.event import EventType
from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.message import Message, Mode, Role
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.stream import RetrySchedule, Stream, StreamKind
from postroad.pipeline.outcomes import phrases
from postroad.pipeline.outcomes.classify import Confidence, classify
from postroad.pipeline.outcomes.explain import explain
from postroad.pipeline.outcomes.judge import Policy, judge, lapse
from postroad.pipeline.outcomes.retry import hinted, scheduled

NOW = Instant(1_800_000_000 * SECOND)
POLICY = Policy()

phrase = st.sampled_from([phrase for group in phrases.GROUPS for phrase in group.phrases])
text = st.lists(st.one_of(phrase, st.text(max_size=40), st.just("try again in 5 minutes")), max_size=4).map(" ".join)
enhanced = st.none() | st.builds("{}.{}.{}".format, st.sampled_from("245"), st.integers(0, 9), st.integers(0, 40))
replies = st.builds(
    SmtpReply, st.one_of(st.integers(0, 999), st.sampled_from([250, 421, 450, 451, 452, 550, 552, 554])), text, enhanced
)
routes = st.sampled_from(["mx", "capture", "smarthost"])
spans = st.integers(0, 5 * DAY)


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    trouble = draw(st.none() | st.sampled_from(Trouble))
    return Attempt(
        phase=draw(st.sampled_from(Phase)),
        reply=draw(replies) if trouble is None else draw(st.none() | replies),
        trouble=trouble,
        detail=draw(st.sampled_from(["", "A sentence."])),
        route=draw(routes),
        mx=draw(st.none() | st.just("mx.example.net")),
        started_at=NOW,
        finished_at=NOW,
    )


reasons = st.builds(
    Reason,
    cls=st.sampled_from(Class),
    permanence=st.sampled_from(Permanence),
    scope=st.sampled_from(Scope),
    action=st.sampled_from(Action),
    rule=st.just("rule"),
    detail=st.just("A sentence."),
    evidence=st.fixed_dictionaries(
        {},
        optional={
            "since": spans.map(lambda span: NOW - span) | st.just("odd"),
            "last_class": st.sampled_from([cls.value for cls in Class]) | st.integers() | st.none(),
        },
    ),
)


@st.composite
def leases(draw: st.DrawFn) -> Lease:
    failures = draw(st.integers(0, 40))
    return Lease(
        delivery_id=DeliveryId("dlv_1"),
        message_id=MessageId("msg_1"),
        project_id=ProjectId("prj_1"),
        token=1,
        until=after(NOW, MINUTE),
        attempt=failures + 1,
        failures=failures,
        recipient="bo@example.net",
        domain="example.net",
        stream="s",
        mode=Mode.LIVE,
        sender="ann@example.com",
        header_id="1@example.com",
        accepted_at=NOW,
        first_due_at=NOW,
        expires_at=after(NOW, draw(st.integers(-HOUR, 5 * DAY))),
        in_doubt=draw(st.integers(0, 3)),
        noticed_at=draw(st.none() | spans.map(lambda span: after(NOW, -span))),
        reason=draw(st.none() | reasons),
        content=b"",
        content_sha256=None,
    )


schedules = st.builds(
    RetrySchedule,
    st.lists(st.integers(SECOND, 8 * HOUR), min_size=1, max_size=8).map(tuple),
    st.floats(0, 0.9),
)
streams = st.builds(
    Stream, name=st.just("s"), kind=st.sampled_from(StreamKind), expire_after=st.just(DAY), retry=schedules
)
chances = st.floats(0, 1, exclude_max=True)


@given(attempts(), leases(), streams, chances)
def test_a_verdict_is_consistent_and_never_claims_what_nobody_said(
    attempt: Attempt, lease: Lease, stream: Stream, chance: float
) -> None:
    verdict = judge(attempt, lease, stream, now=NOW, chance=chance, policy=POLICY)
    assert verdict == judge(attempt, lease, stream, now=NOW, chance=chance, policy=POLICY)

    assert (verdict.next_at is not None) is (verdict.state in DUE)
    if verdict.next_at is not None:
        assert NOW <= verdict.next_at < lease.expires_at
    assert 0 <= verdict.failures - lease.failures <= 1

    digit = 0 if attempt.reply is None else attempt.reply.code // 100
    assert (verdict.state is State.DELIVERED) is attempt.delivered
    unclear = attempt.phase is Phase.DOT and attempt.trouble is None and digit not in (2, 4, 5)
    assert verdict.in_doubt is ((attempt.in_doubt and not attempt.delivered) or unclear)
    if verdict.in_doubt:
        assert verdict.state in {State.DEFERRED, State.EXPIRED}
        assert verdict.next_at is None or verdict.next_at >= after(NOW, 15 * MINUTE)
    if attempt.trouble is None and digit == 4:
        assert verdict.state in {State.DEFERRED, State.EXPIRED}
    if verdict.state in {State.BOUNCED, State.HELD} and attempt.trouble is None:
        assert digit == 5
    if verdict.suppress:
        assert verdict.state is State.BOUNCED
        assert verdict.reason.cls in {Class.INVALID_RECIPIENT, Class.INACTIVE_MAILBOX, Class.BAD_DOMAIN}
        assert verdict.reason.confidence is not Confidence.LOW
    assert verdict.suppress is (verdict.reason.action is Action.SUPPRESS)
    if verdict.state in TERMINAL | {State.HELD}:
        assert verdict.event is EventType(f"message.{verdict.state}")


@given(attempts(), leases(), streams, chances)
def test_a_reason_survives_being_stored_and_can_be_told(
    attempt: Attempt, lease: Lease, stream: Stream, chance: float
) -> None:
    verdict = judge(attempt, lease, stream, now=NOW, chance=chance, policy=POLICY)
    stored = msgspec.json.decode(msgspec.json.encode(verdict.reason), type=Reason)
    assert stored == verdict.reason
    delivery = Delivery(
        id=lease.delivery_id,
        message_id=lease.message_id,
        project_id=lease.project_id,
        recipient=lease.recipient,
        domain=lease.domain,
        role=Role.TO,
        stream=lease.stream,
        mode=lease.mode,
        state=verdict.state,
        next_at=verdict.next_at,
        expires_at=lease.expires_at,
        created_at=NOW,
        updated_at=NOW,
        reason=stored,
        possible_duplicate=verdict.in_doubt,
    )
    message = Message(
        id=lease.message_id,
        project_id=lease.project_id,
        mode=lease.mode,
        stream=lease.stream,
        sender=lease.sender,
        subject="",
        created_at=NOW,
        expires_at=lease.expires_at,
        header_id=lease.header_id,
    )
    told = explain(message, [delivery], attempts={delivery.id: [attempt]}, suppressions=[], now=NOW).recipients[0]
    assert verdict.reason.detail in told.sentence
    assert told.remedy
    assert (told.next is None) is (verdict.state in TERMINAL)


@given(leases())
def test_a_delivery_lapses_exactly_when_its_time_is_over(lease: Lease) -> None:
    verdict = lapse(lease, now=NOW)
    assert (verdict is not None) is (lease.expires_at <= NOW)
    assert verdict is None or (verdict.state is State.EXPIRED and verdict.failures == lease.failures)


@given(st.integers(400, 599), st.text(), enhanced, st.sampled_from(Phase))
def test_every_refusal_has_a_class(code: int, said: str, status: str | None, phase: Phase) -> None:
    found = classify(SmtpReply(code, said, status), phase)
    if code < 500:
        assert found.action in {Action.RETRY, Action.SLOW_DOWN}
        assert found.permanence is Permanence.TRANSIENT
    if found.action is Action.SUPPRESS:
        assert phase in {Phase.RCPT, Phase.DATA, Phase.BODY, Phase.DOT, Phase.COMPOSE, Phase.RESOLVE}


@given(schedules, st.integers(0, 10_000), chances)
def test_a_wait_stays_within_its_jitter(schedule: RetrySchedule, failures: int, chance: float) -> None:
    delay = schedule.delays[min(failures, len(schedule.delays) - 1)]
    wait = scheduled(schedule, failures, chance)
    assert int(delay * (1 - schedule.jitter)) - 1 <= wait <= delay * (1 + schedule.jitter)


@given(st.text() | text)
def test_a_hint_is_a_span_or_nothing(said: str) -> None:
    found = hinted(said)
    assert found is None or 0 <= found <= 99_999 * HOUR
