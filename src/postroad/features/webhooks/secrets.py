"""The secrets of an endpoint: the current one, and those that still sign while their owner changes over."""

from typing import Final, Protocol

import msgspec

from postroad.model.clock import Instant
from postroad.model.ids import WebhookId

MOST_SECRETS: Final = 5


class Vault(Protocol):
    """Seals and opens what must not lie in the store in the clear."""

    def seal(self, plain: bytes, context: str) -> bytes:
        """Return `plain` sealed; only the same context opens it."""
        ...

    def open(self, sealed: bytes, context: str) -> bytes:
        """Return what was sealed. Raises `Unavailable`."""
        ...


class Secret(msgspec.Struct, frozen=True, array_like=True):
    """One secret and when it ends; None: not yet known."""

    octets: bytes
    ends_at: Instant | None = None


Ring = tuple[Secret, ...]
_decoder = msgspec.msgpack.Decoder(Ring)
_encoder = msgspec.msgpack.Encoder()


def rotate(ring: Ring, octets: bytes, *, now: Instant, old_until: Instant) -> Ring:
    """Return the ring with a new current secret; the others end at `old_until`, or sooner if they were to."""
    older = [
        Secret(secret.octets, old_until if secret.ends_at is None else min(secret.ends_at, old_until))
        for secret in ring
        if secret.octets != octets
    ]
    return (Secret(octets), *[secret for secret in older if _holds(secret, now)])[:MOST_SECRETS]


def active(ring: Ring, now: Instant) -> list[bytes]:
    """Return the secrets to sign with, the current one first."""
    return [secret.octets for secret in ring if _holds(secret, now)]


def seal(ring: Ring, vault: Vault, webhook: WebhookId) -> bytes:
    """Return the stored form of a ring."""
    return vault.seal(_encoder.encode(ring), _context(webhook))


def unseal(sealed: bytes, vault: Vault, webhook: WebhookId) -> Ring:
    """Return the ring of its stored form. Raises `Unavailable` when the master key is another one."""
    return _decoder.decode(vault.open(sealed, _context(webhook)))


def _holds(secret: Secret, now: Instant) -> bool:
    return secret.ends_at is None or secret.ends_at > now


def _context(webhook: WebhookId) -> str:
    return f"webhook:{webhook}"
