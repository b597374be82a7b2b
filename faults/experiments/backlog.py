"""F19: a backlog for a dead site: live mail does not wait, memory stays bounded, a restart is quick."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from faults.checker import Mark
from faults.frame import Experiment, Options, Outcome
from faults.receiver import Talk, friendly, street
from faults.stage import Stage, stage, to_exchangers
from peers.dns import a

_DEAD, _LIVE = "127.19.0.1", "127.19.0.9"
_TIMEOUT_S = 4.0
_WAIT_S = 5.0
_RSS_MIB = 600
_RESTART_S = 30.0
_GIVE_UP_S = 20.0


async def _tars(_: Talk, phase: str) -> None:
    if phase == "banner":
        await asyncio.sleep(3600)


def run(options: Options) -> Outcome:
    """Queue much for a dead site, then send live mail, kill the server, and send again after its start.

    In the control the server has one delivery in hand at a time, so that the dead site's stands in the way.
    """
    backlog, live = options.sized(3000, 20_000, 1_000_000), options.sized(30, 200, 2000)
    with street() as place:
        place.open(_DEAD, _tars)
        place.open(_LIVE, friendly)
        records = [a("dead.test", _DEAD), a("live.test", _LIVE)]
        settings = to_exchangers(place.port, _TIMEOUT_S)
        settings["POSTROAD_STREAMS_RETRY_DELAYS_S"] = "10,20"
        if options.control:
            settings["POSTROAD_DELIVERY_CONCURRENCY"] = "1"
        with stage(options, settings, records=records) as on:
            began = time.monotonic()
            on.send_many([f"r{number}@dead.test" for number in range(backlog)])
            intake = backlog / (time.monotonic() - began)
            p95 = _p95(on, "live", 8 if options.control else live)
            rss = _rss_mib(on.node.pid)
            on.node.kill()
            started = time.monotonic()
            on.node.start()
            first = _wait_of(on, "after@live.test")
            restart = time.monotonic() - started if first < _GIVE_UP_S else 999.0
            rss = max(rss, _rss_mib(on.node.pid))
    marks = [
        Mark("WAIT", "p95 from the 202 to delivered for live mail, s", round(p95, 2), _WAIT_S),
        Mark("RSS", "memory of the server, MiB", round(rss), _RSS_MIB),
        Mark("RESTART", "from the start after kill -9 to the first delivery, s", round(restart, 1), _RESTART_S),
    ]
    return Outcome(marks, {"backlog": backlog, "live": live, "queued a second": round(intake)})


def _p95(on: Stage, name: str, count: int) -> float:
    waits = sorted(_wait_of(on, f"{name}{number}@live.test") for number in range(count))
    return waits[int(len(waits) * 0.95)]


def _wait_of(on: Stage, recipient: str) -> float:
    """Seconds from the 202 until the message is delivered."""
    sent = on.send(recipient)
    while on.state(sent) != "delivered" and time.monotonic() - sent.at < _GIVE_UP_S:
        time.sleep(0.02)
    return time.monotonic() - sent.at


def _rss_mib(pid: int) -> float:
    """Memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


EXPERIMENT = Experiment(
    number="F19",
    name="backlog",
    does="A backlog for a site that never says a word, live mail to another, and a kill -9 with a start.",
    control="one delivery in hand at a time (delivery.concurrency=1)",
    reveals=frozenset({"WAIT", "RESTART"}),
    run=run,
    engines=("sqlite", "postgresql"),
)
