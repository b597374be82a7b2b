"""What one pipelined transaction costs our process, in microseconds of CPU: `python -m bench.micro.smtp`.

The server is another process that does as little as a server can, so that only the client's side is measured: the
machine alone, the machine on a connection, and the whole of stage 3 with its pool and its attempt.
"""

import asyncio
import json
import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection as Pipe

import uvloop

from postroad.config.tree import Timeouts
from postroad.model.clock import Instant
from postroad.model.composition import Composed
from postroad.model.route import RelayRoute, Security
from postroad.pipeline.deliver import Deliverer, DeliverSettings
from postroad.wire.smtp.client import Client

BODY = (b"x" * 70 + b"\r\n") * 75
MESSAGE = Composed("bounce+0123456789abcdef@bounce.example.org", "someone@example.com", BODY, False, b"")
GREETING = b"250-sink\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250 8BITMIME\r\n"
GROUP = b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"
TAKEN = b"250 2.0.0 Ok: queued as 4QX1Y2Z3\r\n"
COUNT = 5000


class Sink(asyncio.Protocol):
    """Answers a well-behaved pipelining client without reading what it says."""

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data):
        if data.endswith(b"\r\n.\r\n"):
            self.transport.write(TAKEN)
        elif data.endswith(b"DATA\r\n"):
            self.transport.write(GROUP)
        elif data[:4] == b"EHLO":
            self.transport.write(GREETING)
        elif data[:4] == b"QUIT":
            self.transport.close()


def serve(pipe: Pipe) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Sink, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    uvloop.run(run())


class WallClock:
    def now(self) -> Instant:
        return Instant(time.time_ns() // 1000)


def machine() -> float:
    client = Client()
    client.receive(b"220 sink\r\n")
    client.hello("us.example")
    client.outgoing()
    client.receive(GREETING)
    began = time.process_time()
    for _ in range(COUNT):
        client.transaction(MESSAGE.mail_from, (MESSAGE.rcpt_to,), BODY)
        client.outgoing()
        client.receive(GROUP)
        client.outgoing()
        client.receive(TAKEN)
        client.take_conversation()
    return (time.process_time() - began) / COUNT * 1e6


async def stage(port: int, workers: int) -> float:
    settings = DeliverSettings(
        hostname="us.example",
        connections_per_destination=workers,
        messages_per_connection=10**9,
        messages_per_second=1e9,
        timeouts=Timeouts(),
    )
    deliverer = Deliverer(settings, clock=WallClock(), chance=lambda: 0.5)
    route = RelayRoute("sink", "127.0.0.1", port, Security.PLAIN)

    async def work(count: int) -> None:
        for _ in range(count):
            attempt = await deliverer.deliver(route, MESSAGE)
            assert attempt.delivered, attempt

    await asyncio.gather(*(work(2) for _ in range(workers)))
    began = time.process_time()
    await asyncio.gather(*(work(COUNT // workers) for _ in range(workers)))
    spent = (time.process_time() - began) / COUNT * 1e6
    await deliverer.drain()
    return spent


def main() -> None:
    ours, theirs = multiprocessing.Pipe()
    sink = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    sink.start()
    port = ours.recv()
    rows = {
        "machine alone": [machine() for _ in range(5)],
        "stage 3, 1 connection": [uvloop.run(stage(port, 1)) for _ in range(5)],
        "stage 3, 20 connections": [uvloop.run(stage(port, 20)) for _ in range(5)],
    }
    sink.terminate()
    medians = {name: round(statistics.median(values), 1) for name, values in rows.items()}
    if "--json" in sys.argv:
        print(json.dumps(medians))
        return
    for name, value in medians.items():
        print(f"{name:28}{value:8.1f} µs of CPU")


if __name__ == "__main__":
    main()
