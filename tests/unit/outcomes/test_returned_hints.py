"""Notices in words of their own: what a sentence hints at, what a refusal is about, and how much is looked through."""

import pytest

from postroad.model.reason import Action, Class, Permanence
from postroad.model.returned import Report, ReportAction, ReportedRecipient
from postroad.pipeline.outcomes.returned import hints, notice, reports, sayings
from postroad.pipeline.outcomes.returned.cause import classify_report
from postroad.pipeline.outcomes.returned.reading import read_returned
from postroad.wire import dsn

HEAD = "From: MAILER-DAEMON@mx.example\r\nTo: b@bounce.shop.example\r\nSubject: {subject}\r\n"


def told(text: str, subject: str = "Not delivered") -> Report:
    mail = HEAD.format(subject=subject) + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + text
    found = read_returned(mail.encode(), envelope_from="")
    assert isinstance(found, Report)
    return found


@pytest.mark.parametrize(
    ("text", "cls"),
    [
        ("No one of that description has ever had an entry in our directory", Class.INVALID_RECIPIENT),
        ("The inbox of ann@example.org. It rained. All is well", None),
        ("There is not one byte left in that inbox", Class.MAILBOX_FULL),
        ("Wir nehmen keine Nachrichten über 15 MB an", Class.MESSAGE_TOO_LARGE),
        ("Sie hat das Haus verlassen, ihr Postfach auch", Class.INACTIVE_MAILBOX),
        ("A worm was found in it and destroyed", Class.CONTENT_REJECTED),
        ("Who writes to this recipient needs a permission", Class.POLICY),
        ("We gave up after a week", Class.EXPIRED),
        ("The other end hung up: its server is down", Class.UNREACHABLE),
        ("", None),
    ],
)
def test_the_words_of_one_sentence_hint_at_a_class(text: str, cls: Class | None) -> None:
    assert hints.hinted(text) is cls


def test_a_hint_decides_a_class_and_never_a_suppression() -> None:
    finding = classify_report(ReportedRecipient(address="a@x.example", text="We have never had any such person here"))
    assert (finding.cls, finding.permanence) == (Class.INVALID_RECIPIENT, Permanence.PERMANENT)
    assert finding.action is Action.STOP


@pytest.mark.parametrize(
    ("text", "permanence"),
    [
        ("No.", Permanence.UNKNOWN),
        ("It so happens that the moon was in the wrong quarter", Permanence.PERMANENT),
        ("It so happens that the moon is in the wrong quarter; try again", Permanence.TRANSIENT),
    ],
)
def test_who_returns_a_message_without_a_code_has_given_it_up(text: str, permanence: Permanence) -> None:
    finding = classify_report(ReportedRecipient(text=text))
    assert (finding.cls, finding.permanence) == (Class.UNKNOWN, permanence)


@pytest.mark.parametrize(
    ("text", "cls"),
    [
        ("Your message was refused", Class.POLICY),
        ("Your message was refused: your SPF check did not pass", Class.AUTH_FAILED),
        ("Your message was refused, for its attachment is of a dangerous type", Class.CONTENT_REJECTED),
        ("Ihre Nachricht wurde abgewiesen, da sie größer als erlaubt ist", Class.MESSAGE_TOO_LARGE),
    ],
)
def test_a_refusal_is_a_policy_unless_something_is_minded_beside_it(text: str, cls: Class) -> None:
    assert sayings.spoken(sayings.fold(text)) is cls


def test_a_recipient_is_looked_for_in_the_subject_where_the_text_names_nobody() -> None:
    (one,) = told("The mailbox is full.\r\n", "Not delivered: ann@example.org").recipients
    assert one.address == "ann@example.org"


def test_an_address_alone_before_its_reason_is_a_recipient_beside_those_of_the_copy() -> None:
    found = told(
        "I wasn't able to deliver your message.\r\n\r\n<ann@example.org>:\r\n550 5.1.1 unknown\r\n\r\n"
        "<bob@example.org>:\r\n552 5.2.2 mailbox full\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n"
        "From: shop@shop.example\r\nTo: ann@example.org\r\nSubject: Hi\r\n"
    )
    assert [(one.address, one.status) for one in found.recipients] == [
        ("ann@example.org", "5.1.1"),
        ("bob@example.org", "5.2.2"),
    ]


def test_a_mailbox_of_somebody_is_no_sender_in_german() -> None:
    (one,) = told("Das Postfach von ute@example.org ist voll.\r\n").recipients
    assert one.address == "ute@example.org"


def _parts(count: int, text: str, media: str = "text/plain") -> bytes:
    parts = "".join(f"--q\r\nContent-Type: {media}\r\n\r\n{text.format(number)}\r\n" for number in range(count))
    head = HEAD.format(subject="Undelivered") + "Content-Type: multipart/report; boundary=q\r\n\r\n"
    return f"{head}{parts}--q--\r\n".encode()


FIELDS = "Final-Recipient: rfc822; a{}@x.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"


@pytest.mark.parametrize("media", ["text/plain", "message/delivery-status"])
def test_fields_are_looked_for_in_so_many_characters_of_all_parts_together(media: str) -> None:
    size = 250_000
    padding = "X-Padding: " + "x" * 1_000 + "\r\n"
    found = read_returned(_parts(8, FIELDS + padding * (size // len(padding)), media))
    assert isinstance(found, Report)
    assert len(found.recipients) == -(-reports.FIELDS_TEXT // size)


def test_no_more_recipients_are_read_than_a_report_may_have() -> None:
    every = "".join(FIELDS.format(number) for number in range(dsn.RECIPIENTS + 5))
    assert len(dsn.read(every).recipients) == dsn.RECIPIENTS
    found = read_returned(
        _parts(150, FIELDS.replace("{}", "{0}") + FIELDS.replace("a{}", "b{0}"), "message/delivery-status")
    )
    assert isinstance(found, Report)
    assert len(found.recipients) == dsn.RECIPIENTS


def test_a_notice_is_looked_for_in_so_many_characters_of_all_parts_together() -> None:
    blank = " " * 79 + "\r\n"
    long = blank * (notice.PARTS_TEXT // len(blank) // 3)
    texts = [long, long, long, long, "could not be delivered: the mailbox of ann@example.org is full"]
    found = read_returned(
        b"".join((_parts(5, "{}").partition(b"--q")[0], *(_part(text) for text in texts), b"--q--\r\n"))
    )
    assert isinstance(found, Report)
    assert found.recipients[0].address is None


def _part(text: str) -> bytes:
    return f"--q\r\nContent-Type: text/plain\r\n\r\n{text}\r\n".encode()


def test_reports_on_other_messages_stand_beside_the_first() -> None:
    def report(address: str, path: str) -> str:
        return (
            HEAD.format(subject="Undelivered") + "Content-Type: multipart/report; boundary=in\r\n\r\n--in\r\n\r\nno\r\n"
            "--in\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
            f"Final-Recipient: rfc822; {address}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--in\r\n"
            f"Content-Type: message/rfc822\r\n\r\nReturn-Path: <{path}>\r\nTo: {address}\r\n\r\nHi\r\n--in--\r\n"
        )

    inner = [report("a@x.example", "b+1@s.example"), report("c@x.example", "b+2@s.example")]
    inner.append(report("d@x.example", "b+1@s.example"))
    digest = HEAD.format(subject="Today") + "Content-Type: multipart/digest; boundary=out\r\n\r\n"
    digest += "".join(f"--out\r\n\r\n{one}\r\n" for one in inner) + "--out--\r\n"
    found = read_returned(digest.encode())
    assert isinstance(found, Report)
    assert [one.address for one in found.recipients] == ["a@x.example", "d@x.example"]
    (other,) = found.others
    assert other.enclosed
    assert [(one.address, one.action) for one in other.recipients] == [("c@x.example", ReportAction.FAILED)]
    assert other.original.return_path == "b+2@s.example"
