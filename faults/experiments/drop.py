"""F13: the receiver goes away at each phase, by FIN, by RST and by silence; the table of outcomes holds exactly."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from faults.checker import none_of
from faults.frame import Experiment, Options, Outcome
from faults.receiver import ENDINGS, PHASES, Script, Street, Talk, street
from faults.stage import Seen, Sent, stage, to_exchangers
from peers.certificate import write_certificate
from peers.dns import a

_BODY = "All work and no play makes a large message of it.\n" * 240_000
"""More than all buffers between the two ends hold, so that it is still being written when it is cut off."""
_PHASE_TIMEOUT_S = 1.5
_DOT_TIMEOUT_S = 6.0
"""Longer: a busy machine takes its time to read large bodies to their end, and that is not what is tried here."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How the first attempt must end, and what must follow."""

    phases: frozenset[str]
    troubles: frozenset[str]
    outcome: str = "deferred"
    in_doubt: bool = False
    copies: int = 1
    attempts: int = 2


def expected(phase: str, ending: str) -> Expected:
    """The table of `semantics`: only what comes behind the final dot is in doubt, and only that arrives twice."""
    troubles = frozenset({"timeout"} if ending == "timeout" else {"closed"})
    if phase == "starttls":
        # optional TLS that fails is done without, in the same attempt, on a new connection (RFC 7435 §3)
        return Expected(frozenset({"dot"}), frozenset(), "delivered", attempts=1)
    if phase == "after":
        return Expected(frozenset({"dot"}), frozenset(), "delivered", attempts=1)
    if phase == "dot":
        return Expected(frozenset({"dot"}), troubles, in_doubt=True, copies=2)
    if (phase, ending) == ("banner", "rst"):
        # a reset at once may overtake the news that the connection stands, and is told as one that could not be made
        return Expected(frozenset({"banner", "connect"}), troubles | {"unreachable"})
    return Expected(frozenset({phase}), troubles)


def _script(phase: str, ending: str) -> Script:
    async def script(talk: Talk, now: str) -> None:
        if talk.number == 0 and now == phase:
            if phase == "body":
                await talk.reader.read(1 << 14)
                if ending == "timeout":
                    await _stall(talk)
            await talk.end(ending)

    return script


async def _stall(talk: Talk) -> None:
    """Read nothing more and say nothing until the client has gone."""
    cast("asyncio.Transport", talk.writer.transport).pause_reading()
    await asyncio.sleep(_PHASE_TIMEOUT_S * 3)
    await talk.end("rst")


def _flaws(want: Expected, seen: Seen, copies: int) -> list[str]:
    """What is not as the table says."""
    first = seen.attempts[0] if seen.attempts else None
    flaws = []
    if first is None:
        return ["no attempt"]
    if first.phase not in want.phases:
        flaws.append(f"phase {first.phase} instead of {'|'.join(sorted(want.phases))}")
    if want.troubles and first.trouble not in want.troubles:
        flaws.append(f"trouble {first.trouble} instead of {'|'.join(want.troubles)}")
    if first.outcome != want.outcome:
        flaws.append(f"outcome {first.outcome} instead of {want.outcome}")
    if ("message.in_doubt" in seen.events) != want.in_doubt:
        flaws.append("in doubt" if not want.in_doubt else "not in doubt")
    if len(seen.attempts) != want.attempts:
        flaws.append(f"{len(seen.attempts)} attempts instead of {want.attempts}")
    if copies != want.copies:
        flaws.append(f"{copies} copies instead of {want.copies}")
    return flaws


def _cases(messages: int) -> list[tuple[str, str, int]]:
    return [(phase, ending, number) for phase in PHASES for ending in ENDINGS for number in range(messages)]


def _open(place: Street, cases: list[tuple[str, str, int]], directory: Path) -> dict[str, str]:
    """One receiver a case; returns the address by domain."""
    certificate = write_certificate(directory, ["mx.faults.test"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    hosts = {}
    for at, (phase, ending, number) in enumerate(cases):
        host = f"127.13.{at // 250}.{at % 250 + 1}"
        place.open(host, _script(phase, ending), tls=context if phase == "starttls" else None, small=phase == "body")
        hosts[f"{phase}-{ending}-{number}.test"] = host
    return hosts


def run(options: Options) -> Outcome:
    """Send one message into each case and compare what became of it with the table."""
    cases = _cases(options.sized(1, 3, 10))
    with street() as place:
        hosts = _open(place, cases, options.directory)
        settings = to_exchangers(place.port, _PHASE_TIMEOUT_S)
        settings["POSTROAD_DELIVERY_TIMEOUTS_DOT_S"] = str(_DOT_TIMEOUT_S)
        defect = "forget-doubt" if options.control else None
        with stage(options, settings, records=[a(name, ip) for name, ip in hosts.items()], defect=defect) as on:
            sent: dict[str, Sent] = {}
            for name in hosts:
                large = name.startswith("body")
                sent[name] = on.send(f"somebody@{name}", text=_BODY if large else "Hello.\n")
            seen = on.see_all(list(sent.values()), timeout_s=options.sized(60, 120, 300))
        copies = {name: len(place.receivers[ip].entries) for name, ip in hosts.items()}
    return _judged({name: seen[each.recipient] for name, each in sent.items()}, copies)


def _judged(seen: dict[str, Seen], copies: dict[str, int]) -> Outcome:
    wrong, stuck, lost, twice, unflagged = [], [], [], [], []
    for name, found in seen.items():
        phase, ending, _ = name.removesuffix(".test").split("-")
        if flaws := _flaws(expected(phase, ending), found, copies[name]):
            wrong.append(f"{phase} {ending}: {', '.join(flaws)}")
        if found.state != "delivered":
            stuck.append(f"{phase} {ending}: {found.state}")
        if not copies[name]:
            lost.append(name)
        if copies[name] > 1 and phase != "dot":
            twice.append(name)
        if copies[name] > 1 and not found.possible_duplicate:
            unflagged.append(name)
    marks = [
        none_of("WRONG", "cases in which an attempt, its event or the number of copies is not as in the table", wrong),
        none_of("STUCK", "not delivered in the end", stuck),
        none_of("LOST", "never at the receiver", lost),
        none_of("DUP", "twice at the receiver though the final dot was not reached", twice),
        none_of("UNFLAGGED", "twice at the receiver and not flagged as a possible duplicate", unflagged),
    ]
    return Outcome(marks, {"cases": len(seen)})


EXPERIMENT = Experiment(
    number="F13",
    name="drop",
    does="The receiver goes away at each of nine phases, by FIN, by RST and by silence.",
    control="a build that takes a connection lost behind the final dot for any other lost connection",
    reveals=frozenset({"WRONG", "UNFLAGGED"}),
    run=run,
    also=("postgresql",),
)
