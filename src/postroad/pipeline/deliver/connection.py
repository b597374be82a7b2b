"""One connection to a mail server: the client machine joined to a socket and a clock."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, cast

from postroad.config.tree import Timeouts
from postroad.model.attempt import TlsFacts, Trouble
from postroad.model.composition import Composed
from postroad.pipeline.deliver.settings import BeforeDot
from postroad.pipeline.deliver.tls import UNASKED, TlsFlaw, read_error, read_session
from postroad.wire.smtp import events
from postroad.wire.smtp.client import Client
from postroad.wire.smtp.phase import Phase
from postroad.wire.smtp.transaction import Outcome

_CONTENT: Final = frozenset({Phase.BODY, Phase.DOT})


class Connection(asyncio.Protocol):
    """The shell of a `Client`: it writes and reads, waits no longer than each phase allows, and remembers why it ended.

    At most one coroutine uses a connection at a time.
    """

    def __init__(self, timeouts: Timeouts, *, host: str, ip: str, port: int, tls: bool = False) -> None:
        self.host, self.ip, self.port = host, ip, port
        self.client = Client(tls=tls)
        self.tls: TlsFacts | None = None
        self.session: ssl.SSLObject | None = None
        self.demand = UNASKED
        self.source: str | None = None
        self.trouble: Trouble | None = None
        self.detail = ""
        self.transactions = 0
        self.idle_since = 0.0
        self.on_end: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._timeouts = _by_phase(timeouts)
        self._tick = min(self._timeouts.values())
        self._transport: asyncio.Transport | None = None
        self._found: list[events.Event] = []
        self._waiter: asyncio.Future[None] | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._paused = False
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._before_dot: BeforeDot | None = None
        self._now_ms()

    # What users of a connection do

    @property
    def usable(self) -> bool:
        """Whether another transaction may begin."""
        return self.client.phase is Phase.IDLE and self._transport is not None

    async def wait(self, found: list[events.Event]) -> list[events.Event]:
        """Write what a verb left to write, and return its events, or the first that come."""
        self._found += found
        self._go_on()
        if not self._found and self.client.phase is Phase.CLOSED:
            return [events.Disconnected(Phase.CLOSED)]
        if not self._found:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        taken, self._found = self._found, []
        return taken

    async def transact(self, composed: Composed, before_dot: BeforeDot | None = None) -> Outcome:
        """Carry one message; whatever the peer does is in the outcome."""
        self._now_ms()
        self._before_dot = before_dot
        self.transactions += 1
        verb = self.client.transaction(
            composed.mail_from, (composed.rcpt_to,), composed.octets, smtputf8=composed.smtputf8
        )
        for event in await self.wait(verb):
            if isinstance(event, events.TransactionEnded):
                return event.outcome
        raise AssertionError("a transaction ends in one event, which comes first")

    async def secure(self, context: ssl.SSLContext, name: str) -> TlsFlaw | None:
        """Do the handshake that the peer waits for; returns why when it fails, and the connection is lost."""
        assert self._transport is not None
        self._deadline = None
        try:
            transport = await self._loop.start_tls(
                self._transport,
                self,
                context,
                server_hostname=name,
                ssl_handshake_timeout=self._timeouts[Phase.STARTTLS],
            )
        except (OSError, ssl.SSLError) as error:
            self.abort()
            return read_error(error)
        if transport is None or self.client.phase is Phase.CLOSED:
            self.abort()
            return read_error(ConnectionResetError())
        self._now_ms()
        self.connection_made(transport)
        self.client.tls_started()
        return None

    def leave(self) -> None:
        """Say QUIT and close when that is answered, or soon. Returns at once."""
        if not self.usable:
            self.abort()
            return
        self.on_end = _nothing
        self.client.quit()
        self._go_on()

    def give_up(self, trouble: Trouble, detail: str) -> None:
        """End the conversation now; whoever waits for it learns the reason."""
        if self.trouble is None:
            self.trouble, self.detail = trouble, detail
        self._now_ms()
        self._found += self.client.lost(flushed=not self._paused)
        self._wake()
        self.abort()

    @property
    def content_begun(self) -> bool:
        """Whether content is on its way, so that giving up would waste or double it."""
        return self.client.phase in _CONTENT

    def abort(self) -> None:
        """Close without a word."""
        self.client.lost()
        self._cancel_timer()
        if self._transport is not None:
            self._transport.abort()

    def when_closed(self, act: Callable[[], None]) -> None:
        """Have `act` called once the transport is gone."""
        self._closed.add_done_callback(lambda _: act())

    async def wait_closed(self) -> None:
        """Wait until the transport is gone."""
        await asyncio.shield(self._closed)

    # What the event loop does

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; asked to hold nothing back, `_paused` tells whether all was handed to the network."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports share no class with asyncio's
        self._paused = False
        self._transport.set_write_buffer_limits(high=1, low=0)  # with 0, TLS transports would pause at nothing
        self.session = transport.get_extra_info("ssl_object")
        if self.session is not None:
            self.tls = read_session(self.session)
            self.client.note(f"<TLS: {self.tls.version} {self.tls.cipher}>")
        self._set_deadline()

    def data_received(self, data: bytes) -> None:
        """Feed the machine and write what it has to say."""
        self._now_ms()
        self._found += self.client.receive(data)
        self._go_on()
        self._wake()

    def eof_received(self) -> None:
        """Let the transport close: a server that says no more does not hear either.

        What it has not taken yet is not to follow: with the dot still in our hands nothing is in doubt.
        """
        if self._paused and self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the machine that the connection is gone."""
        self._now_ms()
        if self.client.phase is not Phase.CLOSED and self.trouble is None:
            how = "closed" if exc is None else "reset"
            self.trouble, self.detail = Trouble.CLOSED, f"The connection was {how} by the peer."
        self._found += self.client.lost(flushed=not self._paused)
        self._transport = None
        self._cancel_timer()
        if not self._closed.done():
            self._closed.set_result(None)
        self._wake()

    def pause_writing(self) -> None:
        """Note that the network does not take more."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on with large content."""
        self._paused = False
        self._go_on()

    # Inside

    def _go_on(self) -> None:
        """Write all that may be written, and wait for what comes next."""
        if self._transport is None:
            if self.client.phase is not Phase.CLOSED:
                self._found += self.client.lost(flushed=not self._paused)
            return
        if self._before_dot is not None and self.client.phase in _CONTENT:
            ask, self._before_dot = self._before_dot, None
            if not ask():
                self._hand_back()
                return
        while not self._paused and (octets := self.client.outgoing()):
            self._transport.write(octets)
            if self._transport.is_closing():
                self._paused = True  # the write failed: what it held went nowhere, and nothing follows it
        self._set_deadline()

    def _hand_back(self) -> None:
        self.trouble, self.detail = Trouble.HANDED_BACK, "Given back before content was sent."
        self._found += self.client.lost(flushed=False)
        self._wake()
        self.abort()

    def _wake(self) -> None:
        """Wake whoever waits; with nobody waiting, see to what a peer says unasked."""
        if not self._found:
            return
        if self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_result(None)
            return
        if self.on_end is not None and self.client.phase is Phase.CLOSED:
            on_end, self.on_end, self._found = self.on_end, None, []
            self._cancel_timer()
            if self._transport is not None:
                self._transport.close()
            on_end()

    def _set_deadline(self) -> None:
        phase = self.client.phase
        if phase is Phase.DOT and self._paused:
            phase = Phase.BODY
        timeout_s = self._timeouts.get(phase)
        if timeout_s is None:
            self._deadline = None
            return
        now = self._loop.time()
        self._deadline = now + timeout_s
        if self._timer is None:
            # never later than any deadline that may be set meanwhile, so the timer need not be moved with each phase
            self._timer = self._loop.call_at(now + self._tick, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        now = self._loop.time()
        if now < self._deadline:
            self._timer = self._loop.call_at(min(self._deadline, now + self._tick), self._on_timer)
            return
        self.give_up(Trouble.TIMEOUT, f"The peer did not answer in time ({self.client.phase}).")

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _now_ms(self) -> None:
        self.client.at(int(self._loop.time() * 1000))


def _nothing() -> None:
    """Stand for nobody who would want to know."""


def _by_phase(timeouts: Timeouts) -> dict[Phase, float]:
    """Return how long to wait in each phase; in those that are missing, for ever."""
    return {
        Phase.BANNER: timeouts.banner_s,
        Phase.EHLO: timeouts.ehlo_s,
        Phase.STARTTLS: timeouts.tls_s,
        Phase.AUTH: timeouts.auth_s,
        Phase.MAIL: timeouts.mail_s,
        Phase.RCPT: timeouts.rcpt_s,
        Phase.DATA: timeouts.data_s,
        Phase.BODY: timeouts.block_s,
        Phase.DOT: timeouts.dot_s,
        Phase.QUIT: timeouts.quit_s,
    }
