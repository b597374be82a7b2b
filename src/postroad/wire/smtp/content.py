"""What follows DATA, read as a server must (RFC 5321 §4.1.1.4 and §4.5.2).

Only CRLF.CRLF ends it. A CR or LF that is not part of a CRLF is never taken for a line end and never repaired:
servers that did either let one message become two (CVE-2023-51764 and its kin). Where such a character stands the
reading stops for good.
"""

import re
from dataclasses import dataclass
from typing import Final

_END: Final = b"\r\n.\r\n"
_BARE: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class Piece:
    """What one feeding brought.

    Attributes:
        octets: Content, dots unstuffed; every cutting of the same input joins to the same octets.
        rest: What stands behind the end, when it was reached: commands.
        ended: Whether the final dot was reached.
        bare: Whether a bare CR or LF was met; nothing more may be fed.
    """

    octets: bytes
    rest: bytes = b""
    ended: bool = False
    bare: bool = False


class ContentReader:
    """Reads the content of one message, holding back at most five octets."""

    def __init__(self) -> None:
        self._held = b"\r\n"  # the CRLF that ended DATA may be the first half of CRLF.CRLF
        self._first = True

    def feed(self, octets: bytes) -> Piece:
        """Take octets, the first of which follow the CRLF of DATA."""
        octets = self._held + octets
        end = octets.find(_END)
        if end >= 0:
            body, rest = octets[: end + 2], octets[end + len(_END) :]
            return self._finish(body, rest, ended=True)
        keep = _partial_end(octets)
        body, self._held = (octets[:-keep], octets[-keep:]) if keep else (octets, b"")
        return self._finish(body, b"", ended=False)

    def _finish(self, body: bytes, rest: bytes, *, ended: bool) -> Piece:
        bare = False
        pairs = body.count(b"\r\n")
        if body.count(b"\r") != pairs or body.count(b"\n") != pairs:
            bare, ended, rest = True, False, b""
            found = _BARE.search(body)
            body = body[: found.start()] if found is not None else body
            body = body[: len(body) - _partial_end(body)]
        return Piece(self._unstuff(body), rest, ended, bare)

    def _unstuff(self, body: bytes) -> bytes:
        body = body.replace(b"\r\n.", b"\r\n")
        if self._first and body:
            self._first = False
            return body[2:]
        return body


def _partial_end(octets: bytes) -> int:
    """Return how many octets at the end may be the beginning of CRLF.CRLF."""
    for length in range(min(len(_END) - 1, len(octets)), 0, -1):
        if octets.endswith(_END[:length]):
            return length
    return 0
