"""Raw messages taken apart at the header, without losing an octet (RFC 5322 §2.1, §3.6).

`parse` finds the fields and where the body begins. `check_lines` and `prepare` make a message that an application wrote
fit to be sent: they refuse what two readers could read differently (line ends that are not CRLF, NUL, long lines, a
second From), take out the fields that must not travel, and add Date and Message-ID when they are missing. Nothing is
repaired: what is malformed is refused, so that what an application meant, or signed, stays what it was.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from postroad.wire.address import AddressError, Mailbox, parse_address

HEADER_COUNT: Final = 1_000
HEADER_OCTETS: Final = 256 * 1024
MESSAGE_OCTETS: Final = 40 * 1024 * 1024
LINE_LIMIT: Final = 998  # RFC 5322 §2.1.1

# RFC 5322 §3.6: fields that may stand once only, and those of MIME (RFC 2045) and of lists whose meaning is one value.
SINGLETONS: Final = frozenset(
    b"from sender reply-to to cc subject date message-id in-reply-to references mime-version content-type"
    b" content-transfer-encoding content-disposition content-id list-unsubscribe list-unsubscribe-post list-id".split()
)
_NEVER_SENT: Final = frozenset((b"bcc", b"return-path", b"resent-bcc"))
_INTERNAL: Final = b"x-postroad-"

_COLON: Final = 0x3A

_FIELD = re.compile(rb"([!-9;-~]{1,998})[ \t]*:([^\r\n]*(?>(?:\r\n[ \t][^\r\n]*)*))\r\n")
# A name in raw mail comes in more shapes than we write ourselves; only what stands outside quotes can mislead.
_NAME_ONLY = re.compile(r'(?>(?:[^"\\<>,;:()@]|"(?>(?:[^"\\]|\\.)*)")*)')


class RawMailError(ValueError):
    """A raw message that cannot be sent as it is; the text is a sentence for the person who gave it."""


class TooLargeError(RawMailError):
    """A raw message, or its header, beyond a limit."""


@dataclass(frozen=True, slots=True)
class Field:
    """One header field.

    Attributes:
        name: Its name in lower case.
        octets: All of it with its folds and its final CRLF.
        body: What follows the colon, with the folds and without the final CRLF.
    """

    name: bytes
    octets: bytes
    body: bytes

    @property
    def value(self) -> str:
        """Its value unfolded and stripped, undecoded; octets that are not UTF-8 become U+FFFD."""
        return self.body.replace(b"\r\n", b"").strip(b" \t").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Message:
    """A message cut in two: its fields in order, and the body after the empty line."""

    fields: tuple[Field, ...]
    body: bytes

    def all(self, name: bytes) -> list[Field]:
        """Return the fields of this lower-case name, first to last."""
        return [field for field in self.fields if field.name == name]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A raw message that may be sent.

    Attributes:
        fields: What is left of its header, completed.
        body: Its body as it was.
        author: The mailbox of its one From, when that holds one.
        message_id: Its Message-ID with angle brackets.
        smtputf8: Whether a header holds UTF-8, so that only a server with SMTPUTF8 can take it (RFC 6532).
        eight_bit: Whether the body holds octets beyond ASCII, so that the server needs 8BITMIME (RFC 6152).
    """

    fields: tuple[Field, ...]
    body: bytes
    author: Mailbox
    message_id: str
    smtputf8: bool
    eight_bit: bool


def parse(
    octets: bytes,
    *,
    header_count: int = HEADER_COUNT,
    header_octets: int = HEADER_OCTETS,
    octets_limit: int = MESSAGE_OCTETS,
) -> Message:
    """Cut a message into header fields and body.

    The header must be well formed with CRLF line ends; the body is not looked at.

    Raises:
        TooLargeError: A limit is passed.
        RawMailError: A line of the header is no field.
    """
    if len(octets) > octets_limit:
        raise TooLargeError(f"The message is larger than {octets_limit} octets.")
    end = 0 if octets.startswith(b"\r\n") else octets.find(b"\r\n\r\n", 0, header_octets + 4) + 2
    if end == 1:
        if len(octets) > header_octets:
            raise TooLargeError(f"The header is larger than {header_octets} octets.")
        if octets and not octets.endswith(b"\r\n"):
            if b"\n\n" in octets:
                raise RawMailError("The header has line ends that are not CRLF.")
            raise RawMailError("The header does not end in an empty line.")
        end = len(octets)
    fields: list[Field] = []
    at = 0
    while at < end:
        found = _FIELD.match(octets, at, end)
        if found is None:
            line = octets.count(b"\n", 0, at) + 1
            raise RawMailError(f"Line {line} of the header is not a header field.")
        if len(fields) == header_count:
            raise TooLargeError(f"The message has more than {header_count} header fields.")
        fields.append(Field(found.group(1).lower(), found.group(), found.group(2)))
        at = found.end()
    return Message(tuple(fields), octets[end + 2 :])


def check_lines(octets: bytes) -> None:
    """Check that a message can travel unchanged: CRLF line ends only, no NUL, no line beyond 998 octets.

    Raises:
        RawMailError: It cannot.
    """
    if octets.count(b"\r\n") != octets.count(b"\n") or octets.count(b"\r\n") != octets.count(b"\r"):
        raise RawMailError("The message has a line end that is not CRLF.")
    if b"\0" in octets:
        raise RawMailError("The message contains NUL.")
    at = 0
    while len(octets) - at > LINE_LIMIT:
        end = octets.rfind(b"\r\n", at, at + LINE_LIMIT + 2)
        if end < 0:
            raise RawMailError(f"The message has a line longer than {LINE_LIMIT} octets.")
        at = end + 2


def prepare(message: Message, *, date: bytes, message_id: str) -> Prepared:
    """Make a raw message fit to be sent.

    Args:
        message: The message; its octets have passed `check_lines`.
        date: The Date field to add when there is none.
        message_id: The id to give it when it has none, with angle brackets.

    Raises:
        RawMailError: From is missing or holds no single mailbox, a field that may stand once is doubled, a field name
            is followed by white space, or the header is not UTF-8.
    """
    kept = [f for f in message.fields if f.name not in _NEVER_SENT and not f.name.startswith(_INTERNAL)]
    counts = Counter(field.name for field in kept)
    for name, count in counts.items():
        if count > 1 and name in SINGLETONS:
            raise RawMailError(f"The header field {name.decode().title()} may stand only once.")
    if any(field.octets[len(field.name)] != _COLON for field in kept):
        raise RawMailError("A header field has white space before its colon.")
    author = _author(kept)
    if b"date" not in counts:
        kept.append(_field(date))
    found = next((field.value for field in kept if field.name == b"message-id"), None)
    if found is None:
        kept.append(_field(f"Message-ID: {message_id}\r\n".encode()))
    ascii_header = all(field.octets.isascii() for field in kept)
    if not ascii_header:
        _refuse_other_charsets(kept)
    return Prepared(
        fields=tuple(kept),
        body=message.body,
        author=author,
        message_id=found or message_id,
        smtputf8=not ascii_header,
        eight_bit=not message.body.isascii(),
    )


def _author(fields: Sequence[Field]) -> Mailbox:
    """Return the one mailbox of the one From (RFC 5322 §3.6.2 allows several; receivers do not)."""
    field = next((field for field in fields if field.name == b"from"), None)
    if field is None:
        raise RawMailError("The message has no From.")
    value = field.value
    shown, bracket, inner = value.rpartition("<")
    try:
        if not bracket:
            return parse_address(value).mailbox
        if _NAME_ONLY.fullmatch(shown) is None:
            raise RawMailError("From must hold exactly one address.")
        return parse_address(bracket + inner).mailbox
    except AddressError as problem:
        raise RawMailError(f"From is not an address Postroad can use. {problem}") from problem


def _field(octets: bytes) -> Field:
    name, _, body = octets.partition(b":")
    return Field(name.lower(), octets, body[:-2])


def _refuse_other_charsets(fields: Sequence[Field]) -> None:
    for field in fields:
        try:
            field.octets.decode()
        except UnicodeDecodeError as problem:
            raise RawMailError(
                f"The header field {field.name.decode().title()} is neither ASCII nor UTF-8."
            ) from problem
