"""TLS reports (RFC 8460)."""

import datetime as dt

import pytest

from postroad.wire.tlsrpt import Account, Failures, PolicyType, Result, find_addresses, report


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
