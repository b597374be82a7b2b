"""Request bodies: read with their size counted, in a time, and unpacked when they come as gzip."""

import asyncio
import zlib
from collections.abc import Mapping

from litestar.types import Receive, Scope

from postroad.model.errors import Refused, Unavailable

READ_TIMEOUT_S = 300.0
"""Time allowed for a body to arrive."""
_RATIO = 100
"""A gzip body may grow to this many times its size; JSON of mail stays below 20."""
_PIECE = 1 << 20
_ENCODINGS = frozenset({b"identity", b"gzip", b""})


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Return the body of a request, unpacked.

    Raises:
        Refused: `payload_too_large`, `unsupported_media_type`, or `bad_request` when the client went away.
        Unavailable: `timeout`.
    """
    encoding, length = b"identity", 0
    for name, value in scope["headers"]:
        if name == b"content-encoding":
            encoding = value.strip().lower()
        elif name == b"content-length" and value.isdigit():
            length = int(value)
    if length > limit:
        raise too_large(limit)
    _check_encoding(encoding)  # before the body is waited for
    return await _plain(encoding, await _collect(receive, limit), limit)


async def whole_body(headers: Mapping[bytes, bytes], octets: bytes, limit: int) -> bytes:
    """Return the body of a request that came as a whole, unpacked.

    Raises:
        Refused: `payload_too_large`, `unsupported_media_type`, or `bad_request`.
    """
    if len(octets) > limit:
        raise too_large(limit)
    encoding = headers.get(b"content-encoding")
    return octets if encoding is None else await _plain(encoding.strip().lower(), octets, limit)


async def _plain(encoding: bytes, octets: bytes, limit: int) -> bytes:
    """Return octets without their encoding."""
    _check_encoding(encoding)
    return await asyncio.to_thread(_unpack, octets, limit) if encoding == b"gzip" else octets


def too_large(limit: int) -> Refused:
    """Return the refusal of a body of more than `limit` octets."""
    return Refused("payload_too_large", f"A request body has {limit} octets at the most.")


def _too_dense() -> Refused:
    return Refused(
        "payload_too_large",
        f"A gzip body of more than {_PIECE} octets unpacked may grow to {_RATIO} times its size at the most.",
    )


def _check_encoding(encoding: bytes) -> None:
    if encoding not in _ENCODINGS:
        raise Refused("unsupported_media_type", "A body is sent as it is, or with `Content-Encoding: gzip`.")


async def _collect(receive: Receive, limit: int) -> bytes:
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                octets = message.get("body", b"")
                if len(octets) > limit:
                    raise too_large(limit)
                return octets
            pieces: list[bytes] = []
            size = 0
            while message["type"] == "http.request":
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > limit:
                    raise too_large(limit)
                if not message.get("more_body", False):
                    return b"".join(pieces)
                message = await receive()
    except TimeoutError as error:
        raise Unavailable("timeout", "The body did not arrive in time; nothing was stored.", retry_after_s=1) from error
    raise Refused("bad_request", "The connection was closed before the body was complete.")


def _unpack(octets: bytes, limit: int) -> bytes:
    """Unpack gzip, never to more than the limit or a hundred times its size (decompression bombs)."""
    most = min(limit, max(len(octets) * _RATIO, _PIECE))
    machine = zlib.decompressobj(wbits=31)
    try:
        unpacked = machine.decompress(octets, most + 1)
    except zlib.error as error:
        raise Refused("bad_request", "The body is not valid gzip.") from error
    if len(unpacked) > most:
        raise too_large(limit) if most == limit else _too_dense()
    if not machine.eof or machine.unused_data:
        raise Refused("bad_request", "The body is not one complete gzip member.")
    return unpacked
