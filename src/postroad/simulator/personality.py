"""What a simulated provider may do otherwise than a friendly server does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class At(StrEnum):
    """The occasions at which a provider may do something else."""

    BANNER = "banner"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    DOT = "dot"
    """Before the message is taken."""
    TAKEN = "taken"
    """Once it is taken and written down, in the place of the acknowledgement."""
    QUIT = "quit"


class End(StrEnum):
    """How a conversation ends before its time."""

    CLOSE = "close"
    """FIN."""
    RESET = "reset"
    """RST."""
    SILENCE = "silence"
    """Nothing is said any more, until the client hangs up."""


class Wire(StrEnum):
    """What is found at a provider's address."""

    LISTENS = "listens"
    REFUSES = "refuses"
    SWALLOWS = "swallows"
    """Connections are neither made nor refused."""


class Tls(StrEnum):
    """What comes of STARTTLS."""

    ABSENT = "absent"
    WORKS = "works"
    BROKEN = "broken"


class Names(StrEnum):
    """What the DNS says of a provider's domain."""

    MX = "mx"
    NULL_MX = "null_mx"
    ABSENT = "absent"
    FAILS = "fails"
    SILENT = "silent"


class Returns(StrEnum):
    """What comes back some time after a message was taken, and in which dialect."""

    POSTFIX = "postfix"
    EXIM = "exim"
    EXCHANGE = "exchange"
    QMAIL = "qmail"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto_reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What happens at one occasion. Without `reply` and `end`, what should happen does, after `wait_s`."""

    reply: str | None = None
    """Code and text; its enhanced code is repeated on every line that `|` begins."""
    end: End | None = None
    """How the conversation ends, after the reply if there is one."""
    wait_s: float = 0.0
    first: int | None = None
    """Only for so many messages of one sender to one recipient, as with greylisting."""
    share: float = 1.0
    """Of the occasions, at random."""
    beyond_a_minute: int | None = None
    """Only when more messages than these were taken in the last minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """One provider."""

    domain: str
    says: str
    """What it does, in a sentence."""
    moves: Mapping[At, Move] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    """Names of its exchangers; none: `mx.` before its domain."""
    names: Names = Names.MX
    wire: Wire = Wire.LISTENS
    tls: Tls = Tls.WORKS
    returns: Returns | None = None
    message_octets: int = 64 * 1024 * 1024
    trickle_s: float = 0.0
    """Pause after each octet that it writes."""

    @property
    def exchangers(self) -> tuple[str, ...]:
        """Names of the hosts that take its mail."""
        return self.hosts or (f"mx.{self.domain}",)
