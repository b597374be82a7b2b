"""The machine's part of a delivery report."""

import pytest

from postroad.wire.dsn import RECIPIENTS, from_xtext, read, untyped

FULL = """Reporting-MTA: dns; mx.example.net
Original-Envelope-Id: a+2Bb

Original-Recipient: rfc822;ann+2Bx@example.org
Final-Recipient: RFC822; <list@example.org> (forwarded)
Action: Failed (unknown)
Status: 5.01.1 (no mailbox)
Remote-MTA: dns; mail.example.org (192.0.2.1)
Diagnostic-Code: smtp; 550 5.1.1
  unknown
550 really
Will-Retry-Until: never
"""


def test_every_field_of_a_report_is_read() -> None:
    report = read(FULL)
    (one,) = report.recipients
    assert (report.reporting_mta, report.envelope_id) == ("mx.example.net", "a+b")
    assert (one.original, one.final) == ("ann+x@example.org", "list@example.org")
    assert (one.action, one.status, one.remote_mta) == ("failed", "5.1.1", "mail.example.org")
    assert (one.diagnostic_type, one.diagnostic, one.retry_until) == ("smtp", "550 5.1.1 unknown 550 really", "never")


@pytest.mark.parametrize(
    "text",
    [
        "Final-Recipient: a@x.example\nAction: failed\nFinal-Recipient: b@x.example\nAction: delayed",
        "Final-Recipient: a@x.example\n\nAction: failed\n\nFinal-Recipient: b@x.example\n\nAction: delayed",
        "Action: failed\nFinal-Recipient: a@x.example\n\nAction: delayed\nFinal-Recipient: b@x.example",
        "Original-Recipient: a@x.example\nAction: failed\n\nFinal-Recipient: b@x.example\nAction: delayed",
    ],
)
def test_groups_are_told_apart_however_they_are_spaced(text: str) -> None:
    found = [(one.final or one.original, one.action) for one in read(text).recipients]
    assert found == [("a@x.example", "failed"), ("b@x.example", "delayed")]


def test_what_is_no_field_of_reports_is_left_out() -> None:
    report = read("Diagnostic-Code: too early\nFinal-Recipient: a@x.example\nOther-Field: b\n c\n\nstray\nX-Y: z\n")
    assert [one.final for one in report.recipients] == ["a@x.example"]
    assert read("nothing here\n").recipients == ()
    assert read("Other-Field: a").recipients == ()


def test_a_diagnostic_without_its_type_is_still_a_diagnostic() -> None:
    (one,) = read("Final-Recipient: a@x.example\nDiagnostic-Code: 550 no; really").recipients
    assert (one.diagnostic_type, one.diagnostic) == (None, "550 no; really")
    (other,) = read("Final-Recipient: a@x.example\nDiagnostic-Code: 550").recipients
    assert (other.diagnostic_type, other.diagnostic) == (None, "550")


def test_a_report_names_no_more_recipients_than_are_read() -> None:
    assert len(read("Final-Recipient: a@x.example\n" * (RECIPIENTS + 5)).recipients) == RECIPIENTS


def test_the_actual_recipient_stands_in_for_a_missing_final_one() -> None:
    assert read("X-Actual-Recipient: rfc822; a@x.example\nAction: failed").recipients[0].final == "a@x.example"


def test_international_addresses_are_undone(  # RFC 6533 §3
) -> None:
    text = "Original-Recipient: utf-8; \\x{7528}\\x{D800}\\x{ffffff}@x.example\nFinal-Recipient: utf-8;用@x.example"
    (one,) = read(text).recipients
    assert (one.original, one.final) == ("用\ufffd\ufffd@x.example", "用@x.example")


@pytest.mark.parametrize(
    ("xtext", "text"),
    [
        ("ann+2Bx@example.org", "ann+x@example.org"),
        ("ann+3Dx@example.org", "ann=x@example.org"),
        ("ann+20@example.org", "ann+20@example.org"),
        ("ann+AB@example.org", "ann+AB@example.org"),
        ("ann+40example.org", "ann@example.org"),
    ],
)
def test_xtext_is_undone_where_it_can_be_nothing_else(xtext: str, text: str) -> None:
    assert from_xtext(xtext) == text


def test_types_brackets_and_comments_are_taken_off() -> None:
    assert untyped("rfc822; <a@x.example>;") == "a@x.example"
    assert untyped("<a@x.example") == "<a@x.example"
    assert untyped("mx.example (192.0.2.1)") == "mx.example"
