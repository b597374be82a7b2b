"""Where a delivery goes next: captured here, handed to a relay, or to the recipient's own mail exchangers."""

from enum import StrEnum

import msgspec


class Security(StrEnum):
    """How a relay is spoken to."""

    PLAIN = "smtp"
    """No TLS at all."""
    STARTTLS = "starttls"
    """TLS by STARTTLS, required (RFC 3207)."""
    TLS = "smtps"
    """TLS from the first octet (RFC 8314 §3.3)."""
    OPPORTUNISTIC = "opportunistic"
    """STARTTLS when it is offered and works, plaintext otherwise."""


class CaptureRoute(msgspec.Struct, frozen=True, tag="capture"):
    """Hand over to the mail server inside Postroad: the whole road runs, and nothing leaves the machine."""


class ReservedRoute(msgspec.Struct, frozen=True, tag="reserved"):
    """Hand over to the mailbox of a reserved domain, inside Postroad: each has an outcome of its own."""

    failures: int = 0
    """How many attempts have failed before."""


class Family(StrEnum):
    """In which order the addresses of a mail server are tried, and which not at all."""

    MIXED = "mixed"
    """IPv6 and IPv4 in turns: a family that is broken costs every second try only."""
    IPV4_FIRST = "ipv4_first"
    IPV6_FIRST = "ipv6_first"
    IPV4_ONLY = "ipv4_only"
    IPV6_ONLY = "ipv6_only"


class Source(msgspec.Struct, frozen=True):
    """One of our addresses, or one of each family; `hostname` is what we call ourselves in EHLO from there."""

    name: str
    ipv4: str | None = None
    ipv6: str | None = None
    hostname: str | None = None

    def address_for(self, ip: str) -> str | None:
        """Return the address from which this one can be reached, or None when there is none of its family."""
        return self.ipv6 if ":" in ip else self.ipv4


class MxRoute(msgspec.Struct, frozen=True, tag="mx"):
    """Find the recipient domain's mail exchangers (RFC 5321 §5.1)."""

    domain: str
    source: Source | None = None
    """Where connections come from; None lets the system choose."""
    family: Family = Family.MIXED


class RelayRoute(msgspec.Struct, frozen=True, tag="relay"):
    """Hand over to a smarthost."""

    name: str
    host: str
    port: int
    security: Security = Security.OPPORTUNISTIC
    username: str | None = None
    password: str | None = None
    verify: bool = True
    """Whether the relay's certificate must hold; of no effect for `smtp` and `opportunistic`."""
    source: Source | None = None
    """Where connections come from; None lets the system choose."""
    family: Family = Family.MIXED

    @property
    def key(self) -> str:
        """What tells it from the same relay over another way."""
        source = "" if self.source is None else self.source.name
        return f"relay {self.host} {self.port} {self.security} {self.verify} {self.username} {source} {self.family}"


class RelaysRoute(msgspec.Struct, frozen=True, tag="relays"):
    """Hand over to the first of several relays that can be reached."""

    relays: tuple[RelayRoute, ...]


class ProviderRoute(msgspec.Struct, frozen=True, tag="provider"):
    """Take a route by whose mail exchangers the recipient's domain has: they are looked up first.

    Each case is the name that all of its exchangers must end in, and the route of such domains.
    """

    domain: str
    cases: tuple[tuple[str, "CaptureRoute | MxRoute | RelayRoute | RelaysRoute"], ...]
    otherwise: "CaptureRoute | MxRoute | RelayRoute | RelaysRoute"


Plain = CaptureRoute | MxRoute | RelayRoute | RelaysRoute
"""A route that is known without asking the DNS."""
Route = ReservedRoute | ProviderRoute | Plain
