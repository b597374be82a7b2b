"""F18: content that takes its composer down, by `os._exit` and by an endless loop: it is held, the rest goes on."""

from __future__ import annotations

import time

from faults.checker import Mark, none_of
from faults.frame import Experiment, Options, Outcome
from faults.receiver import friendly, street
from faults.stage import TERMINAL, stage, to_exchangers
from peers.dns import a

_HOST = "127.18.0.1"
_ENDED = TERMINAL | {"held"}


def run(options: Options) -> Outcome:
    """Mix poison among good mail; poison must be held with a reason, the rest must arrive, all of it once."""
    good, bad = options.sized(40, 200, 2000), options.sized(1, 3, 10)
    with street() as place:
        receiver = place.open(_HOST, friendly)
        settings = {**to_exchangers(place.port), "POSTROAD_DELIVERY_COMPOSE_WORKERS": "2"}
        defect = "keep-composing" if options.control else "poisonous"
        with stage(options, settings, records=[a("rest.test", _HOST)], defect=defect) as on:
            began = time.monotonic()
            poison = []
            fine = on.send_many([f"before{number}@rest.test" for number in range(good // 2)])
            for number in range(bad):
                poison.append(on.send(f"exit{number}@rest.test", subject="poison: exit"))
                poison.append(on.send(f"loop{number}@rest.test", subject="poison: loop"))
            fine += on.send_many([f"after{number}@rest.test" for number in range(good - good // 2)])
            states = on.await_states(fine, _ENDED, timeout_s=25 if options.control else 240)
            flowed_s = time.monotonic() - began
            patience_s = 1 if options.control else 240
            on.await_states(poison, _ENDED, timeout_s=patience_s)
            seen = [on.see(each) for each in poison]
            alive = on.node.ready()
        arrived = [entry.recipient for entry in receiver.entries]
    unheld = [each.state for each in seen if each.state != "held"]
    silent = [each.state for each in seen if "message.held" not in each.events]
    marks = [
        none_of(
            "STUCK", "good mail that did not get through", [i for i, state in states.items() if state != "delivered"]
        ),
        none_of("UNHELD", "poison that is not held", unheld),
        none_of("SILENT", "poison without the event message.held", silent),
        none_of("SENT", "poison that was sent", [name for name in arrived if name.startswith(("exit", "loop"))]),
        Mark("DUP", "copies beyond the first", len(arrived) - len(set(arrived)), 0),
        Mark("DEAD", "servers that are not ready at the end", int(not alive), 0),
    ]
    return Outcome(
        marks, {"good": good, "poison": len(poison), "until all good mail was through, s": round(flowed_s, 1)}
    )


EXPERIMENT = Experiment(
    number="F18",
    name="poison",
    does="Content that ends its composing process, or loops in it for ever, among good mail.",
    control="a build that composes such content again for ever",
    reveals=frozenset({"STUCK", "UNHELD", "SILENT"}),
    run=run,
    also=("postgresql",),
)
