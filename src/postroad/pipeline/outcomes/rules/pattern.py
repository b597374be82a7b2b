r"""Patterns on the text of a reply: literal pieces in a given order, which takes time linear to the text.

`*` stands for anything or nothing, `\d` for one digit, `\b` for the edge of a word, and `^` at the front for the
beginning of the text; `\*`, `\^` and `\\` stand for themselves. Upper and lower case, and how many spaces there are,
make no difference. Each piece between two stars has a fixed width and is looked for behind the one before it, so there
is nothing to go back to and nothing that a hostile reply could make slow.
"""

import re
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 200
_LEAST: Final = 3
"""Fewer letters and digits than this would fit nearly everything."""
_PARTS: Final = re.compile(r"\\.|\*|[^\\*]+|\\\Z", re.DOTALL)
_ESCAPES: Final = {r"\d": "[0-9]", r"\b": r"\b"}
_LITERALS: Final = {r"\*": "*", r"\\": "\\", r"\^": "^"}

Piece = str | re.Pattern[str]


class PatternError(ValueError):
    """A pattern that cannot be used; the text says why and what to write instead."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, ready to be looked for in folded text."""

    source: str
    pieces: tuple[Piece, ...]
    anchored: bool
    needle: str
    """The longest literal part: where it is missing, nothing else need be tried."""

    def found(self, text: str) -> bool:
        """Tell whether a folded text fits."""
        if self.needle not in text:
            return False
        at = 0
        for index, piece in enumerate(self.pieces):
            end = _end(piece, text, at, here=self.anchored and index == 0)
            if end < 0:
                return False
            at = end
        return True


def parse(source: str) -> Pattern:
    """Return the pattern that `source` describes.

    Raises:
        PatternError: it is none.
    """
    folded = " ".join(source.lower().split())
    if len(folded) > LONGEST:
        raise PatternError(f"a pattern has at most {LONGEST} characters; take the part that says most")
    if "@" in folded:
        raise PatternError("addresses are taken out of a reply before it is read; leave the word with the @ out")
    anchored = folded.startswith("^")
    pieces, literals = _pieces(folded[anchored:])
    needle = max(literals, key=len, default="")
    if sum(letter.isalnum() for literal in literals for letter in literal) + folded.count(r"\d") < _LEAST:
        raise PatternError(f"a pattern has at least {_LEAST} letters or digits, or it would fit nearly everything")
    return Pattern(source, pieces, anchored, needle)


def _pieces(folded: str) -> tuple[tuple[Piece, ...], list[str]]:
    """Return the pieces between the stars, and all literal parts of them."""
    pieces: list[Piece] = []
    literals: list[str] = []
    current: list[tuple[str, bool]] = []
    for part in [*_PARTS.findall(folded), "*"]:
        if part == "*":
            if current:
                pieces.append(_piece(current))
                literals += _joined(current)
            current = []
        elif part in _ESCAPES:
            current.append((part, True))
        elif part in _LITERALS:
            current.append((_LITERALS[part], False))
        elif part.startswith("\\"):
            known = ", ".join([*_ESCAPES, *_LITERALS])
            raise PatternError(f"{part!r} has no meaning in a pattern; after a backslash there can be {known}")
        else:
            current.append((part, False))
    return tuple(pieces), literals


def _piece(parts: list[tuple[str, bool]]) -> Piece:
    if not any(escape for _, escape in parts):
        return "".join(part for part, _ in parts)
    return re.compile("".join(_ESCAPES[part] if escape else re.escape(part) for part, escape in parts), re.ASCII)


def _joined(parts: list[tuple[str, bool]]) -> list[str]:
    """Return the literal runs of one piece."""
    runs = [""]
    for part, escape in parts:
        if escape:
            runs.append("")
        else:
            runs[-1] += part
    return [run for run in runs if run]


def _end(piece: Piece, text: str, at: int, *, here: bool) -> int:
    """Return where the next occurrence of a piece ends, or -1; `here`: only one that stands right at `at`."""
    if isinstance(piece, str):
        start = at if here and text.startswith(piece, at) else (-1 if here else text.find(piece, at))
        return start if start < 0 else start + len(piece)
    found = piece.match(text, at) if here else piece.search(text, at)
    return -1 if found is None else found.end()
