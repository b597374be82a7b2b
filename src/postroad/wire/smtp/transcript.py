"""What was said in a conversation, as data: bounded, and without secrets or content."""

from enum import StrEnum
from typing import Final

import msgspec

from postroad.wire.smtp.replies import Reply

LINE_CHARACTERS: Final = 1000
HEAD_LINES: Final = 200
TAIL_LINES: Final = 56
_ENTRIES: Final = 2 * (HEAD_LINES + TAIL_LINES)


class Side(StrEnum):
    """Who said it."""

    CLIENT = "C"
    SERVER = "S"


class Said(msgspec.Struct, frozen=True, gc=False):
    """One line, without its line end; `at` is whatever clock the shell keeps in `Transcript.at`."""

    at: int
    side: Side
    text: str


_CLIENT: Final = Side.CLIENT
_SERVER: Final = Side.SERVER


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
        if len(self._entries) > _ENTRIES:
            self._bound()

    def received(self, reply: Reply) -> None:
        """Keep what the server said."""
        self._entries.append((self.at, reply))
        if len(self._entries) > _ENTRIES:
            self._bound()

    def take(self) -> tuple[Said, ...]:
        """Return what was kept and begin anew."""
        lines: list[Said] = []
        for at, entry in self._entries:
            if isinstance(entry, str):
                for line in entry.split("\r\n"):
                    lines.append(Said(at, _CLIENT, _short(line)))  # noqa: PERF401 - measured: an append beats an extend
            elif len(entry.lines) == 1:
                lines.append(Said(at, _SERVER, _short(f"{entry.code} {entry.lines[0]}")))
            else:
                lines += _several(at, entry)
        omitted = self._omitted
        self._entries, self._omitted = [], 0
        if not omitted and len(lines) <= HEAD_LINES + TAIL_LINES:
            return tuple(lines)
        omitted += len(lines) - HEAD_LINES - TAIL_LINES
        note = Said(lines[HEAD_LINES].at, Side.CLIENT, f"<{omitted} lines left out>")
        return (*lines[:HEAD_LINES], note, *lines[-TAIL_LINES:])

    def _bound(self) -> None:
        self._omitted += TAIL_LINES
        del self._entries[HEAD_LINES : HEAD_LINES + TAIL_LINES]


def _several(at: int, reply: Reply) -> list[Said]:
    *head, last = reply.lines
    texts = [*[f"{reply.code}-{line}" for line in head], f"{reply.code} {last}"]
    return [Said(at, _SERVER, _short(text)) for text in texts]


def _short(line: str) -> str:
    return line if len(line) <= LINE_CHARACTERS else f"{line[: LINE_CHARACTERS - 1]}…"
