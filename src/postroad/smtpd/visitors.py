"""Who is connected: how many at a time, and how often, from one address. Bounded in memory whatever comes."""

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_MINUTE_S: Final = 60.0
_MOST_KNOWN: Final = 20_000
_IPV6_PREFIX: Final = 64
"""A customer's network: one address more or less says nothing there."""


@dataclass(slots=True)
class _Visitor:
    since_s: float
    """When the minute began in which arrivals are counted."""
    arrivals: int = 0
    open: int = 0


@dataclass(slots=True)
class Visitors:
    """Counts connections by client: an IPv4 address, or an IPv6 /64."""

    most_open: int
    most_a_minute: int
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, _Visitor] = field(default_factory=dict)

    def arrive(self, address: str) -> str | None:
        """Count a new connection; return the name to `leave` by, or None when it is one too many."""
        now, name = self.clock(), client_of(address)
        visitor = self._known.get(name)
        if visitor is None:
            if len(self._known) >= _MOST_KNOWN:
                self._forget(now)
            visitor = self._known[name] = _Visitor(now)
        if now - visitor.since_s >= _MINUTE_S:
            visitor.since_s, visitor.arrivals = now, 0
        visitor.arrivals += 1
        if visitor.open >= self.most_open or visitor.arrivals > self.most_a_minute:
            return None
        visitor.open += 1
        return name

    def leave(self, name: str) -> None:
        """Count the end of a connection that was let in."""
        visitor = self._known.get(name)
        if visitor is not None:
            visitor.open -= 1

    def _forget(self, now: float) -> None:
        """Forget those of earlier minutes who have left; when nobody has, everybody who has left."""
        gone = [name for name, visitor in self._known.items() if not visitor.open]
        stale = [name for name in gone if now - self._known[name].since_s >= _MINUTE_S]
        for name in stale or gone:
            del self._known[name]


def client_of(address: str) -> str:
    """Return under which name an address is counted."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), _IPV6_PREFIX), strict=False))
    return str(parsed)
