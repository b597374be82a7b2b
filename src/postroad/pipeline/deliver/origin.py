"""From which of our addresses a connection comes, and to which of a host's addresses it goes first."""

from collections.abc import Sequence

from postroad.model.route import Family, Source


def arrange(addresses: Sequence[str], family: Family, source: Source | None) -> tuple[str, ...]:
    """Return a host's addresses in the order to try them, without those that cannot or shall not be used.

    A source with an address of one family only reaches only that family.
    """
    if source is not None:
        addresses = [ip for ip in addresses if source.address_for(ip) is not None]
    match family:
        case Family.MIXED:
            return tuple(addresses)
        case Family.IPV4_ONLY:
            return tuple(ip for ip in addresses if ":" not in ip)
        case Family.IPV6_ONLY:
            return tuple(ip for ip in addresses if ":" in ip)
        case Family.IPV4_FIRST:
            return tuple(sorted(addresses, key=lambda ip: ":" in ip))
        case Family.IPV6_FIRST:
            return tuple(sorted(addresses, key=lambda ip: ":" not in ip))
