"""F10: receivers that are slow, but answer within the timeouts of the standard: once each, and nobody else waits.

Times are production's divided by thirty: a banner after 4.5 minutes of 5 is one after 9 s of 10.
"""

from __future__ import annotations

import asyncio
import time

from faults.checker import Mark, none_of
from faults.frame import Experiment, Options, Outcome
from faults.receiver import Answered, Talk, friendly, street
from faults.stage import Stage, stage, to_exchangers
from peers.dns import a

_HOSTS = {"banner": "127.10.0.1", "dot": "127.10.0.2", "drip": "127.10.0.3", "live": "127.10.0.9"}
_TIMEOUT_S = 10.0
_SLOW_S = 9.0


async def _late(talk: Talk, phase: str, which: str) -> None:
    if phase == which:
        await asyncio.sleep(_SLOW_S)


async def _drips(talk: Talk, phase: str) -> None:
    """Say the banner at the pace of two octets a second."""
    if phase == "banner":
        for octet in b"220 drip ESMTP\r\n":
            talk.writer.write(bytes([octet]))
            await talk.writer.drain()
            await asyncio.sleep(0.5)
        raise Answered


def run(options: Options) -> Outcome:
    """Send to slow servers, and meanwhile to a quick one. The control has a timeout that is too short for them."""
    slow, live = options.sized(2, 5, 50), options.sized(40, 200, 1000)
    timeout_s = _SLOW_S / 3 if options.control else _TIMEOUT_S
    with street() as place:
        place.open(_HOSTS["banner"], lambda talk, phase: _late(talk, phase, "banner"))
        place.open(_HOSTS["dot"], lambda talk, phase: _late(talk, phase, "dot"))
        place.open(_HOSTS["drip"], _drips)
        place.open(_HOSTS["live"], friendly)
        records = [a(f"{name}.test", host) for name, host in _HOSTS.items()]
        with stage(options, to_exchangers(place.port, timeout_s), records=records) as on:
            alone = _p95(on, "quiet", live)
            names = [f"r{number}@{name}.test" for name in ("banner", "dot", "drip") for number in range(slow)]
            sent = on.send_many(names)
            time.sleep(0.5)
            beside = _p95(on, "beside", live)
            seen = on.see_all(sent, timeout_s=8 if options.control else 90)
        arrived = [entry.recipient for entry in place.entries]
    marks = [
        none_of("STUCK", "not delivered", [name for name in names if seen[name].state != "delivered"]),
        none_of("DUP", "more than one copy", [name for name in names if arrived.count(name) > 1]),
        none_of("AGAIN", "more than one attempt", [name for name in names if len(seen[name].attempts) > 1]),
        none_of("LOST", "never at the receiver", [name for name in names if name not in arrived]),
        Mark(
            "BESIDE",
            "p95 of mail to a quick server beside slow ones, s",
            round(beside, 3),
            max(alone * 1.1, alone + 0.25),
        ),
    ]
    return Outcome(
        marks, {"slow messages": len(names), "p95 alone, s": round(alone, 3), "p95 beside, s": round(beside, 3)}
    )


def _p95(on: Stage, name: str, count: int) -> float:
    """Seconds from the 202 to the end that 95 % of messages to the quick server stay below."""
    waits = []
    for number in range(count):
        sent = on.send(f"{name}{number}@live.test")
        while on.state(sent) != "delivered" and time.monotonic() - sent.at < 20:
            time.sleep(0.01)
        waits.append(time.monotonic() - sent.at)
    return sorted(waits)[int(len(waits) * 0.95)]


EXPERIMENT = Experiment(
    number="F10",
    name="slow",
    does="Banner late, replies by the octet, final dot answered late: all just within the timeouts (times 1:30).",
    control="timeouts that are a third of what the servers take",
    reveals=frozenset({"STUCK", "DUP", "AGAIN", "LOST"}),
    run=run,
    also=("postgresql",),
)
