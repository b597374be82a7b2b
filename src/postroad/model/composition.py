"""What stage 2 takes and gives: inputs are stored, octets are not, because the same inputs give the same octets."""

import msgspec

from postroad.model.clock import Instant


class SigningKey(msgspec.Struct, frozen=True, array_like=True):
    """A DKIM key in use: `algorithm` is `rsa-sha256` or `ed25519-sha256`, `private` the PKCS #8 DER octets."""

    id: str
    domain: str
    selector: str
    algorithm: str
    private: bytes


class ComposeJob(msgspec.Struct, frozen=True, array_like=True):
    """All that decides the octets of one delivery."""

    message_id: str
    delivery_id: str
    recipient: str
    """The envelope recipient: an addr-spec whose domain is an A-label."""
    return_path: str
    """The envelope sender, VERP already applied."""
    header_id: str
    """Message-ID without angle brackets."""
    accepted_at: Instant
    """Date of the message and `t=` of its signatures: when it was accepted or, if it was scheduled, first due."""
    content: bytes
    """Stored form of `Content`."""
    extra_headers: tuple[tuple[str, str], ...] = ()
    """Headers of ours for this delivery: List-Unsubscribe, List-Unsubscribe-Post, List-Id, Feedback-ID."""
    signers: tuple[str, ...] = ()
    """Identifiers of the `SigningKey`s to sign with, in order."""
    blobs: dict[str, bytes] = {}
    """Octets of the attachments or of the raw message, by SHA-256."""
    delivery_token: str = ""
    """Proves the delivery, in a header of ours, where mail comes back without its envelope; empty: no such header."""


class Recipe(msgspec.Struct, frozen=True, array_like=True):
    """What beside the stored content decided a delivery's octets; kept with the attempt to make them again."""

    signers: tuple[str, ...] = ()
    extra_headers: tuple[tuple[str, str], ...] = ()


class Composed(msgspec.Struct, frozen=True, array_like=True):
    """An RFC 5321 envelope and RFC 5322 octets, ready for an SMTP client, which dot-stuffs them."""

    mail_from: str
    rcpt_to: str
    octets: bytes
    smtputf8: bool
    sha256: bytes
    """Digest of `octets`, kept on the attempt: a later composition can prove that it is what was sent."""
    tls_required: bool = False
    """Whether the message may only go over verified TLS."""
    tls_optional: bool = False
    """Whether it says `TLS-Required: No` (RFC 8689 §5)."""


class ComposeFailed(msgspec.Struct, frozen=True, array_like=True):
    """A job that cannot be composed: the delivery is rejected with this public sentence."""

    code: str
    detail: str
