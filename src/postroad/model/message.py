"""A message: one request to send, immutable once accepted."""

from enum import StrEnum

import msgspec

from postroad.model.clock import Instant
from postroad.model.ids import MessageId, ProjectId


class Mode(StrEnum):
    """Whether mail leaves the machine: test mail is always captured, whatever the routes say."""

    LIVE = "live"
    TEST = "test"


class Role(StrEnum):
    """In which field a recipient stands; Bcc is never on the wire."""

    TO = "to"
    CC = "cc"
    BCC = "bcc"


class Party(msgspec.Struct, frozen=True, array_like=True):
    """An address with its display name. `email` is a valid addr-spec, its domain an A-label (RFC 5321 §4.1.2)."""

    email: str
    name: str | None = None


class Attachment(msgspec.Struct, frozen=True, array_like=True):
    """A file that goes with a message; its octets lie in the blob store under `sha256`."""

    filename: str
    content_type: str
    sha256: str
    size: int
    content_id: str | None = None
    """Set: inline, part of multipart/related, and named `cid:` in the HTML (RFC 2392)."""


class Content(msgspec.Struct, frozen=True, array_like=True):
    """All that a message's octets are made of, as accepted: valid by construction, stored as MessagePack.

    Either `raw_sha256` names a complete RFC 5322 message in the blob store and the other fields only repeat what its
    header says, or the message is built from the fields.
    """

    sender: Party
    to: tuple[Party, ...] = ()
    cc: tuple[Party, ...] = ()
    reply_to: tuple[Party, ...] = ()
    subject: str = ""
    html: str | None = None
    text: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[Attachment, ...] = ()
    raw_sha256: str | None = None
    require_tls: bool = False
    """Whether it may only be handed over under verified TLS."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a message beside its content."""

    id: MessageId
    project_id: ProjectId
    mode: Mode
    stream: str
    sender: str
    subject: str
    created_at: Instant
    send_at: Instant | None = None
    expires_at: Instant
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    header_id: str
    """The Message-ID without angle brackets, the same on every retry (RFC 5322 §3.6.4)."""
    size: int = 0
    """Octets of the stored content, attachments included."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Content)


def encode_content(content: Content) -> bytes:
    """Return the stored form of `content`."""
    return _encoder.encode(content)


def decode_content(octets: bytes) -> Content:
    """Return the content of its stored form."""
    return _decoder.decode(octets)
