"""How a domain is told: over the API, by the command line and to the doctor, in the same words."""

import msgspec

from postroad.features.senders.scripts import to_unicode, warnings
from postroad.features.senders.wanted import House, wanted_records
from postroad.model.clock import DAY, Instant, after, to_rfc3339
from postroad.model.domain import DkimKey, DnsRecord, Domain, Finding, KeyState, RecordState

_LINGER = 7 * DAY


class RecordShown(msgspec.Struct, frozen=True, kw_only=True):
    """A DNS record: what it should be, what was found, and what to change."""

    purpose: str
    type: str
    name: str
    value: str
    strings: tuple[str, ...]
    """The value in pieces of at most 255 octets, for DNS providers that want them apart."""
    zone_line: str
    required: bool
    state: str
    found: tuple[str, ...]
    advice: str


class DkimKeyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A DKIM key, without its private half."""

    id: str
    selector: str
    algorithm: str
    state: str
    created_at: str
    activated_at: str | None
    retired_at: str | None
    dns_removable_at: str | None
    """From when the record of a retired key may be taken out of DNS: mail it signed has arrived by then."""


class SettingsShown(msgspec.Struct, frozen=True):
    """What is set for a domain."""

    subdomains: bool
    """Whether mail from its subdomains is sent and signed as this domain's."""
    return_path: str
    """First label of the host that bounces come back to."""
    tracking: str
    """First label of the host of tracked links."""
    require_tls: bool
    """Whether its mail is handed over under TLS with a certificate that holds, or not at all."""


class DomainShown(msgspec.Struct, frozen=True, kw_only=True):
    """A sending domain."""

    id: str
    name: str
    unicode_name: str
    state: str
    created_at: str
    verified_at: str | None
    checked_at: str | None
    next_check_at: str | None
    failing_since: str | None
    settings: SettingsShown
    warnings: tuple[str, ...]
    records: tuple[RecordShown, ...]
    keys: tuple[DkimKeyShown, ...]


def shown(domain: Domain, keys: "list[DkimKey]", house: House) -> DomainShown:
    """Return a domain with the records wanted now and what the last check found of them."""
    checked = {(f.record.purpose, f.record.name, f.record.value): f for f in domain.findings}
    records = [
        _record(record, checked.get((record.purpose, record.name, record.value)))
        for record in wanted_records(domain, keys, house)
    ]
    return DomainShown(
        id=domain.id,
        name=domain.name,
        unicode_name=to_unicode(domain.name),
        state=domain.state.value,
        created_at=to_rfc3339(domain.created_at),
        verified_at=_time(domain.verified_at),
        checked_at=_time(domain.checked_at),
        next_check_at=_time(domain.next_check_at),
        failing_since=_time(domain.failing_since),
        settings=SettingsShown(
            domain.settings.subdomains,
            domain.settings.return_path,
            domain.settings.tracking,
            domain.settings.require_tls,
        ),
        warnings=warnings(domain.name),
        records=tuple(records),
        keys=tuple([_key(key) for key in keys]),
    )


def _record(record: DnsRecord, finding: Finding | None) -> RecordShown:
    return RecordShown(
        purpose=record.purpose.value,
        type=record.type,
        name=record.name,
        value=record.value,
        strings=record.strings,
        zone_line=record.zone_line,
        required=record.required,
        state=(finding.state if finding is not None else RecordState.UNKNOWN).value,
        found=finding.found if finding is not None else (),
        advice=finding.advice if finding is not None else "Not looked up yet.",
    )


def _key(key: DkimKey) -> DkimKeyShown:
    removable = after(key.retired_at, _LINGER) if key.retired_at is not None and key.activated_at is not None else None
    return DkimKeyShown(
        id=key.id,
        selector=key.selector,
        algorithm=key.algorithm,
        state=key.state.value,
        created_at=to_rfc3339(key.created_at),
        activated_at=_time(key.activated_at),
        retired_at=_time(key.retired_at),
        dns_removable_at=_time(removable if removable is not None else _unused(key)),
    )


def _unused(key: DkimKey) -> Instant | None:
    """Return from when the record of a key that never signed may go: at once."""
    return key.retired_at if key.state is KeyState.RETIRED else None


def _time(at: Instant | None) -> str | None:
    return None if at is None else to_rfc3339(at)
