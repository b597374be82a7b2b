"""How a connection to a destination comes about: its hosts and addresses in their order, dialed one after another."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from postroad.model.attempt import Phase, Trouble
from postroad.model.route import RelayRoute, Security
from postroad.pipeline.deliver import guard
from postroad.pipeline.deliver.connection import Connection
from postroad.pipeline.deliver.dial import Unready, Way, dial
from postroad.pipeline.deliver.mx import Plan
from postroad.pipeline.deliver.pool import Fits
from postroad.pipeline.deliver.resolve import DnsTrouble, Resolver
from postroad.pipeline.deliver.settings import DeliverSettings
from postroad.pipeline.deliver.tls import TlsContexts
from postroad.pipeline.deliver.trip import Fact, Trip

Make = Callable[[Trip], Awaitable[Connection | None]]
"""Makes a connection for a trip; None when there is none to be had, and the trip knows why."""

_BROKEN_TLS_HOSTS = 10_000


@dataclass(frozen=True, slots=True)
class Course:
    """How a message gets a connection: the lane it waits in, what makes one, and which idle ones will do.

    A lane may serve many domains of one provider, whose hosts do not all take each other's mail.
    """

    key: str
    make: Make
    fits: Fits


class Reach:
    """Makes connections for all deliveries of a process."""

    def __init__(
        self,
        settings: DeliverSettings,
        *,
        resolver: Resolver,
        contexts: TlsContexts,
        hold: Callable[[Connection], None],
        stop: asyncio.Future[None],
    ) -> None:
        """Take what connections are made with.

        `hold` is told of each as soon as there is one; when `stop` is done, no more are made.
        """
        self._settings = settings
        self._resolver = resolver
        self._contexts = contexts
        self._hold = hold
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._broken_tls: dict[str, float] = {}
        self._mx_way = self._way(Security.OPPORTUNISTIC)

    def exchangers(self, plan: Plan) -> Make:
        """Try a site's addresses in order, at most so many, and at most so many that answer (RFC 5321 §5.1)."""

        async def make(trip: Trip) -> Connection | None:
            answered = 0
            async for host, ip in self._mx_addresses(plan, trip):
                made = await self._dial(host, ip, self._settings.mx_port, self._mx_way, trip)
                if isinstance(made, Connection):
                    return made
                answered += made.answered
                if answered >= self._settings.sessions_per_attempt or self._stop.done():
                    break
            return None

        return make

    async def _mx_addresses(self, plan: Plan, trip: Trip) -> AsyncIterator[tuple[str, str]]:
        """Yield hosts with their addresses, resolving each only when its turn comes."""
        settings, tried = self._settings, 0
        for host in plan.hosts:
            addresses = await self._resolver.addresses(host)
            if isinstance(addresses, DnsTrouble):
                trip.unresolved(addresses)
                continue
            if not addresses:
                trip.unresolved(DnsTrouble(Trouble.NO_SUCH_DOMAIN, f"{host} has no address."))
            for ip in addresses:
                if not guard.permitted(ip, allow_private=settings.allow_private_addresses, own=settings.own_addresses):
                    trip.at_host(host, ip, None)
                    detail = f"{host} has an address that mail is not carried to: {ip}."
                    trip.stopped(Fact(Phase.RESOLVE, trouble=Trouble.FORBIDDEN_ADDRESS, detail=detail))
                    continue
                if tried == settings.addresses_per_attempt:
                    return
                tried += 1
                yield host, ip

    def relay(self, route: RelayRoute) -> Make:
        """Try the addresses that the system knows a relay by; it is our own, so any address will do."""

        async def make(trip: Trip) -> Connection | None:
            addresses = await self._system_addresses(route)
            if isinstance(addresses, DnsTrouble):
                trip.unresolved(addresses)
                return None
            way = self._way(route.security, verify=route.verify, username=route.username, password=route.password)
            for ip in addresses[: self._settings.addresses_per_attempt]:
                made = await self._dial(route.host, ip, route.port, way, trip)
                if isinstance(made, Connection):
                    return made
                if made.answered or self._stop.done():
                    break
            return None

        return make

    async def _system_addresses(self, route: RelayRoute) -> list[str] | DnsTrouble:
        try:
            found = await self._loop.getaddrinfo(route.host, route.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            absent = error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}
            trouble = Trouble.NO_SUCH_DOMAIN if absent else Trouble.DNS_FAILURE
            return DnsTrouble(trouble, f"The relay's name {route.host} cannot be resolved.")
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    async def _dial(self, host: str, ip: str, port: int, way: Way, trip: Trip) -> Connection | Unready:
        """Dial one address; where TLS is optional and broken there, once more in the clear (RFC 7435 §3)."""
        now = self._loop.time()
        if way.security is Security.OPPORTUNISTIC and self._broken_tls.get(ip, 0.0) > now:
            way = way.in_clear
        made = await dial(host, ip, port, way, trip, stop=self._stop, hold=self._hold)
        if isinstance(made, Unready) and made.tls_broken and not self._stop.done():
            if len(self._broken_tls) >= _BROKEN_TLS_HOSTS:
                self._broken_tls.clear()
            self._broken_tls[ip] = now + self._settings.broken_tls_s
            trip.stopped(made.fact)
            made = await dial(host, ip, port, way.in_clear, trip, stop=self._stop, hold=self._hold)
        if isinstance(made, Unready):
            trip.stopped(made.fact)
        return made

    def _way(
        self, security: Security, *, verify: bool = False, username: str | None = None, password: str | None = None
    ) -> Way:
        settings = self._settings
        verified = verify and security in {Security.STARTTLS, Security.TLS}
        return Way(
            hostname=settings.hostname,
            timeouts=settings.timeouts,
            security=security,
            context=self._contexts.verified if verified else self._contexts.unverified,
            username=username,
            password=password,
            source_ipv4=settings.source_ipv4,
            source_ipv6=settings.source_ipv6,
        )
