"""What stage 3 may be told, in one frozen value."""

from collections.abc import Callable
from dataclasses import dataclass, field

from postroad.config.tree import Timeouts

Chance = Callable[[], float]
"""Draws a number of [0, 1)."""

BeforeDot = Callable[[], bool]
"""Asked right before the first octet of content is written: False gives the message back unsent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSettings:
    """How mail leaves this process.

    Attributes:
        hostname: What we call ourselves in EHLO.
        resolvers: DNS resolvers as address and port; none: those of the system.
        allow_private_addresses: Whether mail exchangers may have addresses that are not of the public Internet.
        own_names: Names under which mail exchangers would be ourselves, in lower case without a final dot.
        own_addresses: Addresses that would be ourselves.
        source_ipv4: Address that connections come from; None lets the system choose. The same for `source_ipv6`.
        addresses_per_attempt: Most addresses tried in one attempt, and `sessions_per_attempt` most that answered.
        waiting_per_destination: Most messages that wait for a connection to one destination.
        waiting_s: How long they do.
    """

    hostname: str
    mx_port: int = 25
    resolvers: tuple[tuple[str, int], ...] = ()
    dns_timeout_s: float = 10
    allow_private_addresses: bool = False
    own_names: frozenset[str] = frozenset()
    own_addresses: frozenset[str] = frozenset()
    source_ipv4: str | None = None
    source_ipv6: str | None = None
    addresses_per_attempt: int = 5
    sessions_per_attempt: int = 2
    connections_per_destination: int = 10
    messages_per_connection: int = 100
    messages_per_second: float = 100
    waiting_per_destination: int = 1000
    waiting_s: float = 60
    idle_s: float = 60
    idle_connections: int = 1000
    broken_tls_s: float = 3600
    timeouts: Timeouts = field(default_factory=Timeouts)
