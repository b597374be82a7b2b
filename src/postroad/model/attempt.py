"""An attempt: what happened when a delivery met a mail server, as facts without judgement."""

from enum import StrEnum
from typing import Final

import msgspec

from postroad.model.clock import Instant


class Phase(StrEnum):
    """How far an attempt came; the phase in which its deciding reply or trouble stood."""

    COMPOSE = "compose"
    RESOLVE = "resolve"
    CONNECT = "connect"
    BANNER = "banner"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    DOT = "dot"
    """The final dot may have been sent: without a reply the outcome is in doubt (RFC 1047)."""


class Trouble(StrEnum):
    """What went wrong when it was not an SMTP reply that decided."""

    COMPOSITION = "composition"
    """The content cannot be made into a message."""
    POISON = "poison"
    """Composing failed through no fault of the content that we can name: held for a person to look at."""
    NO_SUCH_DOMAIN = "no_such_domain"
    """NXDOMAIN, or no MX and no address."""
    DNS_FAILURE = "dns_failure"
    """SERVFAIL, lame or broken answer."""
    DNS_TIMEOUT = "dns_timeout"
    NULL_MX = "null_mx"
    FORBIDDEN_ADDRESS = "forbidden_address"
    """Every address of the destination is private, loopback or our own."""
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CLOSED = "closed"
    """End of file or reset in the middle of the conversation."""
    PROTOCOL = "protocol"
    """The peer said something that is not SMTP."""
    TLS = "tls"
    SMTPUTF8_UNSUPPORTED = "smtputf8_unsupported"
    TOO_LARGE = "too_large"
    """Larger than the peer's SIZE (RFC 1870 §6.1)."""
    AUTH_UNAVAILABLE = "auth_unavailable"
    """A relay with credentials offers no mechanism we have, or not under TLS."""
    SUPPRESSED = "suppressed"
    """The reserved address that stands for one on the suppression list: nothing was sent."""
    HANDED_BACK = "handed_back"
    """We stopped before anything was sent: drain, lease about to lapse, or the peer's 421 to somebody else's mail."""
    CRASHED = "crashed"
    """The server died with the attempt open, and its journal tells that no final dot was written."""
    LOST = "lost"
    """The server died with the attempt open, and nothing tells whether the final dot was written."""


class SmtpReply(msgspec.Struct, frozen=True):
    """A reply of the peer: `text` is all of its lines, joined by spaces, without code and enhanced code."""

    code: int
    text: str
    enhanced: str | None = None


class TlsPolicy(StrEnum):
    """By whose word a connection was secured as it was."""

    OPPORTUNISTIC = "opportunistic"
    """Nobody's: TLS when the server offers it and it works."""
    RELAXED = "relaxed"
    """The message says that it may go without TLS (RFC 8689 §5)."""
    REQUIRED = "required"
    """The message, its stream or its sending domain: verified TLS only."""
    MTA_STS = "mta_sts"
    """The recipient's domain: verified TLS only (RFC 8461)."""
    MTA_STS_TESTING = "mta_sts_testing"
    """The same on trial: what fails is counted, and mail goes all the same."""
    DANE = "dane"
    """The server's TLSA records: only TLS that they vouch for (RFC 7672)."""
    DANE_UNUSABLE = "dane_unusable"
    """The server has TLSA records, but none that we can use: any TLS, but never none."""


class TlsFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a TLS session was: `verified` says that the certificate was checked and held, or why it was not."""

    version: str
    cipher: str
    verified: bool = False
    subject: str | None = None
    """Of the server's certificate, as in RFC 4514; the same for `issuer`."""
    issuer: str | None = None
    not_after: str | None = None
    """When the certificate ends."""
    unverified_because: str = ""


class Exchanger(msgspec.Struct, frozen=True, array_like=True):
    """A host that takes mail for a domain, by its MX records; the lowest preference is tried first."""

    preference: int
    host: str
    """In lower case without a final dot."""


class Passed(msgspec.Struct, frozen=True, array_like=True):
    """A host that was tried and did not do: how far that came, and what went wrong or was said."""

    host: str
    ip: str | None
    phase: Phase
    detail: str


class BrokenTls(msgspec.Struct, frozen=True):
    """TLS that is offered and does not work, which is why it was not used."""

    since: str
    """When it failed last, RFC 3339."""
    until: str
    """From when on it is tried there again."""
    detail: str
    """The error."""


class Line(msgspec.Struct, frozen=True, array_like=True):
    """A line of the conversation: milliseconds since the attempt began, `C` or `S`, and the text (secrets masked)."""

    at_ms: int
    side: str
    text: str


OWN_ROUTES: Final = frozenset({"", "mx", "capture"})
"""What an attempt's route may be besides the name of a relay; empty: it did not come to choosing one."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt to hand one delivery over. Neither `reply` nor `trouble` set is impossible."""

    phase: Phase
    reply: SmtpReply | None = None
    trouble: Trouble | None = None
    detail: str = ""
    """A public sentence about `trouble`."""
    route: str = ""
    """`capture`, `mx`, or the name of the relay."""
    site: str | None = None
    """Destination key under which limits are counted."""
    mx: str | None = None
    ip: str | None = None
    port: int | None = None
    tls: TlsFacts | None = None
    tls_policy: TlsPolicy | None = None
    tls_broken: BrokenTls | None = None
    exchangers: tuple[Exchanger, ...] = ()
    """Those that were found for the domain, in the order to try them; a domain without MX records is its own."""
    passed: tuple[Passed, ...] = ()
    """What was tried before, or in vain."""
    source: str | None = None
    """Name of the source address that the connection came from, where one was chosen."""
    started_at: Instant
    finished_at: Instant
    conversation: tuple[Line, ...] = ()

    @property
    def by_relay(self) -> bool:
        """Whether it went to a relay of ours."""
        return self.route not in OWN_ROUTES

    @property
    def delivered(self) -> bool:
        """Whether the peer took responsibility: 2xx after the final dot (RFC 5321 §6.1)."""
        return self.phase is Phase.DOT and self.reply is not None and self.reply.code // 100 == 2

    @property
    def in_doubt(self) -> bool:
        """Whether the final dot may have been sent and no reply came back."""
        return self.trouble is Trouble.LOST or (self.phase is Phase.DOT and self.reply is None)
