"""F12: greylisting, 421 and random 4xx: all of it arrives, at the pace the servers ask for."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from typing import Any

from faults.checker import Mark, none_of
from faults.frame import Experiment, Options, Outcome
from faults.receiver import Answered, Script, Talk, street
from faults.stage import stage, to_exchangers
from peers.dns import a

_GREY, _BUSY, _MOODY = "127.12.0.1", "127.12.0.2", "127.12.0.3"
_DELAYS = (1.0, 2.0, 4.0)
_JITTER = 0.2
_SETTINGS = {
    "POSTROAD_STREAMS_RETRY_DELAYS_S": ",".join(str(delay) for delay in _DELAYS),
    "POSTROAD_STREAMS_RETRY_JITTER": str(_JITTER),
}
_GREY_S = 0.9
"""How long the greylisting server wants a stranger to wait; the waits of production are three hundred times as long."""
_MOODS = ("451 4.3.0 try again later", "452 4.3.1 no room", "421 4.3.2 busy, closing")


class _Grey:
    """Greylisting by recipient; remembers who came back too early."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.tries: dict[str, list[float]] = defaultdict(list)

    async def script(self, talk: Talk, phase: str) -> None:
        if phase != "rcpt":
            return
        name, now = talk.recipients[-1], time.monotonic()
        self.tries[name].append(now)
        if now - self.first.setdefault(name, now) < _GREY_S:
            await talk.say("450 4.2.0 <recipient>: Recipient address rejected: see you later")
            raise Answered


def _busy(until: list[float], tries: list[float]) -> Script:
    """Turn everybody away at the banner with 421 until a time."""

    async def script(talk: Talk, phase: str) -> None:
        if phase == "banner":
            tries.append(time.monotonic())
            if time.monotonic() < until[0]:
                await talk.say("421 4.3.2 too busy now, come back later")
                await talk.end("fin")

    return script


def _moody(share: float, seed: int) -> Script:
    """Answer a share of MAIL, RCPT, DATA and final dots with some 4xx."""
    chance = random.Random(seed)

    async def script(talk: Talk, phase: str) -> None:
        if phase in ("mail", "rcpt", "dot") and chance.random() < share / 3:
            mood = chance.choice(_MOODS)
            await talk.say(mood)
            if mood.startswith("421"):
                await talk.end("fin")
            raise Answered

    return script


def run(options: Options) -> Outcome:
    """Send to three kinds of servers that say "later", and look when we came back."""
    count = options.sized(12, 60, 2000)
    grey, until, tries = _Grey(), [0.0], list[float]()
    with street() as place:
        place.open(_GREY, grey.script)
        place.open(_BUSY, _busy(until, tries))
        place.open(_MOODY, _moody(0.2, options.seed))
        records = [a("grey.test", _GREY), a("busy.test", _BUSY), a("moody.test", _MOODY)]
        defect = "retry-at-once" if options.control else None
        settings = {**to_exchangers(place.port), **_SETTINGS}
        with stage(options, settings, records=records, defect=defect) as on:
            # greylisting waits five minutes by itself: the hint of the server is what shortens it, so there is none
            until[0] = time.monotonic() + 4.0
            names = [f"r{number}@{domain}" for domain in ("busy.test", "moody.test") for number in range(count)]
            sent = on.send_many(names)
            greyed = on.send_many([f"r{number}@grey.test" for number in range(count)])
            states = on.await_states(sent, timeout_s=20 if options.control else 150)
            waits = {each.recipient: on.see(each) for each in greyed}
            next_at = {each.recipient: _next_s(on.get(f"/v1/messages/{each.message_id}")) for each in greyed}
        taken = {entry.recipient for entry in place.entries}
    early = [f"{name}: after {wait:.0f} s" for name, wait in next_at.items() if not 300 <= wait <= 480]
    again = [name for name, found in grey.tries.items() if len(found) > 1]
    hammered = max((_most_within(sorted(tries), 1.0)), 0)
    marks = [
        none_of(
            "LOST", "to a busy or moody server and never there", [s.recipient for s in sent if s.recipient not in taken]
        ),
        none_of("STUCK", "not delivered in the end", [i for i, state in states.items() if state != "delivered"]),
        none_of("EARLY", "greylisted and due again in less than 5 or more than 8 minutes", early),
        none_of("AGAIN", "greylisted and tried again within the run", again),
        Mark("HAMMER", "most sessions in one second with a server that turned all away", hammered, 2 * count + 10),
        Mark("GREYED", "messages that were greylisted", len(waits), 1, least=True),
    ]
    return Outcome(marks, {"messages": 3 * count, "sessions with the busy server": len(tries)})


def _next_s(message: dict[str, Any]) -> float:
    """Seconds between the last change of the only delivery and its next attempt; 0 when there is none."""
    import datetime as dt

    (delivery,) = message["deliveries"]
    if not delivery["next_attempt_at"]:
        return 0.0
    times = [dt.datetime.fromisoformat(delivery[key]) for key in ("next_attempt_at", "updated_at")]
    return (times[0] - times[1]).total_seconds()


def _most_within(times: list[float], span_s: float) -> int:
    """The largest number of these times in any span."""
    most = start = 0
    for end, at in enumerate(times):
        while at - times[start] > span_s:
            start += 1
        most = max(most, end - start + 1)
    return most


EXPERIMENT = Experiment(
    number="F12",
    name="refusing",
    does="Greylisting, 421 to everybody for a while, and 4xx at random.",
    control="a build that tries again at once",
    reveals=frozenset({"EARLY", "AGAIN", "HAMMER"}),
    run=run,
    also=("postgresql",),
)
