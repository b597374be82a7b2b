"""What is signed of a message: headers and bodies reduced to a form that relays do not change (RFC 6376 §3.4)."""

import re

_RUNS = re.compile(rb"  +")  # two spaces, so that the engine looks for them as a word: a class is six times as slow
_ENDS = tuple(b"\r\n" * count for count in (4096, 64, 1))


def relaxed_field(octets: bytes) -> bytes:
    """Reduce one header field, folds and CRLF included, to its relaxed form without CRLF (RFC 6376 §3.4.2)."""
    name, _, value = octets.partition(b":")
    value = value.replace(b"\r\n", b"")
    if b"\t" in value:
        value = value.replace(b"\t", b" ")
    if b"  " in value:
        value = _RUNS.sub(b" ", value)
    return b"%s:%s" % (name.lower().rstrip(b" \t"), value.strip(b" "))


def simple_field(octets: bytes) -> bytes:
    """Return one header field as it is, without its final CRLF (RFC 6376 §3.4.1)."""
    return octets.removesuffix(b"\r\n")


def relaxed_body(body: bytes) -> bytes:
    """Reduce a body to its relaxed form (RFC 6376 §3.4.4): runs of white space to one space, none at line ends.

    Empty lines at the end are dropped; a body without any text becomes empty, any other ends in CRLF.
    """
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    if b"  " in body:
        body = _RUNS.sub(b" ", body)
    if b" \r\n" in body:
        body = body.replace(b" \r\n", b"\r\n")
    body = simple_body(body.removesuffix(b" "))
    return b"" if body == b"\r\n" else body


def simple_body(body: bytes) -> bytes:
    """Return a body with one CRLF at its end, whether it had none or many (RFC 6376 §3.4.3)."""
    end = len(body)
    for lines in _ENDS:
        while body.endswith(lines, 0, end):
            end -= len(lines)
    return body[:end] + b"\r\n"
