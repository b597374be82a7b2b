"""SPF records, read far enough to say whether one will do (RFC 7208 §4.5, §4.6, §5).

Nothing is looked up here. A record's own terms are read and the DNS look-ups that they will cost are counted; whoever
can ask DNS follows `includes` and adds up.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LOOKUP_LIMIT: Final = 10  # RFC 7208 §4.6.4
_COSTLY: Final = frozenset(("include", "a", "mx", "ptr", "exists"))
_MECHANISM = re.compile(r"([+~?-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?:(?=/)|:|\Z)(.*)", re.IGNORECASE)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)")
_PREFIX = re.compile(r"(.*?)(?:/(\d{1,2}))?(?://(\d{1,3}))?")
_SPEC = re.compile(r"[!-~]*")


class SpfError(ValueError):
    """An SPF record that receivers treat as a permanent error; the text is a public sentence."""


class Qualifier(StrEnum):
    """What a match means."""

    PASS = "+"  # noqa: S105 - a result, not a password
    FAIL = "-"
    SOFTFAIL = "~"
    NEUTRAL = "?"


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One term: its qualifier, its name in lower case, and what follows the colon or slash."""

    qualifier: Qualifier
    name: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """An SPF record's terms in order, and the domain that it hands over to."""

    mechanisms: tuple[Mechanism, ...]
    redirect: str | None = None

    @property
    def lookups(self) -> int:
        """DNS look-ups that this record costs by itself, those of included records not counted (RFC 7208 §4.6.4)."""
        return sum(one.name in _COSTLY for one in self._reached) + (self._redirects is not None)

    @property
    def includes(self) -> tuple[str, ...]:
        """Domains whose senders pass too: the includes that pass and are reached, and the redirect when it counts."""
        names = [one.value for one in self._reached if one.name == "include" and one.qualifier is Qualifier.PASS]
        return (*names, self._redirects) if self._redirects is not None else tuple(names)

    @property
    def all(self) -> Qualifier | None:
        """What happens to everybody else, or None when the record does not say."""
        return next((one.qualifier for one in self.mechanisms if one.name == "all"), None)

    @property
    def _reached(self) -> tuple[Mechanism, ...]:
        """The terms up to `all`, which matches everybody; what stands behind it is never read (RFC 7208 §5.1)."""
        place = next((n for n, one in enumerate(self.mechanisms) if one.name == "all"), len(self.mechanisms))
        return self.mechanisms[: place + 1]

    @property
    def _redirects(self) -> str | None:
        return self.redirect if self.all is None else None  # RFC 7208 §6.1

    def permits(self, address: str) -> bool:
        """Whether an ip4 or ip6 term lets this IP address pass before `all` is reached."""
        ip = ipaddress.ip_address(address)
        for one in self.mechanisms:
            if one.name in {"ip4", "ip6"} and ip in ipaddress.ip_network(one.value, strict=False):
                return one.qualifier is Qualifier.PASS
            if one.name == "all":
                return one.qualifier is Qualifier.PASS
        return False


def find_record(texts: Iterable[str]) -> SpfRecord | None:
    """Return the SPF record among a domain's TXT records, or None when there is none.

    Raises:
        SpfError: There are several, or it is malformed.
    """
    found = [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]
    if len(found) > 1:
        raise SpfError("The domain has several SPF records; receivers then use none of them.")
    return parse(found[0]) if found else None


def parse(text: str) -> SpfRecord:
    """Read one SPF record.

    Raises:
        SpfError: It is malformed.
    """
    version, *terms = text.split(" ")
    if version.lower() != "v=spf1":
        raise SpfError("An SPF record begins with v=spf1.")
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    for term in filter(None, terms):
        if _SPEC.fullmatch(term) is None:
            raise SpfError("The SPF record contains a character that is not printable ASCII.")
        mechanism = _MECHANISM.fullmatch(term)
        if mechanism is not None:
            mechanisms.append(_mechanism(*mechanism.groups()))
            continue
        modifier = _MODIFIER.fullmatch(term)
        if modifier is None:
            raise SpfError("The SPF record contains an unknown mechanism.")
        name = modifier.group(1).lower()
        if name in modifiers and name in {"redirect", "exp"}:
            raise SpfError(f"The SPF record has {name}= twice.")
        modifiers[name] = modifier.group(2)
    if modifiers.get("redirect") == "":
        raise SpfError("The SPF record redirects to nowhere.")
    return SpfRecord(tuple(mechanisms), modifiers.get("redirect"))


def _mechanism(sign: str, name: str, value: str) -> Mechanism:
    name = name.lower()
    if name == "all" and value:
        raise SpfError("In an SPF record, all stands alone.")
    if name in {"include", "exists"} and not value:
        raise SpfError(f"In an SPF record, {name} needs a domain.")
    if name in {"ip4", "ip6"}:
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError as problem:
            raise SpfError(f"The SPF record has an {name} that is no IP network.") from problem
        if f"ip{network.version}" != name:
            raise SpfError(f"The SPF record has an {name} with an address of the other family.")
    elif name in {"a", "mx"}:
        _check_lengths(value)
    return Mechanism(Qualifier(sign or "+"), name, value)


def _check_lengths(value: str) -> None:
    lengths = _PREFIX.fullmatch(value)
    if lengths is None or int(lengths.group(2) or 0) > 32 or int(lengths.group(3) or 0) > 128:
        raise SpfError("The SPF record has a prefix length that is too long.")
