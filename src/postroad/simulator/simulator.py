"""Starting and stopping the simulated internet, on an event loop of its own or within one that runs."""

import asyncio
import contextlib
import ipaddress
import itertools
import random
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Final, Self

import structlog

from postroad.model.clock import Instant
from postroad.model.composition import Composed
from postroad.model.route import RelayRoute, Security
from postroad.pipeline.deliver import Deliverer, DeliverSettings
from postroad.simulator.certificate import server_context
from postroad.simulator.ledger import Ledger, Taken
from postroad.simulator.names import NameServer, Zone
from postroad.simulator.personality import Names, Personality, Wire
from postroad.simulator.providers import EVERYBODY, PROVIDERS
from postroad.simulator.returning import come_back
from postroad.simulator.session import Desk, Session

_log = structlog.get_logger("postroad.simulator")
RESOLVER_HOST: Final = "127.0.0.1"
_NETWORK: Final = ipaddress.IPv4Address("127.42.0.1")
_START_S: Final = 30.0
_SETTLING_S: Final = 0.02


class _WallClock:
    def now(self) -> Instant:
        return Instant(time.time_ns() // 1000)


class Simulator:
    """Providers and their DNS on loopback; `start` and `stop` from any thread, or use it in a `with`."""

    def __init__(
        self,
        providers: Iterable[Personality] = PROVIDERS,
        *,
        seed: int = 0,
        dns_port: int = 0,
        mx_port: int = 0,
        ledger: Path | None = None,
        exchange: tuple[str, int] | None = None,
        returns_after_s: float = 5.0,
    ) -> None:
        """Build it.

        Args:
            providers: personalities; mail for any other domain is taken by `everybody.test`.
            seed: of chance.
            dns_port: of the resolver on 127.0.0.1; 0: any free one.
            mx_port: of all providers; 0: any free one.
            ledger: file to which every message that is taken is added, before it is acknowledged.
            exchange: where bounces, complaints and replies are sent by SMTP; None: nowhere.
            returns_after_s: how long after the message.
        """
        chosen = tuple(providers)
        self.providers = chosen if EVERYBODY in chosen else (EVERYBODY, *chosen)
        self.mx_port = mx_port
        self.dns_port = dns_port
        self.returned = 0
        """How many bounces, complaints and replies an exchange has taken."""
        self._seed = seed
        self._ledger = Ledger(ledger)
        self._exchange = exchange
        self._returns_after_s = returns_after_s
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None

    @property
    def resolver(self) -> str:
        """The resolver, as `delivery.resolvers` takes it."""
        return f"{RESOLVER_HOST}:{self.dns_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings that point a Postroad here."""
        return {
            "POSTROAD_DELIVERY_RESOLVERS": self.resolver,
            "POSTROAD_DELIVERY_MX_PORT": str(self.mx_port),
        }

    @property
    def taken(self) -> list[Taken]:
        """What was taken so far."""
        return list(self._ledger.entries)

    # --- on a thread of its own --------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start it on a thread of its own; return once it listens."""
        ready: Future[None] = Future()

        async def live() -> None:
            self._ending, self._loop = asyncio.Event(), asyncio.get_running_loop()
            try:
                async with self.running():
                    ready.set_result(None)
                    await self._ending.wait()
            except BaseException as problem:
                if ready.done():
                    raise
                ready.set_exception(problem)

        self._thread = threading.Thread(target=lambda: asyncio.run(live()), name="simulator", daemon=True)
        self._thread.start()
        ready.result(_START_S)
        return self

    def stop(self) -> None:
        """Stop it; conversations that are open are cut."""
        if self._thread is not None and self._loop is not None and self._ending is not None:
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- within a loop -----------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run it while the body runs."""
        addresses = _addresses(self.providers)
        listening = [p for p in self.providers if p.names is Names.MX]
        hosts = {host: addresses[p.domain] for p in listening for host in p.exchangers}
        zone = Zone({p.domain: p for p in self.providers}, hosts, EVERYBODY.exchangers[0])
        context = server_context(sorted(hosts))
        deliverer = None if self._exchange is None else _postman()
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._ledger.close)
            for provider in listening:
                desk = self._desk(provider, context, deliverer)
                await self._open(stack, provider, addresses[provider.domain], desk)
            server = NameServer(zone)
            stack.push_async_callback(server.stop)
            await server.start(RESOLVER_HOST, self.dns_port)
            self.dns_port = server.port
            stack.push_async_callback(self._cut, deliverer)
            yield

    def _desk(self, provider: Personality, context: ssl.SSLContext, deliverer: Deliverer | None) -> Desk:
        def returning(personality: Personality, sender: str, recipient: str, octets: bytes) -> None:
            if deliverer is not None and sender:
                self._begin(self._return(deliverer, personality, sender, recipient, octets))

        return Desk(
            personality=provider,
            chance=random.Random(f"{self._seed} {provider.domain}"),  # noqa: S311 - decides who is deferred, no secret
            ledger=self._ledger,
            context=context,
            returning=returning,
            number=lambda: next(self._numbers),
        )

    async def _open(self, stack: contextlib.AsyncExitStack, provider: Personality, ip: str, desk: Desk) -> None:
        """Listen for one provider, or do what it does instead."""
        if provider.wire is Wire.REFUSES:
            return
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ip, self.mx_port))
        self.mx_port = listener.getsockname()[1]
        if provider.wire is Wire.SWALLOWS:
            listener.listen(0)
            for _ in range(3):  # a full backlog neither makes nor refuses connections
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex((ip, self.mx_port))
            return
        listener.listen(1024)
        listener.setblocking(False)
        server = await asyncio.start_server(lambda r, w: self._begin(Session(desk, r, w).run()), sock=listener)
        stack.callback(server.close)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _return(
        self, deliverer: Deliverer, provider: Personality, sender: str, recipient: str, octets: bytes
    ) -> None:
        """Send what comes back for a message to the exchange."""
        assert provider.returns is not None
        assert self._exchange is not None
        await asyncio.sleep(self._returns_after_s)
        host, port = self._exchange
        mail = come_back(
            provider.returns,
            host=provider.exchangers[0],
            sender=sender,
            recipient=recipient,
            octets=octets,
            at_s=time.time(),
        )
        route = RelayRoute("exchange", host, port, Security.OPPORTUNISTIC, verify=False)
        attempt = await deliverer.deliver(route, Composed("", sender, mail, False, b""))
        self.returned += attempt.delivered
        if not attempt.delivered:
            _log.warning("exchange_refused", provider=provider.domain, reply=attempt.reply, trouble=attempt.trouble)

    async def _cut(self, deliverer: Deliverer | None) -> None:
        if deliverer is not None:
            await deliverer.drain()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(_SETTLING_S)  # what was aborted is closed by the loop a moment later


def _postman() -> Deliverer:
    return Deliverer(DeliverSettings(hostname="simulator.test"), clock=_WallClock(), chance=random.random)


def _addresses(providers: Iterable[Personality]) -> dict[str, str]:
    """Give each provider the address of its place among those that ship, and others what lies behind."""
    places = {provider.domain: place for place, provider in enumerate(PROVIDERS)}
    behind = itertools.count(len(places))
    return {p.domain: str(_NETWORK + (places[p.domain] if p.domain in places else next(behind))) for p in providers}
