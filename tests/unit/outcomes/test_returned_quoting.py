"""What our own message says when it comes back is the word of whoever wrote it, and no report on it."""

import pytest

from postroad.model.returned import (
    DELIVERY_HEADER,
    AutoReply,
    Challenge,
    Complaint,
    Report,
    ReportAction,
    Returned,
    Unrecognised,
)
from postroad.pipeline.outcomes.returned.reading import read_returned

OURS = f"{DELIVERY_HEADER}: token\n"
QUOTED = "Look:\n\nFinal-Recipient: rfc822; bob@other.example\nAction: failed\nStatus: 5.1.1\n"
PROSE = "Your mail could not be delivered.\n\n  ann@example.org\n    mailbox is full\n"
ARF = (
    "Content-Type: multipart/report; boundary=arf\n\n--arf\nContent-Type: message/feedback-report\n\n"
    "Feedback-Type: abuse\n{}\n\n--arf--\n"
)
JMRP = "Subject: hello\nContent-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: bob@other.example\nSubject: x\n\nHi\n"
DSN = (
    "From: MAILER-DAEMON@mx.example\nSubject: Undelivered\nContent-Type: multipart/report; boundary=dsn\n\n"
    "--dsn\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\n"
    "Final-Recipient: rfc822; {}\nAction: failed\nStatus: 5.1.1\n\n"
    "--dsn\nContent-Type: message/rfc822\n\n{}From: s@shop.example\n\nHi\n--dsn--\n"
)


def read(text: str) -> Returned:
    return read_returned(text.encode(), envelope_from="")


def mail(
    prose: str,
    *inner: str,
    subject: str = "Undelivered Mail",
    sender: str = "MAILER-DAEMON@mx.example",
    declared: str = "message/rfc822",
) -> str:
    parts = "".join(f"--out\nContent-Type: {declared}\n\n{one}\n" for one in inner)
    return (
        f"From: {sender}\nTo: b@bounce.shop.example\nSubject: {subject}\n"
        f"Content-Type: multipart/mixed; boundary=out\n\n--out\n\n{prose}\n{parts}--out--\n"
    )


def ours(body: str, header: str = OURS) -> str:
    return f"From: support@shop.example\nTo: ann@example.org\nSubject: your ticket\n{header}{body}"


def about_ann(found: Returned) -> bool:
    return isinstance(found, Report) and [one.address for one in found.recipients] == ["ann@example.org"]


@pytest.mark.parametrize("header", [OURS, ""])
@pytest.mark.parametrize("body", [f"\n{QUOTED}", ARF.format(""), ARF.format("Original-Rcpt-To: bob@other.example")])
def test_a_bounce_in_prose_is_about_whom_it_names_whatever_the_message_says(header: str, body: str) -> None:
    assert about_ann(read(mail(PROSE, ours(body, header))))


@pytest.mark.parametrize("header", [OURS, ""])
def test_an_answer_that_encloses_our_message_is_an_answer(header: str) -> None:
    answer = mail("I am away.", ours(f"\n{QUOTED}", header), subject="Automatic reply: hi", sender="ann@example.org")
    assert isinstance(read(answer), AutoReply)


@pytest.mark.parametrize("body", [QUOTED, "Feedback-Type: abuse\nVersion: 1\n"])
def test_an_answer_with_our_text_below_it_is_an_answer(body: str) -> None:
    head = "From: ann@example.org\nSubject: Automatic reply: your ticket\n\nI am away.\n\n"
    assert isinstance(read(f"{head}From: Support\nSent: Monday\nTo: Ann\nSubject: your ticket\n\n{body}"), AutoReply)


def test_an_answer_without_a_mark_may_pass_a_report_on() -> None:
    passed_on = mail("Your ticket has been created.", DSN.format("ann@example.org", ""), sender="help@corp.example")
    assert about_ann(read(passed_on.replace("Undelivered Mail", "Your mail")))


def test_a_report_that_names_whom_the_prose_around_it_names_is_read() -> None:
    found = read(mail(PROSE, DSN.format("ann@example.org", "")))
    assert isinstance(found, Report)
    assert (found.standard, found.enclosed, found.recipients[0].status) == (True, True, "5.1.1")


def test_a_report_is_enclosed_only_where_it_is() -> None:
    found = read(DSN.format("ann@example.org", ""))
    assert isinstance(found, Report)
    assert not found.enclosed
    passed_on = read(mail("See.", ours(ARF.format(""), ""), sender="sales@shop.example", subject="Fwd: look"))
    assert isinstance(passed_on, Complaint)
    assert passed_on.enclosed
    prosaic = f"From: MAILER-DAEMON@mx.example\nSubject: failure notice\n\n{PROSE}"
    found = read(mail("See.", prosaic, sender="sales@shop.example", subject="Fwd: look"))
    assert isinstance(found, Report)
    assert found.enclosed


def test_our_own_message_that_was_sent_on_to_us_says_nothing() -> None:
    assert isinstance(read(ours(f"\n{QUOTED}")), Unrecognised)


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/plain"])
def test_a_report_in_an_attached_file_is_opened_unless_it_is_our_message(kind: str) -> None:
    declared = f"{kind}; name=original.eml"
    passed_on = mail("See.", DSN.format("ann@example.org", ""), sender="sales@shop.example", declared=declared)
    assert about_ann(read(passed_on))
    assert about_ann(read(mail(PROSE, ours(f"\n{QUOTED}"), declared=declared)))


@pytest.mark.parametrize("declared", ["text/rfc822", "text/rfc822-headers"])
def test_a_part_that_is_a_copy_holds_no_report_and_no_complaint(declared: str) -> None:
    for body in (QUOTED, "Feedback-Type: abuse\n"):
        found = read(mail(PROSE, f"Subject: hi\n\n{body}", declared=declared))
        assert about_ann(found)


@pytest.mark.parametrize("body", [QUOTED, "Somebody wrote:\nFeedback-Type: abuse\nVersion: 1\n"])
def test_a_copy_within_the_text_holds_no_report_and_no_complaint(body: str) -> None:
    copy = (
        f"Return-Path: <b@shop.example>\nFrom: s@shop.example\nTo: ann@example.org\nMessage-ID: <1@x.example>\n\n{body}"
    )
    found = read(
        "From: MAILER-DAEMON@mx.example\nSubject: failure notice\n\n"
        "Hi. This is the qmail-send program.\n<ann@example.org>:\nmailbox is full\n\n"
        f"--- Below this line is a copy.\n\n{copy}"
    )
    assert about_ann(found)
    assert isinstance(found, Report)
    assert not found.standard


def test_fields_of_a_complaint_that_look_like_a_header_are_still_its_own() -> None:
    fields = "User-Agent: x/1\nReceived: x\nFrom: a@x.example\nFeedback-Type: abuse\n\nBody\n"
    assert isinstance(read(f"From: fbl@isp.example\nSubject: report\n\n{fields}"), Complaint)


def test_the_recipient_of_a_junk_report_is_not_looked_for_in_our_message() -> None:
    forwarded = "From: s@x.example\nSubject: junk\nContent-Type: message/rfc822\n\n"
    found = read(forwarded + JMRP)
    assert isinstance(found, Complaint)
    assert found.recipients == ("bob@other.example",)
    assert not isinstance(read(forwarded + OURS + JMRP), Complaint)
    assert about_ann(read(DSN.format("ann@example.org", "X-HmXmrOriginalRecipient: ann@example.org\n")))


# --- several reports in one mail -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field", ["Return-Path: <b+{}@shop.example>\n", OURS[:-6] + "{}\n", "Message-ID: <{}@x.example>\n"]
)
def test_reports_on_other_messages_are_left_out(field: str) -> None:
    names = ("ann@example.org", "one"), ("bob@example.org", "two"), ("cleo@example.org", "one")
    reports = [DSN.format(address, field.format(token)) for address, token in names]
    found = read(mail("See.", *reports, sender="sales@shop.example", subject="Fwd: look"))
    assert isinstance(found, Report)
    assert [one.address for one in found.recipients] == ["ann@example.org", "cleo@example.org"]


# --- challenges and delays -------------------------------------------------------------------------------------------

ASKS = "We could not deliver your message.{}\nPlease verify the address and try again.\n"


@pytest.mark.parametrize(
    ("fields", "beside", "kind"),
    [
        ("", "", Challenge),
        ("X-Failed-Recipients: ann@example.org\n", "", Report),
        ("", "\n\n550 5.1.1 User unknown\n", Report),
        ("X-Autoreply: yes\n", "", AutoReply),
    ],
)
def test_words_alone_make_no_challenge_of_a_bounce_or_an_answer(fields: str, beside: str, kind: type) -> None:
    head = f"From: support@isp.example\nSubject: Undeliverable: hi\n{fields}\n"
    assert isinstance(read(head + ASKS.format(beside)), kind)


def test_a_service_that_is_named_asks_whatever_it_quotes() -> None:
    head = "From: support@isp.example\nSubject: Please confirm your message\n\n"
    assert isinstance(read(f"{head}550 5.7.1 held\n\nProve that you are no robot: not a spammer.\n"), Challenge)


@pytest.mark.parametrize(
    ("said", "action"),
    [
        ("After 5 days it will be returned to sender.", ReportAction.DELAYED),
        ("If it cannot be delivered by tomorrow it will be removed from the queue.", ReportAction.DELAYED),
        ("Not a permanent failure: we go on.", ReportAction.DELAYED),
        ("We try for three more days before giving up.", ReportAction.DELAYED),
        ("It comes back to you once it has expired.", ReportAction.DELAYED),
        ("Your message has expired.", ReportAction.FAILED),
        ("It has been given up.", ReportAction.FAILED),
        ("We gave up.", ReportAction.FAILED),
        ("Giving up on it.", ReportAction.FAILED),
        ("It will not be retried.", ReportAction.FAILED),
        ("It will no longer be retried.", ReportAction.FAILED),
    ],
)
def test_only_what_is_over_makes_a_failure_of_a_delay(said: str, action: ReportAction) -> None:
    found = read(
        "From: MAILER-DAEMON@mx.example\nSubject: Delivery status\nContent-Type: multipart/report; boundary=b\n\n"
        f"--b\n\n{said}\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\n"
        "Final-Recipient: rfc822; ann@example.org\nAction: delayed\nStatus: 4.4.7\n\n--b--\n"
    )
    assert isinstance(found, Report)
    assert found.recipients[0].action is action
