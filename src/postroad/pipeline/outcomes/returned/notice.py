"""What a returned mail says to people: its text, whichever parts it is in, and the message it quotes."""

import html
import re
from typing import Final, NamedTuple

from postroad.pipeline.outcomes.returned import quoted
from postroad.wire.lenient import Entity

TEXT: Final = 32_768
"""Characters of the notice that are read."""

PARTS_TEXT: Final = 524_288
"""Characters of all text parts together that are looked through for the notice."""

_ENDS = re.compile(r"message/|text/rfc822|text/x-rfc822")
_BREAK = re.compile(r"<(?:br|/?p|/?div|/?tr|/?li|/?h[1-6]|/?table|/?ul|/?pre|hr)\b[^<>]*>", re.IGNORECASE)
_LINK = re.compile(r"<a\b([^<>]{0,1000})>([^<]{0,320})", re.IGNORECASE)
_MAILTO = re.compile(r"mailto:([^\"'?<>\s]{3,320})", re.IGNORECASE)
_CELL = re.compile(r"</?t[dh]\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")
_SPACE = re.compile(r"[ \t\xa0]+")
_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
"""Makes ASCII lower case; in all of Unicode that would change where things stand."""
_GAP = re.compile(r"\n[ \t]*\n\s*")


class Notice(NamedTuple):
    """The text of a mail without the copy of the message that it is about, and that copy's header."""

    text: str
    copy: Entity | None


def read(mail: Entity) -> Notice:
    """Return what a mail says and the message that it quotes: as a part of its own, or within its text."""
    copy = quoted.copied(mail)
    whole = _text(mail)
    before, inline = quoted.cut(whole)
    if not before.strip():
        before = whole
    return Notice(before[:TEXT], copy or inline)


def plain(markup: str) -> str:
    """Return the text of HTML as a person would read it, line by line; linear in its length."""
    for opening, closing in (("<!--", "-->"), ("<style", "</style>"), ("<script", "</script>"), ("<head", "</head>")):
        markup = _without(markup, opening, closing)
    text = _BREAK.sub("\n", _LINK.sub(_with_address, markup.replace("\n", " ")))
    text = html.unescape(_TAG.sub("", _CELL.sub(" ", text)))
    return _GAP.sub("\n\n", _SPACE.sub(" ", text)).strip()


def _with_address(found: re.Match[str]) -> str:
    """Put the address behind the name of whom a link writes to, unless it is the name."""
    to = _MAILTO.search(found[1])
    return found[2] if to is None or to[1].lower() in found[2].lower() else f"{found[2]} ({to[1]})"


def _text(mail: Entity) -> str:
    """Return the text parts that stand before the machine's part and the copy; HTML only where no plain text is."""
    plains: list[str] = []
    marked: list[str] = []
    left = PARTS_TEXT
    for part in mail.walk():
        if left <= 0:
            break
        if _ENDS.match(part.media_type):
            if plains or marked:
                break
            continue
        if not part.media_type.startswith("text/"):
            continue
        text = part.text()
        left -= len(text)
        if part.media_type == "text/html":
            marked.append(plain(text))
        else:
            plains.append(text)
    text = "\n".join(plains)
    return text if text.strip() else "\n".join(marked)


def _without(text: str, opening: str, closing: str) -> str:
    lowered = text.translate(_LOWER)
    kept: list[str] = []
    at = 0
    while (start := lowered.find(opening, at)) >= 0:
        kept.append(text[at:start])
        end = lowered.find(closing, start)
        if end < 0:
            return "".join(kept)
        at = end + len(closing)
    return "".join([*kept, text[at:]])
