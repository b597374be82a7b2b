"""DMARC policy records (RFC 9989, which replaces RFC 7489).

What the newer standard says is what is done: unknown tags are ignored, among them `pct`, `rf` and `ri` of the old one;
a record without `p` but otherwise in order asks for nothing (`none`); one with a malformed value keeps its other tags.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

_LONGEST: Final = 4096


class Policy(StrEnum):
    """What a domain asks receivers to do with mail that fails."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


class Alignment(StrEnum):
    """How exactly the authenticated domain must be the one in From."""

    RELAXED = "r"
    STRICT = "s"


class PublicSuffix(StrEnum):
    """Whether the domain is a public suffix, is not, or leaves that to the tree walk (`psd=`)."""

    YES = "y"
    NO = "n"
    UNKNOWN = "u"


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A policy record, absent tags filled in.

    Attributes:
        policy: For the domain itself.
        subdomain_policy: For domains below it that exist.
        nonexistent_policy: For domains below it that do not exist (`np=`).
        dkim: Alignment of DKIM.
        spf: Alignment of SPF.
        public_suffix: `psd=`.
        testing: The policy is to be reported on, not applied (`t=y`).
        reports: Where aggregate reports go (`rua=`).
        failures: Where failure reports go (`ruf=`).
        strange_policy: What `p=` says, when that is no policy; receivers then apply none.
    """

    policy: Policy = Policy.NONE
    subdomain_policy: Policy = Policy.NONE
    nonexistent_policy: Policy = Policy.NONE
    dkim: Alignment = Alignment.RELAXED
    spf: Alignment = Alignment.RELAXED
    public_suffix: PublicSuffix = PublicSuffix.UNKNOWN
    testing: bool = False
    reports: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    strange_policy: str = ""


def find_record(texts: Iterable[str]) -> DmarcRecord | None:
    """Return the policy among the TXT records at `_dmarc.<domain>`, or None when there is none or more than one."""
    found = [record for record in map(parse, texts) if record is not None]
    return found[0] if len(found) == 1 else None


def parse(text: str) -> DmarcRecord | None:
    """Read one policy record, or return None when the text is not one: it begins with `v=DMARC1`."""
    if len(text) > _LONGEST:
        return None
    items = [item.partition("=") for item in text.split(";")]
    tags: dict[str, str] = {}
    for name, equals, value in items:
        if equals:
            tags.setdefault(name.strip().lower(), value.strip())
    first, _, version = items[0]
    if first.strip().lower() != "v" or version.strip() != "DMARC1":
        return None
    policy = _one_of(Policy, tags.get("p"), Policy.NONE)
    below = _one_of(Policy, tags.get("sp"), policy)
    strange = tags.get("p", "")
    return DmarcRecord(
        policy=policy,
        subdomain_policy=below,
        nonexistent_policy=_one_of(Policy, tags.get("np"), below),
        dkim=_one_of(Alignment, tags.get("adkim"), Alignment.RELAXED),
        spf=_one_of(Alignment, tags.get("aspf"), Alignment.RELAXED),
        public_suffix=_one_of(PublicSuffix, tags.get("psd"), PublicSuffix.UNKNOWN),
        testing=tags.get("t", "").lower() == "y",
        reports=_addresses(tags.get("rua")),
        failures=_addresses(tags.get("ruf")),
        strange_policy="" if strange.lower() in Policy.__members__.values() else strange,
    )


_Choice = TypeVar("_Choice", bound=StrEnum)


def _one_of(choices: type[_Choice], value: str | None, otherwise: _Choice) -> _Choice:
    try:
        return otherwise if value is None else choices(value.lower())
    except ValueError:
        return otherwise


def _addresses(value: str | None) -> tuple[str, ...]:
    return tuple(one.strip() for one in (value or "").split(",") if one.strip())
