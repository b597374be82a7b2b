"""The state of one running transaction, and the only place where a command line is made from somebody's words."""

import re
from collections.abc import Sequence
from typing import Final, Self

from postroad.wire.address import AddressError, parse_mailbox
from postroad.wire.smtp.errors import MisuseError
from postroad.wire.smtp.extensions import Extensions
from postroad.wire.smtp.phase import Phase
from postroad.wire.smtp.replies import Reply
from postroad.wire.smtp.transaction import END_OF_DATA, Ending, Outcome, frame

COMMAND_OCTETS: Final = 512
"""Longest command line with its CRLF (RFC 5321 §4.5.3.1.4); parameters of extensions fit into it with our paths."""

_FORBIDDEN = re.compile(rb"[\x00-\x1f\x7f]")


def command(line: str, *, limit: int = COMMAND_OCTETS) -> bytes:
    """Return a command line with its CRLF.

    Raises:
        MisuseError: It holds a control character, so a second command could hide in it, or it is too long.
    """
    octets = line.encode()
    if _FORBIDDEN.search(octets) is not None:
        raise MisuseError("a command holds a control character")
    if len(octets) + 2 > limit:
        raise MisuseError(f"a command is longer than {limit} octets")
    return octets + b"\r\n"


class Sending:
    """A transaction under way: its commands, made once, and the replies so far."""

    __slots__ = ("_at", "answers", "closing", "content", "data", "final", "mail", "rcpts", "sender", "size", "void")

    def __init__(self, mail: bytes, rcpts: list[bytes], content: bytes, size: int) -> None:
        self.mail = mail
        self.rcpts = rcpts
        self.content = content
        self.size = size
        self.sender: Reply | None = None
        self.answers: list[Reply] = []
        self.data: Reply | None = None
        self.final: Reply | None = None
        self.closing: Reply | None = None
        self.void = False
        self._at = 0

    @classmethod
    def prepare(
        cls, mail_from: str, recipients: Sequence[str], octets: bytes, *, smtputf8: bool, offered: Extensions
    ) -> Self | Ending:
        """Make the commands of a transaction, or tell why this server cannot take it.

        Raises:
            MisuseError: An address is none or needs SMTPUTF8 without `smtputf8`, there is no recipient, or the octets
                hold a bare CR or LF.
        """
        if not recipients:
            raise MisuseError("a transaction needs a recipient")
        sender = _path(mail_from, smtputf8=smtputf8) if mail_from else ""
        rcpts = [command(f"RCPT TO:<{_path(each, smtputf8=smtputf8)}>") for each in recipients]
        content = frame(octets)
        size = len(octets)
        if offered.size is not None and size > offered.size:
            return Ending.TOO_LARGE
        if smtputf8 and not offered.smtputf8:
            return Ending.SMTPUTF8_MISSING
        eight_bit = not octets.isascii()
        if eight_bit and not offered.eight_bit_mime:
            return Ending.EIGHT_BIT_MISSING
        mail = f"MAIL FROM:<{sender}>"
        if offered.size_offered:
            mail += f" SIZE={size}"  # RFC 1870 §4
        if eight_bit:
            mail += " BODY=8BITMIME"  # RFC 6152 §2
        if smtputf8:
            mail += " SMTPUTF8"  # RFC 6531 §3.4
        return cls(command(mail), rcpts, content, size)

    @property
    def mail_accepted(self) -> bool:
        """Whether the sender was taken."""
        return self.sender is not None and self.sender.category == 2

    @property
    def any_recipient(self) -> bool:
        """Whether some RCPT was answered with success."""
        return any(reply.category == 2 for reply in self.answers)

    @property
    def accepted(self) -> bool:
        """Whether there is somebody to send content for."""
        return self.mail_accepted and self.any_recipient

    def next_piece(self, limit: int) -> tuple[bytes, bool]:
        """Return the next octets of large content and whether they are the last, which are the final dot alone."""
        end = len(self.content) - len(END_OF_DATA)
        if self._at == end:
            return END_OF_DATA, True
        start, self._at = self._at, min(self._at + limit, end)
        return self.content[start : self._at], False

    def refused_in(self) -> Phase:
        """Return where a transaction that came to nothing was first refused."""
        if not self.mail_accepted:
            return Phase.MAIL
        return Phase.DATA if self.any_recipient else Phase.RCPT

    def last_answered(self) -> Phase:
        """Return the phase of the last reply that came, before any to DATA."""
        return Phase.RCPT if self.answers else Phase.MAIL

    def outcome(self, ending: Ending, phase: Phase, error: str | None) -> Outcome:
        """Return the facts; recipients without an answer stand as None."""
        unanswered = len(self.rcpts) - len(self.answers)
        return Outcome(
            ending,
            phase,
            sender=self.sender,
            recipients=(*self.answers, *[None] * unanswered),
            data=self.data,
            final=self.final,
            closing=self.closing,
            error=error,
        )


def _path(address: str, *, smtputf8: bool) -> str:
    """Return a mailbox in its one canonical spelling; the strict parser keeps commands apart (RFC 5321 §4.1.2)."""
    try:
        mailbox = parse_mailbox(address)
    except AddressError as problem:
        raise MisuseError(f"an envelope address is none: {problem}") from problem
    if mailbox.smtputf8 and not smtputf8:
        raise MisuseError("an envelope address needs SMTPUTF8")
    return mailbox.address
