"""Which domain of a project speaks for the domain in From. Pure.

A subdomain may be spoken for by a domain above it: the signature's `d=` is then the parent's, which DMARC's relaxed
alignment takes for the subdomain too (RFC 9989). The owner of a domain can switch that off.
"""

from collections.abc import Sequence

from postroad.features.senders.wanted import return_path_host
from postroad.model.domain import DkimKey, Domain, DomainState, KeyState, Purpose, RecordState


def self_and_parents(name: str) -> list[str]:
    """Return a name and all above it that have two labels at least."""
    labels = name.split(".")
    return [".".join(labels[at:]) for at in range(max(1, len(labels) - 1))]


def speaker(domains: Sequence[Domain], name: str) -> Domain | None:
    """Return the domain that speaks for a name: a verified one before others, then the nearest."""
    able = [domain for domain in domains if domain.name == name or domain.settings.subdomains]
    return max(able, key=lambda domain: (domain.state is DomainState.VERIFIED, len(domain.name)), default=None)


def signing(keys: Sequence[DkimKey], *, proven_only: bool) -> list[DkimKey]:
    """Return the keys that sign: those seen in DNS; unless `proven_only`, those that wait where none was seen."""
    active = [key for key in keys if key.state is KeyState.ACTIVE]
    if active or proven_only:
        return active
    return [key for key in keys if key.state is KeyState.PENDING]


def return_path(domain: Domain, ours: str | None) -> str | None:
    """Return the domain's own bounce host once DNS shows that it leads to ours, and ours until then."""
    host = return_path_host(domain)
    good = any(
        f.record.purpose is Purpose.RETURN_PATH
        and (f.record.name, f.record.value) == (host, ours)
        and f.state is RecordState.OK
        for f in domain.findings
    )
    return host if good else ours
