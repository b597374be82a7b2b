"""F11: a tarpit and a black hole: each has its limit of connections, is left alone soon, and slows nobody."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from faults.checker import Mark, none_of
from faults.frame import Experiment, Options, Outcome
from faults.receiver import Talk, friendly, street
from faults.stage import Stage, stage, to_exchangers
from peers.dns import a

_TAR, _HOLE, _LIVE = "127.11.0.1", "127.11.0.2", "127.11.0.9"
_LIMIT = 10
"""The default of delivery.connections_per_destination."""
_TIMEOUT_S = 2.0
_TIMES = 3
"""How often a throughput is measured; the best counts, since whatever else a machine does only makes it less."""


async def _tars(talk: Talk, phase: str) -> None:
    """Take the connection and never say a word, until the client goes."""
    if phase == "banner":
        await talk.end("timeout")


@contextmanager
def _black_hole(host: str, port: int) -> Iterator[socket.socket]:
    """An address that takes no more connections and refuses none: a listener whose queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((host, port))
        yield listener


def run(options: Options) -> Outcome:
    """Send much to both and measure a healthy site beside them. The control has no limits to speak of."""
    dead, live = options.sized(150, 600, 10_000), options.sized(150, 600, 5000)
    with street() as place:
        tar = place.open(_TAR, _tars)
        place.open(_LIVE, friendly)
        records = [a("tar.test", _TAR), a("hole.test", _HOLE), a("live.test", _LIVE)]
        settings = to_exchangers(place.port, _TIMEOUT_S)
        if options.control:
            settings |= {
                "POSTROAD_DELIVERY_CONNECTIONS_PER_DESTINATION": "1000",
                "POSTROAD_SHAPING_START_CONNECTIONS": "1000",
                "POSTROAD_SHAPING_CONNECTIONS_PER_MINUTE": "1000000",
            }
        with _black_hole(_HOLE, place.port), stage(options, settings, records=records) as on:
            _throughput(on, "warm", live)
            alone_s = [_throughput(on, f"alone{number}-", live) for number in range(_TIMES)]
            on.send_many([f"r{number}@{name}.test" for number in range(dead // 2) for name in ("tar", "hole")])
            time.sleep(1.0)
            beside_s = [_throughput(on, f"beside{number}-", live) for number in range(_TIMES)]
            time.sleep(2 * _TIMEOUT_S)
            sessions = tar.connections
            time.sleep(2 * _TIMEOUT_S)
            later = tar.connections - sessions
        arrived = {entry.recipient for entry in place.entries}
    missing = [f"{name}{n}-{number}" for name in ("alone", "beside") for n in range(_TIMES) for number in range(live)]
    marks = [
        none_of(
            "LOST",
            "mail to the healthy site that is not there",
            [each for each in missing if f"{each}@live.test" not in arrived],
        ),
        Mark("CAP", "connections to the tarpit at a time", tar.most_open, _LIMIT),
        Mark(
            "SHARE",
            "throughput of the healthy site beside both, % of alone",
            round(100 * min(alone_s) / min(beside_s)),
            90,
            least=True,
        ),
        Mark("BREAKER", "connections to the tarpit in the last 4 s, when it had failed for 5 s", later, 2),
    ]
    facts: dict[str, float | str] = {
        "messages to dead sites": dead,
        "healthy": live,
        "connections to the tarpit": sessions + later,
        "alone, s": _told(alone_s),
        "beside, s": _told(beside_s),
    }
    return Outcome(marks, facts)


def _throughput(on: Stage, name: str, count: int) -> float:
    """Seconds until so many messages to the healthy site have ended."""
    began = time.monotonic()
    sent = on.send_many([f"{name}{number}@live.test" for number in range(count)])
    on.await_states(sent[-20:], timeout_s=120)
    on.await_states(sent, timeout_s=60)
    return time.monotonic() - began


def _told(times_s: list[float]) -> str:
    return ", ".join(f"{each:.2f}" for each in times_s)


EXPERIMENT = Experiment(
    number="F11",
    name="tarpit",
    does="Much mail to a site that never says a word and to one that never answers a SYN, and some to a healthy one.",
    control="limits of a thousand connections",
    reveals=frozenset({"CAP"}),
    run=run,
    also=("postgresql",),
)
