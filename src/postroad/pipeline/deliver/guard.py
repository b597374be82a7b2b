"""Which addresses a stranger's MX record may send us to: those of the public Internet, and not ourselves."""

import ipaddress
from collections.abc import Set as AbstractSet
from typing import Final

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_CLOSED: Final = (
    ipaddress.ip_network("192.0.0.0/24"),  # RFC 6890
    ipaddress.ip_network("192.88.99.0/24"),  # RFC 7526
    ipaddress.ip_network("64:ff9b:1::/48"),  # RFC 8215
    ipaddress.ip_network("fec0::/10"),  # RFC 3879
)


def is_public(text: str) -> bool:
    """Tell whether an address is of the public Internet, also where IPv4 is wrapped in IPv6 (RFC 6890)."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = _wrapped(address)
        if wrapped is not None:
            return is_public(str(wrapped))
    if any(address in network for network in _CLOSED):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def permitted(text: str, *, allow_private: bool, own: AbstractSet[str]) -> bool:
    """Tell whether mail may be carried to an address."""
    return text not in own and (allow_private or is_public(text))


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that packets to this one would in the end go to."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or int(address) >> 32 == 0:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
