"""Plain text from HTML, for readers that show no HTML: our own layout over a parsed tree.

Paragraphs and headings stand between empty lines, list items behind a mark, quotations behind `>`, cells side by side.
A link becomes `text (address)`, an image its description. What a reader would not see (scripts, styles, hidden
elements) is left out. Lines are as long as their paragraphs; showing them is the reader's business.
"""

import html as entities
import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

_SPACES = re.compile(r"[ \t\r\n\f]+")
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_LINK = re.compile(r"(?:https?|ftp|mailto|tel|sms):[^\s<>]+", re.IGNORECASE)
_INVISIBLE: Final = dict.fromkeys(map(ord, "\u00ad\u034f\u200b\ufeff")) | {0xA0: " "}

# fmt: off
_SKIPPED: Final = frozenset((
    "head", "title", "script", "style", "template", "noscript", "object", "iframe", "audio", "video", "canvas", "svg",
    "math", "select", "textarea", "map", "datalist",
))
_BLOCKS: Final = frozenset((
    "address", "article", "aside", "body", "caption", "center", "dd", "details", "dialog", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "header", "html", "legend", "li", "main", "nav", "option",
    "search", "section", "summary", "tbody", "tfoot", "thead", "tr",
))
_SPACED: Final = frozenset((
    "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "menu", "ol", "p", "pre", "table", "ul",
))
# fmt: on
_LISTS: Final = frozenset(("ul", "ol", "menu"))
_CELLS: Final = frozenset(("td", "th"))
_FEW_TAGS: Final = 1_000
_MANY_TAGS: Final = 10_000
_MOST_NODES: Final = 1_000_000
_FORMATTING = re.compile(r"<(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?![A-Za-z0-9])", re.IGNORECASE)
_TAG = re.compile(r"<(/?[A-Za-z][A-Za-z0-9]*)[^<>]*>")
_GUTTER: Final = "  "  # between cells
_DEEPEST_MARGIN: Final = 32  # beyond that a line would be all margin, and hostile HTML all lines
_RULE: Final = "-" * 20


def plain_text(html: str) -> str:
    """Return the text of an HTML document, ending in a line end, or empty when it shows no text."""
    if not _is_tame(html):
        return _rough_text(html)
    node: LexborNode | None = LexborHTMLParser(html).body
    lowered = html.lower()
    layout = _Layout(watch_hidden="none" in lowered or "hid" in lowered)
    above: list[LexborNode] = []
    while node is not None:
        if layout.enter(node):
            if (below := node.child) is not None:
                above.append(node)
                node = below
                continue
            layout.leave(node)
        following = node.next if above else None
        while following is None and above:
            parent = above.pop()
            layout.leave(parent)
            following = parent.next if above else None
        node = following
    return layout.text()


def _is_tame(html: str) -> bool:
    """Whether a tree of it has a size worth speaking of.

    By the rules of HTML a parser repeats formatting elements that were left open in every later paragraph, so that
    20 KB can become a million nodes, and looks through all open elements at every tag.
    """
    tags = html.count("<")
    if tags <= _FEW_TAGS:
        return True
    return tags <= _MANY_TAGS and tags * len(_FORMATTING.findall(html)) <= _MOST_NODES


def _rough_text(html: str) -> str:
    """Return the text between the tags, a line for each block, in one pass without a tree."""
    first, *rest = _TAG.split(html)
    lines: list[list[str]] = [[first]]
    skipping = ""
    for name, text in zip(rest[::2], rest[1::2], strict=True):
        tag = name.lower()
        if skipping:
            if tag != "/" + skipping:
                continue
            skipping = ""
        elif tag in _SKIPPED:
            skipping = tag
            continue
        if (bare := tag.lstrip("/")) in _BLOCKS or bare in _SPACED or bare == "br":
            lines.append([])
        lines[-1].append(text)
    shown = (" ".join(entities.unescape("".join(line)).split()) for line in lines)
    return "".join(line + "\n" for line in shown if line)


class _Layout:
    """Lines of text in the making; elements are entered and left in the order of the document."""

    __slots__ = (
        "_gap",
        "_item",
        "_line",
        "_lines",
        "_links",
        "_lists",
        "_margins",
        "_preformatted",
        "_space",
        "_watch_hidden",
    )

    def __init__(self, *, watch_hidden: bool) -> None:
        self._watch_hidden = watch_hidden
        self._lines: list[str] = []
        self._line: list[str] = []
        self._gap = False  # an empty line comes before the next one
        self._space = False  # a space comes before the next text on this line
        self._preformatted = 0
        self._margins: list[str] = []
        self._item: tuple[int, str] | None = None  # the mark of a list item without text yet, and its margin
        self._lists: list[int] = []  # the next number of each open list; 0 when it has no numbers
        self._links: list[tuple[str, int, int]] = []  # address, and where its text began: line and piece

    def text(self) -> str:
        """Return what was laid out."""
        self._end_line()
        return "\n".join(self._lines) + "\n" if self._lines else ""

    def enter(self, node: LexborNode) -> bool:
        """Begin an element, or write a text; return whether what is inside belongs to the text too."""
        tag = node.tag or "-"
        if tag[0] == "-":
            if tag == "-text":
                self._write(node.text_content or "")
            return False
        if tag in _SKIPPED or (self._watch_hidden and _is_hidden(node)):
            return False
        if tag in _SPACED or tag in _BLOCKS:
            self._end_line()
            self._enter_block(tag)
        elif tag in _CELLS:
            self._space = False
            if self._line:
                self._line.append(_GUTTER)
        else:
            self._enter_inline(tag, node)
        return True

    def leave(self, node: LexborNode) -> None:
        """End an element that was entered."""
        tag = node.tag
        if tag == "a":
            self._leave_link()
        elif tag in _SPACED or tag in _BLOCKS:
            self._leave_block(tag)

    def _enter_block(self, tag: str) -> None:
        if tag in _SPACED and not self._lists:
            self._gap = True
        if tag in _LISTS:
            self._lists.append(1 if tag == "ol" else 0)
        elif tag == "li":
            self._begin_item()
        elif tag == "blockquote":
            self._margins.append("> ")
        elif tag == "pre":
            self._preformatted += 1

    def _leave_block(self, tag: str) -> None:
        if tag == "hr":
            self._line.append(_RULE)
        self._end_line()
        if tag in _LISTS:
            self._lists.pop()
        elif tag == "li":
            self._item = None
            self._margins.pop()
        elif tag == "blockquote":
            self._margins.pop()
        elif tag == "pre":
            self._preformatted -= 1
        if tag in _SPACED and not self._lists:
            self._gap = True

    def _enter_inline(self, tag: str, node: LexborNode) -> None:
        if tag == "br":
            self._break_line()
        elif tag == "img":
            self._write(node.attrs.get("alt") or "")
        elif tag == "a":
            address = _SPACES.sub("", node.attrs.get("href") or "")
            self._links.append((address, len(self._lines), len(self._line)))

    def _begin_item(self) -> None:
        number = self._lists[-1] if self._lists else 0
        if number:
            self._lists[-1] += 1
        mark = f"{number}. " if number else "* "
        self._item = (len(self._margins), mark)
        self._margins.append(" " * len(mark))

    def _leave_link(self) -> None:
        address, line, piece = self._links.pop()
        shown = "".join(self._line[piece:]).strip() if line == len(self._lines) else "\n"
        if shown and _LINK.fullmatch(address) is not None and address.removeprefix("mailto:") != shown != address:
            self._line.append(f" ({address})" if self._line else f"({address})")

    def _write(self, text: str) -> None:
        """Add text to the line, white space collapsed as a reader would see it."""
        if self._preformatted:
            first, *others = text.split("\n")  # a parser of HTML leaves no CR
            self._line.append(first)
            for other in others:
                self._break_line()
                if other:
                    self._line.append(other)
            return
        words = " ".join(text.split()) if text.isascii() else _SPACES.sub(" ", text).strip(" ")
        if words:
            if self._line and self._line[-1] != _GUTTER and (self._space or text[0] != words[0]):
                self._line.append(" ")
            self._line.append(words)
            self._space = text[-1] != words[-1]
        elif text:
            self._space = True

    def _break_line(self) -> None:
        """End the line even when it is empty, as `br` does."""
        if self._line:
            self._end_line()
        elif self._lines:
            self._gap = True

    def _end_line(self) -> None:
        """Put the line under the others, unless it shows nothing."""
        self._space = False
        if not self._line:
            return
        line = "".join(self._line)
        self._line.clear()
        if not line.isascii():
            line = line.translate(_INVISIBLE)
        line = line.rstrip()
        if not line:
            return
        margins = self._margins[:_DEEPEST_MARGIN]
        if self._item is not None:
            depth, mark = self._item
            margins[depth : depth + 1] = [mark]
            self._item = None
        if self._gap and self._lines:
            self._lines.append("")
        self._gap = False
        margins.append(line if self._preformatted else line.lstrip())
        self._lines.append("".join(margins))


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attrs
    return "hidden" in attributes or _HIDDEN.search(attributes.get("style") or "") is not None
