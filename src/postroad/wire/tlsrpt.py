"""TLS reports: what a sender tells a domain of the TLS that it met (RFC 8460).

A report is about one day and one policy domain: for each policy how many sessions went well, and which failed why.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_VERSION: Final = "TLSRPTv1"


class Result(StrEnum):
    """Why a session failed (RFC 8460 §4.3)."""

    STARTTLS_NOT_SUPPORTED = "starttls-not-supported"
    CERTIFICATE_HOST_MISMATCH = "certificate-host-mismatch"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NOT_TRUSTED = "certificate-not-trusted"
    VALIDATION_FAILURE = "validation-failure"
    TLSA_INVALID = "tlsa-invalid"
    DNSSEC_INVALID = "dnssec-invalid"
    DANE_REQUIRED = "dane-required"
    STS_POLICY_FETCH_ERROR = "sts-policy-fetch-error"
    STS_POLICY_INVALID = "sts-policy-invalid"
    STS_WEBPKI_INVALID = "sts-webpki-invalid"


class PolicyType(StrEnum):
    """Which kind of policy a session was under."""

    TLSA = "tlsa"
    STS = "sts"
    NONE = "no-policy-found"


@dataclass(frozen=True, slots=True)
class Failures:
    """Sessions that failed for the same reason in the same place."""

    result: Result
    count: int
    sending_ip: str | None = None
    receiving_host: str | None = None
    receiving_ip: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """What was met under one policy: `text` are its lines as published, `hosts` the mail exchangers it names."""

    kind: PolicyType
    domain: str
    text: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    successes: int = 0
    failures: tuple[Failures, ...] = ()


def find_addresses(texts: Iterable[str]) -> tuple[str, ...]:
    """Return where reports go, from the TXT records at `_smtp._tls.<domain>` (RFC 8460 §3): mailto and https URLs.

    Empty when there is no record, or more than one.
    """
    records = [text for text in texts if text.split(";")[0].strip() == f"v={_VERSION}"]
    if len(records) != 1:
        return ()
    for item in records[0].split(";")[1:]:
        name, _, value = item.strip().partition("=")
        if name == "rua":
            return tuple(url for each in value.split(",") if (url := each.strip()).startswith(("mailto:", "https:")))
    return ()


def report(
    accounts: Sequence[Account], *, organization: str, contact: str, report_id: str, day: dt.date
) -> dict[str, object]:
    """Return the report on a day (UTC) as the JSON document of RFC 8460 §4.4."""
    return {
        "organization-name": organization,
        "date-range": {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"},
        "contact-info": contact,
        "report-id": report_id,
        "policies": [_policy(account) for account in accounts],
    }


def _policy(account: Account) -> dict[str, object]:
    policy: dict[str, object] = {"policy-type": account.kind.value, "policy-domain": account.domain}
    if account.text:
        policy["policy-string"] = list(account.text)
    if account.hosts:
        policy["mx-host"] = list(account.hosts)
    return {
        "policy": policy,
        "summary": {
            "total-successful-session-count": account.successes,
            "total-failure-session-count": sum(failures.count for failures in account.failures),
        },
        "failure-details": [_failures(failures) for failures in account.failures],
    }


def _failures(failures: Failures) -> dict[str, object]:
    where = {
        "sending-mta-ip": failures.sending_ip,
        "receiving-mx-hostname": failures.receiving_host,
        "receiving-ip": failures.receiving_ip,
        "additional-information": failures.detail,
    }
    return {
        "result-type": failures.result.value,
        "failed-session-count": failures.count,
        **{name: value for name, value in where.items() if value},
    }
