"""What a server's machine tells its shell. Those marked as questions wait for `accept` or `refuse`."""

from dataclasses import dataclass

from postroad.wire.address import Mailbox
from postroad.wire.smtp.sasl import Credentials, Mechanism


@dataclass(frozen=True, slots=True)
class Hello:
    """The client gave its name; `extended` when it said EHLO."""

    name: str
    extended: bool


@dataclass(frozen=True, slots=True)
class MailAsked:
    """Question: may this sender begin a transaction? `sender` is None for the null path.

    `size` is what the client declared (RFC 1870), `eight_bit` and `smtputf8` what it says the content needs.
    """

    sender: Mailbox | None
    size: int | None
    eight_bit: bool
    smtputf8: bool


@dataclass(frozen=True, slots=True)
class RecipientAsked:
    """Question: is this a recipient?"""

    recipient: Mailbox


@dataclass(frozen=True, slots=True)
class ContentBegins:
    """The client was told to go on: content follows."""


@dataclass(frozen=True, slots=True)
class ContentPiece:
    """The next octets of content, dots unstuffed. How content is cut into pieces has no meaning."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class MessageAsked:
    """Question: is the message, whose content is complete, taken? An `accept` is responsibility (RFC 5321 §6.1)."""

    size: int


@dataclass(frozen=True, slots=True)
class TransactionDropped:
    """What was received of the running transaction is void: RSET, a new greeting, or content that was refused."""


@dataclass(frozen=True, slots=True)
class LoginAsked:
    """Question: are these credentials good?"""

    mechanism: Mechanism
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class HandshakeAsked:
    """The client was told to begin TLS: write what is outgoing, do the handshake, then call `tls_started`."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Write what is outgoing and close the connection. `sentence` tells why, unless the client said QUIT."""

    sentence: str | None = None


ServerEvent = (
    Hello
    | MailAsked
    | RecipientAsked
    | ContentBegins
    | ContentPiece
    | MessageAsked
    | TransactionDropped
    | LoginAsked
    | HandshakeAsked
    | Finished
)
