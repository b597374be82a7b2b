"""F5: PostgreSQL restarts at once (`-m immediate`) under load: 503 at once, then on as before."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import replace

from faults.checker import Mark
from faults.frame import Experiment, Options, Outcome
from faults.injector import Client
from faults.load import SETTINGS, Load
from faults.stage import stage
from peers.ledger import Behaviour
from peers.mta import mail_sink
from peers.postroad import relaying
from peers.process import free_port

_LOSS_S, _BACK_S = 1.0, 5.0
_DOWN_S = 2.0


class _Asker:
    """Asks to send, again and again, on its own thread, and writes down how each request ended and how long it took."""

    def __init__(self, port: int, key: str) -> None:
        self._client = Client([port], key, "asker")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answers: list[tuple[float, float, int]] = []
        """When it was asked and answered (monotonic), and the status."""

    def __enter__(self) -> _Asker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        self._client.close()

    def _run(self) -> None:
        body = b'{"from":"faults@faults.test","to":["asked@sink.test"],"subject":"?","text":"?"}'
        while not self._stop.wait(0.05):
            began = time.monotonic()
            try:
                status, _ = self._client.ask("POST", "/v1/messages", body)
            except (OSError, http.client.HTTPException):
                status = 0
            self.answers.append((began, time.monotonic(), status))


def run(options: Options) -> Outcome:
    """Crash PostgreSQL again and again, and compare the ledgers."""
    restarts = 2 if options.control else options.sized(2, 5, 20)
    port = free_port()
    settings = {**relaying(port), **SETTINGS}
    if options.control:
        settings["POSTROAD_DELIVERY_LEASE_S"] = "8"  # a forgotten result shows once its lease has lapsed
    slowest_refusal = slowest_return = 0.0
    with (
        mail_sink(Behaviour(latency_s=0.2, seed=options.seed), port=port, directory=options.directory) as sink,
        stage(options, settings, defect="forget-results" if options.control else None) as on,
    ):
        assert on.postgres is not None
        with Load(options, on) as load, _Asker(on.node.port, on.key) as asker:
            for _ in range(restarts):
                time.sleep(1.5)
                on.postgres.stop(immediate=True)
                down = time.monotonic()
                time.sleep(_DOWN_S)
                slowest_refusal = max(slowest_refusal, _refused_after(asker, down))
                on.postgres.start()
                up = time.monotonic()
                slowest_return = max(slowest_return, _back_after(asker, up))
        answers = [status for _, _, status in asker.answers]
        marks = load.compare(sink.ledger, patient=True)
    marks = [mark if mark.name != "DUP" else replace(mark, limit=0) for mark in marks]
    marks += [
        Mark("REFUSED", "longest time from the loss to the first 503, s", round(slowest_refusal, 2), _LOSS_S),
        Mark("BACK", "longest time from the return to the first 202, s", round(slowest_return, 2), _BACK_S),
        Mark("ERRORS", "answers that were neither 202 nor 503", sum(each not in (202, 503) for each in answers), 0),
    ]
    return Outcome(marks, {"restarts": restarts, "acknowledged": len(load.acks())})


def _refused_after(asker: _Asker, since: float) -> float:
    """Seconds from `since` until the answer 503 was first given."""
    return min((ended - since for _, ended, status in asker.answers if status == 503 and ended > since), default=99.0)


def _back_after(asker: _Asker, since: float) -> float:
    """Seconds from `since` until a request was first answered 202; waits for it."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for _, ended, status in list(asker.answers):
            if status == 202 and ended > since:
                return ended - since
        time.sleep(0.05)
    return 99.0


EXPERIMENT = Experiment(
    number="F5",
    name="restart",
    does="PostgreSQL ends at once (-m immediate) under load and comes back after two seconds.",
    control="a build that forgets what a receiver answered while the database was away",
    reveals=frozenset({"DUP", "STUCK"}),
    run=run,
    engines=("postgresql",),
)
