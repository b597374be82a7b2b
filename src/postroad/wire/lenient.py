"""Mail that others wrote, read whatever it looks like: for bounces, complaints and answers (RFC 5322, 2045-2047, 2231).

`parse` refuses what two readers could read differently, because it reads what Postroad is going to send. Here it is the
other way round: the mail is there, nobody can be asked to write it again, and a message to a machine of ours must not
be able to stop it. So `read` takes any octets and always returns an `Entity`; a line end is CRLF, LF or CR; a boundary
that never closes, base64 that is none and charsets that lie are read as far as they go. What is beyond a limit is left
out. Work and memory are linear in what the limits let through, whatever the octets are: a level hands its octets down
to those within it and keeps no copy.

Nothing read here may decide what Postroad authenticates or writes: it is evidence about a delivery, no more.
"""

import binascii
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from postroad.wire.charsets import decode

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:(.*)", re.DOTALL)
_MEDIA = re.compile(r"([!-.0-:<-~]{1,100})/([!-.0-:<-~]{1,100})")
_PARAMETER = re.compile(
    r';\s*([!-:<>-~]{1,60}?)\s*=\s*(?:"((?>(?:[^"\\]|\\.){0,2000}))"?|([^\s;"]{0,2000}+))', re.DOTALL
)
_ENCODED = re.compile(r"=\?([!->@-~]{1,40})\?([bBqQ])\?([^?\s]{0,4000})\?=([ \t]+(?==\?))?")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_ESCAPED = re.compile(rb"=([0-9A-Fa-f]{2})")
_SOFT_BREAK = re.compile(rb"=[ \t]{0,20}\n")
_BOUNDARY = re.compile(rb"^--([^\n]{1,200})\nContent-[A-Za-z-]{1,30}:", re.IGNORECASE | re.MULTILINE)
_NOTHING = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:[ \t]{0,1000}\n){0,100}")
"""What may stand before a header: a byte order mark, lines without anything in them."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a mail is looked at.

    Attributes:
        octets: Of the whole; the rest is not read. As much as may be kept of a mail that comes in.
        header_octets: Of one header.
        header_count: Fields in one header.
        field_octets: Of the value of one field.
        parts: Parts over all levels.
        depth: Levels of parts within parts, and of messages within messages.
        text_octets: Of one part's text, before decoding.
    """

    octets: int = 16 * 1024 * 1024
    header_octets: int = 256 * 1024
    header_count: int = 1_000
    field_octets: int = 32 * 1024
    parts: int = 200
    depth: int = 20
    text_octets: int = 256 * 1024


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Entity:
    """A message or a part of one.

    Attributes:
        fields: Names in lower case with values unfolded and undone of encoded words, in order.
        media_type: In lower case; `text/plain` where none was given (RFC 2045 §5.2).
        parameters: Those of Content-Type, names in lower case.
        body: Its octets with LF line ends, still in their transfer encoding; empty where there are children.
        children: The parts of a multipart; of a message/rfc822, the one message.
    """

    fields: tuple[tuple[str, str], ...] = ()
    media_type: str = "text/plain"
    parameters: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    children: tuple["Entity", ...] = ()

    def get(self, name: str) -> str:
        """Return the first field of this lower-case name, or an empty text."""
        return next((value for own, value in self.fields if own == name), "")

    def all(self, name: str) -> list[str]:
        """Return the values of the fields of this lower-case name."""
        return [value for own, value in self.fields if own == name]

    def octets(self, limit: int = LIMITS.text_octets) -> bytes:
        """Return the body undone of its transfer encoding, of which `limit` octets are read."""
        return _undo(self.body[:limit], self.get("content-transfer-encoding"))

    def text(self, limit: int = LIMITS.text_octets) -> str:
        """Return the body as text with LF line ends, without control characters."""
        text = decode(self.octets(limit), self.parameters.get("charset", ""))
        return _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))

    def walk(self, *, into_messages: bool = False) -> Iterator["Entity"]:
        """Yield this entity and the parts below it, outermost first; messages within are not opened unless asked."""
        yield self
        if into_messages or not self.media_type.startswith("message/"):
            for child in self.children:
                yield from child.walk(into_messages=into_messages)


def read(octets: bytes, limits: Limits = LIMITS) -> Entity:
    """Return the mail that any octets make."""
    lines = octets[: limits.octets].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    del octets
    if lines.startswith((b"From ", b">From ")):  # the first line of a mail that came out of an mbox
        lines = lines.partition(b"\n")[2]
    whole = deque([_NOTHING.sub(b"", lines, count=1)])
    del lines
    return _read(whole, limits, [limits.parts], limits.depth, "text/plain")


def read_header(octets: bytes, limits: Limits = LIMITS) -> Entity:
    """Return the header that octets with LF line ends begin with, the rest as a body that is not looked into."""
    fields, body = _header(octets, limits)
    media_type, parameters = content_type(_first(fields, "content-type"), "text/plain")
    return Entity(fields, media_type, parameters, body)


def content_type(value: str, default: str) -> tuple[str, dict[str, str]]:
    """Return the media type of a Content-Type in lower case, and its parameters (RFC 2045 §5.1, RFC 2231)."""
    value = value[:8_000]
    found = _MEDIA.match(value.strip())
    parameters: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(value):
        key, text = name.lower(), quoted.replace('\\"', '"') if quoted else plain
        if key.endswith("*"):
            charset, _, rest = text.partition("'")
            text = decode(_percent(rest.partition("'")[2] or text), charset)
        parameters.setdefault(key.partition("*")[0], text)
    if found is None:
        return default, parameters
    return f"{found[1]}/{found[2]}".lower(), parameters


def unencoded(value: str) -> str:
    """Return a header's value with its encoded words read (RFC 2047); words that cannot be read stay as they are."""
    if "=?" not in value:
        return value
    return _ENCODED.sub(_word, value)


def _read(pieces: deque[bytes], limits: Limits, room: list[int], depth: int, default: str) -> Entity:
    """Take the first piece and read it: whoever had it has it no longer, so that no octet is held at two levels."""
    room[0] -= 1
    fields, body = _header(pieces.popleft(), limits)
    media_type, parameters = content_type(_first(fields, "content-type"), default)
    if depth <= 0 or room[0] <= 0:
        return Entity(fields, media_type, parameters, body)
    within: deque[bytes] = deque()
    inner = "message/rfc822" if media_type == "multipart/digest" else "text/plain"
    if media_type.startswith("multipart/"):
        within.extend(_split(body, parameters.get("boundary", ""), room[0]) or _split(body, _undeclared(body), room[0]))
        if not within:  # its boundaries were lost on the way
            return Entity(fields, media_type, parameters, children=(Entity(body=body),))
    elif media_type in {"message/rfc822", "message/global"}:
        within.append(_undo(body, _first(fields, "content-transfer-encoding")).lstrip(b"\n"))
    else:
        return Entity(fields, media_type, parameters, body)
    del body
    children: list[Entity] = []
    while within and room[0] > 0:
        children.append(_read(within, limits, room, depth - 1, inner))
    return Entity(fields, media_type, parameters, children=tuple(children))


def _header(octets: bytes, limits: Limits) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """Cut at the first empty line, or at the first line that is no field, which then begins the body."""
    fields: list[tuple[bytes, list[bytes]]] = []
    at, body_at = 0, len(octets)
    while at < len(octets):
        end = octets.find(b"\n", at) + 1 or len(octets)
        line = octets[at:end]
        if not line.strip():
            body_at = end
            break
        folded = bool(fields) and line[:1] in b" \t"
        found = None if folded else _FIELD.match(line)
        if at > limits.header_octets or len(fields) > limits.header_count or not (folded or found):
            body_at = at
            break
        if found is None:
            fields[-1][1].append(line.strip())
        else:
            fields.append((found[1].lower(), [found[2].strip()]))
        at = end
    return tuple(
        (name.decode("ascii"), _value(b" ".join(lines)[: limits.field_octets])) for name, lines in fields
    ), octets[body_at:]


def _value(octets: bytes) -> str:
    return _CONTROL.sub(" ", unencoded(decode(octets, "")))


def _first(fields: tuple[tuple[str, str], ...], name: str) -> str:
    return next((value for own, value in fields if own == name), "")


def _split(body: bytes, boundary: str, room: int) -> list[bytes]:
    """Cut a multipart's body at its boundary lines (RFC 2046 §5.1.1); the preamble and the epilogue are left out."""
    mark = b"--" + boundary.strip().encode("utf-8", "replace")
    if len(mark) == 2:
        return []
    pieces: list[bytes] = []
    start = -1
    at = 0 if body.startswith(mark) else _next_line(body, mark, 0)
    while at >= 0 and len(pieces) < room:
        line_end = body.find(b"\n", at) + 1 or len(body)
        rest = body[at + len(mark) : line_end].strip()
        if rest in {b"", b"--"}:  # a longer one is the boundary of a part within
            if start >= 0:
                pieces.append(body[start : at - 1])
            if rest:
                return pieces
            start = line_end
        at = _next_line(body, mark, line_end - 1)
    if start >= 0 and len(pieces) < room:  # it never closes
        pieces.append(body[start:])
    return pieces


def _undeclared(body: bytes) -> str:
    """Return the boundary that parts seem to have: of the first line with two hyphens and a part's header below it."""
    found = _BOUNDARY.search(body, 0, LIMITS.text_octets)
    return decode(found[1], "") if found else ""


def _next_line(body: bytes, mark: bytes, at: int) -> int:
    """Return where the next line that begins with a mark begins, looking from `at` on; -1 when there is none."""
    found = body.find(b"\n" + mark, at)
    return found + 1 if found >= 0 else -1


def _undo(octets: bytes, encoding: str) -> bytes:
    match encoding.strip().lower():
        case "base64":
            kept = _NOT_BASE64.sub(b"", octets)
            kept = kept[: len(kept) - (1 if len(kept) % 4 == 1 else 0)]
            return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4)).replace(b"\r\n", b"\n")
        case "quoted-printable":
            return _ESCAPED.sub(_octet, _SOFT_BREAK.sub(b"", octets))
        case _:
            return octets


def _octet(found: re.Match[bytes]) -> bytes:
    return bytes((int(found[1], 16),))


def _word(found: re.Match[str]) -> str:
    data = found[3].encode("utf-8")
    data = _undo(data, "base64") if found[2] in "bB" else _ESCAPED.sub(_octet, data.replace(b"_", b" "))
    return decode(data, found[1].partition("*")[0])


def _percent(text: str) -> bytes:
    return _ESCAPED.sub(_octet, text.replace("=", "=3D").replace("%", "=").encode("utf-8"))
