"""Replies of a server: read incrementally, within limits, and written (RFC 5321 §4.2).

Decisions are made on a reply's class (2, 3, 4, 5), as RFC 5321 §4.2.1 asks of clients, never on a list of codes.
"""

import re
from typing import Final

import msgspec

from postroad.wire import status
from postroad.wire.smtp.errors import MisuseError, PeerError

LINE_OCTETS: Final = 4096
"""Longest line taken; RFC 5321 §4.5.3.1.5 allows 512, and the world sends more."""
REPLY_OCTETS: Final = 65_536
"""Most octets taken for one reply over all its lines."""

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\n\0]*+))?\r?\n")
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?: |\Z)", re.ASCII)
_VISIBLE = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A code and its lines of text, which hold the enhanced code as it was sent and no control characters."""

    code: int
    lines: tuple[str, ...] = ("",)

    @property
    def category(self) -> int:
        """The class: 2 done, 3 go on, 4 not now, 5 never."""
        return self.code // 100

    @property
    def enhanced(self) -> status.EnhancedStatus | None:
        """The enhanced code (RFC 2034), when there is one whose class is the reply's own."""
        if not self.lines[0][:1].isdigit():
            return None
        found = status.leading(self.lines[0])
        return found if found is not None and found.category == self.category else None

    @property
    def text(self) -> str:
        """All lines joined by spaces, without enhanced codes."""
        if len(self.lines) == 1 and not self.lines[0][:1].isdigit():
            return self.lines[0]
        return " ".join(_ENHANCED.sub("", line, count=1) if line[:1].isdigit() else line for line in self.lines)

    def __str__(self) -> str:
        return f"{self.code} {' '.join(self.lines)}"


class ReplyReader:
    """Cuts a stream of octets into replies.

    A line ends in CRLF; a lone LF is tolerated. NUL, a CR elsewhere, a line without a code, codes that differ within
    one reply and anything beyond the limits are not SMTP.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0
        self._code: bytes | None = None
        self._lines: list[str] = []
        self._octets = 0

    def feed(self, octets: bytes) -> None:
        """Add what has come in."""
        self._buffer = self._buffer[self._at :] + octets if self._at < len(self._buffer) else octets
        self._at = 0

    @property
    def pending(self) -> bool:
        """Whether octets are waiting that no reply has used up."""
        return self._at < len(self._buffer) or self._code is not None

    def next(self) -> Reply | None:
        """Return the next complete reply, or None when more octets are needed.

        Raises:
            PeerError: What came is no reply.
        """
        if self._at == len(self._buffer):
            return None
        if self._code is None and (found := _LINE.match(self._buffer, self._at)) is not None:
            code, separator, text = found.groups()
            if separator != b"-" and found.end() - self._at <= LINE_OCTETS:  # nearly every reply is one line
                self._at = found.end()
                return Reply(int(code), (_readable(text or b""),))
        while (end := self._buffer.find(b"\n", self._at)) >= 0:
            last = self._take_line(end)
            if last:
                reply = Reply(int(self._code or b""), tuple(self._lines))
                self._code, self._lines, self._octets = None, [], 0
                return reply
        if len(self._buffer) - self._at > LINE_OCTETS:
            raise PeerError("The server sent a reply line that is too long.")
        return None

    def _take_line(self, end: int) -> bool:
        """Read the line that ends at `end`; tell whether it is the last of its reply."""
        if end - self._at > LINE_OCTETS:
            raise PeerError("The server sent a reply line that is too long.")
        found = _LINE.fullmatch(self._buffer, self._at, end + 1)
        if found is None:
            raise PeerError("The server sent a line that is no SMTP reply.")
        code, separator, text = found.groups()
        if self._code is not None and code != self._code:
            raise PeerError("The server sent a reply whose lines have different codes.")
        self._octets += end + 1 - self._at
        if self._octets > REPLY_OCTETS:
            raise PeerError("The server sent a reply that is too long.")
        self._at = end + 1
        self._code = code
        self._lines.append(_readable(text or b""))
        return separator != b"-"


def _readable(octets: bytes) -> str:
    """Decode for reading: what is not UTF-8 and every control character becomes U+FFFD, but for HTAB, a space."""
    text = octets.decode("utf-8", "replace")
    if text.isprintable():
        return text
    return _CONTROL.sub("\ufffd", text.replace("\t", " "))


def write_reply(reply: Reply) -> bytes:
    """Return the octets of a reply, each line with its code (RFC 5321 §4.2.1).

    Raises:
        MisuseError: A line holds a control character, or the code is none.
    """
    if not 200 <= reply.code <= 599 or not all(_VISIBLE.fullmatch(line) for line in reply.lines):
        raise MisuseError(f"{reply!r} cannot be written")
    code = str(reply.code)
    head = [f"{code}-{line}\r\n" for line in reply.lines[:-1]]
    return ("".join(head) + f"{code} {reply.lines[-1]}\r\n").encode()
