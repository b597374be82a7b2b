"""F19: a backlog for a dead site: live mail does not wait or slow down, memory stays bounded, a restart is quick."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from faults.checker import Mark
from faults.frame import Experiment, Options, Outcome, Size
from faults.injector import Client
from faults.receiver import Receiver, Talk, friendly, street
from faults.stage import SENDER, Stage, stage, to_exchangers, wait_for
from peers.dns import a

_DEAD, _LIVE = "127.19.0.1", "127.19.0.9"
_TIMEOUT_S = 4.0
_WAIT_S = 5.0
_RSS_MIB = 600
_RESTART_S = 30.0
_DRAIN_PERCENT = 90.0
_GIVE_UP_S = 20.0
_MINUTE = 10_000
"""Live messages a minute."""
_CLIENTS = 8
_PART = 10_000
_ROUNDS = 5
_REST_S = 900.0
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


async def _tars(_: Talk, phase: str) -> None:
    if phase == "banner":
        await asyncio.sleep(3600)


def run(options: Options) -> Outcome:
    """Queue much for a dead site, then send live mail, kill the server, and send again after its start.

    In the control the server has one delivery in hand at a time, so that the dead site's stands in the way; a backlog
    of some thousands shows that.
    """
    backlog, live = options.sized(3000, 20_000, 1_000_000), options.sized(150, 2000, _MINUTE)
    portion = options.sized(200, 1000, 3000)
    with street() as place:
        place.open(_DEAD, _tars)
        receiver = place.open(_LIVE, friendly)
        records = [a("dead.test", _DEAD), a("live.test", _LIVE)]
        settings = to_exchangers(place.port, _TIMEOUT_S)
        settings["POSTROAD_STREAMS_RETRY_DELAYS_S"] = "10,20"
        settings["POSTROAD_DELIVERY_MESSAGES_PER_SECOND"] = "100000"
        if options.control:
            settings["POSTROAD_DELIVERY_CONCURRENCY"] = "1"
            backlog, live = min(backlog, 20_000), 8
        with stage(options, settings, records=records) as on:
            before = [] if options.control else _drains(on, receiver, "before", portion)
            began = time.monotonic()
            for start in range(0, backlog, _PART):
                on.send_many([f"r{number}@dead.test" for number in range(start, min(start + _PART, backlog))])
            intake = backlog / (time.monotonic() - began)
            p95 = _p95(on, receiver, live)
            began = time.monotonic()
            at_rest = wait_for(lambda: options.control or _idle(on.node.pid), _REST_S, every_s=0)
            rest = time.monotonic() - began
            beside = [] if options.control else _drains(on, receiver, "beside", portion)
            rss = _most_mib(on.node.pid)
            on.node.kill()
            started = time.monotonic()
            on.node.start()
            first = _wait_of(on, "after@live.test")
            restart = time.monotonic() - started if first < _GIVE_UP_S else 999.0
            rss = max(rss, _most_mib(on.node.pid))
    marks = [
        Mark("WAIT", "p95 from the 202 to the receiver for live mail, s", round(p95, 2), _WAIT_S),
        Mark("RSS", "most memory that the server had, MiB", round(rss), _RSS_MIB),
        Mark("RESTART", "from the start after kill -9 to the first delivery, s", round(restart, 1), _RESTART_S),
    ]
    facts: dict[str, float | str] = {"backlog": backlog, "live": live, "queued a second": round(intake)}
    if before and beside:
        share = max(rate for rate, _ in beside) / max(rate for rate, _ in before) * 100
        # a small one is over in no time, which says nothing
        limit = _DRAIN_PERCENT if options.size is Size.FULL else None
        marks.append(
            Mark("DRAIN", "best rate beside the backlog, % of the best before it", round(share), limit, least=True)
        )
        facts |= {
            "drained a second before": round(max(rate for rate, _ in before)),
            "and beside": round(max(rate for rate, _ in beside)),
            "CPU a message before, µs": round(min(cpu for _, cpu in before) * 1e6),
            "and beside, µs": round(min(cpu for _, cpu in beside) * 1e6),
            "until the backlog was out of the way, s": round(rest) if at_rest else f"over {_REST_S:g}",
        }
    return Outcome(marks, facts)


def _drains(on: Stage, receiver: Receiver, name: str, portion: int) -> list[tuple[float, float]]:
    """Send so many messages at once, some times over: messages a second, and the server's CPU for each."""
    found = []
    for turn in range(_ROUNDS):
        there, cpu, began = len(receiver.entries), _cpu_s(on.node.pid), time.monotonic()
        on.send_many([f"{name}{turn}-{number}@live.test" for number in range(portion)])
        wait_for(lambda there=there: len(receiver.entries) >= there + portion, 120, every_s=0.01)  # type: ignore[misc] # a bound default
        found.append((portion / (time.monotonic() - began), (_cpu_s(on.node.pid) - cpu) / portion))
    return found


def _p95(on: Stage, receiver: Receiver, count: int) -> float:
    """Send live mail at its rate, and return its p95 from the 202 to the receiver; what never came took for ever."""
    recipients = [f"live{number}@live.test" for number in range(count)]
    began = time.monotonic()
    with ThreadPoolExecutor(_CLIENTS) as pool:
        found = pool.map(lambda index: _paced(on, index, recipients[index::_CLIENTS], began), range(_CLIENTS))
        answered = dict(pair for pairs in found for pair in pairs)
    arrived: dict[str, int] = {}

    def all_there() -> bool:
        arrived.update((entry.recipient, entry.at_ns) for entry in list(receiver.entries))
        return answered.keys() <= arrived.keys()

    wait_for(all_there, _GIVE_UP_S, every_s=0.25)
    never = time.time_ns() + int(_GIVE_UP_S * 1e9)
    waits = sorted(max(0, arrived.get(name, never) - at) / 1e9 for name, at in answered.items())
    return waits[int(len(waits) * 0.95)]


def _paced(on: Stage, index: int, recipients: Sequence[str], began: float) -> list[tuple[str, int]]:
    """Send one after the other, each when its time has come, and note when it was answered."""
    client = Client([node.port for node in on.nodes], on.key, f"live-{index}")
    answered = []
    for number, recipient in enumerate(recipients):
        time.sleep(max(0.0, began + (number * _CLIENTS + index) * 60 / _MINUTE - time.monotonic()))
        document = {"from": SENDER, "to": [recipient], "subject": "Live", "text": "Hello.\n"}
        body, headers = msgspec.json.encode(document), {"idempotency-key": recipient}
        client.insist("POST", "/v1/messages", body, headers, time.monotonic() + 60)
        answered.append((recipient, time.time_ns()))
    client.close()
    return answered


def _wait_of(on: Stage, recipient: str) -> float:
    """Seconds from the 202 until the message is delivered."""
    sent = on.send(recipient)
    while on.state(sent) != "delivered" and time.monotonic() - sent.at < _GIVE_UP_S:
        time.sleep(0.02)
    return time.monotonic() - sent.at


def _idle(pid: int) -> bool:
    """Look for two seconds whether the server has next to nothing to do."""
    before = _cpu_s(pid)
    time.sleep(2)
    return (_cpu_s(pid) - before) / 2 < 0.1


def _cpu_s(pid: int) -> float:
    """User and system time of a process and of its children that live."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in (str(pid), *children)]
    return sum(int(stat[11]) + int(stat[12]) for stat in fields) * _TICK_S


def _most_mib(pid: int) -> float:
    """The most memory that a process has had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
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
