"""An HTTP load generator that costs little: raw HTTP/1.1 over uvloop, requests laid out before the clock starts.

It runs as a process of its own, `python -m bench.load`, told what to do by a `Plan` on standard input; it says `ready`,
waits for a line, runs, and prints an `Outcome`. Closed loop: each connection sends its next request when the last is
answered. Open loop (`rate`): requests are due at fixed times, and latency counts from when a request was due.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import time
from collections import Counter, deque
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

import msgspec
import uvloop

from bench import mail

STALLED_S = 30.0
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_ROOT = Path(__file__).parent.parent


class Plan(msgspec.Struct, frozen=True):
    """What to send where."""

    host: str
    port: int
    key: str
    run: str
    messages: int
    batch: int = 1
    connections: int = 64
    rate: float | None = None
    """Requests a second (open loop); None is as fast as answers come (closed loop)."""
    first: int = 0


class Outcome(msgspec.Struct, frozen=True):
    """What came of it."""

    statuses: dict[str, int]
    seconds: float
    latencies_ms: list[float]
    acknowledged_ns: list[int]
    """Wall-clock instants of the answers, in the order of the requests; 0 where there was none."""
    cpu_s: float
    sample: str
    """The first answer that was not 2xx, or the first of all."""

    def accepted(self) -> int:
        return sum(count for status, count in self.statuses.items() if status.startswith("2"))

    def latency_ms(self, quantile: float) -> float:
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * quantile))] if ordered else 0.0


def lay_out(plan: Plan) -> list[bytes]:
    """The octets of every request."""
    path = "/v1/messages" if plan.batch == 1 else "/v1/messages/batch"
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {plan.host}:{plan.port}\r\nauthorization: Bearer {plan.key}\r\n"
        "content-type: application/json\r\naccept: application/json\r\ncontent-length: "
    ).encode()
    requests = []
    for number in range(plan.first, plan.first + plan.messages, plan.batch):
        size = min(plan.batch, plan.first + plan.messages - number)
        body = mail.single(plan.run, number) if plan.batch == 1 else mail.batch(plan.run, number, size)
        requests.append(b"%b%d\r\n\r\n%b" % (head, len(body), body))
    return requests


class Generator:
    """The state of one run, shared by its connections."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests = lay_out(plan)
        self.statuses: Counter[str] = Counter()
        self.latencies_ms = [0.0] * len(self.requests)
        self.acknowledged_ns = [0] * len(self.requests)
        self.sample = ""
        self.bad_sample = False
        self.next = 0
        self.answered = 0
        self.done = asyncio.Event()
        self.idle: deque[Connection] = deque()
        self.due: deque[int] = deque()
        self.due_at: list[float] = []

    def take(self, connection: Connection) -> None:
        """Give a free connection its next request, or let it rest."""
        if self.plan.rate is None:
            if self.next < len(self.requests):
                connection.send(self.next, time.perf_counter())
                self.next += 1
        elif self.due:
            number = self.due.popleft()
            connection.send(number, self.due_at[number])
        else:
            self.idle.append(connection)

    def finished(self, number: int, began: float, status: str, response: bytes) -> None:
        """Note an answer."""
        self.latencies_ms[number] = (time.perf_counter() - began) * 1000
        self.acknowledged_ns[number] = time.time_ns()
        self.statuses[status] += 1
        bad = not status.startswith("2")
        if not self.sample or (bad and not self.bad_sample):
            self.sample, self.bad_sample = response[:2000].decode("utf-8", "replace"), bad
        self.answered += 1
        if self.answered == len(self.requests):
            self.done.set()

    async def release_on_time(self, rate: float) -> None:
        """Open loop: make each request due at its time."""
        began = time.perf_counter()
        self.due_at = [began + number / rate for number in range(len(self.requests))]
        for number, due in enumerate(self.due_at):
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            self.due.append(number)
            if self.idle:
                self.take(self.idle.popleft())

    async def run(self) -> Outcome:
        """Connect everything, wait for the word, send everything."""
        loop = asyncio.get_running_loop()
        connections = []
        for _ in range(self.plan.connections):
            _, connection = await loop.create_connection(lambda: Connection(self), self.plan.host, self.plan.port)
            connections.append(connection)
        print("ready", flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        cpu, began = _cpu_s(), time.perf_counter()
        for connection in connections:
            self.take(connection)
        if self.plan.rate is not None:
            await self.release_on_time(self.plan.rate)
        await self._all_answered()
        return Outcome(
            statuses=dict(self.statuses),
            seconds=time.perf_counter() - began,
            latencies_ms=self.latencies_ms,
            acknowledged_ns=self.acknowledged_ns,
            cpu_s=_cpu_s() - cpu,
            sample=self.sample,
        )

    async def _all_answered(self) -> None:
        """Wait for the last answer, or until no answer came for `STALLED_S`; what is missing counts as `none`."""
        answered = -1
        while not self.done.is_set() and answered != self.answered:
            answered = self.answered
            with suppress(TimeoutError):
                await asyncio.wait_for(self.done.wait(), STALLED_S)
        if self.answered < len(self.requests):
            self.statuses["none"] = len(self.requests) - self.answered


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on it."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._buffer = b""
        self._number = -1
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, number: int, began: float) -> None:
        self._number, self._began = number, began
        self._transport.write(self._generator.requests[number])

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head = self._buffer.find(_HEAD_END)
        if head < 0:
            return
        fields = self._buffer[:head].lower()
        at = fields.find(_LENGTH)
        length = int(fields[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < head + 4 + length:
            return
        response, self._buffer = self._buffer, b""
        self._generator.finished(self._number, self._began, response[9:12].decode(), response)
        self._number = -1
        self._generator.take(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._number >= 0:
            self._generator.finished(self._number, self._began, "closed", repr(exc).encode())


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Load:
    """A load generator process, ready to go."""

    def __init__(self, plan: Plan) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT
        )
        self._in = cast("IO[bytes]", self._process.stdin)
        self._out = cast("IO[bytes]", self._process.stdout)
        self._in.write(msgspec.json.encode(plan) + b"\n")
        self._in.flush()
        if self._out.readline() != b"ready\n":
            raise RuntimeError("the load generator did not start")

    def go(self) -> float:
        """Let it run; returns the monotonic instant of the start."""
        began = time.monotonic()
        self._in.write(b"go\n")
        self._in.flush()
        return began

    def outcome(self) -> Outcome:
        """Wait for the end."""
        document = self._out.read()
        status = self._process.wait()
        self._in.close()
        self._out.close()
        if status != 0:
            raise RuntimeError(f"the load generator ended with {status}")
        return msgspec.json.decode(document, type=Outcome)


def main() -> None:
    plan = msgspec.json.decode(sys.stdin.readline(), type=Plan)

    async def generate() -> Outcome:
        return await Generator(plan).run()

    outcome = msgspec.json.encode(uvloop.run(generate()))
    # Under PYTHONUNBUFFERED the standard stream is raw and may write less than all of it; this one is buffered.
    with os.fdopen(sys.stdout.fileno(), "wb", closefd=False) as out:
        out.write(outcome)


if __name__ == "__main__":
    main()
