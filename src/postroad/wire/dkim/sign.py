"""Signing: one DKIM-Signature per key over one canonical form of the message (RFC 6376 §5, RFC 8463).

Each header field of the list below that is present is signed, and once more than it is present: a field of that name
that somebody adds later breaks the signature, so a signed message cannot be given a second subject and be sent on
(RFC 6376 §8.15). Never `l=`: a body cannot be added to either. `t=` and `x=` come from the caller, so the same message
gives the same octets again (Ed25519 and RSA PKCS #1 v1.5 signatures do not depend on chance).
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from postroad.wire.dkim.canonical import relaxed_body, relaxed_field
from postroad.wire.dkim.keys import SigningKey

# Signed once more than they are present, whether present or not.
OVERSIGNED: Final = (
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Reply-To",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
)
# Signed when present; mailing lists may add their own without breaking the signature.
SIGNED: Final = (
    "Sender",
    "In-Reply-To",
    "References",
    "Content-Disposition",
    "Content-ID",
    "List-Id",
    "List-Help",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
    "Feedback-ID",
    "Auto-Submitted",
    "Precedence",
)
_COLUMN: Final = 76
_OVERSIGNED: Final = tuple((name.lower().encode(), name) for name in OVERSIGNED)
_SIGNED: Final = tuple((name.lower().encode(), name) for name in SIGNED)


def sign(
    fields: Iterable[bytes],
    body: bytes,
    keys: Sequence[SigningKey],
    *,
    at_s: int,
    expires_s: int,
    identity: str | None = None,
) -> bytes:
    """Return one DKIM-Signature field per key, to be put before the message.

    Args:
        fields: The message's header fields, each whole with its CRLF, in order.
        body: The message's body; the last thing done to it before dot-stuffing.
        keys: The keys to sign with.
        at_s: When, in seconds since 1970 (`t=`).
        expires_s: Until when the signature holds (`x=`).
        identity: The agent or user it is signed for (`i=`); the key's domain when not given.
    """
    if not keys:
        return b""
    present: dict[bytes, list[bytes]] = {}
    for field in fields:
        canonical = relaxed_field(field)
        present.setdefault(canonical[: canonical.index(b":")], []).append(canonical)
    names, canonical_fields = _select(present)
    body_hash = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest()).decode()
    rest = f"t={at_s}; x={expires_s};\r\n\t{_folded_names(names)};\r\n\tbh={body_hash};\r\n\tb="
    signatures: list[bytes] = []
    for key in keys:
        head = (
            f"DKIM-Signature: v=1; a={key.algorithm}; c=relaxed/relaxed; d={key.domain};\r\n"
            f"\ts={key.selector}; i={identity or '@' + key.domain}; {rest}"
        ).encode()
        signature = key.signature(b"\r\n".join((*canonical_fields, relaxed_field(head))))
        signatures.append(head + _folded_base64(signature))
    return b"".join(signatures)


def _select(present: dict[bytes, list[bytes]]) -> tuple[tuple[str, ...], list[bytes]]:
    """Choose what to sign: the names for `h=`, and the canonical fields in that order.

    Of several fields with one name the last is taken first (RFC 6376 §5.4.2). A name with no field left stands for the
    absence of one more.
    """
    names: list[str] = []
    chosen: list[bytes] = []
    for lowered, name in _OVERSIGNED:
        found = present.get(lowered)
        if found is not None:
            chosen.extend(reversed(found))
            names.extend([name] * len(found))
        names.append(name)
    for lowered, name in _SIGNED:
        found = present.get(lowered)
        if found is not None:
            chosen.extend(reversed(found))
            names.extend([name] * len(found))
    return tuple(names), chosen


@lru_cache(256)
def _folded_names(names: tuple[str, ...]) -> str:
    """Write `h=` over as many lines as it takes; most messages of a sender have the same fields."""
    lines: list[str] = []
    line = "h=" + names[0]
    for name in names[1:]:
        if len(line) + len(name) + 2 > _COLUMN:
            lines.append(line + ":")
            line = name
        else:
            line += ":" + name
    lines.append(line)
    return "\r\n\t".join(lines)


def _folded_base64(octets: bytes) -> bytes:
    encoded = base64.b64encode(octets)
    first = encoded[: _COLUMN - 3]
    lines = [encoded[at : at + _COLUMN - 1] for at in range(len(first), len(encoded), _COLUMN - 1)]
    return b"\r\n\t".join([first, *lines]) + b"\r\n"
