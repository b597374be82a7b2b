"""F14: the receiver stores messages and drops the reply: each arrives at most once more, flagged, and not for ever."""

from __future__ import annotations

import random
from collections import Counter

from faults.checker import Mark, none_of
from faults.frame import Experiment, Options, Outcome
from faults.receiver import Script, Talk, street
from faults.stage import Seen, Sent, stage, to_exchangers
from peers.dns import a

_HOST = "127.14.0.1"
_NEVER = "127.14.0.2"
_DOUBTS = 3
"""The setting's default: with so many attempts in doubt a delivery is given up."""


def _loses(share: float, seed: int) -> Script:
    """Drop the reply for a share of the messages, at their first copy."""
    chance = random.Random(seed)
    seen: set[str] = set()

    async def script(talk: Talk, phase: str) -> None:
        if phase == "dot" and talk.recipients[0] not in seen:
            seen.add(talk.recipients[0])
            if chance.random() < share:
                await talk.end(chance.choice(["fin", "rst"]))

    return script


async def _always(talk: Talk, phase: str) -> None:
    if phase == "dot":
        await talk.end("fin")


def run(options: Options) -> Outcome:
    """Send to a server that drops the reply for some, and a few messages to one that drops it always."""
    count, hopeless = options.sized(60, 400, 10_000), options.sized(2, 5, 20)
    share = options.sized(20, 5, 5) / 100
    with street() as place:
        receiver = place.open(_HOST, _loses(share, options.seed))
        never = place.open(_NEVER, _always)
        defect = "forget-doubt" if options.control else None
        records = [a("loses.test", _HOST), a("never.test", _NEVER)]
        with stage(options, to_exchangers(place.port), records=records, defect=defect) as on:
            sent = on.send_many([f"r{number}@loses.test" for number in range(count)])
            given_up = on.send_many([f"r{number}@never.test" for number in range(hopeless)])
            # each dropped reply costs a connection, of which a site gets a hundred a minute
            patience_s = options.sized(120, 120, 900)
            seen = on.see_all([*sent, *given_up], timeout_s=12 if options.control else patience_s)
        copies = Counter(entry.recipient for entry in [*receiver.entries, *never.entries])
        lost_replies = {entry.recipient for entry in receiver.entries if not entry.answered}
    return _judged(sent, given_up, seen, copies, lost_replies)


def _judged(
    sent: list[Sent], given_up: list[Sent], seen: dict[str, Seen], copies: Counter[str], lost_replies: set[str]
) -> Outcome:
    hit = [each.recipient for each in sent if each.recipient in lost_replies]
    spared = [each.recipient for each in sent if each.recipient not in lost_replies]
    hopeless = [each.recipient for each in given_up]
    marks = [
        none_of("LOST", "never at the receiver", [each.recipient for each in sent if not copies[each.recipient]]),
        none_of(
            "STUCK", "not delivered in the end", [name for name in [*hit, *spared] if seen[name].state != "delivered"]
        ),
        none_of("DUP", "more than one copy beyond the first", [name for name in hit if copies[name] > 2]),
        none_of(
            "SPARED", "more than one copy though the reply was given", [name for name in spared if copies[name] > 1]
        ),
        none_of("UNFLAGGED", "a lost reply not flagged as a possible duplicate", _unflagged(hit, seen)),
        none_of("SILENT", "a lost reply without the event message.in_doubt", _silent(hit, seen)),
        none_of(
            "FALSE", "flagged though the reply was given", [name for name in spared if seen[name].possible_duplicate]
        ),
        none_of(
            "ENDLESS",
            "to a server that always drops the reply: not given up, or other than three copies",
            [name for name in hopeless if seen[name].state != "expired" or copies[name] != _DOUBTS],
        ),
        Mark("HIT", "messages whose reply was dropped", len(hit), 1, least=True),
    ]
    return Outcome(marks, {"messages": len(sent), "replies dropped": len(hit), "given up": len(hopeless)})


def _unflagged(names: list[str], seen: dict[str, Seen]) -> list[str]:
    return [name for name in names if not seen[name].possible_duplicate]


def _silent(names: list[str], seen: dict[str, Seen]) -> list[str]:
    return [name for name in names if "message.in_doubt" not in seen[name].events]


EXPERIMENT = Experiment(
    number="F14",
    name="lost-reply",
    does="The receiver stores messages and drops the final reply; some receivers do so always.",
    control="a build that takes a connection lost behind the final dot for any other lost connection",
    reveals=frozenset({"UNFLAGGED", "SILENT", "ENDLESS"}),
    run=run,
    also=("postgresql",),
)
