"""Which DMARC record holds for a domain: its own, or one found by walking up the tree (RFC 9989)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from postroad.features.senders.lookup import Found
from postroad.wire import dmarc

_MOST_LABELS: Final = 8
_AFTER_CUT: Final = 7


@dataclass(frozen=True, slots=True)
class Applied:
    """The record that holds, if any, and where it stands."""

    record: dmarc.DmarcRecord | None = None
    name: str = ""
    texts: tuple[str, ...] = ()
    several: bool = False
    """There is more than one record at the domain's own name, so that none counts."""
    trouble: str = ""
    """DNS gave no answer on the way, so that nothing follows."""


async def applicable_policy(domain: str, texts: Callable[[str], Awaitable[Found]]) -> Applied:
    """Return the policy record that receivers use for mail from a domain.

    The walk makes at most eight questions: a longer name is cut to seven labels after the first (RFC 9989 §4.10).
    """
    best = Applied()
    for place, name in enumerate(steps(domain)):
        found = await texts(f"_dmarc.{name}")
        if not found.known:
            return Applied(trouble=found.trouble)
        records = tuple([text for text in found.values if dmarc.parse(text) is not None])
        if place == 0 and len(records) > 1:
            return Applied(texts=records, several=True)
        record = dmarc.find_record(records)
        if record is None:
            continue
        if place == 0:
            return Applied(record, f"_dmarc.{name}", records)
        if record.public_suffix is dmarc.PublicSuffix.YES:
            return best if best.record is not None else Applied(record, f"_dmarc.{name}", records)
        best = Applied(record, f"_dmarc.{name}", records)
        if record.public_suffix is dmarc.PublicSuffix.NO:
            break
    return best


def steps(domain: str) -> list[str]:
    """Return the names that the walk asks, the domain first."""
    labels = domain.split(".")
    names = [domain]
    if len(labels) > _MOST_LABELS:
        labels = labels[-_AFTER_CUT:]
        names.append(".".join(labels))
    while len(labels) > 1:
        labels = labels[1:]
        names.append(".".join(labels))
    return names
