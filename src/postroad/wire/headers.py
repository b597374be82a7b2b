"""Header fields: values in, octets out, each one exactly the field that was meant (RFC 5322 §2.2, RFC 2047, RFC 2231).

One function per kind of field: `unstructured` for text, `structured` for ASCII with a grammar of its own, `mailboxes`
for address lists, `message_ids`, `date` and `parameterised`; `custom` chooses among them for the headers that an
application brings along. Each takes a name and a value, folds at 78 columns, encodes what is not ASCII in the places
where that is legal, and hands its result through one last check. `check_custom_name` decides which names an application
may bring along.

No value can leave its field: CR, LF, NUL, the other controls and lone surrogates are refused before encoding, and the
encoded field is looked at again after folding.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from postroad.wire.address import Address, Mailbox
from postroad.wire.encodings import encoded_words, extended_parameter, is_plain

LINE: Final = 78  # RFC 5322 §2.1.1: should not be longer
LINE_LIMIT: Final = 998  # RFC 5322 §2.1.1: must not be longer

_NAME = re.compile(r"[!-9;-~]{1,76}")
_PLAIN_TEXT = re.compile(r"[\t -~]*")
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++(?>(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++)*)")
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]{1,450}@[!-;=?A-~]{1,450}>")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+")
_WORD_END = re.compile(r"[^\t ][\t ]")
_NOT_IN_FIELD = re.compile(rb"[\x00\r\n]")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONGEST_QUOTED_NAME: Final = 60

_DENIED: Final = {
    "bcc": "Bcc is never written into a message; use the `bcc` field.",
    "received": "Received is written by the servers a message passes.",
    "return-path": "Return-Path is written by the server that delivers a message.",
    "dkim-signature": "DKIM-Signature is made by Postroad when it signs the message.",
    "authentication-results": "Authentication-Results is written by the receiving server.",
    "mime-version": "MIME-Version is written by Postroad.",
    "date": "Date is written by Postroad from the instant the message was accepted.",
    "message-id": "Message-ID is written by Postroad, so that it stays the same on every retry.",
    "from": "The sender is set with the `from` field.",
    "sender": "The sender is set with the `from` field.",
    "to": "Recipients are set with the `to` field.",
    "cc": "Recipients are set with the `cc` field.",
    "reply-to": "Reply addresses are set with the `reply_to` field.",
    "subject": "The subject is set with the `subject` field.",
}
_DENIED_PREFIXES: Final = (
    ("content-", "Content-* headers follow from the content and are written by Postroad."),
    ("resent-", "Resent-* headers belong to a mail client that sends a message again."),
    ("arc-", "ARC-* headers are made by servers that forward a message."),
    ("x-postroad-", "X-Postroad-* headers are kept for Postroad itself."),
)


class HeaderError(ValueError):
    """A header name or value that cannot be written; the text is a sentence for the person who gave it."""


def check_custom_name(name: str) -> None:
    """Check the name of a header that an application brings along.

    Raises:
        HeaderError: It is not a field name (RFC 5322 §2.2), or the field is Postroad's own to write.
    """
    if _NAME.fullmatch(name) is None:
        raise HeaderError("A header name is 1 to 76 printable ASCII characters without spaces or colons.")
    reason = denial(name)
    if reason is not None:
        raise HeaderError(reason)


def denial(name: str) -> str | None:
    """Return why an application may not set this header, or None when it may."""
    lowered = name.lower()
    reason = _DENIED.get(lowered)
    if reason is None:
        for prefix, sentence in _DENIED_PREFIXES:
            if lowered.startswith(prefix):
                return sentence
    return reason


def check_value(value: str) -> None:
    """Check that a value can stand in a header at all.

    Raises:
        HeaderError: It holds CR, LF, NUL, another control (but the tab) or a lone surrogate.
    """
    if _PLAIN_TEXT.fullmatch(value) is None and _CONTROLS.search(value) is not None:
        raise HeaderError("A header value contains a line break, a control character or a lone surrogate.")


def custom(name: str, value: str) -> bytes:
    """Write a header that an application brings along, by the grammar its name asks for.

    Raises:
        HeaderError: The name is malformed or Postroad's own, or the value does not fit.
    """
    check_custom_name(name)
    kind = _KINDS.get(name.lower(), unstructured)
    return kind(name, value)


def unstructured(name: str, value: str) -> bytes:
    """Write a text field such as Subject; outer white space is dropped, all else arrives as given.

    What is not printable ASCII, looks like an encoded word already, or could not be folded becomes encoded words.
    """
    value = value.strip(" \t")
    if _PLAIN_TEXT.fullmatch(value) is not None and "=?" not in value:
        if len(name) + 2 + len(value) <= LINE:
            return f"{name}: {value}\r\n".encode()
        folded = _fold_at_spaces(f"{name}: {value}", len(name) + 2)
        if folded is not None:
            return _checked(folded)
    else:
        check_value(value)
    words = encoded_words(value, LINE - 2 - len(name) - 2)
    return _checked(f"{name}:{_fold_words(len(name) + 1, words)}\r\n".encode())


def structured(name: str, value: str) -> bytes:
    """Write a field whose grammar has no place for encoded words, such as List-Id or Auto-Submitted.

    Raises:
        HeaderError: The value is not printable ASCII, or is too long to be folded at its spaces.
    """
    value = value.strip(" \t")
    if _PLAIN_TEXT.fullmatch(value) is None:
        raise HeaderError(f"The value of {name} must be printable ASCII.")
    folded = _fold_at_spaces(f"{name}: {value}", len(name) + 2)
    if folded is None:
        raise HeaderError(f"The value of {name} has a line longer than {LINE_LIMIT} octets.")
    return _checked(folded)


def mailboxes(name: str, addresses: Iterable[Address]) -> bytes:
    """Write an address list; without addresses, the empty group that says so (RFC 5322 §3.4)."""
    shown = [_address_words(address, LINE - 2 - len(name) - 2) for address in addresses]
    if not shown:
        return f"{name}: undisclosed-recipients:;\r\n".encode()
    for words in shown[:-1]:
        words[-1] += ","
    return _checked(f"{name}:{_fold_words(len(name) + 1, [word for words in shown for word in words])}\r\n".encode())


def message_ids(name: str, value: str) -> bytes:
    """Write Message-ID, In-Reply-To or References: one or more ids in angle brackets (RFC 5322 §3.6.4).

    Raises:
        HeaderError: The value is anything else.
    """
    ids = value.split() if _PLAIN_TEXT.fullmatch(value) is not None else []
    if not ids or not all(_MESSAGE_ID.fullmatch(one) for one in ids):
        raise HeaderError(f"The value of {name} must be message ids such as <id@example.org>.")
    return _checked(f"{name}:{_fold_words(len(name) + 1, ids)}\r\n".encode())


@lru_cache(256)
def date(name: str, at_s: int) -> bytes:
    """Write an instant, given in seconds since 1970, as a date in UTC (RFC 5322 §3.3).

    Many messages share a second.
    """
    when = datetime.fromtimestamp(at_s, UTC)
    day = f"{_DAYS[when.weekday()]}, {when.day} {_MONTHS[when.month - 1]} {when.year:04d}"
    return f"{name}: {day} {when.hour:02d}:{when.minute:02d}:{when.second:02d} +0000\r\n".encode()


def parameterised(name: str, value: str, parameters: Iterable[tuple[str, str]]) -> bytes:
    """Write a MIME field with parameters (RFC 2045 §5.1), the non-ASCII or long ones by RFC 2231.

    The caller gives the value and the parameters' names; they are tokens.
    """
    words = [value]
    for key, text in parameters:
        check_value(text)
        words[-1] += ";"
        if _TOKEN.fullmatch(text) is not None and len(text) <= _LONGEST_QUOTED_NAME:
            words.append(f"{key}={text}")
        elif is_plain(text) and len(text) <= _LONGEST_QUOTED_NAME:
            words.append(f"{key}={_quoted(text)}")
        else:
            words.extend(extended_parameter(key, text))
    return _checked(f"{name}:{_fold_words(len(name) + 1, words)}\r\n".encode())


def _address_words(address: Address, room: int) -> list[str]:
    """Return the words of one address, the first fit for a line with `room`; between words a fold may come."""
    mailbox: Mailbox = address.mailbox
    name = address.name
    if not name:
        return [mailbox.address]
    if len(name) <= _LONGEST_QUOTED_NAME and "=?" not in name and is_plain(name):
        shown = name if _PHRASE.fullmatch(name) is not None else _quoted(name)
        return [shown, f"<{mailbox.address}>"]
    check_value(name)
    return [*encoded_words(name, room), f"<{mailbox.address}>"]


def _quoted(text: str) -> str:
    """Return a quoted string (RFC 5322 §3.2.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _fold_words(column: int, words: list[str]) -> str:
    """Join words with spaces, or with a fold where the line would pass 78 columns."""
    pieces: list[str] = []
    for word in words:
        if column + 1 + len(word) > LINE and (pieces or len(word) < LINE):
            pieces.append("\r\n " + word)
            column = 1 + len(word)
        else:
            pieces.append(" " + word)
            column += 1 + len(word)
    return "".join(pieces)


def _fold_at_spaces(line: str, start: int) -> bytes | None:
    """Fold a line before some of its white space, or return None when one piece stays longer than 998 octets.

    Unfolding (dropping CRLF before white space) gives the same line back; no piece consists of white space alone.
    """
    pieces: list[str] = []
    at = 0
    while len(line) - at > LINE and (place := _fold_place(line, at, at + start)) is not None:
        pieces.append(line[at:place])
        at = place
        start = 1
    pieces.append(line[at:])
    if max(map(len, pieces)) > LINE_LIMIT:
        return None
    return ("\r\n".join(pieces) + "\r\n").encode()


def _fold_place(line: str, at: int, start: int) -> int | None:
    """Return the last white space to fold before within 78 columns from `at`, or else the first beyond.

    Visible text lies on both sides of it; `start` is where the line's text may begin.
    """
    place = max(line.rfind(" ", start, at + LINE + 1), line.rfind("\t", start, at + LINE + 1))
    while place > start and line[place - 1] in " \t":
        place -= 1
    if place > start:
        return place
    later = _WORD_END.search(line, start)
    return None if later is None else later.start() + 1


def _checked(field: bytes) -> bytes:
    """Look once more at a finished field: no CR, LF or NUL but in its folds and its end."""
    if _NOT_IN_FIELD.search(field[:-2].replace(b"\r\n ", b"").replace(b"\r\n\t", b"")) is not None:
        raise HeaderError("A header value contains a line break or NUL.")
    return field


_STRUCTURED: Final = (
    "list-id",
    "list-help",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-subscribe",
    "list-post",
    "list-owner",
    "list-archive",
    "auto-submitted",
    "precedence",
    "importance",
    "priority",
    "x-priority",
    "feedback-id",
    "disposition-notification-to",
    "return-receipt-to",
    "errors-to",
    "tls-required",
)
_KINDS: Final[Mapping[str, Callable[[str, str], bytes]]] = {
    "in-reply-to": message_ids,
    "references": message_ids,
    **dict.fromkeys(_STRUCTURED, structured),
}
