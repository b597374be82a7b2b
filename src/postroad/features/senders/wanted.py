"""The DNS records that a sending domain should have. Pure.

The DKIM records are the proof: only the domain's owner can have published our keys. The return path's host makes SPF
align and lets bounces be counted; SPF, DMARC and tracking are advice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from postroad.config import Settings
from postroad.model.domain import DkimKey, DnsRecord, Domain, KeyState, Purpose
from postroad.wire import dkim

DMARC_ADVICE: Final = "v=DMARC1; p=none;"


@dataclass(frozen=True, slots=True)
class House:
    """What of this installation stands in its users' DNS; None where it has none of it."""

    return_path: str | None = None
    spf_include: str | None = None
    tracking: str | None = None


def house_of(settings: Settings) -> House:
    """Return what the settings say of this installation's names."""
    return House(
        return_path=_name(settings.return_path.domain),
        spf_include=_name(settings.domains.spf_include or settings.return_path.domain),
        tracking=_name(settings.domains.tracking_host or urlsplit(settings.http.public_url or "").hostname),
    )


def exchange_record(settings: Settings) -> DnsRecord | None:
    """Return the record that leads bounces to this server's exchange; None where it has none, or no name for it.

    It is the installation's own: the return paths of sending domains point at it with their CNAMEs.
    """
    domain = _name(settings.return_path.domain)
    host = _name(settings.exchange.hostname or settings.delivery.hostname)
    if domain is None or host is None or not settings.exchange.enabled:
        return None
    return DnsRecord(purpose=Purpose.RETURN_PATH, type="MX", name=domain, value=host)


def return_path_host(domain: Domain) -> str:
    """Return the host under a domain that its bounces come back to, once DNS shows it."""
    return f"{domain.settings.return_path}.{domain.name}"


def wanted_records(domain: Domain, keys: Sequence[DkimKey], house: House) -> tuple[DnsRecord, ...]:
    """Return the records, the most important first."""
    records = _dkim_records(keys)
    if house.return_path is not None:
        records.append(
            DnsRecord(purpose=Purpose.RETURN_PATH, type="CNAME", name=return_path_host(domain), value=house.return_path)
        )
    if house.spf_include is not None:
        records.append(
            DnsRecord(
                purpose=Purpose.SPF, type="TXT", name=domain.name, value=f"v=spf1 include:{house.spf_include} ~all"
            )
        )
    records.append(DnsRecord(purpose=Purpose.DMARC, type="TXT", name=f"_dmarc.{domain.name}", value=DMARC_ADVICE))
    if house.tracking is not None:
        name = f"{domain.settings.tracking}.{domain.name}"
        records.append(DnsRecord(purpose=Purpose.TRACKING, type="CNAME", name=name, value=house.tracking))
    return tuple(records)


def _dkim_records(keys: Sequence[DkimKey]) -> list[DnsRecord]:
    """Return those of the keys in use or waiting; of RSA, which every receiver knows, one must be there."""
    live = [key for key in keys if key.state is not KeyState.RETIRED]
    signing = any(key.state is KeyState.ACTIVE and key.algorithm == dkim.Algorithm.RSA_SHA256 for key in live)
    return [
        DnsRecord(
            purpose=Purpose.DKIM,
            type="TXT",
            name=dkim.record_name(key.selector, key.domain),
            value=key.public,
            required=key.algorithm == dkim.Algorithm.RSA_SHA256 and (key.state is KeyState.ACTIVE or not signing),
            key_id=key.id,
        )
        for key in live
    ]


def _name(text: str | None) -> str | None:
    return None if text is None else text.lower().removesuffix(".")
