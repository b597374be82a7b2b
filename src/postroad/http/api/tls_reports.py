"""TLS reports: how sessions with other mail servers went, in the words of RFC 8460 §4.

They tell where all mail of this server went, so that an API key, which is one project's, reads them only where there is
but one project; the command line always can.
"""

import datetime as dt
from typing import Annotated

import msgspec
from litestar import Controller, Response, get
from litestar.params import FromPath, QueryParameter

from postroad.http.api.sites import alone
from postroad.http.auth import READ, GivenServices
from postroad.http.documented import documented
from postroad.http.services import Services
from postroad.model.errors import Refused
from postroad.wire.tlsrpt import PolicyType, Result

_MEDIA_TYPE = "application/tlsrpt+json"  # RFC 8460 §6.4
_Day = Annotated[
    str | None,
    QueryParameter(format="date", description="Day in UTC, as 2026-01-31; today's so far when none is named."),
]


class DateRange(msgspec.Struct, frozen=True, rename="kebab"):
    """The day."""

    start_datetime: str
    end_datetime: str


class ReportedPolicy(msgspec.Struct, frozen=True, rename="kebab", kw_only=True, omit_defaults=True):
    """The policy that sessions were under."""

    policy_type: PolicyType
    policy_domain: str
    policy_string: list[str] = []
    """Its lines, as they were published."""
    mx_host: list[str] = []
    """The mail exchangers that it names."""


class SessionSums(msgspec.Struct, frozen=True, rename="kebab"):
    """How many sessions there were."""

    total_successful_session_count: int
    total_failure_session_count: int


class FailureDetail(msgspec.Struct, frozen=True, rename="kebab", kw_only=True, omit_defaults=True):
    """Sessions that failed for the same reason in the same place."""

    result_type: Result
    failed_session_count: int
    sending_mta_ip: str = ""
    receiving_mx_hostname: str = ""
    receiving_ip: str = ""
    additional_information: str = ""


class PolicyReport(msgspec.Struct, frozen=True, rename="kebab"):
    """How sessions under one policy went."""

    policy: ReportedPolicy
    summary: SessionSums
    failure_details: list[FailureDetail]


class TlsReport(msgspec.Struct, frozen=True, rename="kebab"):
    """What one policy domain is told of one day (RFC 8460 §4.4)."""

    organization_name: str
    date_range: DateRange
    contact_info: str
    report_id: str
    policies: list[PolicyReport]


class TlsReportList(msgspec.Struct, frozen=True):
    """The reports of a day, by domain."""

    data: list[TlsReport]
    next: str | None = None
    """Always null: a day is one page."""


class TlsReportsController(Controller):
    """How TLS sessions with other mail servers went."""

    path = "/v1/tls-reports"
    tags = ("Sites",)

    @get(opt=READ, summary="List TLS reports")
    async def listed(
        self,
        services: GivenServices,
        day: _Day = None,
        domain: Annotated[str, QueryParameter(description="Only of this domain.")] = "",
    ) -> TlsReportList:
        """Return the TLS reports of a day, one for each domain that mail went to."""
        await _check_alone(services)
        found = await services.tls_reports.read(_day(day), domain.lower() or None)
        return TlsReportList([msgspec.convert(each, TlsReport) for each in found])

    @get(
        "/{domain:str}",
        opt=READ | documented(answer=TlsReport, answer_media=(_MEDIA_TYPE,)),
        summary="Get the TLS report to a domain",
        media_type=_MEDIA_TYPE,
    )
    async def one(self, domain: FromPath[str], services: GivenServices, day: _Day = None) -> Response[bytes]:
        """Return the report of a day to a domain as it is sent there, with nothing around it."""
        await _check_alone(services)
        found = await services.tls_reports.document(_day(day), domain)
        return Response(msgspec.json.encode(found), media_type=_MEDIA_TYPE)


async def _check_alone(services: Services) -> None:
    if not await alone(services):
        raise Refused(
            "forbidden",
            "TLS reports tell where the mail of every project here went, so that no project's key may read them; the "
            "operator can, with `postroad tlsrpt`.",
        )


def _day(text: str | None) -> dt.date | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise Refused.field("#/query/day", "A day is written as 2026-01-31.") from error
