"""Which addresses a request may go to: the public Internet, and with leave the private ranges of whoever runs us.

The list is the IANA special-purpose registries (RFC 6890) and the forms of IPv6 that carry an IPv4 address inside,
which would be a way around it.
"""

import ipaddress
from enum import Enum
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Reach(Enum):
    """Whom an address belongs to."""

    PUBLIC = "public"
    PRIVATE = "private"
    """Loopback or a private network: reachable when the operator says so."""
    NEVER = "never"
    """Link-local (cloud metadata), multicast, reserved, documentation, or IPv4 dressed up as IPv6."""


_PRIVATE: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",  # RFC 1918
        "100.64.0.0/10",  # shared address space of carriers, RFC 6598
        "127.0.0.0/8",  # loopback
        "172.16.0.0/12",  # RFC 1918
        "192.168.0.0/16",  # RFC 1918
        "::1/128",  # loopback
        "fc00::/7",  # unique local, RFC 4193
    )
)
_NEVER: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network, RFC 1122 §3.2.1.3
        "169.254.0.0/16",  # link-local, RFC 3927: where clouds keep their metadata
        "192.0.0.0/24",  # protocol assignments, RFC 6890 §2.1
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.88.99.0/24",  # relays of 6to4, RFC 7526
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast, RFC 5771
        "240.0.0.0/4",  # reserved and broadcast, RFC 1112 §4
        "2001::/23",  # protocol assignments, RFC 2928: Teredo (which holds an IPv4 address), ORCHID, benchmarks
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4, RFC 3056: holds an IPv4 address
        "3fff::/20",  # documentation, RFC 9637
    )
)
_GLOBAL_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out (RFC 4291 §2.4). What is outside (`::ffff:0:0/96`, `64:ff9b::/96`, `fe80::/10`,
`ff00::/8`, …) is never reached, so a form of embedding IPv4 that this list does not know is refused too."""


def reach_of(address: IPAddress) -> Reach:
    """Return whom `address` belongs to."""
    if any(address in network for network in _PRIVATE):
        return Reach.PRIVATE
    if any(address in network for network in _NEVER):
        return Reach.NEVER
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return Reach.NEVER
    return Reach.PUBLIC


def is_forbidden(address: IPAddress, *, allow_private: bool) -> bool:
    """Whether nothing may be sent to `address`."""
    reach = reach_of(address)
    return reach is Reach.NEVER or (reach is Reach.PRIVATE and not allow_private)
