"""What was said in a conversation, as data: bounded, and without secrets or content."""

from enum import StrEnum
from typing import Final, NamedTuple

from postroad.wire.smtp.replies import Reply

LINE_CHARACTERS: Final = 1000
HEAD_LINES: Final = 200
TAIL_LINES: Final = 56
_ENTRIES: Final = 2 * (HEAD_LINES + TAIL_LINES)


class Side(StrEnum):
    """Who said it."""

    CLIENT = "C"
    SERVER = "S"


class Said(NamedTuple):
    """One line, without its line end; `at` is whatever clock the shell keeps in `Transcript.at`."""

    at: int
    side: Side
    text: str


class Transcript:
    """Keeps the first and the last lines of a conversation and forgets the middle of a long one.

    Adding costs next to nothing; the work is done when the lines are taken.
    """

    def __init__(self) -> None:
        self.at = 0
        self._entries: list[tuple[int, str | Reply]] = []
        self._omitted = 0

    def sent(self, lines: str) -> None:
        """Keep what the client said: one line, or several with CRLF between them."""
        self._entries.append((self.at, lines))
        self._bound()

    def received(self, reply: Reply) -> None:
        """Keep what the server said."""
        self._entries.append((self.at, reply))
        self._bound()

    def take(self) -> tuple[Said, ...]:
        """Return what was kept and begin anew."""
        lines = [line for at, entry in self._entries for line in _lines(at, entry)]
        omitted = self._omitted
        self._entries, self._omitted = [], 0
        if not omitted and len(lines) <= HEAD_LINES + TAIL_LINES:
            return tuple(lines)
        omitted += len(lines) - HEAD_LINES - TAIL_LINES
        note = Said(lines[HEAD_LINES].at, Side.CLIENT, f"<{omitted} lines left out>")
        return (*lines[:HEAD_LINES], note, *lines[-TAIL_LINES:])

    def _bound(self) -> None:
        if len(self._entries) > _ENTRIES:
            self._omitted += TAIL_LINES
            del self._entries[HEAD_LINES : HEAD_LINES + TAIL_LINES]


def _lines(at: int, entry: str | Reply) -> list[Said]:
    if isinstance(entry, str):
        return [Said(at, Side.CLIENT, _short(line)) for line in entry.split("\r\n")]
    code, last = entry.code, len(entry.lines) - 1
    return [
        Said(at, Side.SERVER, _short(f"{code}{' ' if index == last else '-'}{line}"))
        for index, line in enumerate(entry.lines)
    ]


def _short(line: str) -> str:
    return line if len(line) <= LINE_CHARACTERS else f"{line[: LINE_CHARACTERS - 1]}…"
