"""The door of stage 3: a route and a composed message in, an `Attempt` out."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from postroad.model.attempt import Attempt, Phase, Trouble
from postroad.model.clock import Clock
from postroad.model.composition import Composed
from postroad.model.route import (
    CaptureRoute,
    MxRoute,
    Plain,
    ProviderRoute,
    RelayRoute,
    RelaysRoute,
    ReservedRoute,
    Route,
    Source,
)
from postroad.pipeline.deliver import failover, mx
from postroad.pipeline.deliver.capture import ComesBack, capture, rehearse
from postroad.pipeline.deliver.connection import Connection
from postroad.pipeline.deliver.policy import BrokenHere, Knowledge, Terms
from postroad.pipeline.deliver.pool import Pool
from postroad.pipeline.deliver.reach import Course, Reach
from postroad.pipeline.deliver.resolve import DnsTrouble, Resolver
from postroad.pipeline.deliver.settings import ANYBODY, BeforeDot, Chance, DeliverSettings, Turn, unshaped
from postroad.pipeline.deliver.tls import TlsContexts
from postroad.pipeline.deliver.trip import Fact, Trip, read_outcome
from postroad.pipeline.shaping.shaping import Shaping
from postroad.wire.smtp.phase import Phase as WirePhase
from postroad.wire.smtp.transaction import Ending, Outcome

_STOPPING = "Given back: the server is stopping."


class Deliverer:
    """Delivers messages over all routes; one for each process, made and used on one event loop."""

    def __init__(
        self,
        settings: DeliverSettings,
        *,
        clock: Clock,
        chance: Chance,
        contexts: TlsContexts | None = None,
        comes_back: ComesBack | None = None,
        shaping: Shaping | None = None,
        tls: Knowledge | None = None,
        relays: failover.Relays | None = None,
        time_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Build everything that is shared by deliveries; `chance` shuffles exchangers of equal preference.

        `shaping` says how much may be under way to each site; None: what the settings allow, from the beginning.
        `comes_back` is told of messages to reserved mailboxes that send a bounce, a complaint or a reply. `tls` is what
        is known of recipients' TLS beyond this process. `relays` remembers which of several rest; by `time_s` answers
        of the DNS are kept.
        """
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._comes_back = comes_back
        self._loop = asyncio.get_running_loop()
        self._resolver = Resolver(
            settings.resolvers, timeout_s=settings.dns_timeout_s, trust_ad=settings.trust_ad, time_s=time_s
        )
        self._shaping = shaping if shaping is not None else unshaped(settings, clock, chance)
        self._pool = Pool(settings, clock)
        self._shaping.on_stop(self._pool.stop)
        self._stop: asyncio.Future[None] = self._loop.create_future()
        self._relays = failover.Relays(time_s) if relays is None else relays
        known = tls if tls is not None else Knowledge()
        self._sts = known.sts
        self._reach = Reach(
            settings,
            resolver=self._resolver,
            contexts=contexts if contexts is not None else TlsContexts(),
            broken=known.broken if known.broken is not None else BrokenHere(clock, settings.broken_tls_s),
            reports=known.reports,
            hold=self._pool.hold,
            stop=self._stop,
        )

    async def deliver(
        self,
        route: Route,
        composed: Composed,
        *,
        before_dot: BeforeDot | None = None,
        turn: Turn = ANYBODY,
        require_tls: bool = False,
    ) -> Attempt:
        """Attempt to hand one message over. Whatever the network, the DNS and the peer do is in the attempt.

        `before_dot` is called once, right before content is written, so before the final dot; when it returns False
        the message is handed back unsent. `turn` is whose mail it is. With `require_tls` it goes over verified TLS or
        not at all. Cancelling is safe; behind the final dot it makes a duplicate possible.
        """
        require_tls = require_tls or composed.tls_required
        if isinstance(route, ProviderRoute):
            route = await self._by_provider(route)
        if isinstance(route, RelaysRoute):
            return await self._first_relay(route, composed, before_dot, turn, require_tls=require_tls)
        trip = Trip(self._clock, _name(route), int(self._loop.time() * 1000), self._clock.now())
        if self._stop.done():
            return trip.ended(Fact(Phase.CONNECT, trouble=Trouble.HANDED_BACK, detail=_STOPPING))
        match route:
            case CaptureRoute():
                return capture(composed, trip, self._settings.hostname, before_dot)
            case ReservedRoute():
                return await rehearse(
                    composed, trip, self._settings.hostname, before_dot, route=route, comes_back=self._comes_back
                )
            case MxRoute(domain, source):
                plan = await mx.plan(domain, self._resolver, self._settings, self._chance)
                if isinstance(plan, DnsTrouble):
                    trip.unresolved(plan)
                    return trip.failed()
                trip.site, trip.exchangers = plan.site, plan.exchangers
                terms = await self._terms(domain, required=require_tls, relaxed=composed.tls_optional)
                course = self._reach.exchangers(self._mx_key(plan.site, source), plan, terms, route)
                trip.source = None if source is None else source.name
                return await self._carry(course, trip, composed, before_dot, turn)
            case RelayRoute():
                trip.site = f"{route.host}:{route.port}"
                trip.source = None if route.source is None else route.source.name
                course = self._reach.relay(route, required=require_tls)
                return await self._carry(course, trip, composed, before_dot, turn)
            case _:
                assert_never(route)

    async def _by_provider(self, route: ProviderRoute) -> Plain:
        """Return the route that the mail exchangers of the domain decide; a name that cannot be found decides none."""
        plan = await mx.plan(route.domain, self._resolver, self._settings, self._chance)
        if isinstance(plan, DnsTrouble):
            return route.otherwise
        for provider, found in route.cases:
            if all(host == provider or host.endswith(f".{provider}") for host in plan.hosts):
                return found
        return route.otherwise

    async def _first_relay(
        self, route: RelaysRoute, composed: Composed, before_dot: BeforeDot | None, turn: Turn, *, require_tls: bool
    ) -> Attempt:
        """Hand over to the first relay that can be reached; one that rests is asked only where no other is left."""
        made: list[Attempt] = []
        for relay, resting in self._relays.in_order(route.relays):
            if resting and not all(map(failover.refuses_us, made)):
                break
            attempt = await self.deliver(relay, composed, before_dot=before_dot, turn=turn, require_tls=require_tls)
            made.append(attempt)
            if not failover.unreached(attempt):
                self._relays.worked(relay)
                return failover.joined([*made[:-1], attempt], taken=True)
            self._relays.failed(relay, attempt)
        return failover.joined(made, taken=False)

    def capacity(self, domain: str) -> int:
        """Return how many messages to a recipient domain could begin now; a guess until its exchangers are known."""
        hosts = self._resolver.cached_exchanges(domain)
        site = mx.site_of(hosts) if hosts else domain
        return self._pool.capacity(self._mx_key(site), self._shaping.site(site))

    async def drain(self) -> None:
        """Stop: close idle connections, hand back what has not begun content, and wait for final dots in flight."""
        if not self._stop.done():
            self._stop.set_result(None)
        await self._pool.drain()

    async def _terms(self, domain: str, *, required: bool, relaxed: bool) -> Terms:
        """Return what is asked of connections for a message: requiring TLS outdoes doing without (RFC 8689 §3)."""
        secure = self._resolver.is_secure(domain)  # asked at once, before the answer may leave the cache
        sts = None if self._sts is None else await self._sts.find(domain)
        return Terms(domain, sts, secure, required, relaxed and not required)

    # One message over one connection

    async def _carry(
        self, course: Course, trip: Trip, composed: Composed, before_dot: BeforeDot | None, turn: Turn
    ) -> Attempt:
        site = self._shaping.site(trip.site or "", domain=turn.domain, project=turn.project, pool=trip.source or "")
        place = await self._pool.acquire(course.key, course.fits, site, turn.kind)
        if place is None:
            detail = _STOPPING if self._stop.done() else "Given back: too many messages wait for this destination."
            return trip.ended(Fact(Phase.CONNECT, trouble=Trouble.HANDED_BACK, detail=detail))
        holder = _Holder(place.connection)
        try:
            if holder.connection is not None:
                outcome = await self._reuse(holder.connection, trip, composed, before_dot)
                if outcome is not None:
                    return trip.ended(read_outcome(outcome, holder.connection.trouble, holder.connection.detail))
                holder.connection = None
            connection = holder.connection = await course.make(trip)
            if connection is None:
                return trip.failed()
            return await self._transact(connection, trip, composed, before_dot)
        except asyncio.CancelledError:
            if holder.connection is not None:
                holder.connection.abort()
            raise
        finally:
            self._pool.release(place, holder.connection)

    async def _reuse(
        self, connection: Connection, trip: Trip, composed: Composed, before_dot: BeforeDot | None
    ) -> Outcome | None:
        """Carry a message over a connection that was idle; None when it proves to have been closed meanwhile."""
        trip.over(connection)
        connection.client.at(trip.began_ms)
        connection.client.note(f"<message {connection.transactions + 1} over a connection to {connection.host}>")
        outcome = await connection.transact(composed, before_dot)
        trip.hear(connection.client.take_conversation())
        gone = outcome.phase is WirePhase.MAIL and outcome.sender is None and outcome.ending is Ending.LOST
        closed = outcome.closing is not None and outcome.phase is WirePhase.MAIL
        if (gone and connection.trouble is Trouble.CLOSED) or closed:
            connection.abort()
            return None
        return outcome

    async def _transact(
        self, connection: Connection, trip: Trip, composed: Composed, before_dot: BeforeDot | None
    ) -> Attempt:
        trip.over(connection)
        outcome = await connection.transact(composed, before_dot)
        trip.hear(connection.client.take_conversation())
        return trip.ended(read_outcome(outcome, connection.trouble, connection.detail))

    def _mx_key(self, site: str, source: Source | None = None) -> str:
        return f"mx {site} {self._settings.mx_port} {'' if source is None else source.name}"


@dataclass(slots=True)
class _Holder:
    """Which connection goes back to the pool with the place."""

    connection: Connection | None


def _name(route: Route) -> str:
    match route:
        case CaptureRoute() | ReservedRoute():
            return "capture"
        case MxRoute():
            return "mx"
        case RelayRoute(name):
            return name
        case RelaysRoute() | ProviderRoute():
            return ""
        case _:
            assert_never(route)
