"""TLS reports (RFC 8460)."""

import datetime as dt
import email
import email.policy
import gzip
import json

import pytest

from postroad.wire.address import Address, parse_mailbox
from postroad.wire.tlsrpt import (
    Account,
    Cover,
    Failures,
    PolicyType,
    Result,
    find_addresses,
    mail,
    mailboxes,
    report,
)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["v=TLSRPTv1; rua=mailto:a@x.example, https://x.example/v1"], ("mailto:a@x.example", "https://x.example/v1")),
        (["v=TLSRPTv1;rua=ftp://x.example"], ()),
        (["v=TLSRPTv1"], ()),
        (["v=TLSRPTv1; x=y; rua=mailto:a@x.example"], ("mailto:a@x.example",)),
        (["v=TLSRPTv1; rua=mailto:a@x.example", "v=TLSRPTv1; rua=mailto:b@x.example"], ()),
        (["v=spf1 -all"], ()),
    ],
)
def test_the_record_says_where_reports_go(texts: list[str], expected: tuple[str, ...]) -> None:
    assert find_addresses(texts) == expected


def test_a_report_is_the_standards_document() -> None:
    accounts = [
        Account(
            PolicyType.STS,
            "y.example",
            ("version: STSv1", "mode: testing"),
            ("*.mail.y.example",),
            5326,
            (
                Failures(Result.CERTIFICATE_EXPIRED, 100, "192.0.2.1", "mx1.mail.y.example", "203.0.113.1"),
                Failures(Result.VALIDATION_FAILURE, 203, detail="reset"),
            ),
        ),
        Account(PolicyType.NONE, "y.example", successes=1),
    ]
    made = report(
        accounts, organization="Us", contact="postmaster@x.example", report_id="2026-01-02", day=dt.date(2026, 1, 2)
    )
    assert made == {
        "organization-name": "Us",
        "date-range": {"start-datetime": "2026-01-02T00:00:00Z", "end-datetime": "2026-01-02T23:59:59Z"},
        "contact-info": "postmaster@x.example",
        "report-id": "2026-01-02",
        "policies": [
            {
                "policy": {
                    "policy-type": "sts",
                    "policy-string": ["version: STSv1", "mode: testing"],
                    "policy-domain": "y.example",
                    "mx-host": ["*.mail.y.example"],
                },
                "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
                "failure-details": [
                    {
                        "result-type": "certificate-expired",
                        "failed-session-count": 100,
                        "sending-mta-ip": "192.0.2.1",
                        "receiving-mx-hostname": "mx1.mail.y.example",
                        "receiving-ip": "203.0.113.1",
                    },
                    {
                        "result-type": "validation-failure",
                        "failed-session-count": 203,
                        "additional-information": "reset",
                    },
                ],
            },
            {
                "policy": {"policy-type": "no-policy-found", "policy-domain": "y.example"},
                "summary": {"total-successful-session-count": 1, "total-failure-session-count": 0},
                "failure-details": [],
            },
        ],
    }


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        (("mailto:a@x.example", "https://x.example/v1"), ("a@x.example",)),
        (("mailto:a@x.example,b@x.example?subject=Hi", "MAILTO:a@x.example"), ("a@x.example", "b@x.example")),
        (("mailto:a%2Bb@x.example",), ("a+b@x.example",)),
        (("mailto:", "mailto:?to=a@x.example"), ()),
    ],
)
def test_mailto_urls_are_read_for_their_addresses_only(urls: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert mailboxes(urls) == expected


def test_a_report_by_mail_is_read_back_by_another_reader() -> None:
    document = {"report-id": "2026-01-02.y.example@mail.us.example", "policies": []}
    cover = Cover(
        sender=Address(parse_mailbox("tls@us.example")),
        recipients=(Address(parse_mailbox("a@y.example")), Address(parse_mailbox("b@y.example"))),
        submitter="mail.us.example",
        domain="y.example",
        report_id="2026-01-02.y.example@mail.us.example",
        day=dt.date(2026, 1, 2),
    )
    octets = mail(document, cover)
    assert octets == mail(document, cover)
    read = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert (read.get_content_type(), read.get_param("report-type")) == ("multipart/report", "tlsrpt")
    assert (read["From"], read["To"]) == ("tls@us.example", "a@y.example, b@y.example")
    assert read["Subject"] == (
        "Report Domain: y.example Submitter: mail.us.example Report-ID: <2026-01-02.y.example@mail.us.example>"
    )
    assert (read["TLS-Report-Domain"], read["TLS-Report-Submitter"]) == ("y.example", "mail.us.example")
    assert (read["TLS-Required"], read["Auto-Submitted"]) == ("No", "auto-generated")
    words, packed = read.iter_parts()
    assert words.get_content_type() == "text/plain"
    assert packed.get_content_type() == "application/tlsrpt+gzip"
    assert packed.get_filename() == "mail.us.example!y.example!1767312000!1767398399.json.gz"
    assert json.loads(gzip.decompress(packed.get_content())) == document
