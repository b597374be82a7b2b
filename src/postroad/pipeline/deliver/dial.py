"""From an address to a connection that is ready for mail: connect, banner, EHLO, TLS, AUTH."""

import asyncio
import errno
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from postroad.config.tree import Timeouts
from postroad.model.attempt import BrokenTls, Phase, Trouble
from postroad.model.route import Security
from postroad.pipeline.deliver.connection import Connection
from postroad.pipeline.deliver.tls import UNASKED, Demand, ResumingContext, TlsFlaw, read_error
from postroad.pipeline.deliver.trip import Fact, Trip
from postroad.wire.smtp import events
from postroad.wire.smtp.phase import Phase as WirePhase
from postroad.wire.tlsrpt import Result

Check = Callable[[ssl.SSLObject], TlsFlaw | None]
"""Holds the certificates of a handshake that is done against something else than authorities."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a host is spoken to; `context` is what TLS is done with, and `check` what its certificates must pass."""

    hostname: str
    timeouts: Timeouts
    security: Security
    context: ResumingContext
    demand: Demand = UNASKED
    check: Check | None = None
    username: str | None = None
    password: str | None = None
    source_ipv4: str | None = None
    source_ipv6: str | None = None
    source: str | None = None

    def in_clear(self, broken: BrokenTls | None) -> "Way":
        """Return the same without TLS, which is broken there."""
        return replace(self, security=Security.PLAIN, demand=replace(self.demand, broken=broken))


@dataclass(frozen=True, slots=True)
class Unready:
    """Why there is no connection.

    `answered` tells whether a server spoke to us; `tls_broken`, that TLS was the trouble and may be done without;
    `result`, the word of TLS reports for it.
    """

    fact: Fact
    answered: bool = False
    tls_broken: bool = False
    result: Result | None = None


async def dial(
    host: str,
    ip: str,
    port: int,
    way: Way,
    trip: Trip,
    *,
    stop: asyncio.Future[None],
    hold: Callable[[Connection], None],
) -> Connection | Unready:
    """Connect to one address and bring the conversation to where mail may begin. What was said is added to the trip.

    When `stop` is done, connecting ends at once; `hold` is told of the connection as soon as there is one.
    """
    trip.at_host(host, ip, port)
    trip.policy, trip.broken, trip.source = way.demand.policy, way.demand.broken, way.source
    connection = await _connect(host, ip, port, way, stop)
    if isinstance(connection, Unready):
        return connection
    connection.demand, connection.source = way.demand, way.source
    hold(connection)
    try:
        unready = await _prepare(connection, way)
    except asyncio.CancelledError:
        connection.abort()
        raise
    trip.hear(connection.client.take_conversation())
    trip.at_host(host, ip, port, connection.tls)
    if unready is None:
        return connection
    connection.leave()
    return unready


async def _connect(host: str, ip: str, port: int, way: Way, stop: asyncio.Future[None]) -> Connection | Unready:
    loop = asyncio.get_running_loop()
    tls = way.security is Security.TLS
    source = way.source_ipv6 if ":" in ip else way.source_ipv4
    connecting = asyncio.ensure_future(
        loop.create_connection(
            lambda: Connection(way.timeouts, host=host, ip=ip, port=port, tls=tls),
            ip,
            port,
            ssl=way.context if tls else None,
            server_hostname=host if tls else None,
            ssl_handshake_timeout=way.timeouts.tls_s if tls else None,
            local_addr=(source, 0) if source is not None else None,
        )
    )

    def give_up(_: asyncio.Future[None]) -> None:
        connecting.cancel()

    stop.add_done_callback(give_up)
    try:
        await asyncio.wait({connecting}, timeout=way.timeouts.connect_s)
    finally:
        stop.remove_done_callback(give_up)
        connecting.cancel()
    try:
        _, connection = await connecting
    except asyncio.CancelledError:
        if stop.done():
            return Unready(Fact(Phase.CONNECT, trouble=Trouble.HANDED_BACK, detail="Given back before connecting."))
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        return Unready(Fact(Phase.CONNECT, trouble=Trouble.TIMEOUT, detail=f"{ip} did not answer in time."))
    except OSError as error:
        return Unready(_connect_fact(ip, error))
    return connection


def _connect_fact(ip: str, error: OSError) -> Fact:
    if isinstance(error, ssl.SSLError):
        return Fact(Phase.STARTTLS, trouble=Trouble.TLS, detail=read_error(error).sentence)
    if isinstance(error, ConnectionRefusedError):
        return Fact(Phase.CONNECT, trouble=Trouble.REFUSED, detail=f"{ip} refused the connection.")
    if error.errno == errno.EADDRNOTAVAIL:
        detail = "The source address that is set is not one of this machine."
        return Fact(Phase.CONNECT, trouble=Trouble.UNREACHABLE, detail=detail)
    if isinstance(error, TimeoutError):
        return Fact(Phase.CONNECT, trouble=Trouble.TIMEOUT, detail=f"{ip} did not answer in time.")
    return Fact(Phase.CONNECT, trouble=Trouble.UNREACHABLE, detail=f"{ip} cannot be reached.")


async def _prepare(connection: Connection, way: Way) -> Unready | None:
    """Carry the conversation from the banner to the first transaction; None when it got there."""
    unready = await _step(connection, WirePhase.BANNER, events.Greeted, [])
    if unready is None:
        unready = await _step(connection, WirePhase.EHLO, events.Ready, connection.client.hello(way.hostname))
    if unready is None:
        unready = await _encrypt(connection, way)
    if unready is None and way.username is not None:
        verb = connection.client.authenticate(way.username, way.password or "")
        unready = await _step(connection, WirePhase.AUTH, events.Authenticated, verb)
    return unready


async def _encrypt(connection: Connection, way: Way) -> Unready | None:
    """Begin TLS where the way wants it and the server has it (RFC 3207)."""
    client = connection.client
    if way.security in {Security.PLAIN, Security.TLS}:
        return None
    optional = way.security is Security.OPPORTUNISTIC
    if not client.extensions.starttls:
        missing = TlsFlaw("The server does not offer STARTTLS.", Result.STARTTLS_NOT_SUPPORTED)
        return None if optional else _tls_trouble(missing)
    found = await connection.wait(client.start_tls())
    match found:
        case [events.StartTls()]:
            flaw = await _shake_hands(connection, way)
            if flaw is not None:
                return replace(_tls_trouble(flaw), tls_broken=optional)
            unready = await _step(connection, WirePhase.EHLO, events.Ready, client.hello(way.hostname))
            if unready is None and way.check is None and connection.session is not None:
                way.context.remember(connection.host, connection.session)
            return unready
        case [events.Rejected(reply=reply)]:
            # with the conversation intact, an optional STARTTLS that is refused is one that was not offered
            refused = Unready(Fact(Phase.STARTTLS, reply=reply), answered=True, result=Result.STARTTLS_NOT_SUPPORTED)
            return None if optional else refused
        case _:
            lost = _lost(connection, found, WirePhase.STARTTLS)
            broken = optional and not _broken(found)
            return replace(lost, tls_broken=broken, result=Result.VALIDATION_FAILURE)


async def _shake_hands(connection: Connection, way: Way) -> TlsFlaw | None:
    """Do the handshake, and the check where it is not the context that checks."""
    flaw = await connection.secure(way.context, connection.host)
    if flaw is not None or way.check is None or connection.session is None or connection.tls is None:
        return flaw
    flaw = way.check(connection.session)
    verified, why = flaw is None, "" if flaw is None else flaw.sentence
    connection.tls = msgspec.structs.replace(connection.tls, verified=verified, unverified_because=why)
    if flaw is not None:
        connection.abort()
    return flaw


async def _step(
    connection: Connection, phase: WirePhase, wanted: type[events.Event], verb: list[events.Event]
) -> Unready | None:
    """Wait for one event; None when it is the wanted one."""
    found = await connection.wait(verb)
    match found[0]:
        case event if isinstance(event, wanted):
            return None
        case events.Rejected(at, reply):
            return Unready(Fact(Phase(at.value), reply=reply), answered=True)
        case events.AuthFailed(reply):
            return Unready(Fact(Phase.AUTH, reply=reply), answered=True)
        case events.AuthUnavailable():
            detail = "The relay offers no way of logging in that we have, or only without TLS."
            return Unready(Fact(Phase.AUTH, trouble=Trouble.AUTH_UNAVAILABLE, detail=detail), answered=True)
        case _:
            return _lost(connection, found, phase)


def _lost(connection: Connection, found: list[events.Event], phase: WirePhase) -> Unready:
    """Tell why a conversation ended before mail began."""
    at = Phase(phase.value)
    for event in found:
        if isinstance(event, events.Broken):
            return Unready(Fact(at, trouble=Trouble.PROTOCOL, detail=event.sentence), answered=True)
        if isinstance(event, events.Closing):
            return Unready(Fact(at, reply=event.reply), answered=True)
    trouble = connection.trouble or Trouble.CLOSED
    detail = connection.detail or "The connection was closed by the peer."
    return Unready(Fact(at, trouble=trouble, detail=detail), answered=phase is not WirePhase.BANNER)


def _broken(found: list[events.Event]) -> bool:
    return any(isinstance(event, events.Broken) for event in found)


def _tls_trouble(flaw: TlsFlaw) -> Unready:
    fact = Fact(Phase.STARTTLS, trouble=Trouble.TLS, detail=flaw.sentence)
    return Unready(fact, answered=True, result=flaw.result)
