"""Bodies: text, HTML and attachments in, one 7-bit clean MIME entity out (RFC 2045 to 2049, RFC 2387, RFC 2183).

`build` nests no more than the content needs: `multipart/mixed` around `multipart/related` around
`multipart/alternative`, plain text first. Each part gets the encoding that suits it: 7bit when that loses nothing,
else quoted-printable or base64, whichever is shorter. Every line ends in CRLF and no line is longer than 998 octets,
whatever the text was like. The same content and seed give the same octets.
"""

import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from postroad.wire.headers import parameterised

_BASE64_LINE: Final = 76  # RFC 2045 §6.8
_LINE_LIMIT: Final = 998  # RFC 5322 §2.1.1
_BASE64_FROM: Final = 0.19  # share of octets to escape above which base64 is the shorter one

_CONTENT_TYPE = re.compile(
    r"([A-Za-z0-9!#$&^_.+-]{1,127})/([A-Za-z0-9!#$&^_.+-]{1,127})"
    r"((?>(?:[ \t]*;[ \t]*[A-Za-z0-9!#$&^_.+-]{1,60}=(?:[A-Za-z0-9!#$&^_.+-]{1,127}|\"[ !#-\[\]-~]{0,127}\"))*))"
    r"[ \t]*;?"
)
_PARAMETER = re.compile(r";[ \t]*([^=]+)=(?:\"([^\"]*)\"|([^;\" \t]*))")
_CONTENT_ID = re.compile(r"[!-;=?A-Z\[-~]+(?:@[!-;=?A-Z\[-~]+)?")
_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\t\n"
_FALLBACK = re.compile(r"[^A-Za-z0-9._-]+")


class MimeError(ValueError):
    """Content that cannot be written as MIME; the text is a sentence for the person who gave it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file that travels with the text.

    Attributes:
        content: Its octets.
        content_type: Its media type with parameters, such as `text/csv; charset=utf-8`.
        filename: The name to save it under.
        content_id: The id by which the HTML shows it as `cid:…`, without angle brackets.
        inline: Whether it is part of the text rather than attached to it.
    """

    content: bytes
    content_type: str = "application/octet-stream"
    filename: str | None = None
    content_id: str | None = None
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Entity:
    """A MIME entity: its own Content-* header fields and its body, both in CRLF lines.

    The fields come without the empty line that ends a header.
    """

    fields: tuple[bytes, ...]
    body: bytes

    @property
    def octets(self) -> bytes:
        """The entity as it stands inside another one."""
        return b"".join((*self.fields, b"\r\n", self.body))


def build(text: str | None, html: str | None, parts: Iterable[Part] = (), *, seed: bytes) -> Entity:
    """Write a body; without any content, an empty plain text.

    The boundaries follow from `seed` (120 bits of its digest), which should be unlike that of any other message.
    Inline parts with a content id go beside the HTML that shows them; without HTML they are attachments.

    Raises:
        MimeError: A media type or content id is malformed, or text holds a lone surrogate.
        HeaderError: A file name cannot be written.
    """
    tag = hashlib.blake2b(seed, digest_size=15).hexdigest()
    entity = None if html is None else text_entity("html", html)
    if text is not None or entity is None:
        plain = text_entity("plain", text or "")
        entity = plain if entity is None else _multipart("alternative", [plain, entity], f"=_a{tag}")
    attached: list[Entity] = []
    beside: list[Entity] = []
    for part in parts:
        shown = part.inline and part.content_id is not None and html is not None
        (beside if shown else attached).append(file_entity(part))
    if beside:
        root = entity.fields[0].split(b":", 1)[1].split(b";", 1)[0].strip().decode()
        entity = _multipart("related", [entity, *beside], f"=_r{tag}", (("type", root),))
    if attached:
        entity = _multipart("mixed", [entity, *attached], f"=_m{tag}")
    return entity


def report(kind: str, entities: Sequence[Entity], *, seed: bytes) -> Entity:
    """Write a report of a kind: first the words for people, then what programs read (RFC 6522 §3)."""
    tag = hashlib.blake2b(seed, digest_size=15).hexdigest()
    return _multipart("report", list(entities), f"=_p{tag}", (("report-type", kind),))


def text_entity(subtype: str, text: str) -> Entity:
    """Write one text part in UTF-8, every kind of line end made CRLF.

    Raises:
        MimeError: The text holds a lone surrogate.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as problem:
        raise MimeError("The text contains a lone surrogate, which no encoding can carry.") from problem
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    encoding, body = _encode_text(data)
    return Entity((f"Content-Type: text/{subtype}; charset=utf-8\r\n".encode(), encoding), body)


def file_entity(part: Part) -> Entity:
    """Write one file, with its name by RFC 2231 and, for readers that do not know that, in ASCII beside the media type.

    Raises:
        MimeError: The media type or content id is malformed.
        HeaderError: The file name cannot be written.
    """
    media_type, parameters = _read_content_type(part.content_type)
    if media_type.startswith("message/") and _is_seven_bit(part.content):
        encoding, body = b"Content-Transfer-Encoding: 7bit\r\n", part.content  # RFC 2046 §5.2.1 allows no other
    else:
        encoding, body = b"Content-Transfer-Encoding: base64\r\n", _base64(part.content)
        if media_type.startswith(("message/", "multipart/")):
            media_type, parameters = "application/octet-stream", []
    named: list[tuple[str, str]] = []
    if part.filename:
        named.append(("filename", part.filename))
        parameters.append(("name", _fallback_name(part.filename)))
    fields = [
        parameterised("Content-Type", media_type, parameters),
        encoding,
        parameterised("Content-Disposition", "inline" if part.inline else "attachment", named),
    ]
    if part.content_id is not None:
        check_content_id(part.content_id)
        fields.append(f"Content-ID: <{part.content_id}>\r\n".encode())
    return Entity(tuple(fields), body)


def check_content_type(content_type: str) -> None:
    """Check a media type with its parameters (RFC 2045 §5.1).

    Raises:
        MimeError: It is malformed.
    """
    _read_content_type(content_type)


def check_content_id(content_id: str) -> None:
    """Check the id by which HTML shows a part (RFC 2392).

    Raises:
        MimeError: It is malformed.
    """
    if len(content_id) > 900 or _CONTENT_ID.fullmatch(content_id) is None:
        raise MimeError("A content id is printable ASCII without spaces or angle brackets, and at most one @.")


def _multipart(
    subtype: str, entities: list[Entity], boundary: str, parameters: tuple[tuple[str, str], ...] = ()
) -> Entity:
    """Put entities between boundaries (RFC 2046 §5.1.1).

    `=_` occurs neither in quoted-printable nor in base64, so only 7bit content can hold the boundary; then it grows.
    """
    octets = [entity.octets for entity in entities]
    while any(boundary.encode() in one for one in octets):
        boundary += "x"
    line = b"--" + boundary.encode()
    pieces: list[bytes] = []
    for one in octets:
        pieces += (line, b"\r\n", one, b"\r\n")
    pieces += (line, b"--\r\n")
    shown = (*parameters, ("boundary", boundary))
    return Entity((parameterised("Content-Type", f"multipart/{subtype}", shown),), b"".join(pieces))


def _encode_text(data: bytes) -> tuple[bytes, bytes]:
    """Choose an encoding for text with LF line ends; return its header field and the encoded body with CRLF."""
    odd = len(data.translate(None, _PRINTABLE))
    if odd == 0 and not _has_long_line(data) and not _has_from_line(data):
        return b"Content-Transfer-Encoding: 7bit\r\n", data.replace(b"\n", b"\r\n")
    if odd + data.count(b"=") > len(data) * _BASE64_FROM:
        return b"Content-Transfer-Encoding: base64\r\n", _base64(data.replace(b"\n", b"\r\n"))
    return b"Content-Transfer-Encoding: quoted-printable\r\n", _quoted_printable(data)


def _has_from_line(data: bytes) -> bool:
    """Whether a line begins with `From `, which some stores of mail change, so that signatures break."""
    return data.startswith(b"From ") or b"\nFrom " in data


def _has_long_line(data: bytes) -> bool:
    """Whether a line of text with LF line ends is longer than 998 octets."""
    at = 0
    while len(data) - at > _LINE_LIMIT:
        end = data.rfind(b"\n", at, at + _LINE_LIMIT + 1)
        if end < 0:
            return True
        at = end + 1
    return False


def _is_seven_bit(data: bytes) -> bool:
    """Whether octets may stand in a message as they are: ASCII, no NUL, CRLF lines of at most 998 octets."""
    lines = data.replace(b"\r\n", b"\n")
    return (
        lines.isascii()
        and b"\r" not in lines
        and b"\0" not in lines
        and (data.count(b"\r\n") == data.count(b"\n") and not _has_long_line(lines))
    )


def _quoted_printable(data: bytes) -> bytes:
    """Write text with LF line ends as quoted-printable with CRLF line ends (RFC 2045 §6.7)."""
    encoded = binascii.b2a_qp(data, istext=True)
    if _has_from_line(encoded):
        # The soft break keeps the line within 76 columns though it grew by two.
        encoded = (b"\n" + encoded).replace(b"\nFrom ", b"\n=46rom=\n ")[1:]
    return encoded.replace(b"\n", b"\r\n")


def _base64(data: bytes) -> bytes:
    encoded = binascii.b2a_base64(data, newline=False)
    lines = [encoded[at : at + _BASE64_LINE] for at in range(0, len(encoded), _BASE64_LINE)]
    lines.append(b"")
    return b"\r\n".join(lines)


def _read_content_type(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Take a media type apart, dropping the parameters that the builder writes itself."""
    found = _CONTENT_TYPE.fullmatch(text)
    if found is None:
        raise MimeError("A media type is written like `application/pdf` or `text/csv; charset=utf-8`.")
    parameters = [
        (key.lower(), quoted or token)
        for key, quoted, token in _PARAMETER.findall(found.group(3))
        if key.lower() not in {"name", "boundary"}
    ]
    return f"{found.group(1)}/{found.group(2)}".lower(), parameters


def _fallback_name(filename: str) -> str:
    """Return an ASCII shadow of a file name, keeping its ending."""
    stem, dot, ending = filename.rpartition(".")
    if not dot:
        stem, ending = ending, ""
    return (_FALLBACK.sub("_", stem)[:40] or "file") + dot + _FALLBACK.sub("_", ending)[:15]
