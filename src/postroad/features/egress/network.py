"""Where connections are made: names are resolved, all their addresses checked, and a checked address is connected to.

This stands below the HTTP client, so nothing above can go around it: neither a name that changes its address between
check and use, nor an address written in an odd way.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeAlias

import dns.asyncresolver
import dns.exception
import httpcore

from postroad.features.egress.addresses import IPAddress, is_forbidden

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""From a name to its addresses, as text; empty when it has none. Raises `ResolveError`."""

SocketOption: TypeAlias = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]

_MOST_TRIED: Final = 4
_CONNECT_S: Final = 5.0


class ForbiddenAddress(Exception):  # noqa: N818 - an outcome on its way up through the HTTP client
    """A host has an address that nothing may be sent to."""


class ResolveError(Exception):
    """A name could not be resolved."""


def dns_resolver(nameservers: Sequence[tuple[str, int]] = (), *, timeout_s: float = 10.0) -> Resolve:
    """Return a resolver that asks the given servers, or those of the system.

    It waits on the loop and not in threads, so that many names whose servers are silent delay no other one.
    """
    resolver = dns.asyncresolver.Resolver(configure=not nameservers)
    if nameservers:
        resolver.nameservers = [address for address, _ in nameservers]
        resolver.nameserver_ports = dict(nameservers)
    resolver.lifetime = timeout_s

    async def resolve(host: str) -> Sequence[str]:
        if host == "localhost" or host.endswith(".localhost"):
            return ("127.0.0.1", "::1")  # RFC 6761 §6.3
        try:
            answers = await resolver.resolve_name(host)
        except (dns.exception.DNSException, OSError) as problem:
            raise ResolveError(type(problem).__name__) from problem
        return list(answers.addresses())

    return resolve


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that were checked."""

    def __init__(self, resolve: Resolve, *, allow_private: bool, dial: httpcore.AsyncNetworkBackend) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        self._dial = dial

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of `host` that answers.

        Raises:
            ForbiddenAddress: One of its addresses is forbidden; then none is connected to.
            ResolveError: It has no address.
        """
        addresses = await self._checked(host)
        each_s = _CONNECT_S if timeout is None else min(_CONNECT_S, timeout)
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses[:_MOST_TRIED]:
            try:
                return await self._dial.connect_tcp(str(address), port, each_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as problem:
                failure = problem
        assert failure is not None
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait, for the client's own retries (of which it makes none)."""
        await self._dial.sleep(seconds)

    async def _checked(self, host: str) -> list[IPAddress]:
        try:
            addresses = [ipaddress.ip_address(host)]
        except ValueError:
            addresses = [ipaddress.ip_address(text) for text in await self._resolve(host)]
        if not addresses:
            raise ResolveError("no address")
        if any(is_forbidden(address, allow_private=self._allow_private) for address in addresses):
            raise ForbiddenAddress
        return addresses
