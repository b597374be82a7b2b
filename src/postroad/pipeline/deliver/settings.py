"""What stage 3 may be told, in one frozen value."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from postroad.config.tree import Timeouts
from postroad.model.clock import Clock
from postroad.model.stream import StreamKind
from postroad.pipeline.shaping.limits import Book, Limits
from postroad.pipeline.shaping.shaping import Shaping

Chance = Callable[[], float]
"""Draws a number of [0, 1)."""

BeforeDot = Callable[[], bool]
"""Asked right before the first octet of content is written: False gives the message back unsent."""


class Turn(msgspec.Struct, frozen=True):
    """Whose mail a message is: what decides its place among others."""

    project: str
    domain: str
    kind: StreamKind


ANYBODY = Turn("", "", StreamKind.TRANSACTIONAL)


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
        broken_tls_s: How long an address where TLS is broken is spoken to without.
        trust_ad: Whether the resolvers' word that they have validated an answer counts; None: when they are local.
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
    broken_tls_s: float = 3 * 86_400
    trust_ad: bool | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)


def limits_of(settings: DeliverSettings) -> Limits:
    """Return the limits that the settings give to sites for which no file has any."""
    return Limits(
        connections=settings.connections_per_destination,
        messages_per_second=settings.messages_per_second,
        messages_per_connection=settings.messages_per_connection,
        idle_s=settings.idle_s,
    )


def unshaped(settings: DeliverSettings, clock: Clock, chance: Chance) -> Shaping:
    """Return shaping that begins at the limits of the settings and learns nothing, as nobody tells it anything."""
    limits = replace(limits_of(settings), start=settings.connections_per_destination, connections_per_minute=1e6)
    return Shaping(Book(limits), clock=clock, chance=chance)
