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


class MxRoute(msgspec.Struct, frozen=True, tag="mx"):
    """Find the recipient domain's mail exchangers (RFC 5321 §5.1)."""

    domain: str


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


Route = CaptureRoute | ReservedRoute | MxRoute | RelayRoute
