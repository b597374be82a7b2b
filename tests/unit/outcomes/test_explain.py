"""The answer in words and structure, for every state and class."""

import msgspec
import pytest

from postroad.model.attempt import (
    Attempt,
    BrokenTls,
    Exchanger,
    Passed,
    Phase,
    SmtpReply,
    TlsFacts,
    TlsPolicy,
    Trouble,
)
from postroad.model.clock import DAY, HOUR, MINUTE, SECOND, Instant, after
from postroad.model.delivery import TERMINAL, Delivery, State
from postroad.model.ids import DeliveryId, MessageId, ProjectId, SuppressionId
from postroad.model.message import Message, Mode, Role
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.suppression import Cause, Suppression
from postroad.pipeline.outcomes import words
from postroad.pipeline.outcomes.explain import RecipientAnswer, explain
from postroad.pipeline.outcomes.last_attempt import LastAttempt

NOW = Instant(1_800_000_000 * SECOND)
MESSAGE = Message(
    id=MessageId("msg_1"),
    project_id=ProjectId("prj_1"),
    mode=Mode.LIVE,
    stream="transactional",
    sender="ann@example.com",
    subject="Hello",
    created_at=NOW,
    expires_at=after(NOW, DAY),
    header_id="1@example.com",
)


def delivery(
    state: State,
    reason: Reason | None = None,
    *,
    number: int = 1,
    next_at: Instant | None = None,
    possible_duplicate: bool = False,
) -> Delivery:
    return Delivery(
        id=DeliveryId(f"dlv_{number}"),
        message_id=MESSAGE.id,
        project_id=MESSAGE.project_id,
        recipient="Bo@example.net",
        domain="example.net",
        role=Role.TO,
        stream="transactional",
        mode=Mode.LIVE,
        state=state,
        attempts=number,
        next_at=next_at,
        expires_at=after(NOW, DAY),
        created_at=NOW,
        updated_at=NOW,
        reason=reason,
        possible_duplicate=possible_duplicate,
    )


def reason(cls: Class, detail: str = "", **evidence: str | int | None) -> Reason:
    return Reason(
        cls=cls,
        permanence=Permanence.PERMANENT,
        scope=Scope.RECIPIENT,
        action=Action.STOP,
        rule="rule.of.the.test",
        detail=detail,
        evidence=evidence,
    )


def entry(
    cause: Cause = Cause.BOUNCE,
    *,
    scope: str = "*",
    address: str = "bo@EXAMPLE.net",
    caused_by: str | None = None,
    expires_at: Instant | None = None,
) -> Suppression:
    return Suppression(
        id=SuppressionId("sup_1"),
        project_id=MESSAGE.project_id,
        scope=scope,
        address=address,
        cause=cause,
        author="system",
        created_at=NOW,
        expires_at=expires_at,
        evidence=reason(Class.INVALID_RECIPIENT) if caused_by else None,
        delivery_id=caused_by,
        note="a note",
    )


def answer(one: Delivery, *suppressions: Suppression, attempts: tuple[Attempt, ...] = ()) -> RecipientAnswer:
    told = explain(MESSAGE, [one], attempts={one.id: attempts}, suppressions=suppressions, now=NOW)
    return told.recipients[0]


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("cls", [None, *Class])
def test_every_state_and_class_has_a_sentence_and_a_remedy(state: State, cls: Class | None) -> None:
    told = answer(delivery(state, None if cls is None else reason(cls)))
    assert told.sentence.endswith(".")
    assert told.remedy.endswith(".")
    assert "None" not in told.sentence + told.remedy
    assert cls is None or words.CAUSES[cls] in told.sentence
    assert (told.next is None) is (state in TERMINAL)


@pytest.mark.parametrize("table", [words.CAUSES, words.REMEDIES])
def test_every_class_has_its_own_words(table: dict[Class, str]) -> None:
    assert set(table) == set(Class)
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in table.values())


def test_every_class_has_a_cause_of_its_own() -> None:
    assert len(set(words.CAUSES.values())) == len(Class)


@pytest.mark.parametrize("table", [words.SUPPRESSION_CAUSES, words.SUPPRESSION_REMEDIES])
def test_every_cause_of_a_suppression_has_its_words(table: dict[Cause, str]) -> None:
    assert set(table) == set(Cause)


def test_a_bounce_tells_who_said_what_and_what_to_do() -> None:
    told = answer(
        delivery(
            State.BOUNCED,
            reason(Class.INVALID_RECIPIENT, code=550, enhanced="5.1.1", text="No such user", mx="mx.example.net"),
        )
    )
    assert told.sentence == (
        "It was refused for good. The recipient's mail server says that this address does not exist. "
        "mx.example.net said: “550 5.1.1 No such user”."
    )
    assert (
        told.remedy == "Check the address for mistakes, and ask the recipient for one that works. Then send it again."
    )
    assert told.decision is not None
    assert (told.decision.rule, told.decision.cls) == ("rule.of.the.test", Class.INVALID_RECIPIENT)
    assert told.decision.at == "2027-01-15T08:00:00.000000Z"


def test_a_reply_without_enhanced_code_or_name_of_the_server_is_told_too() -> None:
    told = answer(delivery(State.BOUNCED, reason(Class.UNKNOWN, code=554, enhanced=None, text="")))
    assert "The server said: “554”." in told.sentence


def test_the_detail_of_a_reason_is_told_before_the_general_cause() -> None:
    told = answer(delivery(State.REJECTED, reason(Class.RENDERING, "The template lacks a name.")))
    assert told.sentence == "It was refused before it was sent. The template lacks a name."


def test_a_deferral_tells_the_next_attempt_and_the_end() -> None:
    told = answer(delivery(State.DEFERRED, reason(Class.GREYLISTED), next_at=after(NOW, 5 * MINUTE)))
    assert told.next is not None
    assert told.next.at == "2027-01-15T08:05:00.000000Z"
    assert told.next.gives_up_at == "2027-01-16T08:00:00.000000Z"
    assert told.next.at in told.next.what


def test_what_is_due_says_so() -> None:
    told = answer(delivery(State.QUEUED, next_at=NOW))
    assert told.next is not None
    assert (told.next.at, "due" in told.next.what) == (None, True)


def test_a_running_attempt_is_what_decides() -> None:
    told = answer(delivery(State.SENDING, reason(Class.UNREACHABLE), next_at=after(NOW, HOUR)))
    assert told.next is not None
    assert (told.next.at, told.next.what) == (None, "The attempt that is being made decides.")
    assert "Before that: No mail server" in told.sentence


def test_only_what_waits_is_said_to_be_changeable() -> None:
    assert "no longer be canceled" in answer(delivery(State.SENDING)).remedy
    assert answer(delivery(State.QUEUED, next_at=NOW)).remedy == words.WAITING_REMEDY
    assert answer(delivery(State.SCHEDULED, next_at=after(NOW, HOUR))).remedy == words.WAITING_REMEDY


def test_a_hold_waits_for_somebody() -> None:
    relay = answer(delivery(State.HELD, reason(Class.AUTH_FAILED)))
    other = answer(delivery(State.HELD, reason(Class.LOCAL, "The project is paused.")))
    assert (relay.remedy, other.remedy) == (words.RELAY_REMEDY, words.HOLD_REMEDY)
    assert relay.next is not None
    assert "released" in relay.next.what


def test_an_expired_delivery_tells_the_last_cause_and_its_remedy() -> None:
    told = answer(delivery(State.EXPIRED, reason(Class.EXPIRED, last_class="mailbox_full", code=452, text="full")))
    assert "What kept it back: The recipient's mailbox is full. The server said: “452 full”." in told.sentence
    assert told.remedy == "The recipient has to make room. Then send it again."


@pytest.mark.parametrize("last", [None, "in_doubt"])
def test_a_remedy_never_asks_twice_to_send_again(last: str | None) -> None:
    told = answer(delivery(State.EXPIRED, reason(Class.EXPIRED, last_class=last)))
    assert "Then send it again" not in told.remedy
    assert told.remedy in words.REMEDIES.values()


def test_an_interruption_tells_the_cause_before_it() -> None:
    told = answer(delivery(State.QUEUED, reason(Class.LOCAL, last_class="unreachable")))
    assert "What kept it back: No mail server" in told.sentence


def test_a_possible_duplicate_is_told() -> None:
    told = answer(delivery(State.DELIVERED, reason(Class.ACCEPTED), possible_duplicate=True))
    assert "more than once" in told.sentence
    assert told.possible_duplicate


def test_a_suppressed_recipient_tells_the_entry_and_its_remedy() -> None:
    told = answer(delivery(State.SUPPRESSED, reason(Class.SUPPRESSED)), entry(Cause.COMPLAINT))
    assert "because its owner reported mail as spam" in told.sentence
    assert told.remedy == words.SUPPRESSION_REMEDIES[Cause.COMPLAINT]
    assert told.suppression is not None
    assert (told.suppression.author, told.suppression.rule, told.suppression.note) == ("system", None, "a note")


def test_the_reserved_address_of_a_suppressed_recipient_stands_on_no_list() -> None:
    rehearsed = msgspec.structs.replace(reason(Class.SUPPRESSED), rule="compose.suppressed")
    told = answer(delivery(State.SUPPRESSED, rehearsed))
    assert "list since" not in told.sentence
    assert told.remedy == words.REHEARSED_REMEDY


def test_what_somebody_ended_by_hand_was_refused_by_nobody() -> None:
    ended = msgspec.structs.replace(reason(Class.LOCAL, detail="It was ended by hand."), rule="queue.bounce")
    told = answer(delivery(State.BOUNCED, ended))
    assert told.sentence == "It was ended. It was ended by hand."
    assert told.remedy == words.REMEDIES[Class.CANCELED]


@pytest.mark.parametrize(
    "other",
    [
        entry(address="somebody@else.example"),
        entry(scope="broadcast"),
        entry(expires_at=NOW),
    ],
)
def test_an_entry_that_is_not_in_force_here_is_not_told(other: Suppression) -> None:
    told = answer(delivery(State.SUPPRESSED, reason(Class.SUPPRESSED)), other)
    assert told.suppression is None
    assert (told.remedy, "left the list" in told.sentence) == (words.RESEND_REMEDY, True)


def test_a_bounce_that_suppressed_tells_its_own_entry() -> None:
    told = answer(
        delivery(State.BOUNCED, reason(Class.INVALID_RECIPIENT)),
        entry(Cause.MANUAL, scope="transactional", expires_at=after(NOW, 1)),
        entry(caused_by="dlv_1"),
    )
    assert told.suppression is not None
    assert (told.suppression.cause, told.suppression.rule) == (Cause.BOUNCE, "rule.of.the.test")
    assert "has been on the suppression list since" in told.sentence


def test_the_last_attempt_is_shown_with_its_facts() -> None:
    first = Attempt(phase=Phase.CONNECT, trouble=Trouble.REFUSED, route="mx", started_at=NOW, finished_at=NOW)
    second = Attempt(
        phase=Phase.DOT,
        reply=SmtpReply(250, "queued", "2.0.0"),
        route="mx",
        mx="mx.example.net",
        ip="192.0.2.1",
        tls=TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
        started_at=after(NOW, MINUTE),
        finished_at=after(NOW, MINUTE),
    )
    shown = answer(delivery(State.DELIVERED, reason(Class.ACCEPTED)), attempts=(first, second)).last_attempt
    assert shown is not None
    assert (shown.reply, shown.tls, shown.ip, shown.trouble) == ("250 2.0.0 queued", "TLSv1.3", "192.0.2.1", None)
    shown = answer(delivery(State.DEFERRED, reason(Class.UNREACHABLE)), attempts=(first,)).last_attempt
    assert shown is not None
    assert (shown.reply, shown.tls, shown.trouble) == (None, None, Trouble.REFUSED)
    assert answer(delivery(State.QUEUED)).last_attempt is None


def tried(**facts: object) -> LastAttempt:
    """Return what is told of an attempt to a domain with three exchangers."""
    exchangers = (Exchanger(10, "mx1.a.test"), Exchanger(20, "mx2.a.test"), Exchanger(30, "mx3.a.test"))
    made = Attempt(phase=Phase.DOT, route="mx", exchangers=exchangers, started_at=NOW, finished_at=NOW)
    made = msgspec.structs.replace(made, **facts)
    shown = answer(delivery(State.DELIVERED, reason(Class.ACCEPTED)), attempts=(made,)).last_attempt
    assert shown is not None
    return shown


def test_the_exchangers_are_told_with_what_came_of_each() -> None:
    passed = (
        Passed("mx1.a.test", "192.0.2.1", Phase.CONNECT, "The server refused the connection."),
        Passed("mx1.a.test", "2001:db8::1", Phase.CONNECT, "No way to 2001:db8::1."),
    )
    shown = tried(phase=Phase.DOT, reply=SmtpReply(250, "queued"), mx="mx2.a.test", passed=passed)
    assert [(each.host, each.preference, each.tried) for each in shown.exchangers] == [
        ("mx1.a.test", 10, True), ("mx2.a.test", 20, True), ("mx3.a.test", 30, False),
    ]  # fmt: skip
    assert shown.exchangers_told == (
        "3 mail exchangers found: mx1.a.test (preference 10), tried (192.0.2.1: The server refused the connection / "
        "No way to 2001:db8::1); mx2.a.test (preference 20), spoken to; mx3.a.test (preference 30), not tried."
    )


def test_an_exchanger_that_did_not_do_at_first_may_be_spoken_to_after_all() -> None:
    passed = (Passed("mx1.a.test", None, Phase.STARTTLS, "TLS failed."),)
    shown = tried(phase=Phase.DOT, reply=SmtpReply(250, "queued"), mx="mx1.a.test", passed=passed)
    assert "mx1.a.test (preference 10), tried (TLS failed), then spoken to;" in str(shown.exchangers_told)
    shown = tried(phase=Phase.CONNECT, trouble=Trouble.TIMEOUT, mx="mx1.a.test")
    assert "mx1.a.test (preference 10), tried; mx2" in str(shown.exchangers_told)


def test_where_no_exchanger_was_found_none_is_told() -> None:
    made = Attempt(phase=Phase.RESOLVE, trouble=Trouble.NULL_MX, route="mx", started_at=NOW, finished_at=NOW)
    shown = answer(delivery(State.BOUNCED, reason(Class.BAD_DOMAIN)), attempts=(made,)).last_attempt
    assert shown is not None
    assert (shown.exchangers, shown.exchangers_told) == ((), None)
    one = Attempt(
        phase=Phase.DOT, route="mx", mx="a.test", exchangers=(Exchanger(0, "a.test"),), started_at=NOW, finished_at=NOW
    )
    shown = answer(delivery(State.DELIVERED, reason(Class.ACCEPTED)), attempts=(one,)).last_attempt
    assert shown is not None
    assert shown.exchangers_told == "1 mail exchanger found: a.test (preference 0), spoken to."


def test_what_fails_at_a_relay_of_ours_is_put_right_in_its_url() -> None:
    waits = delivery(State.DEFERRED, reason(Class.UNREACHABLE), next_at=after(NOW, HOUR))
    made = {
        route: Attempt(
            phase=Phase.CONNECT, route=route, tls_policy=TlsPolicy.OPPORTUNISTIC, started_at=NOW, finished_at=NOW
        )
        for route in ("mx", "smarthost")
    }
    direct, relayed = (answer(waits, attempts=(each,)) for each in made.values())
    assert direct.remedy == words.REMEDIES[Class.UNREACHABLE]
    assert relayed.remedy == words.RELAY_REMEDIES[Class.UNREACHABLE]
    assert direct.last_attempt is not None
    assert relayed.last_attempt is not None
    assert str(direct.last_attempt.tls_told).startswith("No policy asks for TLS")
    assert str(relayed.last_attempt.tls_told).startswith("The relay's URL says whether TLS is used.")


def test_broken_tls_is_told_as_what_it_is() -> None:
    broken = BrokenTls(
        since="2026-11-20T10:00:00.000000Z",
        until="2026-11-23T10:00:00.000000Z",
        detail="The TLS handshake failed: wrong version.",
    )
    shown = tried(phase=Phase.DOT, mx="mx1.a.test", tls_policy=TlsPolicy.OPPORTUNISTIC, tls_broken=broken)
    assert shown.tls_broken == broken
    assert shown.tls_told == (
        "No policy asks for TLS, so it is used when the server offers it. TLS is offered there and does not work: The "
        "TLS handshake failed: wrong version (at 2026-11-20T10:00:00.000000Z). So the connection was not encrypted; "
        "TLS is tried there again from 2026-11-23T10:00:00.000000Z on."
    )


def test_the_message_is_summed_up_in_one_line() -> None:
    several = [
        delivery(State.DELIVERED, number=1),
        delivery(State.DELIVERED, number=2),
        delivery(State.BOUNCED, number=3),
    ]
    told = explain(MESSAGE, several, attempts={}, suppressions=[], now=NOW)
    assert (told.summary, told.state) == ("3 recipients: 2 delivered, 1 bounced.", "completed")
    assert [one.delivery_id for one in told.recipients] == ["dlv_1", "dlv_2", "dlv_3"]
    one = explain(MESSAGE, several[:1], attempts={}, suppressions=[], now=NOW)
    assert one.summary == "1 recipient: 1 delivered."


def test_the_answer_can_be_sent_as_json() -> None:
    told = explain(
        MESSAGE, [delivery(State.BOUNCED, reason(Class.POLICY))], attempts={}, suppressions=[entry()], now=NOW
    )
    shown = msgspec.json.decode(msgspec.json.encode(told))
    assert shown["recipients"][0]["decision"]["class"] == "policy"


def test_how_the_connection_was_secured_is_told_in_words() -> None:
    def told(policy: TlsPolicy | None, tls: TlsFacts | None) -> str | None:
        made = Attempt(phase=Phase.DOT, tls_policy=policy, tls=tls, source="out1", started_at=NOW, finished_at=NOW)
        shown = answer(delivery(State.DELIVERED, reason(Class.ACCEPTED)), attempts=(made,)).last_attempt
        assert shown is not None
        assert (shown.tls_policy, shown.source) == (policy, "out1")
        return shown.tls_told

    assert told(None, None) is None
    assert "not encrypted" in str(told(TlsPolicy.OPPORTUNISTIC, None))
    held = TlsFacts("TLSv1.3", "X", verified=True, not_after="2027-01-01T00:00:00Z")
    assert "DANE" in str(told(TlsPolicy.DANE, held))
    assert "2027-01-01" in str(told(TlsPolicy.DANE, held))
    doubtful = TlsFacts("TLSv1.3", "X", unverified_because="It is for another host.")
    assert str(told(TlsPolicy.MTA_STS_TESTING, doubtful)).endswith("another host.")
