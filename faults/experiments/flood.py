"""F20: one project sends a flood to a site; the mail of small projects to the same site does not wait behind it."""

from __future__ import annotations

import asyncio
import time

import msgspec

from faults.checker import Mark, none_of
from faults.frame import Experiment, Options, Outcome
from faults.injector import Client
from faults.receiver import Talk, street
from faults.stage import DOMAIN, Stage, stage, to_exchangers
from peers.dns import a
from peers.ledger import Entry
from peers.postroad import records_wanted
from postroad.app.administration import administer
from postroad.config import load

_HOST = "127.20.0.1"
_WAIT_S = 10.0
_DOT_S = 0.1
_CONNECTIONS = 5
_EACH = 3
_PATIENCE_S = 60.0
_PART = 10_000


async def _takes_time(_: Talk, phase: str) -> None:
    if phase == "dot":
        await asyncio.sleep(_DOT_S)


def run(options: Options) -> Outcome:
    """Fill the queue of one project, then send some of each small one, and see how long these take.

    The site takes fifty messages a second. In the control the small mail is the flooding project's own; a flood of
    some thousands shows what that means.
    """
    flood, small = options.sized(2000, 10_000, 1_000_000), options.sized(3, 10, 100)
    flood = min(flood, 10_000) if options.control else flood
    with street() as place:
        receiver = place.open(_HOST, _takes_time)
        settings = {
            **to_exchangers(place.port, 10.0),
            "POSTROAD_DELIVERY_CONNECTIONS_PER_DESTINATION": str(_CONNECTIONS),
            "POSTROAD_RATES_BURST": "10000000",
        }
        with stage(options, settings, records=[a("site.test", _HOST)]) as on:
            owners = [(on.key, DOMAIN)] if options.control else [_project(on, number) for number in range(small)]
            for start in range(0, flood, _PART):
                on.send_many([f"flood{number}@site.test" for number in range(start, min(start + _PART, flood))])
            asked: dict[str, int] = {}
            for number in range(small):
                key, domain = owners[number % len(owners)]
                _send(on, key, domain, [f"small{number}-{turn}@site.test" for turn in range(_EACH)], asked)
            deadline = time.monotonic() + _PATIENCE_S
            while time.monotonic() < deadline and len(_arrived(receiver.entries, asked)) < len(asked):
                time.sleep(0.1)
            waiting = flood - sum(entry.recipient.startswith("flood") for entry in receiver.entries)
        arrived = _arrived(receiver.entries, asked)
    waits = sorted(arrived.get(name, _PATIENCE_S) for name in asked)
    p95 = waits[int(len(waits) * 0.95)]
    marks = [
        none_of("LOST", "mail of small projects that did not arrive", [name for name in asked if name not in arrived]),
        Mark("WAIT", "p95 from the 202 to the receiver for small projects, s", round(p95, 2), _WAIT_S),
        Mark("FLOOD", "messages of the flood that still waited then", waiting, flood // 4, least=True),
    ]
    facts: dict[str, float | str] = {
        "flood": flood,
        "small projects": small,
        "p50, s": round(waits[len(waits) // 2], 2),
    }
    return Outcome(marks, facts)


def _project(on: Stage, number: int) -> tuple[str, str]:
    """Make a project with a key and a verified domain of its own."""
    name, domain = f"small{number}", f"small{number}.test"
    settings = load(environment=on.node.environment)
    administer(settings, "project.create", {"name": name})
    asked: dict[str, object] = {"project": name, "name": "faults", "mode": "live", "scope": "full"}
    asked |= {"from_domains": [], "recipients": [], "networks": [], "expires_at": None}
    key = str(administer(settings, "key.create", asked)["secret"])
    created = administer(settings, "domain.create", {"project": name, "name": domain})
    on.dns.add(*records_wanted(created))
    administer(settings, "domain.check", {"project": name, "name": domain})
    return key, domain


def _send(on: Stage, key: str, domain: str, recipients: list[str], asked: dict[str, int]) -> None:
    client = Client([on.node.port], key, domain)
    for recipient in recipients:
        document = {"from": f"us@{domain}", "to": [recipient], "subject": "Small", "text": "Hello.\n"}
        body, headers = msgspec.json.encode(document), {"idempotency-key": recipient}
        client.insist("POST", "/v1/messages", body, headers, time.monotonic() + 30)
        asked[recipient] = time.time_ns()
    client.close()


def _arrived(entries: list[Entry], asked: dict[str, int]) -> dict[str, float]:
    """Seconds from the 202 to the receiver, by recipient; what overtook its own 202 took none."""
    return {
        entry.recipient: max(0.0, (entry.at_ns - asked[entry.recipient]) / 1e9)
        for entry in list(entries)
        if entry.recipient in asked
    }


EXPERIMENT = Experiment(
    number="F20",
    name="flood",
    does="One project floods a site that takes 50 messages a second; small projects send to the same site.",
    control="the small mail belongs to the flooding project, and has no line of its own",
    reveals=frozenset({"WAIT", "LOST"}),
    run=run,
    engines=("sqlite", "postgresql"),
)
