"""The judge, phase by phase."""

import msgspec
import pytest

from postroad.model.attempt import Attempt, Phase, SmtpReply, Trouble
from postroad.model.clock import DAY, HOUR, MINUTE, SECOND, Instant, after, to_rfc3339
from postroad.model.delivery import DUE, Lease, State
from postroad.model.event import EventType
from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.message import Mode
from postroad.model.reason import Action, Class, Confidence, Permanence, Reason, Scope
from postroad.model.stream import BROADCAST, TRANSACTIONAL, RetrySchedule, Stream
from postroad.model.verdict import Verdict
from postroad.pipeline.outcomes.judge import Policy, judge, lapse

NOW = Instant(1_800_000_000 * SECOND)
POLICY = Policy()


def lease(
    *,
    failures: int = 0,
    in_doubt: int = 0,
    noticed_at: Instant | None = None,
    reason: Reason | None = None,
    expires_at: Instant | None = None,
) -> Lease:
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
        stream="transactional",
        mode=Mode.LIVE,
        sender="ann@example.com",
        header_id="1@example.com",
        accepted_at=NOW,
        first_due_at=NOW,
        expires_at=after(NOW, DAY) if expires_at is None else expires_at,
        in_doubt=in_doubt,
        noticed_at=noticed_at,
        reason=reason,
        content=b"",
        content_sha256=None,
    )


def attempt(
    phase: Phase,
    *,
    reply: tuple[int, str, str | None] | None = None,
    trouble: Trouble | None = None,
    detail: str = "",
    route: str = "mx",
    mx: str | None = "mx.example.net",
) -> Attempt:
    return Attempt(
        phase=phase,
        reply=None if reply is None else SmtpReply(*reply),
        trouble=trouble,
        detail=detail,
        route=route,
        mx=mx,
        started_at=NOW,
        finished_at=NOW,
    )


def verdict(
    tried: Attempt,
    held: Lease | None = None,
    *,
    stream: Stream = TRANSACTIONAL,
    now: Instant = NOW,
    chance: float = 0.5,
) -> Verdict:
    return judge(tried, lease() if held is None else held, stream, now=now, chance=chance, policy=POLICY)


def replied(phase: Phase, code: int, text: str = "", enhanced: str | None = None, route: str = "mx") -> Attempt:
    return attempt(phase, reply=(code, text, enhanced), route=route)


def ran_into(trouble: Trouble, phase: Phase = Phase.CONNECT, route: str = "mx") -> Attempt:
    return attempt(phase, trouble=trouble, route=route)


# What the peer took


def test_a_2xx_after_the_dot_is_delivered() -> None:
    found = verdict(replied(Phase.DOT, 250, "queued as 4711", "2.0.0"), lease(failures=2))
    assert (found.state, found.event, found.next_at, found.failures) == (State.DELIVERED, EventType.DELIVERED, None, 2)
    assert (found.suppress, found.in_doubt) == (False, False)
    assert found.reason.cls is Class.ACCEPTED
    assert found.reason.evidence == {
        "phase": "dot",
        "mx": "mx.example.net",
        "code": 250,
        "enhanced": "2.0.0",
        "text": "queued as 4711",
    }


def test_a_2xx_after_the_dot_is_delivered_even_when_the_time_is_over() -> None:
    assert verdict(replied(Phase.DOT, 250), lease(expires_at=after(NOW, -HOUR))).state is State.DELIVERED


# DNS


def test_a_domain_that_does_not_exist_is_looked_up_again_after_a_quarter_of_an_hour() -> None:
    found = verdict(ran_into(Trouble.NO_SUCH_DOMAIN, Phase.RESOLVE), chance=0.0)
    assert (found.state, found.event, found.suppress) == (State.DEFERRED, EventType.DEFERRED, False)
    assert found.next_at == after(NOW, 15 * MINUTE)
    assert (found.reason.cls, found.reason.rule) == (Class.BAD_DOMAIN, "resolve.no_such_domain")
    assert found.reason.evidence["domain"] == "example.net"


def test_a_domain_that_does_not_exist_twice_bounces_and_suppresses() -> None:
    first = verdict(ran_into(Trouble.NO_SUCH_DOMAIN, Phase.RESOLVE))
    again = after(NOW, 15 * MINUTE)
    found = verdict(ran_into(Trouble.NO_SUCH_DOMAIN, Phase.RESOLVE), lease(failures=1, reason=first.reason), now=again)
    assert (found.state, found.event, found.suppress) == (State.BOUNCED, EventType.BOUNCED, True)
    assert found.reason.evidence["enhanced"] == "5.1.2"
    assert found.reason.rule == "resolve.no_such_domain.confirmed"


def test_a_domain_looked_up_again_too_soon_is_not_confirmed() -> None:
    first = verdict(ran_into(Trouble.NO_SUCH_DOMAIN, Phase.RESOLVE))
    soon = after(NOW, 15 * MINUTE - 1)
    found = verdict(ran_into(Trouble.NO_SUCH_DOMAIN, Phase.RESOLVE), lease(failures=1, reason=first.reason), now=soon)
    assert found.state is State.DEFERRED
    assert found.reason.evidence["since"] == NOW


def test_another_failure_in_between_starts_the_confirmation_anew() -> None:
    first = verdict(ran_into(Trouble.NO_SUCH_DOMAIN, Phase.RESOLVE))
    second = verdict(ran_into(Trouble.DNS_FAILURE, Phase.RESOLVE), lease(failures=1, reason=first.reason))
    later = after(NOW, HOUR)
    found = verdict(ran_into(Trouble.NO_SUCH_DOMAIN, Phase.RESOLVE), lease(failures=2, reason=second.reason), now=later)
    assert (found.state, found.reason.evidence["since"]) == (State.DEFERRED, later)


def test_an_interruption_of_our_own_does_not_start_the_confirmation_anew() -> None:
    first = verdict(ran_into(Trouble.NO_SUCH_DOMAIN, Phase.RESOLVE))
    second = verdict(ran_into(Trouble.CRASHED), lease(failures=1, reason=first.reason))
    third = verdict(ran_into(Trouble.HANDED_BACK), lease(failures=1, reason=second.reason))
    later = after(NOW, HOUR)
    found = verdict(ran_into(Trouble.NO_SUCH_DOMAIN, Phase.RESOLVE), lease(failures=1, reason=third.reason), now=later)
    assert found.state is State.BOUNCED


def test_an_interruption_before_any_failure_confirms_nothing() -> None:
    first = verdict(ran_into(Trouble.CRASHED))
    later = after(NOW, HOUR)
    found = verdict(ran_into(Trouble.NO_SUCH_DOMAIN, Phase.RESOLVE), lease(reason=first.reason), now=later)
    assert found.state is State.DEFERRED


def test_a_relay_whose_name_does_not_exist_is_our_setting_and_bounces_nothing() -> None:
    first = verdict(ran_into(Trouble.NO_SUCH_DOMAIN, Phase.RESOLVE, route="smarthost"))
    later = after(NOW, HOUR)
    relayed = ran_into(Trouble.NO_SUCH_DOMAIN, Phase.RESOLVE, route="smarthost")
    found = verdict(relayed, lease(failures=1, reason=first.reason), now=later)
    assert (found.state, found.reason.cls, found.suppress) == (State.DEFERRED, Class.DNS_FAILURE, False)


@pytest.mark.parametrize("trouble", [Trouble.DNS_FAILURE, Trouble.DNS_TIMEOUT])
def test_dns_that_does_not_answer_never_bounces(trouble: Trouble) -> None:
    found = verdict(ran_into(trouble, Phase.RESOLVE), lease(failures=5))
    assert (found.state, found.reason.cls) == (State.DEFERRED, Class.DNS_FAILURE)
    assert found.reason.evidence["enhanced"] == "4.4.3"


def test_a_null_mx_bounces_at_once_without_suppressing() -> None:
    found = verdict(ran_into(Trouble.NULL_MX, Phase.RESOLVE))
    assert (found.state, found.reason.cls, found.suppress) == (State.BOUNCED, Class.BAD_DOMAIN, False)
    assert (found.reason.evidence["enhanced"], found.reason.rule) == ("5.1.10", "resolve.null_mx")


def test_a_destination_inside_our_own_network_bounces() -> None:
    found = verdict(ran_into(Trouble.FORBIDDEN_ADDRESS, Phase.RESOLVE))
    assert (found.state, found.suppress, found.reason.evidence["enhanced"]) == (State.BOUNCED, False, "5.4.6")


# Connection and session


@pytest.mark.parametrize("trouble", [Trouble.REFUSED, Trouble.UNREACHABLE, Trouble.TIMEOUT, Trouble.CLOSED])
@pytest.mark.parametrize("phase", [Phase.CONNECT, Phase.BANNER, Phase.EHLO, Phase.MAIL, Phase.RCPT, Phase.BODY])
def test_a_connection_that_fails_before_the_dot_is_deferred_without_doubt(trouble: Trouble, phase: Phase) -> None:
    found = verdict(ran_into(trouble, phase))
    assert (found.state, found.reason.cls, found.in_doubt) == (State.DEFERRED, Class.UNREACHABLE, False)
    assert found.next_at == after(NOW, 5 * MINUTE)
    assert found.failures == 1


@pytest.mark.parametrize("phase", [Phase.BANNER, Phase.EHLO])
@pytest.mark.parametrize("code", [421, 450])
def test_a_4xx_before_mail_is_deferred(phase: Phase, code: int) -> None:
    assert verdict(replied(phase, code, "busy")).state is State.DEFERRED


@pytest.mark.parametrize("phase", [Phase.BANNER, Phase.EHLO])
def test_a_5xx_before_mail_is_deferred_for_a_day_then_bounced_without_suppressing(phase: Phase) -> None:
    stay = after(NOW, 3 * DAY)
    first = verdict(replied(phase, 554, "No service"), lease(expires_at=stay), stream=BROADCAST)
    assert (first.state, first.reason.rule) == (State.DEFERRED, "session.refused")
    held = lease(failures=9, reason=first.reason, expires_at=stay)
    before = verdict(replied(phase, 554, "No service"), held, stream=BROADCAST, now=after(NOW, DAY - 1))
    assert before.state is State.DEFERRED
    found = verdict(replied(phase, 554, "No service"), held, stream=BROADCAST, now=after(NOW, DAY))
    assert (found.state, found.event, found.suppress) == (State.BOUNCED, EventType.BOUNCED, False)
    assert (found.reason.cls, found.reason.rule) == (Class.POLICY, "session.refused.lasting")


def test_a_5xx_banner_that_names_a_blocklist_says_so() -> None:
    found = verdict(replied(Phase.BANNER, 554, "blocked using zen.spamhaus.org", "5.7.1"))
    assert (found.reason.cls, found.reason.action) == (Class.REPUTATION_BLOCK, Action.SLOW_DOWN)


@pytest.mark.parametrize("code", [454, 501, 421])
def test_starttls_that_is_refused_is_deferred_never_bounced(code: int) -> None:
    found = verdict(replied(Phase.STARTTLS, code, "no"))
    assert (found.state, found.reason.cls) == (State.DEFERRED, Class.TLS_REQUIRED_FAILED)
    assert found.reason.permanence is Permanence.TRANSIENT


def test_a_tls_handshake_that_fails_is_deferred() -> None:
    assert verdict(ran_into(Trouble.TLS, Phase.STARTTLS)).reason.cls is Class.TLS_REQUIRED_FAILED


# Relays and credentials


@pytest.mark.parametrize(
    "tried",
    [
        replied(Phase.AUTH, 535, "bad credentials", "5.7.8", route="smarthost"),
        replied(Phase.AUTH, 504, "no such mechanism", route="smarthost"),
        replied(Phase.MAIL, 530, "Authentication required", "5.7.0", route="smarthost"),
        ran_into(Trouble.AUTH_UNAVAILABLE, Phase.AUTH, route="smarthost"),
    ],
)
def test_a_relay_that_does_not_know_us_holds_the_mail(tried: Attempt) -> None:
    found = verdict(tried, lease(failures=3))
    assert (found.state, found.event, found.next_at, found.suppress) == (State.HELD, EventType.HELD, None, False)
    assert (found.reason.cls, found.reason.scope, found.reason.action) == (
        Class.AUTH_FAILED,
        Scope.LOCAL,
        Action.FIX_SENDER,
    )
    assert found.failures == 3


def test_a_relay_that_cannot_check_credentials_for_now_is_deferred() -> None:
    assert verdict(replied(Phase.AUTH, 454, "try later", "4.7.0", route="smarthost")).state is State.DEFERRED


def test_an_mx_that_asks_for_authentication_bounces() -> None:
    assert verdict(replied(Phase.MAIL, 530, "Authentication required", "5.7.0")).state is State.BOUNCED


# The transaction


@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT])
@pytest.mark.parametrize("code", [400, 421, 450, 451, 452, 455, 499])
def test_a_4xx_in_the_transaction_is_deferred(phase: Phase, code: int) -> None:
    found = verdict(replied(phase, code, "not now"))
    assert (found.state, found.suppress, found.in_doubt) == (State.DEFERRED, False, False)
    assert found.reason.permanence is Permanence.TRANSIENT


@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT])
@pytest.mark.parametrize("code", [500, 550, 551, 552, 553, 554, 599])
def test_a_5xx_in_the_transaction_is_bounced(phase: Phase, code: int) -> None:
    found = verdict(replied(phase, code, "no"))
    assert (found.state, found.event, found.next_at, found.suppress) == (State.BOUNCED, EventType.BOUNCED, None, False)


def test_an_unknown_recipient_bounces_and_suppresses_with_the_reply_as_evidence() -> None:
    found = verdict(replied(Phase.RCPT, 550, "No such user", "5.1.1"))
    assert (found.state, found.suppress) == (State.BOUNCED, True)
    assert (found.reason.cls, found.reason.rule) == (Class.INVALID_RECIPIENT, "smtp.rcpt.5xx.enhanced.1.1")
    assert found.reason.evidence["text"] == "No such user"
    assert found.reason.confidence is Confidence.HIGH


def test_a_sender_that_is_refused_never_suppresses_the_recipient() -> None:
    assert not verdict(replied(Phase.MAIL, 550, "user unknown", "5.1.1")).suppress


@pytest.mark.parametrize(
    ("code", "text", "enhanced"),
    [(452, "", "4.5.3"), (552, "too many recipients", None), (550, "", "5.5.3"), (552, "Too many rcpts", "5.3.0")],
)
def test_too_many_recipients_is_temporary_whatever_the_digit(code: int, text: str, enhanced: str | None) -> None:
    found = verdict(replied(Phase.RCPT, code, text, enhanced))
    assert (found.state, found.reason.cls) == (State.DEFERRED, Class.RATE_LIMITED)


@pytest.mark.parametrize("code", [0, 199, 220, 250, 354, 600, 999])
def test_a_reply_that_makes_no_sense_before_the_dot_is_a_protocol_error(code: int) -> None:
    found = verdict(replied(Phase.RCPT, code, "what"))
    assert (found.state, found.reason.cls) == (State.DEFERRED, Class.PROTOCOL_ERROR)
    assert found.reason.rule == "smtp.rcpt.unexpected"


def test_what_is_no_smtp_is_deferred_not_bounced() -> None:
    assert verdict(ran_into(Trouble.PROTOCOL, Phase.EHLO)).reason.cls is Class.PROTOCOL_ERROR


def test_a_peer_without_smtputf8_bounces() -> None:
    found = verdict(ran_into(Trouble.SMTPUTF8_UNSUPPORTED, Phase.MAIL))
    assert (found.state, found.reason.evidence["enhanced"]) == (State.BOUNCED, "5.6.7")
    assert (found.reason.cls, found.suppress) == (Class.SMTPUTF8_UNSUPPORTED, False)


def test_a_message_over_the_peers_size_bounces() -> None:
    found = verdict(ran_into(Trouble.TOO_LARGE, Phase.MAIL))
    assert (found.state, found.reason.evidence["enhanced"]) == (State.BOUNCED, "5.3.4")
    assert (found.reason.cls, found.suppress) == (Class.MESSAGE_TOO_LARGE, False)


def test_a_message_that_cannot_be_composed_is_rejected_with_the_sentence_of_the_composer() -> None:
    found = verdict(attempt(Phase.COMPOSE, trouble=Trouble.COMPOSITION, detail="The template lacks a name.", mx=None))
    assert (found.state, found.event) == (State.REJECTED, EventType.REJECTED)
    assert (found.reason.cls, found.reason.detail) == (Class.RENDERING, "The template lacks a name.")
    assert "mx" not in found.reason.evidence


def test_the_stored_reply_is_cut() -> None:
    found = verdict(replied(Phase.RCPT, 450, "x" * 5000))
    assert found.reason.evidence["text"] == "x" * 1024


# In doubt


@pytest.mark.parametrize(
    "tried",
    [
        ran_into(Trouble.TIMEOUT, Phase.DOT),
        ran_into(Trouble.CLOSED, Phase.DOT),
        ran_into(Trouble.PROTOCOL, Phase.DOT),
        ran_into(Trouble.LOST, Phase.CONNECT),
        replied(Phase.DOT, 354, "go ahead"),
    ],
)
def test_a_lost_answer_to_the_dot_is_in_doubt_and_waits_a_quarter_of_an_hour(tried: Attempt) -> None:
    found = verdict(tried, chance=0.0)
    assert (found.state, found.event, found.in_doubt) == (State.DEFERRED, EventType.IN_DOUBT, True)
    assert found.next_at == after(NOW, 15 * MINUTE)
    assert (found.reason.cls, found.failures) == (Class.IN_DOUBT, 1)


def test_in_doubt_waits_longer_when_the_schedule_does() -> None:
    found = verdict(ran_into(Trouble.TIMEOUT, Phase.DOT), lease(failures=3))
    assert found.next_at == after(NOW, 40 * MINUTE)


def test_the_third_doubt_is_the_end() -> None:
    second = verdict(ran_into(Trouble.TIMEOUT, Phase.DOT), lease(in_doubt=1, failures=1))
    assert second.state is State.DEFERRED
    found = verdict(ran_into(Trouble.TIMEOUT, Phase.DOT), lease(in_doubt=2, failures=2))
    assert (found.state, found.event, found.in_doubt) == (State.EXPIRED, EventType.EXPIRED, True)
    assert (found.reason.cls, found.reason.evidence["in_doubt"], found.suppress) == (Class.IN_DOUBT, 3, False)


def test_a_doubt_without_time_left_expires_and_still_says_that_it_was_in_doubt() -> None:
    found = verdict(ran_into(Trouble.TIMEOUT, Phase.DOT), lease(expires_at=after(NOW, MINUTE)))
    assert (found.state, found.in_doubt, found.event) == (State.EXPIRED, True, EventType.EXPIRED)
    assert found.reason.evidence["last_class"] == "in_doubt"


# Our own doing


@pytest.mark.parametrize("trouble", [Trouble.HANDED_BACK, Trouble.CRASHED])
def test_what_we_interrupted_is_queued_at_once_and_does_not_count(trouble: Trouble) -> None:
    found = verdict(ran_into(trouble, Phase.MAIL), lease(failures=2))
    assert (found.state, found.event, found.next_at, found.failures) == (State.QUEUED, None, NOW, 2)
    assert (found.reason.cls, found.in_doubt) == (Class.LOCAL, False)


@pytest.mark.parametrize(
    ("number", "wait"), [(1, 0), (3, 0), (4, SECOND), (5, 2 * SECOND), (8, 16 * SECOND), (40, 5 * MINUTE)]
)
def test_what_is_interrupted_again_and_again_waits_longer_each_time(number: int, wait: int) -> None:
    held = msgspec.structs.replace(lease(), attempt=number)
    found = verdict(ran_into(Trouble.CRASHED, Phase.COMPOSE), held, chance=0.0)
    assert (found.state, found.next_at, found.failures) == (State.QUEUED, after(NOW, wait), 0)


def test_what_a_peer_sent_away_with_a_421_waits_without_counting() -> None:
    tried = attempt(Phase.MAIL, reply=(421, "closing", None), trouble=Trouble.HANDED_BACK)
    found = verdict(tried, lease(failures=1))
    assert (found.state, found.next_at, found.failures) == (State.QUEUED, after(NOW, 10 * MINUTE), 1)


def test_what_is_handed_back_after_its_time_expires_with_the_cause_before() -> None:
    first = verdict(ran_into(Trouble.REFUSED))
    found = verdict(
        ran_into(Trouble.HANDED_BACK), lease(reason=first.reason, failures=1, expires_at=NOW), now=after(NOW, 1)
    )
    assert (found.state, found.failures) == (State.EXPIRED, 1)
    assert found.reason.evidence["last_class"] == "unreachable"


# Time


def test_the_schedule_is_five_ten_twenty_and_so_on_then_every_four_hours() -> None:
    expected = [5, 10, 20, 40, 80, 160, 240, 240, 240]
    for failures, minutes in enumerate(expected):
        found = verdict(ran_into(Trouble.REFUSED), lease(failures=failures, expires_at=after(NOW, 9 * DAY)))
        assert (found.next_at, found.failures) == (after(NOW, minutes * MINUTE), failures + 1)


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 240), (0.5, 300), (0.75, 330)])
def test_chance_moves_the_next_attempt_within_the_jitter(chance: float, seconds: int) -> None:
    assert verdict(ran_into(Trouble.REFUSED), chance=chance).next_at == after(NOW, seconds * SECOND)


@pytest.mark.parametrize(("left", "state"), [(5 * MINUTE, State.EXPIRED), (5 * MINUTE + 1, State.DEFERRED)])
def test_when_the_next_time_would_come_too_late_it_expires(left: int, state: State) -> None:
    found = verdict(ran_into(Trouble.REFUSED), lease(expires_at=after(NOW, left)))
    assert found.state is state


def test_an_expired_delivery_keeps_the_last_cause_as_evidence() -> None:
    found = verdict(replied(Phase.RCPT, 452, "full", "4.2.2"), lease(expires_at=after(NOW, MINUTE), failures=4))
    assert (found.state, found.event, found.reason.cls) == (State.EXPIRED, EventType.EXPIRED, Class.EXPIRED)
    assert found.reason.evidence["last_class"] == "mailbox_full"
    assert found.reason.evidence["code"] == 452
    assert found.reason.evidence["expires_at"] == to_rfc3339(after(NOW, MINUTE))
    assert (found.failures, found.suppress, found.next_at) == (5, False, None)


def test_a_delivery_lapses_when_its_time_is_over_before_the_attempt() -> None:
    assert lapse(lease(), now=NOW) is None
    found = lapse(lease(expires_at=NOW, failures=1), now=NOW)
    assert found is not None
    assert (found.state, found.failures, found.reason.evidence) == (State.EXPIRED, 1, {"expires_at": to_rfc3339(NOW)})
    assert found.reason.scope is Scope.LOCAL


def test_greylisting_is_tried_again_after_five_minutes_however_often_it_failed_before() -> None:
    held = lease(failures=5, reason=verdict(ran_into(Trouble.REFUSED)).reason)
    found = verdict(replied(Phase.RCPT, 451, "greylisted", "4.7.1"), held, chance=0.0)
    assert found.next_at == after(NOW, 5 * MINUTE)
    assert verdict(replied(Phase.RCPT, 451, "greylisted"), held, chance=0.5).next_at == after(NOW, 330 * SECOND)


def test_greylisting_again_follows_the_schedule() -> None:
    first = verdict(replied(Phase.RCPT, 451, "greylisted"))
    found = verdict(replied(Phase.RCPT, 451, "greylisted"), lease(failures=2, reason=first.reason))
    assert found.next_at == after(NOW, 20 * MINUTE)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("Greylisted, please try again in 300 seconds", 300 * SECOND),
        ("greylisted, retry after 120s", 120 * SECOND),
        ("Greylisted for 7 minutes", 7 * MINUTE),
        ("greylisting in action, please come back in 00:10:30", 630 * SECOND),
        ("greylisted, wait 1 hour", HOUR),
        ("greylisted, try again in 1 second", MINUTE),
        ("greylisted, try again in 99999 hours", 4 * HOUR),
        ("greylisted, at most 10 messages per 60 minutes", 5 * MINUTE),
        ("greylisted, in 5 moments", 5 * MINUTE),
    ],
)
def test_a_reply_that_names_a_time_is_honoured_within_bounds(text: str, wait: int) -> None:
    assert verdict(replied(Phase.RCPT, 450, text), chance=0.0).next_at == after(NOW, wait)


def test_a_rate_limit_that_names_a_time_is_honoured_too() -> None:
    found = verdict(replied(Phase.MAIL, 421, "rate limited, try again in 30 minutes"), chance=0.0)
    assert found.next_at == after(NOW, 30 * MINUTE)
    assert verdict(replied(Phase.MAIL, 421, "rate limited")).next_at == after(NOW, 5 * MINUTE)


def test_a_peer_may_hurry_us_once_only() -> None:
    first = verdict(replied(Phase.RCPT, 450, "greylisted, try again in 60 seconds"))
    held = lease(failures=3, reason=first.reason)
    found = verdict(replied(Phase.RCPT, 450, "greylisted, try again in 60 seconds"), held)
    assert found.next_at == after(NOW, 40 * MINUTE)
    longer = verdict(replied(Phase.RCPT, 450, "greylisted, try again in 2 hours"), held, chance=0.0)
    assert longer.next_at == after(NOW, 2 * HOUR)


def test_a_time_in_a_reply_of_another_class_is_not_taken() -> None:
    found = verdict(replied(Phase.RCPT, 452, "mailbox full, try again in 3 hours", "4.2.2"))
    assert found.next_at == after(NOW, 5 * MINUTE)


def test_deferrals_are_told_at_first_and_then_every_four_hours() -> None:
    def event(noticed_at: Instant | None) -> EventType | None:
        return verdict(ran_into(Trouble.REFUSED), lease(failures=3, noticed_at=noticed_at)).event

    assert event(None) is EventType.DEFERRED
    assert event(after(NOW, 1 - 4 * HOUR)) is None
    assert event(after(NOW, -4 * HOUR)) is EventType.DEFERRED


def test_a_stream_may_have_a_schedule_of_its_own() -> None:
    stream = Stream(name="otp", kind=TRANSACTIONAL.kind, expire_after=HOUR, retry=RetrySchedule((SECOND,), 0.0))
    assert verdict(ran_into(Trouble.REFUSED), lease(failures=8), stream=stream).next_at == after(NOW, SECOND)


def test_an_attempt_without_reply_or_trouble_is_a_bug() -> None:
    with pytest.raises(ValueError, match="a reply or a trouble"):
        verdict(attempt(Phase.RCPT))


@pytest.mark.parametrize("trouble", list(Trouble))
@pytest.mark.parametrize("phase", list(Phase))
def test_there_is_a_verdict_for_every_trouble_in_every_phase(trouble: Trouble, phase: Phase) -> None:
    found = verdict(ran_into(trouble, phase))
    assert (found.next_at is not None) is (found.state in DUE)
    assert found.reason.detail.endswith(".")
