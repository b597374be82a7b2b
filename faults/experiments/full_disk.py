"""F4: the disk fills up: new mail is refused before it is full, what is there goes on, and the door opens by itself.

The log has a volume of its own, which is full before the node starts: nothing of all this may need it.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faults.checker import Mark, none_of
from faults.frame import Experiment, Options, Outcome, Skipped, apart
from faults.load import SETTINGS, Load
from faults.stage import stage, wait_for
from peers.ledger import Behaviour
from peers.mta import mail_sink
from peers.postroad import relaying

_MIB = 1 << 20
_PIECE = 64 << 10
_SIZE = 768 * _MIB
_RESERVE = 256 * _MIB
_BACK_S = 60.0
_ON_THE_WAY_NS = 500_000_000
"""An answer may be on its way to the ledger that was given before the first refusal."""
_PROBE = b'{"from":"faults@faults.test","to":["probe@sink.test"],"subject":"?","text":"?"}'


@contextmanager
def _tmpfs(size: int = _SIZE) -> Iterator[Path]:
    if os.geteuid() != 0:
        raise Skipped("mounting a tmpfs needs root")
    with apart("full") as directory:
        place = directory / "disk"
        place.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(place)], check=False
        )
        if done.returncode:
            raise Skipped("a tmpfs cannot be mounted here")
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", str(place)], check=False)


def _fill(place: Path, leave: int) -> Path:
    """Fill the disk until so much is left."""
    ballast = place / "ballast"
    found = os.statvfs(place)
    size = found.f_bavail * found.f_frsize - leave
    with ballast.open("wb") as file:
        for _ in range(max(0, size // _PIECE)):
            file.write(b"\0" * _PIECE)
    return ballast


def run(options: Options) -> Outcome:
    """Fill the disk to below the reserve, then wholly; then give the space back. The control has no reserve."""
    reserve = 0 if options.control else _RESERVE
    with (
        _tmpfs() as place,
        _tmpfs(_MIB) as logs,
        mail_sink(Behaviour(seed=options.seed), directory=options.directory) as sink,
    ):
        data = place / "data"
        data.mkdir(mode=0o750)
        settings = {
            **relaying(sink.port),
            **SETTINGS,
            "POSTROAD_DATA_DIRECTORY": str(data),
            "POSTROAD_LIMITS_MIN_FREE_DISK_OCTETS": str(reserve),
            "POSTROAD_LOG_LEVEL": "debug",
        }
        with stage(options, settings, opened=False) as on:
            (on.node.directory / "server.log").symlink_to(logs / "server.log")
            _fill(logs, 0)
            on.open()
            # mail that is under way when the disk fills must end, and be told of
            with Load(options, on, rate=60) as load:
                time.sleep(2)
                sink.behave(Behaviour(seed=options.seed, latency_s=1.0))
                ballast = _fill(place, _RESERVE // 2)
                refused = wait_for(lambda: on.client.ask("POST", "/v1/messages", _PROBE)[0] == 503, 15)
                free = os.statvfs(place)
                at_refusal = len(load.acks())
                before_ns = time.time_ns() + _ON_THE_WAY_NS
                moving = _ends(on.get)
                time.sleep(4)
                late = load.answered_between(before_ns, time.time_ns())
                moved = _ends(on.get) - moving
                ballast.unlink()
                freed = time.monotonic()
                back = wait_for(lambda: len(load.acks()) > at_refusal + late, _BACK_S + 30)
                back_s = time.monotonic() - freed
            marks = load.compare(sink.ledger)
            found = os.statvfs(logs)
    marks += [
        none_of("OPEN", "the door stayed open below the reserve", [] if refused else ["not refused within 15 s"]),
        Mark("LATE", "answered 202 behind the first refusal", late, 0),
        Mark("MOVED", "deliveries that ended while new mail was refused", moved, 1, least=True),
        Mark("LOGS", "blocks that were free on the volume of the log", found.f_bavail, 0),
        Mark("BACK", "seconds from free space to the next 202", round(back_s, 1) if back else 999, _BACK_S),
    ]
    facts: dict[str, float | str] = {
        "acknowledged": len(load.acks()),
        "free at the refusal, MiB": free.f_bavail * free.f_frsize // _MIB,
    }
    return Outcome(marks, facts)


def _ends(get: Callable[[str], Any]) -> int:
    """How many events the feed has that say a delivery ended."""
    count, after = 0, ""
    while True:
        page = get(f"/v1/events?limit=500{after}")
        if not page["data"]:
            return count
        count += sum(event["type"] == "message.delivered" for event in page["data"])
        after = f"&after={page['next']}"


EXPERIMENT = Experiment(
    number="F4",
    name="full-disk",
    does="A disk of 768 MiB fills to below the reserve of 256 MiB under load, and is freed again.",
    control="no reserve (limits.min_free_disk_octets=0)",
    reveals=frozenset({"OPEN", "LATE"}),
    run=run,
)
