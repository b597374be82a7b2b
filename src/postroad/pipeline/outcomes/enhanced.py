"""What enhanced status codes mean (RFC 3463, RFC 5248 and its registry, and what large providers made of them).

A code is *firm* when everybody means the same by it. Where servers differ (5.7.1 has been seen for everything from
unknown users to spam) the text is asked first, and the code only speaks where the text says nothing.
"""

import re
from typing import Final, NamedTuple

from postroad.model.reason import Class


class Meaning(NamedTuple):
    """What a subject and detail mean behind a 5xx and behind a 4xx reply."""

    permanent: Class
    transient: Class
    firm: bool = False


def _firm(cls: Class) -> Meaning:
    return Meaning(cls, cls, firm=True)


def _loose(permanent: Class, transient: Class | None = None) -> Meaning:
    return Meaning(permanent, permanent if transient is None else transient)


MEANINGS: Final[dict[tuple[int, int], Meaning]] = {
    (1, 1): _firm(Class.INVALID_RECIPIENT),
    (1, 2): Meaning(Class.BAD_DOMAIN, Class.DNS_FAILURE, firm=True),
    (1, 3): _firm(Class.INVALID_RECIPIENT),
    (1, 4): _loose(Class.INVALID_RECIPIENT),
    (1, 6): _firm(Class.INACTIVE_MAILBOX),
    (1, 7): _firm(Class.AUTH_FAILED),
    (1, 8): _firm(Class.AUTH_FAILED),
    (1, 10): _loose(Class.BAD_DOMAIN, Class.DNS_FAILURE),  # null MX (RFC 7505); Exchange says it of unknown recipients
    (2, 1): _loose(Class.INACTIVE_MAILBOX),  # Gmail says 4.2.1 of mailboxes that get too much at once
    (2, 2): _loose(Class.MAILBOX_FULL),
    (2, 3): _firm(Class.MESSAGE_TOO_LARGE),
    (2, 4): _loose(Class.INVALID_RECIPIENT),
    (2, 121): _loose(Class.RATE_LIMITED),
    (2, 122): _loose(Class.RATE_LIMITED),
    (3, 0): _loose(Class.UNKNOWN, Class.UNREACHABLE),
    (3, 1): _loose(Class.UNREACHABLE),
    (3, 2): _loose(Class.UNREACHABLE),
    (3, 3): _loose(Class.PROTOCOL_ERROR),
    (3, 4): _firm(Class.MESSAGE_TOO_LARGE),
    (3, 5): _loose(Class.UNREACHABLE),
    (4, 0): _loose(Class.UNREACHABLE),
    (4, 1): _loose(Class.UNREACHABLE),
    (4, 2): _loose(Class.UNREACHABLE),
    (4, 3): _loose(Class.DNS_FAILURE),
    (4, 4): _loose(Class.BAD_DOMAIN, Class.DNS_FAILURE),
    (4, 5): _loose(Class.RATE_LIMITED),
    (4, 6): _loose(Class.BAD_DOMAIN, Class.UNREACHABLE),
    (4, 7): _loose(Class.UNREACHABLE),
    (4, 310): Meaning(Class.BAD_DOMAIN, Class.DNS_FAILURE, firm=True),
    (4, 312): _loose(Class.DNS_FAILURE),
    (4, 317): _loose(Class.TLS_REQUIRED_FAILED),
    (5, 0): _loose(Class.PROTOCOL_ERROR),
    (5, 1): _loose(Class.PROTOCOL_ERROR),
    (5, 2): _loose(Class.PROTOCOL_ERROR),
    (5, 4): _loose(Class.PROTOCOL_ERROR),
    (5, 5): _loose(Class.PROTOCOL_ERROR),
    (5, 6): _loose(Class.PROTOCOL_ERROR),
    (6, 0): _loose(Class.CONTENT_REJECTED),
    (6, 1): _loose(Class.CONTENT_REJECTED),
    (6, 2): _loose(Class.CONTENT_REJECTED),
    (6, 3): _loose(Class.CONTENT_REJECTED),
    (6, 5): _loose(Class.CONTENT_REJECTED),
    (6, 6): _loose(Class.CONTENT_REJECTED),
    (6, 7): _firm(Class.SMTPUTF8_UNSUPPORTED),  # RFC 6531 §4.2
    (6, 8): _firm(Class.SMTPUTF8_UNSUPPORTED),
    (6, 9): _firm(Class.SMTPUTF8_UNSUPPORTED),
    (7, 0): _loose(Class.POLICY, Class.RATE_LIMITED),
    (7, 1): _loose(Class.POLICY, Class.GREYLISTED),
    (7, 2): _loose(Class.POLICY),
    (7, 3): _loose(Class.AUTH_FAILED),
    (7, 5): _loose(Class.TLS_REQUIRED_FAILED),
    (7, 7): _loose(Class.CONTENT_REJECTED),
    (7, 8): _loose(Class.AUTH_FAILED),
    (7, 9): _loose(Class.AUTH_FAILED),
    (7, 10): _loose(Class.TLS_REQUIRED_FAILED),
    (7, 11): _loose(Class.TLS_REQUIRED_FAILED),
    (7, 13): _loose(Class.INACTIVE_MAILBOX),  # an account that is disabled (RFC 4954); Exim says it of recipients
    (7, 17): _firm(Class.INACTIVE_MAILBOX),  # the mailbox has a new owner (RFC 7293 §4)
    (7, 18): _loose(Class.POLICY),  # the domain has a new owner
    (7, 20): _firm(Class.AUTH_FAILED),  # RFC 7372 §3
    (7, 21): _firm(Class.AUTH_FAILED),
    (7, 22): _firm(Class.AUTH_FAILED),
    (7, 23): _firm(Class.AUTH_FAILED),
    (7, 24): _firm(Class.AUTH_FAILED),
    (7, 25): _firm(Class.AUTH_FAILED),
    (7, 26): _firm(Class.AUTH_FAILED),
    (7, 27): _firm(Class.AUTH_FAILED),
    (7, 28): _loose(Class.RATE_LIMITED),
    (7, 29): _loose(Class.AUTH_FAILED),  # Gmail says it of mail that came without TLS
    (7, 30): _loose(Class.AUTH_FAILED),  # REQUIRETLS in the registry, DKIM at Gmail
    (7, 31): _firm(Class.AUTH_FAILED),
    (7, 32): _firm(Class.AUTH_FAILED),
    (7, 40): _firm(Class.AUTH_FAILED),
    (7, 57): _loose(Class.AUTH_FAILED),
    (7, 321): _loose(Class.TLS_REQUIRED_FAILED),
    (7, 322): _loose(Class.TLS_REQUIRED_FAILED),
    (7, 323): _loose(Class.TLS_REQUIRED_FAILED),
    (7, 324): _loose(Class.TLS_REQUIRED_FAILED),
    (7, 325): _loose(Class.TLS_REQUIRED_FAILED),
    (7, 500): _loose(Class.RATE_LIMITED),
    (7, 501): _loose(Class.REPUTATION_BLOCK),
    (7, 502): _loose(Class.REPUTATION_BLOCK),
    (7, 503): _loose(Class.REPUTATION_BLOCK),
    (7, 508): _loose(Class.RATE_LIMITED),
    (7, 509): _firm(Class.AUTH_FAILED),
    (7, 511): _firm(Class.REPUTATION_BLOCK),
    (7, 512): _firm(Class.CONTENT_REJECTED),
    (7, 513): _firm(Class.REPUTATION_BLOCK),
    (7, 515): _firm(Class.AUTH_FAILED),
    (7, 606): _loose(Class.REPUTATION_BLOCK),
    (7, 650): _loose(Class.RATE_LIMITED),
    (7, 651): _loose(Class.RATE_LIMITED),
    (7, 652): _loose(Class.RATE_LIMITED),
    (7, 708): _loose(Class.REPUTATION_BLOCK),
    (7, 750): _firm(Class.AUTH_FAILED),
    (7, 850): _loose(Class.RATE_LIMITED),
}
"""By subject and detail; what is missing says nothing of its own."""

TOO_MANY_RECIPIENTS: Final = (5, 3)
"""Temporary whatever the reply's first digit, since a transaction with fewer recipients would have passed."""

_BY_SUBJECT: Final = {6: _loose(Class.CONTENT_REJECTED), 7: _loose(Class.POLICY, Class.UNKNOWN)}
_CODE: Final = re.compile(r"(?<![0-9.])[245]\.([0-9]{1,3})\.([0-9]{1,3})(?!\.?[0-9])", re.ASCII)


def find(stated: str | None, text: str) -> tuple[int, int] | None:
    """Return subject and detail of the stated code, or of the first that the text mentions; None without any.

    Older servers put the code into brackets behind the text, such as `no mailbox here by that name (#5.1.1)`.
    Addresses and version numbers of four parts are not taken for codes.
    """
    found = _CODE.search(text if stated is None else stated)
    return None if found is None else (int(found[1]), int(found[2]))


def meaning(code: tuple[int, int]) -> Meaning | None:
    """Return what a code means: by itself, else by its subject, else None."""
    return MEANINGS.get(code) or _BY_SUBJECT.get(code[0])
