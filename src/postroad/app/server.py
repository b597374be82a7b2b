"""A server's life: open the house, run its roles, and on SIGTERM let them finish what they began."""

import asyncio
import contextlib
import errno
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
import uvloop

from postroad.app import logs
from postroad.app.administration import serve_administration
from postroad.app.building import open_house
from postroad.app.door import http_door
from postroad.app.exchanging import CertificateUnusable, exchange
from postroad.app.foreign import foreign_secrets
from postroad.app.greeting import greet
from postroad.app.house import House
from postroad.app.node import DirectoryTaken
from postroad.app.routes import UnknownProject
from postroad.app.submitting import submission
from postroad.app.traffic import UnusableLimits
from postroad.config import Settings, exposed
from postroad.http.protocol import server_of
from postroad.model.clock import to_rfc3339
from postroad.model.errors import Refused, Unavailable
from postroad.store import served
from postroad.store.engines import AlreadyOpen
from postroad.store.migrate import SchemaNewer
from postroad.store.vault import MasterKeyError

_log = structlog.get_logger("postroad.server")
_SWITCH_S = 0.0003
"""A busy loop hands the interpreter lock over this soon: the store's writer asks for it at each of its statements."""
_COLLECT_AFTER = 20_000
_HTTP_DRAIN_S = 10
_DIRECTORY_S = 3.0
"""How long a server waits for the data directory: a command without a server holds it for a moment."""
_RESTART_S = 1.0
_LISTENING = {
    errno.EACCES: "Ports below 1024 need root's permission (CAP_NET_BIND_SERVICE, as deploy/postroad.service has it); "
    "give it, or",
    errno.EADDRNOTAVAIL: "Name an address of this machine with {setting}_HOST, or",
}
"""What to do about it, by what the system says."""
_LAST_LOOK_S = 5.0
"""Time for the delivery loop's last question to the store."""


class CannotStart(Refused):
    """The server cannot start as things are; the text says what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__("cannot_start", sentence)


def run(settings: Settings, *, dev: bool, roles: frozenset[str] | None) -> None:
    """Run a server until it is told to stop.

    Args:
        settings: of this process.
        dev: whether this is `postroad dev`: greet, and have a project, a key and an SMTP listener ready.
        roles: which roles to run; None: all.

    Raises:
        CannotStart: something outside has to be put right first.
        Unavailable: the database does not answer.
    """
    logs.configure(settings)
    for problem in exposed(settings):  # `serve` does not come this far
        _log.warning("secret_exposed", detail=problem.sentence)
    sys.setswitchinterval(_SWITCH_S)
    uvloop.run(
        _live(
            settings,
            dev=dev,
            roles=roles or frozenset({"http", "smtp", "exchange", "delivery", "notifier", "scheduler"}),
        )
    )


async def _live(settings: Settings, *, dev: bool, roles: frozenset[str]) -> None:
    house = await _open(settings, dev=dev)
    try:
        await _claim(house)
        async with _running(house, roles):
            if dev:
                await greet(house)
            if (trouble := await foreign_secrets(house)) is not None:
                _log.error("master_key_changed", detail=trouble)
            _settle_memory()
            _log.info("started", roles=sorted(_at_work(house, roles)), node=house.node.name)
            await _told_to_stop()
            _log.info("stopping")
    finally:
        await house.close()
    _log.info("stopped")


def _at_work(house: House, roles: frozenset[str]) -> frozenset[str]:
    """Return the roles that have something to do here."""
    idle = set[str]()
    if not house.dev:
        idle.add("smtp")
    if not house.settings.exchange.enabled:
        idle.add("exchange")
    return roles - idle


def _settle_memory() -> None:
    """Leave what the start has made out of garbage collection, and collect the rest less often.

    Most of what a server makes is freed by reference counting; looking for cycles after each 700 objects, which is the
    interpreter's default, costs a tenth of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)


async def _open(settings: Settings, *, dev: bool) -> House:
    try:
        return await open_house(settings, dev=dev, patience_s=_DIRECTORY_S)
    except (DirectoryTaken, AlreadyOpen, SchemaNewer, MasterKeyError, UnknownProject, UnusableLimits) as problem:
        raise CannotStart(str(problem)) from None
    except OSError as problem:
        raise CannotStart(
            f"the data directory {settings.data.directory} cannot be used: {problem.strerror}. Give it to the user "
            "that runs Postroad, or choose another with POSTROAD_DATA_DIRECTORY."
        ) from None


async def _claim(house: House) -> None:
    """Take the store for `postroad serve`, or make sure in `postroad dev` that it never was.

    Mail that waits there to be sent would be captured, and count as delivered.

    Raises:
        CannotStart: `postroad serve` has run on it.
    """
    if not house.dev:
        at = to_rfc3339(house.clock.now())
        await house.database.write(lambda c: served.mark(c, at))
        return
    since = await house.database.read(served.since)
    if since is not None:
        raise CannotStart(
            f"`postroad serve` has used this database since {since}, and `postroad dev` would capture the mail that "
            "waits in it instead of sending it. Give it a database and a data directory of its own: with a settings "
            "file named by --config, or with POSTROAD_DATABASE_URL and POSTROAD_DATA_DIRECTORY."
        )


async def _told_to_stop() -> None:
    """Return on the first SIGTERM or SIGINT; a second one ends the process at once, which is safe."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)


@contextlib.asynccontextmanager
async def _running(house: House, roles: frozenset[str]) -> AsyncIterator[None]:
    """Run the roles while the body runs; at its end close the door first, then let mail in flight finish."""
    settings = house.settings
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(serve_administration(house))
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            "room": house.room.watch,
            "blobs": house.blobs.examine_until_good,
            "durability": house.lookout.watch,
            "ringing": house.ringing.run,
            "suspensions": house.suspensions.run,
        }
        if roles & {"http", "smtp"}:
            loops["key_uses"] = house.keys.record_uses_forever
        if "delivery" in roles:
            loops["delivery"] = house.sending.run
            loops["shaping"] = house.keeper.run
            loops["rules"] = house.rules.watch
            loops["transport"] = house.transport.run
        if "notifier" in roles:
            loops["notifier"] = house.notifier.run
        if "exchange" in roles:
            loops["inbound"] = house.inbound.run
        if "scheduler" in roles:
            loops |= {
                "domains": house.senders.recheck_forever,
                "retention": house.retention.run,
                "guard": house.guard.run,
            }
            if house.tls_mail is not None:
                loops["tls_mail"] = house.tls_mail.run
        tasks = [asyncio.create_task(_keep_running(name, loop), name=name) for name, loop in loops.items()]
        stack.push_async_callback(_drain, house, [task for task in tasks if task.get_name() == "delivery"])
        stack.push_async_callback(_cancel, [task for task in tasks if task.get_name() not in ("delivery", "notifier")])
        stack.push_async_callback(_finish, house, [task for task in tasks if task.get_name() == "notifier"])
        if "smtp" in roles and house.dev:
            listener = listen(settings.smtp.host, settings.smtp.port, "POSTROAD_SMTP")
            house.smtp_port = listener.getsockname()[1]
            await stack.enter_async_context(submission(house).listening(listener))
        if "exchange" in roles and settings.exchange.enabled:
            await stack.enter_async_context(_exchange(house))
        if "http" in roles:
            await stack.enter_async_context(_http(house))
        yield


@contextlib.asynccontextmanager
async def _exchange(house: House) -> AsyncIterator[None]:
    """Take mail that comes back while the body runs."""
    settings = house.settings.exchange
    try:
        door = exchange(house)
    except CertificateUnusable as problem:
        raise CannotStart(str(problem)) from None
    listener = listen(settings.host, settings.port, "POSTROAD_EXCHANGE")
    house.exchange_port = listener.getsockname()[1]
    async with door.listening(listener):
        yield


async def _keep_running(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    """Run a role's loop, and again when it failed."""
    while True:
        try:
            await loop()
        except Unavailable as away:
            _log.warning("role_waits", role=name, reason=away.code)
            await asyncio.sleep(_RESTART_S)
        except Exception:  # noqa: BLE001 - a role's loop goes on
            _log.exception("role_failed", role=name)
            await asyncio.sleep(_RESTART_S)
        else:
            return


async def _drain(house: House, delivery: list[asyncio.Task[None]]) -> None:
    """Let mail in flight finish, and the loop that takes it come to its end before the store is closed under it."""
    await house.sending.stop(house.settings.delivery.drain_s)
    if delivery:
        await asyncio.wait(delivery, timeout=_LAST_LOOK_S)
    await _cancel(delivery)


async def _finish(house: House, notifier: list[asyncio.Task[None]]) -> None:
    """Let webhook requests in flight finish."""
    house.notifier.stop()
    if notifier:
        await asyncio.wait(notifier, timeout=house.settings.webhooks.timeout_s + 5)
    await _cancel(notifier)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def _http(house: House) -> AsyncIterator[None]:
    """Serve HTTP while the body runs."""
    settings = house.settings.http
    listener = listen(settings.host, settings.port, "POSTROAD_HTTP")
    house.http_port = listener.getsockname()[1]
    server = server_of(http_door(house), settings, drain_s=_HTTP_DRAIN_S)
    await server.startup(sockets=[listener])
    task = asyncio.create_task(server.main_loop())
    try:
        yield
    finally:
        house.readiness.draining = True
        house.readiness.stopping.set()
        server.should_exit = True
        await task
        await server.shutdown(sockets=[listener])


def listen(host: str, port: int, setting: str) -> socket.socket:
    """Return a socket that listens.

    Raises:
        CannotStart: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        remedy = _LISTENING.get(error.errno or 0, "Stop what uses it, or").format(setting=setting)
        raise CannotStart(
            f"cannot listen on {host} port {port}: {error.strerror}. {remedy} choose another port with {setting}_PORT."
        ) from None
    listener.listen(2048)
    listener.setblocking(False)
    return listener
