"""Where composing runs: processes of our own, one a core, that compose and sign and do nothing else.

Signing in threads starves beside busy Python code, so that the work goes to processes over a socket pair, many jobs in
one frame. A job is pure, so a process that dies or hangs loses nothing: its jobs run again one by one in a process
where nothing else runs, and a job that takes that down by itself is given up as poison instead of taking the queue with
it.
"""

import asyncio
import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, cast

import structlog

from postroad.model.composition import Composed, ComposeFailed, ComposeJob, SigningKey
from postroad.model.errors import Unavailable
from postroad.pipeline.press import frames
from postroad.pipeline.press.arithmetic import Environment

_log = structlog.get_logger("postroad.press")
_ENTRY = "from postroad.pipeline.press.worker import main; main({fd})"
_JOB_LIMIT_S = 30.0
_DEATHS = 2

POISON = frames.POISON

Outcome = Composed | ComposeFailed


class Press(Protocol):
    """Composes."""

    def prepare(self) -> None:
        """Begin to find out what would otherwise be found out when the first job waits."""
        ...

    async def compose(self, jobs: Sequence[ComposeJob], keys: Sequence[SigningKey]) -> list[Outcome]:
        """Return the outcome of each job, in order. `keys` holds every signing key that the jobs name."""
        ...

    @property
    def idle(self) -> bool:
        """Whether a job would be begun at once."""
        ...

    async def close(self) -> None:
        """Stop."""
        ...


class PressInside:
    """Composes on one thread of this process: for `postroad dev`, tests and single questions."""

    def __init__(self) -> None:
        self._bench = frames.Bench()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compose")
        self._load = 0

    def prepare(self) -> None:
        """Do nothing: a thread has nothing to find out."""

    async def compose(self, jobs: Sequence[ComposeJob], keys: Sequence[SigningKey]) -> list[Outcome]:
        """Return the outcome of each job, in order."""
        self._load += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, list(jobs), list(keys))
        finally:
            self._load -= 1

    @property
    def idle(self) -> bool:
        """Whether the thread has nothing to do."""
        return self._load == 0

    async def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(wait=False)

    def _work(self, jobs: list[ComposeJob], keys: list[SigningKey]) -> list[Outcome]:
        self._bench.learn(keys)
        return [self._bench.compose(job) for job in jobs]


class PressOutside:
    """Composes in `count` processes; the one with the least to do gets the next jobs."""

    def __init__(self, count: int, environment: Callable[[], Coroutine[None, None, Environment]] | None = None) -> None:
        """Take what finds out, once, what to add to the environment of the processes."""
        self._find_environment = environment
        self._finding: asyncio.Task[Environment] | None = None
        self._workers = [_Worker(self._environment) for _ in range(count)]
        self._quarantine = _Worker(self._environment)
        self._one_by_one = asyncio.Lock()

    def prepare(self) -> None:
        """Begin to find out what the processes are to be started with."""
        if self._find_environment is not None and self._finding is None:
            self._finding = asyncio.create_task(self._find_environment())

    async def _environment(self) -> Environment:
        return {} if self._finding is None else await asyncio.shield(self._finding)

    async def compose(self, jobs: Sequence[ComposeJob], keys: Sequence[SigningKey]) -> list[Outcome]:
        """Return the outcome of each job, in order."""
        worker = min(self._workers, key=lambda one: one.load)
        try:
            return await worker.run(jobs, keys)
        except _Died:
            _log.warning("compose_process_died", jobs=len(jobs))
        async with self._one_by_one:
            try:
                return [await self._alone(job, keys) for job in jobs]
            finally:
                await self._quarantine.stop()

    @property
    def idle(self) -> bool:
        """Whether a process has nothing to do."""
        return any(worker.load == 0 for worker in self._workers)

    async def close(self) -> None:
        """End the processes."""
        if self._finding is not None:
            self._finding.cancel()
        for worker in (*self._workers, self._quarantine):
            await worker.stop()

    async def _alone(self, job: ComposeJob, keys: Sequence[SigningKey]) -> Outcome:
        for _ in range(_DEATHS):
            try:
                return (await self._quarantine.run([job], keys))[0]
            except _Died:
                _log.error("compose_process_died", delivery=job.delivery_id)
        return ComposeFailed(POISON, "Composing this message stopped the process that did it, twice.")


class _Died(Exception):  # noqa: N818 - an inner signal
    """The process ended, or hung and was ended, with work in hand."""


@dataclass(slots=True)
class _Worker:
    """One process, started when it is first needed and again when it has died."""

    environment: Callable[[], Awaitable[Environment]]
    load: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _link: "_Link | None" = None
    _known: set[str] = field(default_factory=set)
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, jobs: Sequence[ComposeJob], keys: Sequence[SigningKey]) -> list[Outcome]:
        """Have the process do `jobs`.

        Raises:
            _Died: it did not.
            Unavailable: no process can be started now.
        """
        self.load += len(jobs)
        link = self._link
        try:
            if link is None or link.broken:
                link = await self._start()
            new = [key for key in keys if key.id not in self._known]
            self._known.update(key.id for key in new)
            answer = link.ask(frames.encode_work(new, jobs))
            octets = await asyncio.wait_for(answer, _JOB_LIMIT_S + len(jobs))
            return frames.decode_outcomes(octets)
        except (TimeoutError, ConnectionError, OSError) as error:
            if link is self._link:  # otherwise another has seen it, and this is the next process already
                self._kill()
            raise _Died from error
        finally:
            self.load -= len(jobs)

    async def _start(self) -> "_Link":
        async with self._starting:
            if self._link is not None and not self._link.broken:
                return self._link
            self._kill()
            environment = await self.environment()
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    self._process = _spawn(theirs.fileno(), environment)
                except OSError as error:
                    ours.close()
                    raise Unavailable("busy", "No process can be started to compose.", retry_after_s=5) from error
            ours.setblocking(False)
            self._known = set()
            _, self._link = await asyncio.get_running_loop().connect_accepted_socket(_Link, ours)
            return self._link

    def _kill(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def stop(self) -> None:
        """End the process: it ends by itself when its socket closes."""
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._process is not None:
            try:
                await asyncio.to_thread(self._process.wait, 5)
            except subprocess.TimeoutExpired:
                self._kill()
            self._process = None


def _spawn(descriptor: int, environment: Environment) -> subprocess.Popen[bytes]:
    """Start a composing process on its end of a socket pair."""
    command = [sys.executable, "-c", _ENTRY.format(fd=descriptor)]
    return subprocess.Popen(command, pass_fds=[descriptor], stdin=subprocess.DEVNULL, env={**os.environ, **environment})


class _Link(asyncio.Protocol):
    """Our end of the socket pair: numbered frames out, numbered frames back."""

    def __init__(self) -> None:
        self.broken = False
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._reader = frames.Reader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        for number, octets in self._reader.feed(data):
            future = self._waiting.pop(number, None)
            if future is not None and not future.done():
                future.set_result(octets)

    def connection_lost(self, exc: Exception | None) -> None:
        self.broken = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionResetError("the composing process ended"))
        self._waiting.clear()

    def ask(self, octets: bytes) -> asyncio.Future[bytes]:
        """Send a frame; the future holds the answer's octets."""
        if self.broken or self._transport is None:
            raise ConnectionResetError("the composing process ended")
        number = next(self._numbers)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._transport.writelines((frames.head(number, octets), octets))
        return future

    def close(self) -> None:
        """Close the socket."""
        self.broken = True
        if self._transport is not None:
            self._transport.close()
