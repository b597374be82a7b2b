"""How a connection to a destination comes about: its hosts and addresses in their order, dialed one after another."""

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

import msgspec

from postroad.model.attempt import Phase, TlsPolicy, Trouble
from postroad.model.clock import SECOND, Clock
from postroad.model.route import MxRoute, RelayRoute, Security, Source
from postroad.pipeline.deliver import guard, policy
from postroad.pipeline.deliver.connection import Connection
from postroad.pipeline.deliver.dial import Check, Unready, Way, dial
from postroad.pipeline.deliver.mx import Plan
from postroad.pipeline.deliver.origin import arrange
from postroad.pipeline.deliver.policy import BrokenTls, Refusal, Reports, Terms, session_of
from postroad.pipeline.deliver.pool import Fits
from postroad.pipeline.deliver.resolve import DnsTrouble, Resolver
from postroad.pipeline.deliver.settings import DeliverSettings
from postroad.pipeline.deliver.tls import Demand, TlsContexts, TlsFlaw, chain_of
from postroad.pipeline.deliver.trip import Fact, Trip
from postroad.wire import mtasts, tlsa
from postroad.wire.tlsrpt import Result

Make = Callable[[Trip], Awaitable[Connection | None]]
"""Makes a connection for a trip; None when there is none to be had, and the trip knows why."""


class Course(msgspec.Struct, frozen=True):
    """How a message gets a connection: the lane it waits in, what makes one, and which idle ones will do.

    A lane may serve many domains of one provider, whose hosts do not all take each other's mail.
    """

    key: str
    make: Make
    fits: Fits


@dataclass(frozen=True, slots=True)
class _Goal:
    """One address of a mail exchanger, from where it is reached, and what must hold there."""

    host: str
    ip: str
    """Empty where the host was not even looked for."""
    source: Source | None
    demand: Demand
    terms: Terms


class Reach:
    """Makes connections for all deliveries of a process."""

    def __init__(
        self,
        settings: DeliverSettings,
        *,
        resolver: Resolver,
        contexts: TlsContexts,
        broken: BrokenTls,
        reports: Reports | None,
        hold: Callable[[Connection], None],
        stop: asyncio.Future[None],
    ) -> None:
        """Take what connections are made with.

        `hold` is told of each as soon as there is one; when `stop` is done, no more are made.
        """
        self._settings = settings
        self._resolver = resolver
        self._contexts = contexts
        self._broken = broken
        self._reports = reports
        self._hold = hold
        self._stop = stop
        self._loop = asyncio.get_running_loop()

    def exchangers(self, key: str, plan: Plan, terms: Terms, route: MxRoute) -> Course:
        """Try a site's addresses in order, at most so many, and at most so many that answer (RFC 5321 §5.1)."""

        async def make(trip: Trip) -> Connection | None:
            answered = 0
            async for host, ip, demand in self._mx_addresses(plan, terms, route, trip):
                made = await self._secured(_Goal(host, ip, route.source, demand, terms), trip)
                if isinstance(made, Connection):
                    return made
                answered += made.answered
                if answered >= self._settings.sessions_per_attempt or self._stop.done():
                    break
            return None

        return Course(key, make, lambda connection: connection.host in plan.hosts and terms.accepts(connection))

    async def _mx_addresses(
        self, plan: Plan, terms: Terms, route: MxRoute, trip: Trip
    ) -> AsyncIterator[tuple[str, str, Demand]]:
        """Yield hosts with their addresses and what must hold there, resolving each only when its turn comes."""
        settings, tried = self._settings, 0
        for host in plan.hosts:
            addresses = await self._resolver.addresses(host)
            if isinstance(addresses, DnsTrouble):
                trip.unresolved(addresses, host)
                continue
            if not addresses:
                trip.unresolved(DnsTrouble(Trouble.NO_SUCH_DOMAIN, f"{host} has no address."), host)
                continue
            demand = await policy.demand(host, settings.mx_port, terms, self._resolver)
            if isinstance(demand, Refusal):
                self._refuse(host, demand, terms, trip)
                continue
            usable = arrange(addresses, route.family, route.source)
            if not usable:
                _stop_for_family(host, trip)
            for ip in usable:
                if not guard.permitted(ip, allow_private=settings.allow_private_addresses, own=settings.own_addresses):
                    trip.at_host(host, ip, None)
                    detail = f"{host} has an address that mail is not carried to: {ip}."
                    trip.stopped(Fact(Phase.RESOLVE, trouble=Trouble.FORBIDDEN_ADDRESS, detail=detail))
                    continue
                if tried == settings.addresses_per_attempt:
                    return
                tried += 1
                yield host, ip, demand

    def _refuse(self, host: str, refusal: Refusal, terms: Terms, trip: Trip) -> None:
        """Note that a host is passed over."""
        made = Demand(TlsPolicy.MTA_STS if refusal.trouble is Trouble.TLS else TlsPolicy.DANE)
        trip.at_host(host, None, None)
        trip.policy = made.policy
        trip.stopped(Fact(Phase.RESOLVE, trouble=refusal.trouble, detail=refusal.detail))
        self._note(_Goal(host, "", None, made, terms), refusal.result, refusal.detail)

    async def _secured(self, goal: _Goal, trip: Trip) -> Connection | Unready:
        """Dial an address as is demanded. What is only on trial is tried first, counted, and then done without."""
        sts, testing = goal.terms.sts, goal.demand.policy is TlsPolicy.MTA_STS_TESTING
        if testing and sts is not None and not mtasts.permits(sts.mx, goal.host):
            self._note(goal, Result.VALIDATION_FAILURE, f"The MTA-STS policy does not name {goal.host}.")
            return await self._dial_exchanger(goal, trip, on_trial=False)
        made = await self._dial_exchanger(goal, trip, on_trial=True)
        self._note_made(goal, made)
        if testing and isinstance(made, Unready) and made.result is not None:
            return await self._dial_exchanger(goal, trip, on_trial=False)
        return made

    async def _dial_exchanger(self, goal: _Goal, trip: Trip, *, on_trial: bool) -> Connection | Unready:
        way = self._mx_way(goal, trip, on_trial=on_trial)
        return await self._dial(goal.host, goal.ip, self._settings.mx_port, way, trip)

    def _mx_way(self, goal: _Goal, trip: Trip, *, on_trial: bool) -> Way:
        contexts, demand, source = self._contexts, goal.demand, goal.source
        check = None
        match demand.policy:
            case TlsPolicy.OPPORTUNISTIC | TlsPolicy.RELAXED:
                security, context = Security.OPPORTUNISTIC, contexts.unverified
            case TlsPolicy.MTA_STS_TESTING if not on_trial:
                security, context = Security.OPPORTUNISTIC, contexts.unverified
            case TlsPolicy.DANE:
                security, context = Security.STARTTLS, contexts.vouched_for
                check = _vouching(demand, goal.host, trip.clock)
            case TlsPolicy.DANE_UNUSABLE:
                security, context = Security.STARTTLS, contexts.unverified
            case _:
                security, context = Security.STARTTLS, contexts.verified
        return _from(source, replace(self._way(security), context=context, check=check, demand=demand))

    def _note_made(self, goal: _Goal, made: Connection | Unready) -> None:
        if isinstance(made, Unready):
            if made.result is not None:
                self._note(goal, made.result, made.fact.detail)
        elif goal.demand.policy is TlsPolicy.DANE_UNUSABLE:
            self._note(goal, Result.TLSA_INVALID, "None of the TLSA records can be used.")
        elif made.tls is not None:
            self._note(goal, None)
        else:
            offered = made.client.extensions.starttls
            self._note(goal, Result.VALIDATION_FAILURE if offered else Result.STARTTLS_NOT_SUPPORTED)

    def _note(self, goal: _Goal, result: Result | None, detail: str = "") -> None:
        # What says TLS-Required: No is under no policy. TLS reports say so, or they would be reported on for ever.
        if self._reports is not None and not goal.terms.relaxed:
            from_ip = None if goal.source is None else goal.source.address_for(goal.ip)
            host, ip = goal.host, goal.ip or None
            self._reports.note(
                session_of(goal.terms, goal.demand, result, host=host, ip=ip, sending_ip=from_ip, detail=detail)
            )

    def relay(self, route: RelayRoute, *, required: bool) -> Course:
        """Try the addresses that the system knows a relay by; it is our own, so any address will do."""

        async def make(trip: Trip) -> Connection | None:
            way = _from(route.source, self._relay_way(route, required=required))
            addresses = await self._system_addresses(route)
            if isinstance(addresses, DnsTrouble):
                trip.unresolved(addresses)
                return None
            usable = arrange(addresses, route.family, route.source)
            if not usable:
                _stop_for_family(route.host, trip)
            for ip in usable[: self._settings.addresses_per_attempt]:
                made = await self._dial(route.host, ip, route.port, way, trip)
                if isinstance(made, Connection):
                    return made
                if made.answered or self._stop.done():
                    break
            return None

        return Course(route.key, make, _is_verified if required else _any)

    def _relay_way(self, route: RelayRoute, *, required: bool) -> Way:
        if not required:
            return self._way(route.security, verify=route.verify, username=route.username, password=route.password)
        security = Security.TLS if route.security is Security.TLS else Security.STARTTLS
        way = self._way(security, verify=True, username=route.username, password=route.password)
        return replace(way, demand=Demand(TlsPolicy.REQUIRED))

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
        if way.security is Security.OPPORTUNISTIC and (broken := self._broken.knows(ip)) is not None:
            way = way.in_clear(broken)
        made = await dial(host, ip, port, way, trip, stop=self._stop, hold=self._hold)
        if isinstance(made, Unready) and made.tls_broken and not self._stop.done():
            self._broken.learn(ip, host, made.fact.detail)
            trip.stopped(made.fact)
            way = way.in_clear(self._broken.knows(ip))
            made = await dial(host, ip, port, way, trip, stop=self._stop, hold=self._hold)
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


def _vouching(demand: Demand, host: str, clock: Clock) -> Check:
    """Return what holds the certificates of a handshake against the TLSA records of the host."""

    def check(session: ssl.SSLObject) -> TlsFlaw | None:
        at = dt.datetime.fromtimestamp(clock.now() / SECOND, dt.UTC)
        sentence = tlsa.flaw_of(demand.records, chain_of(session), host, at)
        return None if sentence is None else TlsFlaw(sentence, Result.VALIDATION_FAILURE)

    return check


def _from(source: Source | None, way: Way) -> Way:
    """Return a way that begins at one of our addresses, under the name that belongs to it."""
    if source is None:
        return way
    return replace(
        way,
        hostname=source.hostname or way.hostname,
        source_ipv4=source.ipv4,
        source_ipv6=source.ipv6,
        source=source.name,
    )


def _stop_for_family(host: str, trip: Trip) -> None:
    detail = f"{host} has no address that can be reached from here: the family is not one we send over."
    trip.at_host(host, None, None)
    trip.stopped(Fact(Phase.CONNECT, trouble=Trouble.UNREACHABLE, detail=detail))


def _any(_: Connection) -> bool:
    return True


def _is_verified(connection: Connection) -> bool:
    return connection.tls is not None and connection.tls.verified
