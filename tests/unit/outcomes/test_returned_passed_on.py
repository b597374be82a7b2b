"""Reports that reach us in the hands of others, and sentences that nobody has heard before."""

import pytest

from postroad.model.attempt import SmtpReply
from postroad.model.reason import Class
from postroad.model.returned import (
    AutoReply,
    Challenge,
    Complaint,
    Report,
    ReportAction,
    ReportedRecipient,
    Unrecognised,
)
from postroad.pipeline.outcomes.returned import challenges, concepts
from postroad.pipeline.outcomes.returned.cause import classify_report
from postroad.pipeline.outcomes.returned.reading import ENCLOSED_DEPTH, read_returned

HEAD = "From: {sender}\r\nTo: b@bounce.shop.example\r\nSubject: {subject}\r\n"
ORIGINAL = "From: The Shop <orders@shop.example>\r\nTo: ann@example.org\r\nMessage-ID: <1@shop.example>\r\n\r\nHi\r\n"


def dsn(address: str = "ann@example.org", fields: str = "Action: failed\r\nStatus: 5.1.1", prose: str = "no") -> str:
    return (
        HEAD.format(sender="MAILER-DAEMON@mx.example", subject="Undelivered")
        + "Content-Type: multipart/report; boundary=dsn\r\n\r\n--dsn\r\n\r\n"
        + f"{prose}\r\n--dsn\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; {address}\r\n{fields}\r\n\r\n--dsn--\r\n"
    )


def prosaic() -> str:
    return HEAD.format(sender="MAILER-DAEMON@mx.example", subject="failure notice") + (
        "\r\nI wasn't able to deliver your message to the following addresses.\r\n\r\n<ann@example.org>:\r\n"
        "550 5.1.1 no such user\r\n"
    )


def complaint() -> str:
    return (
        HEAD.format(sender="fbl@isp.example", subject="report")
        + "Content-Type: multipart/report; boundary=arf\r\n\r\n--arf\r\nContent-Type: message/feedback-report\r\n\r\n"
        "Feedback-Type: abuse\r\nOriginal-Rcpt-To: bob@isp.example\r\n\r\n--arf--\r\n"
    )


def passed_on(*inner: str, sender: str = "Sales <sales@shop.example>", boundary: str = "out") -> str:
    parts = "".join(f"--{boundary}\r\nContent-Type: message/rfc822\r\n\r\n{one}\r\n" for one in inner)
    return (
        HEAD.format(sender=sender, subject="Fwd: look")
        + f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n--{boundary}\r\n\r\nPlease see.\r\n"
        f"{parts}--{boundary}--\r\n"
    )


def read(text: str) -> object:
    return read_returned(text.encode())


def test_a_report_that_somebody_passed_on_is_opened() -> None:
    found = read(passed_on(dsn()))
    assert isinstance(found, Report)
    assert found.standard
    assert [one.address for one in found.recipients] == ["ann@example.org"]


def test_several_reports_in_one_mail_make_one_with_everybody_once() -> None:
    found = read(passed_on(dsn(), dsn("bob@example.org"), dsn()))
    assert isinstance(found, Report)
    assert [one.address for one in found.recipients] == ["ann@example.org", "bob@example.org"]


def test_a_complaint_that_was_passed_on_counts_for_more_than_a_report_beside_it() -> None:
    found = read(passed_on(dsn(), complaint()))
    assert isinstance(found, Complaint)
    assert found.recipients == ("bob@isp.example",)


def test_a_bounce_in_prose_that_was_passed_on_is_opened() -> None:
    found = read(passed_on(ORIGINAL, prosaic()))
    assert isinstance(found, Report)
    assert (found.standard, found.recipients[0].address) == (False, "ann@example.org")


def test_what_was_passed_on_and_is_no_report_stays_what_it_is() -> None:
    assert isinstance(read(passed_on(ORIGINAL)), Unrecognised)


@pytest.mark.parametrize(("levels", "opened"), [(ENCLOSED_DEPTH, True), (ENCLOSED_DEPTH + 1, False)])
def test_messages_within_messages_are_opened_to_a_depth(levels: int, opened: bool) -> None:
    text = dsn()
    for number in range(levels):
        text = passed_on(text, boundary=f"level{number}")
    assert isinstance(read(text), Report) is opened


def test_what_we_attached_to_our_own_message_is_no_report_on_it() -> None:
    ours = passed_on(dsn("someone@else.example"), boundary="ours", sender="orders@shop.example")
    found = read(passed_on(ours, sender="MAILER-DAEMON@mx.example"))
    assert not isinstance(found, Report) or all(one.address != "someone@else.example" for one in found.recipients)


@pytest.mark.parametrize(
    ("fields", "prose", "action"),
    [
        (
            "Status: 4.4.7",
            "An error has occurred while attempting to deliver\r\nann@example.org: Envelope expired",
            "failed",
        ),
        ("Status: 4.4.7", "Your message is delayed and will be retried", "delayed"),
        ("Status: 4.4.7", "Nothing is said", "delayed"),
        ("Status: 4.4.7\r\nWill-Retry-Until: Sun, 19 May 2024 05:10:11 +0000", "Envelope expired", "delayed"),
    ],
)
def test_a_delay_of_what_was_given_up_is_a_failure(fields: str, prose: str, action: str) -> None:
    found = read(dsn(fields=f"Action: delayed\r\n{fields}", prose=prose))
    assert isinstance(found, Report)
    assert found.recipients[0].action is ReportAction(action)


@pytest.mark.parametrize(
    ("text", "cls"),
    [
        ("das postfach des empfängers ist leider derzeit randvoll und daher voll", Class.MAILBOX_FULL),
        ("il suo account risulta da tempo sospeso", Class.INACTIVE_MAILBOX),
        ("unknown user in domain shop.example", Class.INVALID_RECIPIENT),
        ("domain shop.example, which you wrote to, was not found", Class.BAD_DOMAIN),
        ("the file you sent is a message that is by far too large", Class.MESSAGE_TOO_LARGE),
        ("we have found unsolicited things", Class.CONTENT_REJECTED),
        ("сервер получателя сейчас не отвечает", Class.UNREACHABLE),
        ("user " + "and so on " * 20 + "unknown", None),
        ("hello world", None),
    ],
)
def test_a_thing_and_a_state_near_it_speak_for_a_class(text: str, cls: Class | None) -> None:
    assert concepts.spoken(text) is cls


def test_a_name_server_that_failed_is_heard_behind_a_host_that_was_not_reached() -> None:
    one = ReportedRecipient(status="4.4.1", text="temporary error in name resolution")
    assert classify_report(one).cls is Class.DNS_FAILURE


def test_a_reply_around_an_address_is_the_one_about_it() -> None:
    found = read(
        HEAD.format(sender="MAILER-DAEMON@mx.example", subject="Returned mail")
        + "\r\n554 5.7.1 <ann@example.org>... Message refused\r\n501 5.6.0 Data format error\r\n"
    )
    assert isinstance(found, Report)
    assert found.recipients[0].diagnostic == SmtpReply(554, "<ann@example.org>... Message refused", "5.7.1")


def test_who_says_to_be_away_in_the_words_of_a_bounce_is_away() -> None:
    text = HEAD.format(sender="hugo@corp.example", subject="Undeliverable: I am out of office")
    found = read(f"{text}Return-Path: <>\r\nAuto-Submitted: auto-replied\r\n\r\nI am out of the office.\r\n")
    assert isinstance(found, AutoReply)


@pytest.mark.parametrize(
    "fields",
    [
        "X-OTRS-Loop: x\r\n",
        "In-Reply-To: <1@x.example>\r\nPrecedence: junk\r\n",
        "References: <1@x.example>\r\nX-Auto-Response-Suppress: All\r\n",
    ],
)
def test_the_marks_of_helpdesks_are_known(fields: str) -> None:
    assert isinstance(
        read(f"From: help@corp.example\r\nSubject: Re: hello\r\n{fields}\r\nWe look into it.\r\n"), AutoReply
    )


def test_a_newsletter_in_a_thread_is_no_answer() -> None:
    fields = "In-Reply-To: <1@x.example>\r\nPrecedence: bulk\r\nList-Id: <x.example>\r\n"
    assert isinstance(read(f"From: news@corp.example\r\nSubject: Re: hello\r\n{fields}\r\nNews.\r\n"), Unrecognised)


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("your message is on hold, click here to prove that you are human", True),
        ("your message is on hold, click here; you need not do so again", True),
        ("your message is on hold, click here", False),
        ("your message is on hold because of spam", False),
        ("click here because of spam", False),
    ],
)
def test_a_challenge_says_what_waits_what_to_do_and_why(words: str, asked: bool) -> None:
    assert challenges.asks(words) is asked


def test_a_newsletter_that_asks_to_be_whitelisted_is_no_challenge() -> None:
    head = "From: news@corp.example\r\nSubject: Please confirm your message\r\n"
    text = head + "{}\r\nwhitelist us, not a spammer, captcha\r\n"
    assert isinstance(read(text.format("")), Challenge)
    assert not isinstance(read(text.format("List-Unsubscribe: <https://x.example>\r\n")), Challenge)
