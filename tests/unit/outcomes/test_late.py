"""What follows from mail about a delivery: how far it is believed decides as much as what it says."""

from dataclasses import replace

import pytest
from msgspec.structs import replace as replaced

from postroad.model.attempt import SmtpReply
from postroad.model.clock import DAY, SECOND, Instant, after
from postroad.model.delivery import TERMINAL, State
from postroad.model.event import EventType
from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.late import LateVerdict, Proof, Standing, Taken
from postroad.model.reason import Action, Class, Permanence
from postroad.model.returned import (
    AutoReply,
    Challenge,
    Complaint,
    ReplyKind,
    Report,
    ReportAction,
    ReportedRecipient,
    Returned,
    Unrecognised,
)
from postroad.model.suppression import Cause
from postroad.pipeline.outcomes.late import LateCase, about, judge_late
from postroad.pipeline.outcomes.rules import assemble, read

NOW = Instant(1_800_000_000 * SECOND)
UNKNOWN_USER = ReportedRecipient(
    address="ann@example.net",
    status="5.1.1",
    diagnostic=SmtpReply(550, "No such user here", "5.1.1"),
    remote_mta="mx.example.net",
)
CERTAIN = (Proof.RETURN_PATH, Proof.HEADER)


def standing(state: State = State.DELIVERED, *, attempts: int = 1, ended: Instant = NOW) -> Standing:
    return Standing(
        delivery_id=DeliveryId("dlv_1"),
        message_id=MessageId("msg_1"),
        project_id=ProjectId("prj_1"),
        recipient="Ann@example.net",
        stream="transactional",
        state=state,
        attempts=attempts,
        updated_at=ended,
    )


def judged(
    returned: Returned,
    at: Standing | None = None,
    *,
    proof: Proof = Proof.RETURN_PATH,
    sender: str = "",
    of_envelope: bool = True,
) -> LateVerdict:
    case = LateCase(
        returned=returned, standing=at or standing(), proof=proof, sender=sender, now=NOW, of_envelope=of_envelope
    )
    return judge_late(case)


def report(*recipients: ReportedRecipient) -> Report:
    return Report(recipients=recipients or (UNKNOWN_USER,), reporting_mta="relay.example.net", standard=True)


def failed(**more: object) -> Report:
    return report(ReportedRecipient(**{"address": "ann@example.net", **more}))  # type: ignore[arg-type]  # by name


def test_a_quoted_reply_is_read_by_the_rules_of_its_provider_too() -> None:
    text = 'format = 1\n[[rule]]\nid = "example.gone"\ntext = "no such user here"\nclass = "inactive_mailbox"\n'
    text += 'tests = ["550 5.1.1 No such user here"]\n'
    case = LateCase(returned=report(), standing=standing(), proof=Proof.RETURN_PATH, sender="", now=NOW)
    ruled = replace(case, rules=assemble([read(text, "own.toml")]))
    reasons = [judge_late(one).reason for one in (case, ruled)]
    assert [reason.cls for reason in reasons if reason] == [Class.INVALID_RECIPIENT, Class.INACTIVE_MAILBOX]


# --- bounces ---------------------------------------------------------------------------------------------------------


def test_a_bounce_after_delivery_is_told_and_suppresses_as_a_reply_would() -> None:
    verdict = judged(report())
    assert (verdict.kind, verdict.event, verdict.state) == (Taken.BOUNCE, EventType.BOUNCED_LATE, None)
    assert verdict.suppress is Cause.BOUNCE
    reason = verdict.reason
    assert reason is not None
    assert (reason.cls, reason.permanence, reason.action) == (
        Class.INVALID_RECIPIENT,
        Permanence.PERMANENT,
        Action.SUPPRESS,
    )
    assert reason.evidence["mx"] == "mx.example.net"
    assert reason.evidence["text"] == "No such user here"
    assert reason.rule.startswith("report.failed.")


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "cls"),
    [
        (552, "5.2.2", "Mailbox full", Class.MAILBOX_FULL),
        (554, "5.7.1", "Message looks like spam", Class.CONTENT_REJECTED),
        (550, "5.7.26", "Unauthenticated mail is not accepted", Class.AUTH_FAILED),
        (550, "5.3.4", "Message too large", Class.MESSAGE_TOO_LARGE),
    ],
)
def test_what_is_no_fact_about_the_recipient_never_suppresses(code: int, enhanced: str, text: str, cls: Class) -> None:
    verdict = judged(failed(diagnostic=SmtpReply(code, text, enhanced)))
    assert (verdict.event, verdict.suppress) == (EventType.BOUNCED_LATE, None)
    assert verdict.reason is not None
    assert verdict.reason.cls is cls
    assert verdict.reason.action in (Action.STOP, Action.FIX_SENDER)


@pytest.mark.parametrize("state", [State.QUEUED, State.DEFERRED, State.HELD])
def test_a_bounce_ends_a_delivery_that_is_still_open(state: State) -> None:
    verdict = judged(report(), standing(state))
    assert (verdict.state, verdict.event, verdict.suppress) == (State.BOUNCED, EventType.BOUNCED, Cause.BOUNCE)


@pytest.mark.parametrize("action", [ReportAction.FAILED, ReportAction.DELIVERED])
def test_a_report_waits_for_the_end_of_an_attempt(action: ReportAction) -> None:
    assert judged(failed(action=action), standing(State.SENDING)).wait


@pytest.mark.parametrize("state", [State.SCHEDULED, State.QUEUED, State.CANCELED])
def test_a_report_about_what_was_never_sent_changes_nothing(state: State) -> None:
    verdict = judged(report(), standing(state, attempts=0))
    assert (verdict.kind, verdict.state, verdict.event, verdict.suppress) == (Taken.BOUNCE, None, None, None)


@pytest.mark.parametrize("state", [State.BOUNCED, State.REJECTED, State.SUPPRESSED])
def test_a_bounce_of_what_did_not_leave_is_kept_and_changes_nothing(state: State) -> None:
    verdict = judged(report(), standing(state))
    assert (verdict.event, verdict.state, verdict.suppress) == (None, None, None)
    assert verdict.reason is not None
    assert verdict.reason.action is Action.STOP


def test_a_bounce_after_its_time_is_kept_and_changes_nothing() -> None:
    in_time, too_late = after(NOW, -14 * DAY), after(NOW, -14 * DAY - 1)
    assert judged(report(), standing(ended=in_time)).event is EventType.BOUNCED_LATE
    assert judged(report(), standing(ended=too_late)).event is None


def test_a_match_that_anybody_could_make_neither_settles_nor_suppresses() -> None:
    for state in State:
        verdict = judged(report(), standing(state), proof=Proof.MESSAGE_ID)
        assert (verdict.state, verdict.suppress) == (None, None)
    told = judged(report(), proof=Proof.MESSAGE_ID)
    assert told.event is EventType.BOUNCED_LATE
    assert told.reason is not None
    assert told.reason.evidence["proof"] == "message_id"


@pytest.mark.parametrize("sender", ["", "MAILER-DAEMON@mx.example.net", "postmaster@example.net"])
def test_reports_come_from_nobody_or_from_a_mail_system(sender: str) -> None:
    assert judged(report(), sender=sender).suppress is Cause.BOUNCE


def test_a_report_that_a_person_sent_is_told_and_suppresses_nobody() -> None:
    verdict = judged(report(), sender="mallory@example.org")
    assert (verdict.event, verdict.suppress) == (EventType.BOUNCED_LATE, None)
    assert verdict.reason is not None
    assert verdict.reason.evidence["sender"] == "mallory@example.org"
    assert judged(report(), standing(State.DEFERRED), sender="mallory@example.org").state is None


# --- other reports ---------------------------------------------------------------------------------------------------


def test_a_delay_is_kept_beside_the_delivery_and_no_more() -> None:
    verdict = judged(failed(action=ReportAction.DELAYED, status="4.4.1"))
    assert (verdict.kind, verdict.event, verdict.state, verdict.suppress) == (Taken.DELAY, None, None, None)
    assert verdict.reason is not None
    assert verdict.reason.action is Action.IGNORE


@pytest.mark.parametrize("action", [ReportAction.DELIVERED, ReportAction.RELAYED, ReportAction.EXPANDED])
def test_a_report_of_success_ends_what_was_in_doubt(action: ReportAction) -> None:
    verdict = judged(failed(action=action), standing(State.DEFERRED))
    assert (verdict.kind, verdict.state, verdict.event) == (Taken.RECEIPT, State.DELIVERED, EventType.DELIVERED)


def test_a_report_of_success_that_could_be_forged_ends_nothing() -> None:
    receipt = failed(action=ReportAction.DELIVERED)
    for verdict in (
        judged(receipt, standing(State.DEFERRED), proof=Proof.MESSAGE_ID),
        judged(receipt, standing(State.DEFERRED), sender="ann@example.net"),
        judged(receipt, standing(State.QUEUED, attempts=0)),
        judged(receipt, standing(State.DELIVERED)),
    ):
        assert (verdict.state, verdict.event) == (None, None)
        assert verdict.reason is not None


def test_the_recipient_s_own_line_counts_whatever_the_others_say() -> None:
    other = ReportedRecipient(address="bob@example.net", status="5.2.2")
    ours = ReportedRecipient(final="box7@host", original="ANN@example.net", status="5.1.1")
    assert about(report(other, ours), "ann@example.net") is ours
    verdict = judged(report(other, ours))
    assert verdict.reason is not None
    assert verdict.reason.evidence["final_recipient"] == "box7@host"


def test_a_report_that_names_somebody_else_is_about_our_recipient_all_the_same() -> None:
    delayed = ReportedRecipient(address="x@y.test", action=ReportAction.DELAYED)
    behind = ReportedRecipient(address="behind-the-alias@y.test", status="5.1.1")
    assert about(report(delayed, behind), "ann@example.net") is behind
    assert about(report(delayed), "ann@example.net") is delayed


@pytest.mark.parametrize(
    ("address", "enclosed", "of_envelope", "believed"),
    [
        ("ann@example.net", True, True, True),
        ("bob@example.net", True, True, False),
        ("bob@example.net", True, False, True),
        ("bob@example.net", False, True, True),
    ],
)
def test_a_report_within_another_mail_names_the_recipient_or_holds_a_proof(
    address: str, enclosed: bool, of_envelope: bool, believed: bool
) -> None:
    found = replaced(failed(address=address, status="5.1.1"), enclosed=enclosed)
    late = judged(found, of_envelope=of_envelope)
    assert (late.event, late.suppress) == (EventType.BOUNCED_LATE, Cause.BOUNCE if believed else None)
    still_open = judged(found, standing(State.DEFERRED), of_envelope=of_envelope)
    assert still_open.state is (State.BOUNCED if believed else None)
    arrived = replaced(failed(address=address, action=ReportAction.DELIVERED), enclosed=enclosed)
    doubted = judged(arrived, standing(State.DEFERRED), of_envelope=of_envelope)
    assert doubted.state is (State.DELIVERED if believed else None)


@pytest.mark.parametrize(
    ("recipients", "enclosed", "of_envelope", "believed"),
    [
        (("ANN@example.net",), True, True, True),
        (("bob@example.net",), True, True, False),
        ((), True, False, True),
        ((), False, True, True),
    ],
)
def test_a_complaint_within_another_mail_names_the_recipient_or_holds_a_proof(
    recipients: tuple[str, ...], enclosed: bool, of_envelope: bool, believed: bool
) -> None:
    complaint = Complaint(feedback_type="abuse", recipients=recipients, enclosed=enclosed)
    verdict = judged(complaint, of_envelope=of_envelope)
    assert verdict.suppress is (Cause.COMPLAINT if believed else None)


# --- complaints and answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("proof", CERTAIN)
@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_a_complaint_suppresses_whatever_became_of_the_delivery(proof: Proof, state: State) -> None:
    complaint = Complaint(feedback_type="abuse", user_agent="SomeFBL/1")
    verdict = judged(complaint, standing(state), proof=proof, sender="fbl@provider.test")
    assert (verdict.kind, verdict.event, verdict.suppress) == (
        Taken.COMPLAINT,
        EventType.COMPLAINED,
        Cause.COMPLAINT,
    )
    assert verdict.state is None
    assert verdict.reason is not None
    assert verdict.reason.evidence["user_agent"] == "SomeFBL/1"


def test_a_complaint_by_message_id_is_told_and_suppresses_nobody() -> None:
    verdict = judged(Complaint(feedback_type="abuse"), proof=Proof.MESSAGE_ID)
    assert (verdict.event, verdict.suppress) == (EventType.COMPLAINED, None)


def test_feedback_that_is_no_complaint_is_only_kept() -> None:
    verdict = judged(Complaint(feedback_type="not-spam"))
    assert (verdict.kind, verdict.event, verdict.suppress) == (Taken.OTHER, None, None)
    assert judged(Complaint(feedback_type="abuse"), standing(State.QUEUED, attempts=0)).event is None


@pytest.mark.parametrize("kind", [ReplyKind.VACATION, ReplyKind.AUTO_REPLY, ReplyKind.ADDRESS_CHANGE])
def test_a_machine_s_answer_is_told_and_nothing_follows(kind: ReplyKind) -> None:
    verdict = judged(AutoReply(kind=kind))
    assert (verdict.kind, verdict.event, verdict.suppress) == (Taken.AUTO_REPLY, EventType.AUTO_REPLIED, None)
    assert verdict.reason is not None
    assert (verdict.reason.cls, verdict.reason.action) == (Class.AUTO_REPLY, Action.IGNORE)


@pytest.mark.parametrize("kind", [ReplyKind.RECEIPT, ReplyKind.SUBSCRIBE, ReplyKind.UNSUBSCRIBE])
def test_other_answers_are_only_kept(kind: ReplyKind) -> None:
    verdict = judged(AutoReply(kind=kind))
    assert (verdict.kind, verdict.event) == (Taken.OTHER, None)


def test_a_challenge_is_told() -> None:
    verdict = judged(Challenge())
    assert (verdict.kind, verdict.event) == (Taken.CHALLENGE, EventType.AUTO_REPLIED)
    assert verdict.reason is not None
    assert verdict.reason.cls is Class.CHALLENGE


def test_mail_that_is_none_of_these_leaves_no_trace_on_the_delivery() -> None:
    assert judged(Unrecognised()) == LateVerdict(kind=Taken.OTHER)


def test_a_report_that_names_no_server_says_so() -> None:
    verdict = judged(Report(recipients=(ReportedRecipient(status="5.1.1"),)))
    assert verdict.reason is not None
    assert "mx" not in verdict.reason.evidence
    assert verdict.reason.evidence["code"] is None
