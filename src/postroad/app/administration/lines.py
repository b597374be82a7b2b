"""What goes over the administration socket: one line of JSON each way, and a name under which the socket is reached."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from postroad.model.errors import Flaw, Refused, Unavailable

MOST_OCTETS: Final = 64 * 1024 * 1024
"""The longest line, either way."""
_NAME_OCTETS: Final = 107
"""What fits into a socket's address (unix(7)), without its final NUL."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One operation to be carried out."""

    operation: str
    arguments: dict[str, object]


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why it was not carried out."""

    code: str
    detail: str
    errors: tuple[Flaw, ...] = ()
    retry_after_s: int | None = None
    """Given when it may well succeed later."""


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of it: an answer or a failure."""

    answer: dict[str, object] | None = None
    error: Failure | None = None


def line(message: Request | Reply) -> bytes:
    """Return a message as its line.

    Raises:
        Refused: it is longer than a line may be (`payload_too_large`).
    """
    octets = msgspec.json.encode(message) + b"\n"
    if len(octets) > MOST_OCTETS:
        raise too_large()
    return octets


def failed(problem: Refused | Unavailable) -> Reply:
    """Return the reply that tells of an expected failure."""
    match problem:
        case Refused():
            return Reply(error=Failure(problem.code, problem.detail, problem.flaws))
        case Unavailable():
            return Reply(error=Failure(problem.code, problem.detail, (), problem.retry_after_s))


def opened(octets: bytes | bytearray) -> dict[str, object]:
    """Return the answer in the line of a reply.

    Raises:
        Refused: or
        Unavailable: what the server raised.
        msgspec.DecodeError: it is no reply.
    """
    reply = msgspec.json.decode(octets, type=Reply)
    error = reply.error
    if error is None:
        return reply.answer or {}
    if error.retry_after_s is None:
        raise Refused(error.code, error.detail, flaws=error.errors)
    raise Unavailable(error.code, error.detail, retry_after_s=error.retry_after_s)


def too_large() -> Refused:
    """Return the refusal of a line that is too long."""
    return Refused(
        "payload_too_large", f"This is larger than the {MOST_OCTETS // 1024 // 1024} MiB that go over the socket."
    )


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Yield a name for the socket at `path` that is short enough for an address, for as long as the body runs."""
    if len(os.fsencode(path)) <= _NAME_OCTETS:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
