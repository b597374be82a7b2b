"""TLS reports: what a sender tells a domain of the TLS that it met (RFC 8460).

A report is about one day and one policy domain: for each policy how many sessions went well, and which failed why.
`find_addresses` reads where the domain wants it, `report` writes it, and `mail` puts it into a message.
"""

import datetime as dt
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from postroad.wire import headers, mime
from postroad.wire.address import Address

_VERSION: Final = "TLSRPTv1"
_MAILTO: Final = "mailto:"
_DAY_S: Final = 24 * 3600


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


def mailboxes(urls: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses of those URLs that are mailto: (RFC 6068), without what they would have in the header."""
    parts = [url[len(_MAILTO) :].partition("?")[0] for url in urls if url.lower().startswith(_MAILTO)]
    return tuple(dict.fromkeys(text for part in parts for each in part.split(",") if (text := unquote(each).strip())))


@dataclass(frozen=True, slots=True)
class Cover:
    """What stands on a report that goes by mail: `submitter` is our host name, `domain` the policy domain."""

    sender: Address
    recipients: tuple[Address, ...]
    submitter: str
    domain: str
    report_id: str
    day: dt.date


def mail(document: Mapping[str, object], cover: Cover) -> bytes:
    """Return a report as a whole message but for Date and Message-ID, which are for others to add (RFC 8460 §5.3).

    It asks not to be stopped by the broken TLS that it may tell of (RFC 8689 §4), and to be answered by no machine.

    Raises:
        HeaderError: a name does not fit into a header.
    """
    begin = int(dt.datetime.combine(cover.day, dt.time(), dt.UTC).timestamp())
    filename = f"{cover.submitter}!{cover.domain}!{begin}!{begin + _DAY_S - 1}.json.gz"  # RFC 8460 §5.1
    packed = gzip.compress(json.dumps(document).encode(), mtime=0)
    words = (
        f"This is the report of {cover.submitter} on TLS with the mail servers of {cover.domain},\n"
        f"for {cover.day} (UTC). RFC 8460 says what is in it.\n"
    )
    body = mime.report(
        "tlsrpt",
        [mime.text_entity("plain", words), mime.file_entity(mime.Part(packed, "application/tlsrpt+gzip", filename))],
        seed=cover.report_id.encode(),
    )
    subject = f"Report Domain: {cover.domain} Submitter: {cover.submitter} Report-ID: <{cover.report_id}>"
    fields = (
        headers.mailboxes("From", [cover.sender]),
        headers.mailboxes("To", cover.recipients),
        headers.unstructured("Subject", subject),
        headers.structured("TLS-Report-Domain", cover.domain),
        headers.structured("TLS-Report-Submitter", cover.submitter),
        headers.structured("TLS-Required", "No"),
        headers.structured("Auto-Submitted", "auto-generated"),  # RFC 3834 §5
        b"MIME-Version: 1.0\r\n",
        *body.fields,
    )
    return b"".join((*fields, b"\r\n", body.body))


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
