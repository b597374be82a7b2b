"""Enhanced mail system status codes, `class.subject.detail` (RFC 3463, with the registry of RFC 5248 and RFC 7372).

A server says with them what the three old digits cannot: whether a mailbox is unknown or full, whether it was the
content or the sender that it minded. `parse` reads one code, `leading` finds one at the head of a reply's text (RFC
2034 §4), and `matches` is how rules are written: `5.1.*`, `*.7.1`, `4.*`. Codes that nobody registered are read like
any other, by their class and subject, because RFC 3463 §2 lets servers use them.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_CODE = re.compile(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})", re.ASCII)
_PATTERN_PART = re.compile(r"\*|[0-9]{1,3}", re.ASCII)


class StatusClass(IntEnum):
    """The first number: what became of it (RFC 3463 §2)."""

    SUCCESS = 2
    TRANSIENT = 4
    PERMANENT = 5


class Subject(IntEnum):
    """The second number: what it was about (RFC 3463 §3)."""

    OTHER = 0
    ADDRESS = 1
    MAILBOX = 2
    SYSTEM = 3
    NETWORK = 4
    PROTOCOL = 5
    CONTENT = 6
    SECURITY = 7


@dataclass(frozen=True, slots=True, order=True)
class EnhancedStatus:
    """One code; `subject` stays a number, since unregistered ones are legal."""

    category: StatusClass
    subject: int
    detail: int

    def matches(self, pattern: str) -> bool:
        """Tell whether the code fits a pattern such as `5.1.*`, `*.7.26` or `4.*`.

        A part is a number or `*`; parts that are left off at the end match anything.

        Raises:
            ValueError: The pattern is not one, which is a mistake in a rule.
        """
        wanted = pattern.split(".")
        if len(wanted) > 3 or not all(_PATTERN_PART.fullmatch(part) for part in wanted):
            raise ValueError(f"{pattern!r} is not a pattern of an enhanced status code")
        own = (self.category, self.subject, self.detail)
        return all(part == "*" or int(part) == number for part, number in zip(wanted, own, strict=False))

    @property
    def meaning(self) -> str | None:
        """What the registry says about it, in a few words; None for a code it does not know."""
        return _MEANINGS.get((self.subject, self.detail))

    def __str__(self) -> str:
        return f"{int(self.category)}.{self.subject}.{self.detail}"


def parse(text: str) -> EnhancedStatus | None:
    """Read a text that is exactly one code; None when it is not."""
    found = _CODE.fullmatch(text)
    return _make(found) if found is not None else None


def leading(text: str) -> EnhancedStatus | None:
    """Read the code at the head of a reply's text, where RFC 2034 §4 puts it; None when there is none."""
    found = _CODE.match(text)
    if found is None or text[found.end() : found.end() + 1] not in {"", " "}:
        return None
    return _make(found)


def _make(found: re.Match[str]) -> EnhancedStatus:
    return EnhancedStatus(StatusClass(int(found[1])), int(found[2]), int(found[3]))


_MEANINGS: Final[dict[tuple[int, int], str]] = {
    # RFC 3463 §3.2, address
    (1, 0): "other address status",
    (1, 1): "no such mailbox",
    (1, 2): "no such mail system",
    (1, 3): "bad syntax of the mailbox address",
    (1, 4): "ambiguous mailbox address",
    (1, 5): "address valid",
    (1, 6): "mailbox has moved, no forwarding address",
    (1, 7): "bad syntax of the sender's address",
    (1, 8): "bad mail system of the sender",
    (1, 9): "relayed to a system that speaks no RFC 3463",  # RFC 3886
    (1, 10): "the domain accepts no mail",  # RFC 7505
    # RFC 3463 §3.3, mailbox
    (2, 0): "other mailbox status",
    (2, 1): "mailbox disabled, accepts no messages",
    (2, 2): "mailbox full",
    (2, 3): "message larger than this mailbox takes",
    (2, 4): "trouble expanding the mailing list",
    # RFC 3463 §3.4, system
    (3, 0): "other mail system status",
    (3, 1): "mail system full",
    (3, 2): "system does not accept network messages",
    (3, 3): "system does not have the features asked for",
    (3, 4): "message too big for the system",
    (3, 5): "system configured wrongly",
    (3, 6): "the requested priority was changed",  # RFC 6710
    # RFC 3463 §3.5, network and routing
    (4, 0): "other network status",
    (4, 1): "no answer from the host",
    (4, 2): "bad connection",
    (4, 3): "directory server failure",
    (4, 4): "no route",
    (4, 5): "mail system congested",
    (4, 6): "routing loop",
    (4, 7): "delivery time expired",
    # RFC 3463 §3.6, protocol
    (5, 0): "other protocol status",
    (5, 1): "invalid command",
    (5, 2): "syntax error",
    (5, 3): "too many recipients",
    (5, 4): "invalid arguments of a command",
    (5, 5): "wrong version of the protocol",
    (5, 6): "authentication exchange line too long",  # RFC 4954 §6
    # RFC 3463 §3.7, content
    (6, 0): "other content error",
    (6, 1): "media not supported",
    (6, 2): "conversion needed and forbidden",
    (6, 3): "conversion needed and not possible",
    (6, 4): "converted with loss",
    (6, 5): "conversion failed",
    (6, 6): "message content not available",  # RFC 4468
    (6, 7): "addresses beyond ASCII not supported",  # RFC 6531 §3.5
    (6, 8): "reply beyond ASCII needed and not allowed",  # RFC 6531 §3.5
    (6, 9): "header beyond ASCII cannot be downgraded",  # RFC 6531 §3.5
    (6, 10): "header beyond ASCII cannot be carried",  # RFC 6531 §3.5
    # RFC 3463 §3.8, security and policy
    (7, 0): "other security status",
    (7, 1): "delivery not authorized, message refused",
    (7, 2): "expansion of the mailing list not allowed",
    (7, 3): "conversion of security needed and not possible",
    (7, 4): "security features not supported",
    (7, 5): "cryptographic failure",
    (7, 6): "cryptographic algorithm not supported",
    (7, 7): "message integrity failure",
    (7, 8): "credentials invalid",  # RFC 4954 §6
    (7, 9): "authentication mechanism too weak",  # RFC 4954 §6
    (7, 10): "encryption needed",  # RFC 5248 registry
    (7, 11): "encryption needed for this mechanism",  # RFC 4954 §6
    (7, 12): "password must be changed",  # RFC 4954 §6
    (7, 13): "account disabled",  # RFC 5248 registry
    (7, 14): "trust relationship needed",  # RFC 5248 registry
    (7, 15): "priority too low",  # RFC 6710
    (7, 16): "message too big for its priority",  # RFC 6710
    (7, 17): "mailbox has changed owner",  # RFC 7293
    (7, 18): "domain has changed owner",  # RFC 7293
    (7, 19): "the condition on the mailbox's owner cannot be checked",  # RFC 7293
    (7, 20): "no DKIM signature that passes",  # RFC 7372 §3.1
    (7, 21): "no acceptable DKIM signature",  # RFC 7372 §3.1
    (7, 22): "no DKIM signature of the author that passes",  # RFC 7372 §3.1
    (7, 23): "SPF did not pass",  # RFC 7372 §3.2
    (7, 24): "SPF evaluation failed",  # RFC 7372 §3.2
    (7, 25): "reverse DNS did not pass",  # RFC 7372 §3.3
    (7, 26): "several authentication checks failed",  # RFC 7372 §3.4
    (7, 27): "the sender's domain accepts no mail",  # RFC 7505 §4.2
    (7, 28): "a flood of mail",  # RFC 5248 registry
    (7, 29): "ARC did not pass",  # RFC 8617
    (7, 30): "REQUIRETLS support needed",  # RFC 8689
}
