"""Signatures of webhooks (Standard Webhooks 1.0): an endpoint can tell our calls from everybody else's."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what stands before a secret
SECRET_OCTETS: Final = 32
_SHORTEST: Final = 24
_LONGEST: Final = 64
_MOST_SIGNATURES: Final = 20


class WebhookError(ValueError):
    """A secret or a signed call that cannot be accepted; the text is a public sentence."""


def format_secret(octets: bytes) -> str:
    """Return a secret of 24 to 64 octets the way people exchange it, `whsec_…`.

    Raises:
        WebhookError: It is shorter or longer.
    """
    if not _SHORTEST <= len(octets) <= _LONGEST:
        raise WebhookError("A webhook secret is 24 to 64 octets long.")
    return SECRET_PREFIX + base64.b64encode(octets).decode()


def parse_secret(text: str) -> bytes:
    """Return the octets of a secret, with or without its `whsec_`.

    Raises:
        WebhookError: It is not base64 of 24 to 64 octets.
    """
    try:
        octets = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as problem:
        raise WebhookError("A webhook secret is whsec_ and base64.") from problem
    format_secret(octets)
    return octets


def sign(identifier: str, timestamp_s: int, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """Return the three headers of a call.

    Args:
        identifier: The same on every retry of the same event.
        timestamp_s: The instant of this call in seconds since 1970.
        body: The octets that are sent.
        secrets: The secrets in use; during a rotation both the new and the old one.
    """
    signatures = [_signature(identifier, str(timestamp_s), body, secret) for secret in secrets]
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }


def verify(
    headers: dict[str, str], body: bytes, secrets: Sequence[bytes], *, now_s: int, tolerance_s: int = 300
) -> None:
    """Check a call that claims to be signed; header names in lower case.

    Raises:
        WebhookError: A header is missing, the call is too old or from the future, or no signature fits a secret.
    """
    try:
        identifier = headers["webhook-id"]
        timestamp = headers["webhook-timestamp"]
        claimed = headers["webhook-signature"].split(" ")[:_MOST_SIGNATURES]
    except KeyError as problem:
        raise WebhookError("A webhook header is missing.") from problem
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 16):
        raise WebhookError("The webhook timestamp is not a number of seconds.")
    if abs(now_s - int(timestamp)) > tolerance_s:
        raise WebhookError("The webhook timestamp is too far from now.")
    fits = False
    for secret in secrets:
        expected = f"v1,{_signature(identifier, timestamp, body, secret)}".encode()
        for one in claimed:
            fits |= hmac.compare_digest(expected, one.encode())
    if not fits:
        raise WebhookError("No webhook signature fits.")


def _signature(identifier: str, timestamp: str, body: bytes, secret: bytes) -> str:
    signed = b"%s.%s.%s" % (identifier.encode(), timestamp.encode(), body)
    return base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
