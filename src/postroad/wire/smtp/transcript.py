"""What was said in a conversation, as data: bounded, and without secrets or content."""

from collections import deque
from enum import StrEnum
from typing import Final, NamedTuple

LINE_CHARACTERS: Final = 1000
HEAD_LINES: Final = 200
TAIL_LINES: Final = 56


class Side(StrEnum):
    """Who said it."""

    CLIENT = "C"
    SERVER = "S"


class Said(NamedTuple):
    """One line, without its line end."""

    side: Side
    text: str


class Transcript:
    """Keeps the first and the last lines of a conversation and forgets the middle of a long one."""

    def __init__(self) -> None:
        self._head: list[Said] = []
        self._tail: deque[Said] = deque(maxlen=TAIL_LINES)
        self._omitted = 0

    def add(self, side: Side, text: str) -> None:
        """Keep one line; a long one loses its end."""
        if len(text) > LINE_CHARACTERS:
            text = f"{text[: LINE_CHARACTERS - 1]}…"
        if len(self._head) < HEAD_LINES:
            self._head.append(Said(side, text))
            return
        self._omitted += len(self._tail) == TAIL_LINES
        self._tail.append(Said(side, text))

    def take(self) -> tuple[Said, ...]:
        """Return what was kept and begin anew."""
        taken = self._head
        if self._omitted:
            taken.append(Said(Side.CLIENT, f"<{self._omitted} lines left out>"))
        taken.extend(self._tail)
        self._head, self._omitted = [], 0
        self._tail.clear()
        return tuple(taken)
