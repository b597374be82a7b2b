"""A large mail cut down while it comes in, so that whatever part says something is still there (RFC 2046 §5.1.1).

Reports mostly say what they have to say at the beginning, and the rest is our own message. But some put the message
first, with all that was attached to it. So of each part of a multipart only the beginning is kept, and the end of a
part is known by the boundaries that headers before it have declared. What is kept is a mail that reads like the whole
one, with shorter parts.

Each part may take a quarter of the room that is left: there is always some for the next. A mail within the limit, and
the beginning of one without parts, is kept as it came.
"""

import re
from typing import Final

_SHARE: Final = 4
_BOUNDARY = re.compile(rb"""boundary\s{0,4}=\s{0,4}(?:"([^"\r\n]{1,200})"|([^\s";]{1,200}))""", re.IGNORECASE)
_LONGEST: Final = 512
"""Octets in which a declaration must fit, to be seen when it comes in pieces."""
_BOUNDARIES: Final = 50
_PARTS: Final = 1_000
"""Parts that get a beginning each; what comes behind so many is kept as far as there is room, like one part."""


class Excerpt:
    """What is kept of one mail that comes in pieces; never more than its limit."""

    __slots__ = (
        "_boundaries",
        "_carry",
        "_declared",
        "_ends",
        "_kept",
        "_limit",
        "_looked",
        "_part_ends",
        "_parts",
        "_whole",
    )

    def __init__(self, limit: int) -> None:
        """Take how many octets are kept."""
        self._limit = limit
        self._whole: bytearray | None = bytearray()
        self._kept = bytearray()
        self._carry = b""
        self._looked = 0
        self._boundaries: set[bytes] = set()
        self._ends: re.Pattern[bytes] | None = None
        self._part_ends = limit // _SHARE
        self._parts = 0
        self._declared = (0, 0)
        """Where the next declaration stands in the piece at hand."""

    def add(self, octets: bytes) -> None:
        """Take a piece, in time linear to it."""
        if self._whole is not None:
            self._whole += octets
            if len(self._whole) <= self._limit:
                return
            octets, self._whole = bytes(self._whole), None
        text, self._carry = self._carry + octets, b""
        last = text.rfind(b"\n", max(0, len(text) - _LONGEST))
        if last >= 0 and (b"\n--".startswith(text[last : last + 3]) or b"boundary" in text[last:].lower()):
            text, self._carry = text[:last], text[last:]  # what boundary this is, the next piece will tell
        self._take(text)

    def octets(self) -> bytes:
        """Return what is kept, once everything has come."""
        if self._whole is not None:
            return bytes(self._whole)
        self._take(self._carry)
        self._carry = b""
        return bytes(self._kept[: self._limit])

    def _take(self, text: bytes) -> None:
        at, self._declared = 0, (-1, -1)
        while 0 <= at < len(text) and len(self._kept) < self._limit:
            at = self._keep(text, at) if self._room() else self._skip(text, at)

    def _room(self) -> int:
        """Return how much more is kept of the part that is coming in."""
        left = self._part_ends - len(self._kept)
        if left <= 0 and self._ends is None:  # there are no parts
            self._part_ends = self._limit
            left = self._limit - len(self._kept)
        return max(0, left)

    def _keep(self, text: bytes, at: int) -> int:
        """Keep what there is room for, at most up to a declaration or the end of the part; return where to go on."""
        full = at + self._room()
        _, declared = self._declaration(text, at)
        ends = None if self._ends is None else self._ends.search(text, at, min(full, declared) + _LONGEST)
        if ends is not None and ends.start() < min(full, declared):
            mark = ends.start()
            self._kept += text[at : mark + 1]
            self._begin_part()
            self._kept += text[mark + 1 : mark + 3]
            return mark + 3
        stop = min(full, declared, len(text))
        self._kept += text[at:stop]
        self._declare()
        return stop

    def _declaration(self, text: bytes, at: int) -> tuple[int, int]:
        """Return where the next declaration of a boundary begins and ends, beyond the piece where there is none."""
        if self._declared[0] < at:
            known = len(self._boundaries) == _BOUNDARIES or self._parts > _PARTS
            found = None if known else _BOUNDARY.search(text, at)
            self._declared = (len(text), len(text)) if found is None else found.span()
        return self._declared

    def _skip(self, text: bytes, at: int) -> int:
        """Leave out what stands before the next part; return where that begins, or -1."""
        found = self._ends.search(text, max(0, at - len(b"\n--"))) if self._ends is not None else None
        if found is None:
            return -1
        self._begin_part()
        return found.start() + 1

    def _declare(self) -> None:
        """Look for boundaries in what was kept since the last time."""
        since, self._looked = self._unfinished(), len(self._kept)
        known = len(self._boundaries)
        for found in _BOUNDARY.finditer(self._kept, since):
            if len(self._boundaries) == _BOUNDARIES:
                break
            self._boundaries.add((found[1] or found[2]).rstrip())
        if len(self._boundaries) > known:
            self._ends = re.compile(b"\n--(?:" + b"|".join(re.escape(known) for known in self._boundaries) + b")")

    def _unfinished(self) -> int:
        """Return where a declaration may begin that had not come to its end: in the last line looked at, or before it.

        Two lines and no more, or many short lines would be looked at over and over.
        """
        lowest = max(0, self._looked - _LONGEST)
        line = self._kept.rfind(b"\n", lowest, max(lowest, self._looked - 1))
        return max(lowest, self._kept.rfind(b"\n", lowest, max(lowest, line)))

    def _begin_part(self) -> None:
        self._declare()
        self._parts += 1
        if self._parts > _PARTS:
            self._ends, self._part_ends = None, self._limit
            return
        if not self._kept.endswith(b"\n"):
            self._kept += b"\r\n"
        self._part_ends = len(self._kept) + max(1, (self._limit - len(self._kept)) // _SHARE)
