"""What a client's machine tells its shell; the events of a server's machine stand in `server_events`."""

from dataclasses import dataclass

import msgspec

from postroad.wire.smtp.extensions import Extensions
from postroad.wire.smtp.phase import Phase
from postroad.wire.smtp.replies import Reply
from postroad.wire.smtp.transaction import Outcome


@dataclass(frozen=True, slots=True)
class Greeted:
    """The server's banner welcomes us."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Ready:
    """EHLO or HELO was taken; `extensions` is what may be used from now on."""

    reply: Reply
    extensions: Extensions


@dataclass(frozen=True, slots=True)
class Rejected:
    """The banner, EHLO (and HELO) or STARTTLS was answered with a refusal."""

    phase: Phase
    reply: Reply


@dataclass(frozen=True, slots=True)
class StartTls:
    """The server waits for the TLS handshake: do it now, then call `tls_started`."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The server knows us."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class AuthFailed:
    """The server refused our credentials, now (4) or for good (5)."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class AuthUnavailable:
    """The server offers no mechanism of ours, or only without TLS; nothing was sent."""


class TransactionEnded(msgspec.Struct, frozen=True, gc=False):
    """The transaction is over; comes exactly once for each."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ResetDone:
    """RSET was answered."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Farewell:
    """QUIT was answered: close the connection."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Closing:
    """The server ends the conversation (421, or a refusal in the middle of content): close the connection."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Broken:
    """The server said something that is not SMTP: abort the connection."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection was lost while no transaction was running."""

    phase: Phase


Event = (
    Greeted
    | Ready
    | Rejected
    | StartTls
    | Authenticated
    | AuthFailed
    | AuthUnavailable
    | TransactionEnded
    | ResetDone
    | Farewell
    | Closing
    | Broken
    | Disconnected
)
