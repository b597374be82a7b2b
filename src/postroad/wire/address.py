"""Mailboxes and addresses: the only way from a string to somebody who can be written to (RFC 5321 §4.1.2, RFC 6531).

The parser is strict on purpose. Where parsers in the world disagree (comments, source routes, folded white space,
controls inside quoted strings) the string is refused, so what Postroad writes into an SMTP command or a header has one
reading only. A `Mailbox` made by `parse_mailbox` is valid by construction; nothing else should make one.
"""

import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import Final

import idna
import msgspec

LOCAL_OCTETS: Final = 64  # RFC 5321 §4.5.3.1.1
DOMAIN_OCTETS: Final = 255  # RFC 5321 §4.5.3.1.2
MAILBOX_OCTETS: Final = 254  # RFC 5321 §4.5.3.1.3: a path of 256 less its angle brackets

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_COMMON = re.compile(rf"({_ATEXT}++(?>(?:\.{_ATEXT}++)*))@({_LABEL}(?:\.{_LABEL})*)")
_DOT_ATOM = re.compile(rf"{_ATEXT}++(?>(?:\.{_ATEXT}++)*)")
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_QUOTED_LOCAL = re.compile(r'"((?>(?:[^"\\]|\\[ -~])*))"@', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_QUOTED_NAME = re.compile(r'"((?>(?:[^"\\]|\\.)*))"', re.DOTALL)
_NEEDS_QUOTES_IN_NAME = frozenset('()<>[]:;@\\,"')


class AddressError(ValueError):
    """An address that cannot be used; the text is a sentence for the person who gave it."""


class Mailbox(msgspec.Struct, frozen=True):
    """One place that mail can go to; made by `parse_mailbox`.

    Attributes:
        local: The local part as it is meant, without quotes or backslashes, in Unicode NFC.
        domain: The domain in lower-case A-labels, or an address literal with its brackets.
    """

    local: str
    domain: str

    @property
    def smtputf8(self) -> bool:
        """Whether only a server with SMTPUTF8 can take it (RFC 6531 §3.3)."""
        return not self.local.isascii()

    @property
    def literal(self) -> bool:
        """Whether the domain is an address literal such as `[192.0.2.1]` (RFC 5321 §4.1.3)."""
        return self.domain[0] == "["

    @property
    def address(self) -> str:
        """The mailbox as it stands in SMTP commands and in headers, quoted where it must be."""
        return _written(self.local, self.domain)

    def __str__(self) -> str:
        return self.address


@lru_cache(4096)
def _written(local: str, domain: str) -> str:
    """Return a mailbox as it stands on the wire; on its way each is asked for that several times."""
    if _DOT_ATOM.fullmatch(local) is None and _needs_quotes(local):
        local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{local}@{domain}"


class Address(msgspec.Struct, frozen=True):
    """A mailbox and the name to show with it."""

    mailbox: Mailbox
    name: str | None = None


def parse_mailbox(text: str) -> Mailbox:
    """Read one mailbox such as `ann@example.org`, strictly.

    Quoted local parts, Unicode local parts (RFC 6531), international domains (IDNA 2008 over UTS 46 non-transitional)
    and address literals are understood. Comments, white space around the parts and source routes are refused.

    Raises:
        AddressError: The text is not one mailbox.
    """
    return _recent(text) if len(text) <= MAILBOX_OCTETS else _parse(text)


def _parse(text: str) -> Mailbox:
    common = _COMMON.fullmatch(text) if len(text) <= MAILBOX_OCTETS else None
    if common is not None:
        local, host = common.groups()
        if len(local) <= LOCAL_OCTETS:
            domain = host.lower()
            if "xn--" not in domain and not domain[-1].isdigit() and "=?" not in local:
                return Mailbox(local, domain)
    return _parse_uncommon(text)


_recent = lru_cache(4096)(_parse)
"""Senders recur, and a recipient is read where mail is accepted and again where it is sent."""


def parse_domain(text: str) -> str:
    """Return a domain name in lower-case A-labels (IDNA 2008, UTS 46 non-transitional).

    Raises:
        AddressError: It is not a domain name that mail could use; address literals are not domain names.
    """
    if len(text) > 4 * DOMAIN_OCTETS:
        raise AddressError("The domain is longer than 255 octets.")
    if text.isascii() and "xn--" not in text.lower():
        domain = text.lower()
    else:
        _refuse_unprintable(text, "The domain")
        try:
            domain = idna.encode(text, uts46=True, std3_rules=True, transitional=False).decode("ascii").lower()
        except (idna.IDNAError, UnicodeError) as problem:
            raise AddressError("The domain is not a valid international domain name.") from problem
    if len(domain) > DOMAIN_OCTETS:
        raise AddressError("The domain is longer than 255 octets.")
    if _HOST.fullmatch(domain) is None:
        raise AddressError("The domain is not a valid domain name.")
    if domain.rpartition(".")[2].isdigit():
        raise AddressError("The domain ends in a number; an IP address is written in square brackets.")
    return domain


def parse_address(text: str) -> Address:
    r"""Read `ann@example.org`, `Ann <ann@example.org>` or `"Ann, Sales" <ann@example.org>`.

    Spaces around the whole are dropped. A name with any of `()<>[]:;@\,"` must be quoted.

    Raises:
        AddressError: The text is not one address.
    """
    text = text.strip(" ")
    if not text.endswith(">"):
        return Address(parse_mailbox(text))
    return _recently_named(text) if len(text) <= 2 * MAILBOX_OCTETS else _parse_named(text)


def _parse_named(text: str) -> Address:
    shown, bracket, inner = _split_angle(text)
    if not bracket:
        raise AddressError("The address has a `>` without its `<`.")
    return Address(parse_mailbox(inner), _read_name(shown.strip(" ")))


_recently_named = lru_cache(1024)(_parse_named)
"""Senders have names, and recur."""


def check_name(name: str) -> str:
    """Return a display name with outer spaces dropped.

    Raises:
        AddressError: It holds a control character or a lone surrogate.
    """
    if not name.isprintable():
        _refuse_unprintable(name, "The name", only_controls=True)
    return name.strip(" ")


def _split_angle(text: str) -> tuple[str, str, str]:
    """Split `name <mailbox>` at the bracket that opens the mailbox, which a quoted name may also contain."""
    if text.startswith('"'):
        quoted = _QUOTED_NAME.match(text)
        if quoted is None:
            raise AddressError("The quoted name does not end.")
        rest = text[quoted.end() :].lstrip(" ")
        if not rest.startswith("<"):
            raise AddressError("After the quoted name comes the address in angle brackets.")
        return quoted.group(), "<", rest[1:-1]
    shown, bracket, inner = text[:-1].partition("<")
    return shown, bracket, inner


def _read_name(shown: str) -> str | None:
    if shown.startswith('"'):
        name = _QUOTED_PAIR.sub(r"\1", shown[1:-1])
    elif _NEEDS_QUOTES_IN_NAME.isdisjoint(shown):
        name = shown
    else:
        raise AddressError('A name with any of ()<>[]:;@\\," is written in double quotes.')
    return check_name(name) or None


def _parse_uncommon(text: str) -> Mailbox:
    """Everything the fast pattern leaves: Unicode, quotes, literals, and the reasons for refusing."""
    if len(text) > 4 * MAILBOX_OCTETS:
        raise AddressError("The address is longer than 254 octets.")
    text = unicodedata.normalize("NFC", text)
    _refuse_unprintable(text, "The address")
    local, domain_text = _split_at(text)
    if "=?" in local and "?=" in local:  # legal, but readers exist that decode it and then see another address
        raise AddressError("The part before the @ looks like an encoded word.")
    if len(local.encode()) > LOCAL_OCTETS:
        raise AddressError("The part before the @ is longer than 64 octets.")
    domain = _parse_literal(domain_text) if domain_text.startswith("[") else parse_domain(domain_text)
    mailbox = Mailbox(local, domain)
    if len(mailbox.address.encode()) > MAILBOX_OCTETS:
        raise AddressError("The address is longer than 254 octets.")
    return mailbox


def _split_at(text: str) -> tuple[str, str]:
    """Split into local part (unquoted) and domain, checking the local part's syntax."""
    if text.startswith('"'):
        quoted = _QUOTED_LOCAL.match(text)
        if quoted is None:
            raise AddressError("The quoted part before the @ is not a valid quoted string.")
        local = _QUOTED_PAIR.sub(r"\1", quoted.group(1))
        if not local:
            raise AddressError("There is nothing between the quotes before the @.")
        return local, text[quoted.end() :]
    local, at, domain = text.rpartition("@")
    if not at:
        raise AddressError("The address has no @.")
    if not local:
        raise AddressError("There is nothing before the @.")
    if "@" in local:
        raise AddressError("There is more than one @; several addresses are given one by one, as a list.")
    if _needs_quotes(local):
        raise AddressError("The part before the @ has a character or a dot where none may be.")
    return local, domain


def _needs_quotes(local: str) -> bool:
    """Whether it is no dot-atom, non-ASCII characters counting as letters (RFC 6531 §3.3)."""
    letters = "".join(char if char.isascii() else "a" for char in local)
    return _DOT_ATOM.fullmatch(letters) is None


def _parse_literal(text: str) -> str:
    """Check an address literal and return it in its canonical spelling (RFC 5321 §4.1.3)."""
    if not text.endswith("]") or "%" in text:
        raise AddressError("The address literal is not valid.")
    inner = text[1:-1]
    try:
        if inner[:5].lower() == "ipv6:":
            return f"[IPv6:{ipaddress.IPv6Address(inner[5:]).compressed}]"
        return f"[{ipaddress.IPv4Address(inner)}]"
    except ValueError as problem:
        raise AddressError("The address literal is not an IP address.") from problem


def _refuse_unprintable(text: str, what: str, *, only_controls: bool = False) -> None:
    """Refuse controls and lone surrogates; and, unless `only_controls`, all that is invisible but the ASCII space.

    Line and paragraph separators, non-ASCII spaces, bidirectional and other format characters and unassigned code
    points make two addresses look alike or one address look like two.
    """
    for char in text:
        if char == " " or char.isprintable():
            continue
        if not only_controls or unicodedata.category(char) in {"Cc", "Cs"}:
            raise AddressError(f"{what} contains a control or invisible character.")
