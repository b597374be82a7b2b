"""`postroad tlsrpt` and `postroad tls …`."""

import pytest

REPORT = {
    "policies": [
        {
            "policy": {"policy-type": "sts", "policy-domain": "x.test"},
            "summary": {"total-successful-session-count": 7, "total-failure-session-count": 2},
            "failure-details": [
                {
                    "result-type": "certificate-expired",
                    "failed-session-count": 2,
                    "receiving-mx-hostname": "mx.x.test",
                    "additional-information": "It ended.",
                }
            ],
        }
    ]
}


def test_reports_are_told_in_lines(server, postroad):
    server.answers = [{"data": [REPORT]}]
    told = postroad("tlsrpt", "--day", "2026-01-31", "--domain", "x.test")
    assert told.code == 0
    assert server.asked == [("tls.reports", {"day": "2026-01-31", "domain": "x.test"})]
    for word in ("x.test", "sts", "7", "certificate-expired", "mx.x.test", "It ended."):
        assert word in told.out


def test_reports_as_json_are_those_of_the_standard(server, postroad):
    server.answers = [{"data": [REPORT]}]
    assert postroad("tlsrpt", "--json").json == {"data": [REPORT]}
    assert server.asked == [("tls.reports", {"day": None, "domain": None})]


@pytest.mark.parametrize("what", ["policies", "broken"])
def test_what_is_kept_is_listed(server, postroad, what):
    server.answers = [{"data": [{"domain": "x.test"}]}]
    assert "x.test" in postroad("tls", what).out
    assert server.asked == [(f"tls.{what}", {})]


def test_one_report_is_printed_as_the_document_that_it_is(server, postroad):
    server.answers = [REPORT]
    assert postroad("tlsrpt", "report", "--domain", "x.test", "--day", "2026-01-31").json == REPORT
    assert server.asked == [("tls.report", {"domain": "x.test", "day": "2026-01-31"})]
