"""Sending domains: who a project may write as, the keys it signs with, and what its DNS should and does say."""

from enum import StrEnum

import msgspec

from postroad.model.clock import Instant
from postroad.model.ids import DkimKeyId, DomainId, ProjectId


class DomainState(StrEnum):
    """How far a domain is proven. Only a verified one may send in production."""

    PENDING = "pending"
    """No DKIM key of ours has been seen in its DNS yet."""
    VERIFIED = "verified"
    """Its DNS publishes a DKIM key of ours, which only its owner can have put there."""
    FAILED = "failed"
    """The keys have gone from its DNS, or never came in the time given."""


class KeyState(StrEnum):
    """A DKIM key's way: made, seen in DNS and signed with, replaced."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRED = "retired"
    """No longer signed with, kept so that the octets of mail already sent can be made again."""


class Purpose(StrEnum):
    """What a DNS record is for."""

    DKIM = "dkim"
    RETURN_PATH = "return_path"
    SPF = "spf"
    DMARC = "dmarc"
    TRACKING = "tracking"


class RecordState(StrEnum):
    """What DNS said when a record was last looked up."""

    OK = "ok"
    MISSING = "missing"
    """DNS said for certain that it is not there."""
    WRONG = "wrong"
    """Something else is there."""
    UNKNOWN = "unknown"
    """Not looked up yet, or DNS gave no answer; nothing follows from it."""


class DnsRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A DNS record that a domain should have."""

    purpose: Purpose
    type: str
    """`TXT` or `CNAME`."""
    name: str
    """Full name without a final dot."""
    value: str
    """For TXT the whole text, for CNAME the target."""
    required: bool = False
    """Whether the domain cannot be verified without it."""
    key_id: DkimKeyId | None = None
    """The DKIM key it publishes."""

    @property
    def strings(self) -> tuple[str, ...]:
        """The text in pieces of at most 255 octets, as they stand in a TXT record (RFC 1035 §3.3.14)."""
        if self.type != "TXT":
            return (self.value,)
        return tuple([self.value[at : at + 255] for at in range(0, len(self.value), 255)])

    @property
    def zone_line(self) -> str:
        """The record as a line of a zone file (RFC 1035 §5.1)."""
        if self.type != "TXT":
            return f"{self.name}. IN {self.type} {self.value}."
        return f"{self.name}. IN TXT " + " ".join([f'"{piece}"' for piece in self.strings])


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A wanted record, what was found in its place, and what to do about it."""

    record: DnsRecord
    state: RecordState
    found: tuple[str, ...] = ()
    advice: str = ""
    """A sentence for whoever looks after the DNS; empty when there is nothing to do."""


class DomainSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a project has set for a domain."""

    subdomains: bool = True
    """Whether mail from its subdomains is sent and signed as this domain's, which DMARC's relaxed alignment allows."""
    return_path: str = "bounce"
    """First label of the host that bounces come back to."""
    tracking: str = "track"
    """First label of the host of tracked links."""
    require_tls: bool = False
    """Whether its mail may only be handed over under verified TLS."""


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """A sending domain of a project."""

    id: DomainId
    project_id: ProjectId
    name: str
    """In A-labels, lower case."""
    state: DomainState
    created_at: Instant
    verified_at: Instant | None = None
    """When it was last found verified for the first time in a row."""
    checked_at: Instant | None = None
    next_check_at: Instant | None = None
    failing_since: Instant | None = None
    """Since when DNS has said for certain that none of its keys is there."""
    findings: tuple[Finding, ...] = ()
    settings: DomainSettings = DomainSettings()


class DkimKey(msgspec.Struct, frozen=True, kw_only=True):
    """A DKIM key pair of a domain, its private half sealed."""

    id: DkimKeyId
    project_id: ProjectId
    domain_id: DomainId | None
    """None once the domain has been deleted."""
    domain: str
    selector: str
    number: int
    """Counts the pairs made for a domain name; the two algorithms of one pair share it."""
    algorithm: str
    state: KeyState
    sealed: bytes
    public: str
    """The text of the DNS record that publishes it."""
    created_at: Instant
    activated_at: Instant | None = None
    retired_at: Instant | None = None
