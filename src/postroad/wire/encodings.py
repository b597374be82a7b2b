"""The two ways to write more than ASCII in a header: encoded words (RFC 2047) and extended parameters (RFC 2231).

Both return a list of words between which a header may be folded. Both cut on the edges of characters, so each piece can
be decoded alone. Whether text may be written at all is decided before, in `headers`.
"""

import binascii
import re
from typing import Final

_WORD: Final = 75  # RFC 2047 §2
_FRAME: Final = len("=?utf-8?q??=")
_SHORTEST_FIRST: Final = 30
_PARAMETER: Final = 72

# What may stand for itself in an encoded word everywhere, also inside a display name (RFC 2047 §5 (3)).
_Q_SAFE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q: Final = {
    octet: chr(octet) if octet in _Q_SAFE else "_" if octet == 0x20 else f"={octet:02X}" for octet in range(256)
}
# RFC 2231 §7: attribute-char, that is RFC 2045 tokens without the three characters that have a meaning here.
_P_SAFE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`{|}~")
_P: Final = {octet: chr(octet) if octet in _P_SAFE else f"%{octet:02X}" for octet in range(256)}
_PLAIN = re.compile(r"[ -~]*")


def is_plain(text: str) -> bool:
    """Whether the text is printable ASCII only."""
    return _PLAIN.fullmatch(text) is not None


def encoded_words(text: str, room: int = _WORD) -> list[str]:
    """Write text as encoded words of at most 75 octets each, in UTF-8, as Q or B, whichever is shorter.

    The first word is at most `room` octets long when that leaves space worth using. A reader joins the words without
    the white space between them, so the words carry the text's own spaces. Empty text gives no words.
    """
    data = text.encode()
    if not data:
        return []
    first = min(room, _WORD) if room >= _SHORTEST_FIRST else _WORD
    quoted = "".join([_Q[octet] for octet in data])
    if len(quoted) <= (len(data) + 2) // 3 * 4:
        return [f"=?utf-8?q?{piece}?=" for piece in _cut_escaped(quoted, "=", first - _FRAME, _WORD - _FRAME)]
    return [f"=?utf-8?b?{piece}?=" for piece in _cut_base64(data, first - _FRAME, _WORD - _FRAME)]


def extended_parameter(key: str, text: str) -> list[str]:
    """Write a parameter that is not ASCII or too long for a line, in pieces that end in `;` (RFC 2231 §3 and §4)."""
    room = _PARAMETER - len(key) - len("*00*=;")
    if is_plain(text):
        pieces = [text[at : at + room // 2] for at in range(0, len(text), room // 2)]
        quoted = ['"' + piece.replace("\\", "\\\\").replace('"', '\\"') + '"' for piece in pieces]
        words = [f"{key}*{index}={piece}" for index, piece in enumerate(quoted)]
    else:
        escaped = "".join([_P[octet] for octet in text.encode()])
        pieces = _cut_escaped(escaped, "%", room - len("utf-8''"), room)
        if len(pieces) == 1:
            return [f"{key}*=utf-8''{pieces[0]}"]
        words = [f"{key}*{index}*={piece}" for index, piece in enumerate(pieces)]
        words[0] = f"{key}*0*=utf-8''{pieces[0]}"
    return [word + ";" for word in words[:-1]] + words[-1:]


def _cut_escaped(text: str, escape: str, first: int, room: int) -> list[str]:
    """Cut escaped UTF-8 into pieces of at most `first`, then `room`, never inside an escape or a character."""
    pieces: list[str] = []
    at = 0
    end = first
    while end < len(text):
        if text[end - 1] == escape:
            end -= 1
        elif text[end - 2] == escape:
            end -= 2
        while text[end] == escape and text[end + 1] in "89AB":  # a continuation octet
            end -= 3
        pieces.append(text[at:end])
        at = end
        end = at + room
    pieces.append(text[at:])
    return pieces


def _cut_base64(data: bytes, first: int, room: int) -> list[str]:
    pieces: list[str] = []
    at = 0
    size = first // 4 * 3
    while at < len(data):
        end = min(at + size, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:  # inside a character: step back to its first octet
            end -= 1
        pieces.append(binascii.b2a_base64(data[at:end], newline=False).decode())
        at = end
        size = room // 4 * 3
    return pieces
