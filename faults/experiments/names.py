"""F15: the DNS fails in every way it has: what may pass does not bounce, and null MX does at once."""

from __future__ import annotations

from dataclasses import dataclass

from faults.checker import Mark, none_of
from faults.frame import Experiment, Options, Outcome
from faults.receiver import Talk, friendly, street
from faults.stage import Seen, stage, to_exchangers
from peers.dns import Record, a, cname, mx, txt

_HOST, _REFUSES = "127.15.0.1", "127.15.0.2"
_MANY = 200
_MOST_ADDRESSES = 5


@dataclass(frozen=True, slots=True)
class Case:
    """A domain, and what must be true of mail to it."""

    domain: str
    state: str
    phase: str | None = None
    troubles: tuple[str, ...] = ()
    enhanced: str | None = None


_CASES = (
    Case("servfail.test", "deferred", "resolve", ("dns_failure",)),
    Case("silent.test", "deferred", "resolve", ("dns_timeout", "dns_failure")),
    Case("absent.test", "deferred", "resolve", ("no_such_domain",)),
    Case("loop.test", "deferred", "resolve", ("dns_failure", "dns_timeout", "no_such_domain")),
    Case("literal.test", "deferred", "resolve", ("dns_failure",)),
    Case("dangling.test", "deferred", "resolve", ("no_such_domain",)),
    Case("null.test", "bounced", "resolve", ("null_mx",), "5.1.10"),
    Case("many.test", "delivered"),
    Case("lame6.test", "delivered"),
    Case("alias.test", "delivered"),
    Case("huge.test", "delivered"),
    Case("refusing.test", "deferred", "banner", ("closed",)),
)


def _records() -> list[Record]:
    found = [
        *(mx("many.test", f"mx{number}.many.test", number) for number in range(_MANY)),
        *(a(f"mx{number}.many.test", _HOST) for number in range(_MANY)),
        a("lame6.test", _HOST),
        Record("lame6.test", "AAAA", "2001:db8::25"),
        cname("alias.test", "target.test"),
        a("target.test", _HOST),
        cname("loop.test", "loop2.test"),
        cname("loop2.test", "loop.test"),
        mx("literal.test", "192.0.2.1"),
        mx("dangling.test", "gone.dangling.test"),
        mx("null.test", ".", 0),
        a("huge.test", _HOST),
        *(mx("refusing.test", f"mx{number}.refusing.test", number) for number in range(20)),
        *(a(f"mx{number}.refusing.test", f"127.15.1.{number + 1}") for number in range(20)),
        *(txt("huge.test", f"{number:04} " + "poison " * 30) for number in range(120)),
    ]
    return [*found, a("flap.test", _HOST)]


async def _closes(talk: Talk, phase: str) -> None:
    if phase == "banner":
        await talk.end("fin")


def run(options: Options) -> Outcome:
    """Send one message into each case; let one domain vanish and come back; ask for many names."""
    with street() as place:
        place.open(_HOST, friendly)
        refusing = [place.open(f"127.15.1.{number + 1}", _closes) for number in range(20)]
        defect = "bounce-on-any-dns" if options.control else None
        # two seconds suffice for a resolver on loopback; the address of lame6 goes nowhere until the timeout
        settings = {**to_exchangers(place.port, 2.0), "POSTROAD_DELIVERY_DNS_TIMEOUT_S": "2"}
        records = [record for record in _records() if record.name != "flap.test"]
        settings["POSTROAD_STREAMS_RETRY_DELAYS_S"] = "30"
        with stage(options, settings, records=records, defect=defect) as on:
            on.dns.change(servfail=["servfail.test"], silent=["silent.test"])
            sent = {case.domain: on.send(f"somebody@{case.domain}") for case in _CASES}
            flapping = on.send("somebody@flap.test")
            settled = frozenset({"deferred", "delivered", "bounced", "expired", "rejected"})
            on.await_states([*sent.values(), flapping], settled, timeout_s=30)
            seen = {name: on.see(each) for name, each in sent.items()}
            flap = on.see(flapping)
            tried = sum(each.connections for each in refusing)
        bounced = [name for name in ("servfail.test", "silent.test") if seen[name].state == "bounced"]
    marks = [
        none_of("BOUNCED", "bounced for SERVFAIL or silence", bounced),
        none_of("WRONG", "cases that did not go as they must", _wrong(seen)),
        none_of("FLAP", "bounced at the first NXDOMAIN", [] if flap.state == "deferred" else [flap.state]),
        Mark("TRIED", "addresses tried in one attempt, of twenty", tried, _MOST_ADDRESSES),
    ]
    return Outcome(marks, {"cases": len(_CASES)})


def _wrong(seen: dict[str, Seen]) -> list[str]:
    found = []
    for case in _CASES:
        got = seen[case.domain]
        last = got.attempts[0] if got.attempts else None
        if got.state != case.state:
            found.append(f"{case.domain}: {got.state} instead of {case.state} ({last})")
        elif case.troubles and (last is None or last.trouble not in case.troubles or last.phase != case.phase):
            found.append(f"{case.domain}: {last}")
        elif case.enhanced and case.enhanced not in str(got.reason):
            found.append(f"{case.domain}: {got.reason}")
    return found


EXPERIMENT = Experiment(
    number="F15",
    name="names",
    does="SERVFAIL, silence, NXDOMAIN, CNAME loops, 200 MX records, null MX, MX to an address, lame AAAA, huge TXT.",
    control="a build that takes every failure of the DNS for a domain that does not exist",
    reveals=frozenset({"BOUNCED"}),
    run=run,
    also=("postgresql",),
)
