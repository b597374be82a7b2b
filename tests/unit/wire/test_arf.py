"""The machine's part of a complaint."""

import pytest

from postroad.wire.arf import address_in, read

FULL = """Feedback-Type: Abuse
User-Agent: Gen/1
Version: 1
Original-Mail-From: <>
Original-Rcpt-To: rfc822; <ann@example.org>
Original-Rcpt-To: ben@example.org
Removal-Recipient: ann@example.org
Arrival-Date: Mon, 2 Nov 2026
  08:00:00 +0000
Source-IP: 192.0.2.1
Incidents: 12
Reported-Domain: a.example
Reported-Domain: b.example
Original-Envelope-Id: env
no field
"""


def test_every_field_of_a_complaint_is_read() -> None:
    report = read(FULL)
    assert report is not None
    assert (report.kind, report.recipients) == ("abuse", ("ann@example.org", "ben@example.org"))
    assert (report.mail_from, report.source_ip, report.user_agent) == ("", "192.0.2.1", "Gen/1")
    assert (report.arrived, report.incidents) == ("Mon, 2 Nov 2026 08:00:00 +0000", 12)
    assert (report.reported_domains, report.envelope_id) == (("a.example", "b.example"), "env")


def test_nearly_everything_may_be_missing() -> None:
    report = read(" stray\nFeedback-Type: !\nReceived-Date: yesterday\nIncidents: many\nSource-IP:\n")
    assert report is not None
    assert (report.kind, report.arrived, report.incidents, report.source_ip) == ("other", "yesterday", 1, None)
    assert (report.mail_from, report.recipients, report.reported_domains) == (None, (), ())
    assert read("Version: 1") is None


def test_repeated_fields_are_kept_to_a_number() -> None:
    report = read("Feedback-Type: abuse\n" + "Reported-Domain: x.example\n" * 500)
    assert report is not None
    assert len(report.reported_domains) == 50


@pytest.mark.parametrize(
    "value", ["", "[redacted]@example.org", "xxxxxxxx@example.org", "a***n@example.org", "unknown"]
)
def test_a_blotted_out_recipient_is_none(value: str) -> None:
    assert address_in(value) is None


def test_a_short_name_of_one_letter_is_no_blot() -> None:
    assert address_in("x@example.org") == "x@example.org"
