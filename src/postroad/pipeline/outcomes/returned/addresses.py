"""Addresses in prose and in header fields that nobody promised to write well."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

MOST: Final = 200
"""Addresses looked at in one text."""

_LOCAL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+/=?^_`{|}~.-")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,8}(?:xn--[a-z0-9-]{1,40}|[A-Za-z]{2,24})(?![A-Za-z0-9])")
_ANGLED = re.compile(r"<([^<>\s]{1,64}@[^<>\s@]{1,255})>")


class Found(NamedTuple):
    """An address and where it stands."""

    address: str
    start: int
    end: int


def find(text: str) -> Iterator[Found]:
    """Yield the addresses of a text in order, at most `MOST`, in time linear to it."""
    at, count = text.find("@"), 0
    while at >= 0 and count < MOST:
        start = at
        while start > 0 and at - start < 64 and text[start - 1] in _LOCAL:
            start -= 1
        local = text[start:at].lstrip("'`|=*-")
        host = _HOST.match(text, at + 1)
        if host is not None and local:
            count += 1
            yield Found(f"{local}@{host[0]}", at - len(local), host.end())
        at = text.find("@", at + 1)


def first(value: str) -> str | None:
    """Return the address of a header field such as From: the first in angle brackets, else the first at all."""
    angled = _ANGLED.search(value)
    if angled is not None:
        return angled[1]
    found = next(find(value), None)
    return found.address if found else None


def every(value: str) -> list[str]:
    """Return the addresses of a header field such as To."""
    angled = _ANGLED.findall(value)
    return angled[:MOST] or [found.address for found in find(value)]


def same(one: str | None, other: str | None) -> bool:
    """Whether two addresses are one, but for their case."""
    return one is not None and other is not None and one.lower() == other.lower()
