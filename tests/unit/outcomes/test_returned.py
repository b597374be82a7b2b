"""What the corpus of whole mails does not reach: corners of returned mail, and what follows from a report."""

import pytest

from postroad.model.attempt import Phase, SmtpReply
from postroad.model.reason import Action, Class, Permanence
from postroad.model.returned import (
    AutoReply,
    Challenge,
    Complaint,
    ReplyKind,
    Report,
    ReportAction,
    ReportedRecipient,
    Unrecognised,
)
from postroad.pipeline.outcomes.returned import notice, replies
from postroad.pipeline.outcomes.returned.cause import classify_report
from postroad.pipeline.outcomes.returned.reading import read_returned


def mail(body: str, **fields: str) -> bytes:
    given = {"From": "MAILER-DAEMON@mx.example", "To": "b+x@bounce.shop.example", "Subject": "failure notice"} | {
        name.replace("_", "-"): value for name, value in fields.items()
    }
    return ("".join(f"{name}: {value}\r\n" for name, value in given.items()) + "\r\n" + body).encode()


def report(octets: bytes) -> Report:
    found = read_returned(octets)
    assert isinstance(found, Report)
    return found


def dsn(fields: str, prose: str = "", subject: str = "Undelivered") -> Report:
    body = f"--b\n\n{prose}\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\n{fields}\n--b--\n"
    return report(mail(body, Subject=subject, Content_Type='multipart/report; boundary="b"'))


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ("Action: delivered", ReportAction.DELIVERED),
        ("Action: relayed (to mail.example)", ReportAction.RELAYED),
        ("Action: expanded", ReportAction.EXPANDED),
        ("Action: delay", ReportAction.DELAYED),
        ("Action: undeliverable", ReportAction.FAILED),
        ("Status: 2.1.5", ReportAction.DELIVERED),
        ("Status: 5.1.1", ReportAction.FAILED),
    ],
)
def test_the_action_of_a_report_is_told_or_follows(fields: str, action: ReportAction) -> None:
    (one,) = dsn(f"Final-Recipient: rfc822; ann@example.org\n{fields}").recipients
    assert one.action is action


def test_without_an_action_the_prose_says_whether_it_is_a_delay() -> None:
    (one,) = dsn("Final-Recipient: rfc822; ann@example.org", "will be retried").recipients
    assert one.action is ReportAction.DELAYED
    two = dsn(
        "Final-Recipient: rfc822; ann@example.org\n\nFinal-Recipient: rfc822; ben@example.org", subject="Delayed mail"
    )
    assert [one.action for one in two.recipients] == [ReportAction.DELAYED] * 2


def test_a_report_that_names_nobody_takes_the_recipient_from_its_prose_or_the_message() -> None:
    assert dsn("Final-Recipient: LOCAL; ann\nAction: failed", "<ann@example.org>: no").recipients[0].address == (
        "ann@example.org"
    )
    assert dsn("Final-Recipient: LOCAL; ann\nAction: failed").recipients[0].address == "ann"
    copied = "no\n\nReceived: by x\nTo: cid@example.org\nFrom: a@shop.example\n"
    assert dsn("Final-Recipient: LOCAL; x\nAction: failed", copied).recipients[0].address == "cid@example.org"
    two = dsn("Final-Recipient: LOCAL; x\nAction: failed\n\nFinal-Recipient: LOCAL; y\nAction: failed", copied)
    assert [one.address for one in two.recipients] == ["cid@example.org", "cid@example.org"]


def test_a_reply_that_says_nothing_gives_way_to_one_in_the_prose() -> None:
    fields = "Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.0.0\n"
    fields += "Diagnostic-Code: smtp; 554 5.0.0 Service unavailable"
    (one,) = dsn(fields, "<ann@example.org>: said: 552 5.2.2 mailbox full").recipients
    assert classify_report(one).cls is Class.MAILBOX_FULL
    (two,) = dsn(fields, "<ann@example.org>: said: 550 unknown").recipients
    assert two.diagnostic is not None
    assert two.diagnostic.code == 554


def test_report_fields_under_the_wrong_type_are_still_read() -> None:
    body = "Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\n"
    assert report(mail(body)).standard


def test_a_machine_part_that_holds_nothing_leaves_the_prose_to_speak() -> None:
    body = "--b\n\n<ann@example.org>:\nno such user\n--b\nContent-Type: message/delivery-status\n\n\n--b--\n"
    found = report(mail(body, Content_Type="multipart/report; boundary=b"))
    assert (found.standard, found.recipients[0].address) == (False, "ann@example.org")


def test_a_rejecting_disposition_without_a_recipient_is_read_from_its_words() -> None:
    body = "--b\n\nYour message to <ann@example.org> was rejected: policy\n"
    body += "--b\nContent-Type: message/disposition-notification\n\n\n--b--\n"
    found = report(mail(body, Content_Type="multipart/report; boundary=b", Subject="Rejected"))
    assert found.recipients[0].address == "ann@example.org"


def test_a_bounce_that_names_nobody_is_still_one() -> None:
    (one,) = report(mail("This message could not be delivered. 550 5.1.1 unknown")).recipients
    assert (one.address, classify_report(one).cls) == (None, Class.INVALID_RECIPIENT)


def test_a_header_in_the_text_with_nothing_before_it_is_still_read() -> None:
    body = "Received: by x\nMIME-Version: 1.0\nTo: ann@example.org\nFrom: a@shop.example\n\nunknown user"
    assert report(mail(body, X_Failed_Recipients="ann@example.org")).recipients[0].address == "ann@example.org"


def test_a_copy_within_the_text_may_be_quoted() -> None:
    body = "<ann@example.org>: no\n\n> Received: by x\n>  more\n> To: ann@example.org\n> Message-ID: <1@shop.example>\n"
    assert report(mail(body)).original.message_id == "<1@shop.example>"


def test_the_copy_may_be_an_attached_file_or_a_header_alone() -> None:
    for kind in ("application/octet-stream; name=mail.eml", "text/rfc822-headers"):
        body = f"--b\n\n<ann@example.org>: no\n--b\nContent-Type: {kind}\n\n"
        body += "Message-ID: <1@shop.example>\nX-Postroad-Delivery: t\n--b--\n"
        original = report(mail(body, Content_Type="multipart/mixed; boundary=b")).original
        assert (original.message_id, original.delivery_token) == ("<1@shop.example>", "t")


def test_an_answer_refers_to_the_message_it_answers() -> None:
    fields = {"From": "ann@example.org", "Subject": "Out of office"}
    for name in ("In_Reply_To", "X_Original_Message_ID", "References"):
        found = read_returned(mail("away", **fields, **{name: "<1@shop.example>"}))
        assert isinstance(found, AutoReply)
        assert found.original.message_id == "<1@shop.example>"
    bare = read_returned(mail("away", **fields, In_Reply_To="1@shop.example"))
    assert bare.original.message_id == "<1@shop.example>"


@pytest.mark.parametrize(
    "fields", [{"Precedence": "auto_reply"}, {"X_Autoreply": "yes"}, {"Auto_Submitted": "auto-replied (vacation)"}]
)
def test_marks_of_machines_make_an_answer_of_it(fields: dict[str, str]) -> None:
    assert isinstance(read_returned(mail("Hello.", From="ann@example.org", Subject="Hello", **fields)), AutoReply)


def test_a_text_that_only_says_unsubscribe_is_that() -> None:
    found = read_returned(mail("unsubscribe", From="ann@example.org", Subject=""))
    assert isinstance(found, AutoReply)
    assert found.kind is ReplyKind.UNSUBSCRIBE
    assert isinstance(read_returned(mail("hello", From="ann@example.org", Subject="")), Unrecognised)


def test_the_null_path_of_the_envelope_speaks_for_a_bounce() -> None:
    octets = mail("Your mail could not be delivered.", From="ann@example.org", Subject="Hello")
    assert isinstance(read_returned(octets, envelope_from=""), Report)
    assert isinstance(read_returned(octets, envelope_from="ann@example.org"), Unrecognised)


def test_a_challenge_needs_more_than_a_word() -> None:
    text = "Boxbe: to release your message prove that you are a human being."
    assert isinstance(read_returned(mail(text, From="ann@example.org", Subject="Hi")), Challenge)
    assert isinstance(read_returned(mail("I have a whitelist.", From="ann@example.org", Subject="Hi")), Unrecognised)


def test_complaint_fields_under_the_wrong_type_are_still_read() -> None:
    found = read_returned(mail("Feedback-Type: fraud\nSource-IP: 192.0.2.1\n", Subject="abuse"))
    assert isinstance(found, Complaint)
    assert (found.feedback_type, found.standard, found.by_recipient) == ("fraud", False, True)
    assert not Complaint(feedback_type="auth-failure").by_recipient


def test_an_empty_feedback_report_is_no_complaint() -> None:
    body = "--b\nContent-Type: message/feedback-report\n\nVersion: 1\n--b--\n"
    octets = mail(body, From="ann@example.org", Subject="x", Content_Type="multipart/report; boundary=b")
    assert isinstance(read_returned(octets), Unrecognised)


def test_markup_becomes_the_text_that_is_seen() -> None:
    markup = "a<!-- b --><STYLE>c</STYLE><p>d &amp; e<br>f<script>g"
    assert notice.plain(markup) == "a\nd & e\nf"


def test_a_reply_about_the_order_of_commands_counts_only_alone() -> None:
    assert replies.find("<<< 503 need RCPT\n\n<<< 550 unknown") == SmtpReply(550, "unknown", None)
    assert replies.find("<<< 503 need RCPT") == SmtpReply(503, "need RCPT", None)


@pytest.mark.parametrize("text", ["", "550 KB", "port 25:550 x", "v4.550.1", "we sent you 550 letters", "call 599 now"])
def test_numbers_that_are_no_replies_are_none(text: str) -> None:
    assert replies.find(text.replace("550 KB", "about 550 KB")) is None


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("(in reply to RCPT TO command)", Phase.RCPT),
        ("(in reply to MAIL FROM command)", Phase.MAIL),
        ("SMTP error from remote mail server after end of data:", Phase.DOT),
        ("(in reply to EHLO command)", Phase.EHLO),
        ("refused", Phase.DOT),
    ],
)
def test_reports_say_which_command_was_answered(text: str, phase: Phase) -> None:
    assert replies.phase(text) is phase


def test_the_code_that_says_most_is_taken() -> None:
    assert replies.status_in("5.0.0 then 5.1.1") == "5.1.1"
    assert replies.status_in("5.0.0 then 192.0.2.1") == "5.0.0"
    assert replies.status_in("2.0.0 ok") == "2.0.0"
    assert replies.status_in("nothing") is None


def one(**given: object) -> ReportedRecipient:
    return ReportedRecipient(address="ann@example.org", **given)  # type: ignore[arg-type] # the cases say which


@pytest.mark.parametrize("action", [ReportAction.DELIVERED, ReportAction.RELAYED, ReportAction.EXPANDED])
def test_what_arrived_is_no_bounce(action: ReportAction) -> None:
    finding = classify_report(one(action=action, status="5.1.1"))
    assert (finding.cls, finding.action) == (Class.ACCEPTED, Action.IGNORE)


def test_a_delay_is_no_bounce_and_never_suppresses() -> None:
    finding = classify_report(one(action=ReportAction.DELAYED, diagnostic=SmtpReply(550, "unknown", "5.1.1")))
    assert (finding.action, finding.permanence) == (Action.IGNORE, Permanence.TRANSIENT)


def test_a_certain_failure_suppresses_and_a_temporary_one_never() -> None:
    assert classify_report(one(diagnostic=SmtpReply(550, "unknown", "5.1.1"))).action is Action.SUPPRESS
    assert classify_report(one(diagnostic=SmtpReply(450, "unknown", "4.1.1"))).action is Action.STOP
    assert classify_report(one(text="user unknown")).action is not Action.SUPPRESS


@pytest.mark.parametrize(
    ("given", "cls", "permanence"),
    [
        ({"status": "5.4.7"}, Class.EXPIRED, Permanence.TRANSIENT),
        ({"status": "4.4.1", "text": "connection refused"}, Class.UNREACHABLE, Permanence.TRANSIENT),
        ({"status": "5.0.0"}, Class.UNKNOWN, Permanence.PERMANENT),
        ({"text": "This is a permanent matter."}, Class.UNKNOWN, Permanence.PERMANENT),
        ({"text": "No."}, Class.UNKNOWN, Permanence.UNKNOWN),
        ({"diagnostic": SmtpReply(550, "x", "5.0.0"), "status": "4.2.2"}, Class.UNKNOWN, Permanence.PERMANENT),
        ({"diagnostic": SmtpReply(550, "x", None), "status": "5.2.2"}, Class.MAILBOX_FULL, Permanence.TRANSIENT),
        ({"text": "postvak is vol"}, Class.MAILBOX_FULL, Permanence.TRANSIENT),
    ],
)
def test_code_and_words_stand_in_for_a_reply(given: dict[str, object], cls: Class, permanence: Permanence) -> None:
    finding = classify_report(one(**given))
    assert (finding.cls, finding.permanence) == (cls, permanence)
