"""Sealed tokens for links that act without a login: nobody can make one, read one, or tell a wrong one from another.

A token holds all that is needed to act, so that a link outlives the rows it speaks of. It is sealed with AES-SIV
(RFC 5297): the same link each time a delivery is composed, 128 bits against forgery, and the recipient's address is not
readable where URLs are logged.
"""

import base64
import binascii
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from postroad.model.ids import DeliveryId, MessageId, ProjectId

KEY_OCTETS: Final = 32
_LONGEST: Final = 1200
_SEAL_OCTETS: Final = 16


class Unsubscribe(msgspec.Struct, frozen=True, array_like=True, tag="u"):
    """The right to take one address off one stream of a project."""

    project_id: ProjectId
    stream: str
    recipient: str
    message_id: MessageId
    delivery_id: DeliveryId


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Unsubscribe)
_CONTEXT: Final = [b"postroad token 1"]


def seal(right: Unsubscribe, key: bytes) -> str:
    """Return the token for a right: characters of base64url, the same each time. `key` is 32 secret octets."""
    sealed = AESSIV(key).encrypt(_encoder.encode(right), _CONTEXT)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def unseal(token: str, key: bytes) -> Unsubscribe | None:
    """Return the right that a token gives, or None when it was not sealed with this key, octet for octet."""
    if len(token) > _LONGEST or not token.isascii():
        return None
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    # More than one text decodes to the same octets; only the one that we made is ours.
    if len(sealed) <= _SEAL_OCTETS or base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() != token:
        return None
    try:
        return _decoder.decode(AESSIV(key).decrypt(sealed, _CONTEXT))
    except InvalidTag:
        return None
