"""TLS reports over the API."""

from __future__ import annotations

from doors import House
from postroad.model.clock import to_rfc3339
from postroad.model.project import KeyScope
from postroad.pipeline.deliver.policy import Session
from postroad.wire.tlsrpt import PolicyType, Result


def count_two(house: House) -> str:
    """Count a session that went well and one that did not, and return the day."""
    lines, hosts = ("version: STSv1", "mode: testing"), ("mx.x.test",)
    reports = house.services.tls_reports
    reports.note(Session("x.test", PolicyType.STS, lines, hosts, None, host="mx.x.test"))
    reports.note(Session("x.test", PolicyType.STS, lines, hosts, Result.CERTIFICATE_EXPIRED, host="mx.x.test"))
    reports.note(Session("y.test", PolicyType.NONE, (), (), None))
    return to_rfc3339(house.clock.now())[:10]


async def test_the_reports_of_a_day_are_those_that_the_command_tells(house: House) -> None:
    day = count_two(house)
    async with house.client(house.secrets[KeyScope.READ]) as client:
        today = (await client.get("/v1/tls-reports")).json()
        named = (await client.get("/v1/tls-reports", params={"day": day, "domain": "X.test"})).json()
        assert (await client.get("/v1/tls-reports", params={"day": "2001-02-03"})).json()["data"] == []
    assert today == {"data": await house.services.tls_reports.read(), "next": None}
    assert [each["policies"][0]["policy"]["policy-domain"] for each in today["data"]] == ["x.test", "y.test"]
    assert named["data"] == today["data"][:1]


async def test_one_report_is_the_standards_document_and_nothing_else(house: House) -> None:
    day = count_two(house)
    async with house.client() as client:
        answer = await client.get("/v1/tls-reports/x.test", params={"day": day})
        missing = await client.get("/v1/tls-reports/z.test")
    assert answer.headers["content-type"].startswith("application/tlsrpt+json")
    assert answer.json() == (await house.services.tls_reports.read(domain="x.test"))[0]
    assert answer.json()["policies"][0]["summary"]["total-failure-session-count"] == 1
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_a_day_that_is_none_is_refused_by_name(house: House) -> None:
    async with house.client() as client:
        answer = await client.get("/v1/tls-reports", params={"day": "yesterday"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/query/day")


async def test_no_project_reads_where_the_mail_of_another_went(house: House) -> None:
    count_two(house)
    other = await house.another_project("other")
    async with house.client(other) as client:
        answers = [await client.get(path) for path in ("/v1/tls-reports", "/v1/tls-reports/x.test")]
    assert [answer.status_code for answer in answers] == [403, 403]


async def test_a_key_that_only_sends_reads_no_reports(house: House) -> None:
    async with house.client(house.secrets[KeyScope.SEND]) as client:
        assert (await client.get("/v1/tls-reports")).status_code == 403
