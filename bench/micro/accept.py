"""Where the microseconds of stage 1 go: run `python -m bench.micro.accept`.

One line per step of taking a batch of `bench.mail` on SQLite, a message each: the best of several rounds, on one core.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench import mail
from postroad.app.node import Minter, WallClock
from postroad.config import Settings
from postroad.features.accounts import Streams, built_in_streams
from postroad.http.sending import Batch, decode_draft
from postroad.model.ids import KeyId, ProjectId
from postroad.model.message import Mode
from postroad.model.project import ApiKey, Caller, KeyScope, Project
from postroad.pipeline.intake import Draft, Intake
from postroad.pipeline.intake.reading import IntakeLimits, read
from postroad.store import bulk
from postroad.store.blobs import Blobs
from postroad.store.database import Database
from postroad.store.migrate import migrate
from postroad.store.wakeup import WakeUp

SIZE = 500
ROUNDS = 15


class OpenGate:
    """Lets every sender through."""

    async def check(self, caller: Caller, from_domain: str) -> None:
        """Refuse nothing."""


def report(name: str, seconds: list[float]) -> None:
    """Print the best of several rounds, for one message."""
    print(f"{name:<42}{min(seconds) / SIZE * 1e6:>9.1f} µs")


def rounds(work: Callable[[int], object]) -> list[float]:
    """Time so many calls."""
    seconds = []
    for n in range(ROUNDS):
        began = time.perf_counter()
        work(n)
        seconds.append(time.perf_counter() - began)
    return seconds


def caller_of(database: Database, clock: WallClock) -> Caller:
    """Make a project, and the caller who has a key to it."""
    now = clock.now()
    project = Project(id=ProjectId("prj_bench"), name="bench", created_at=now)
    database.write_now(
        lambda c: bulk.run(
            c, "INSERT INTO projects (id, name, created_at) VALUES (?, ?, ?)", (project.id, project.name, now)
        )
    )
    key = ApiKey(
        id=KeyId("key_bench"), project_id=project.id, name="k", mode=Mode.LIVE, scope=KeyScope.SEND, created_at=now
    )
    return Caller(project=project, key=key, ip="127.0.0.1")


def intake_over(database: Database, folder: Path, clock: WallClock, mint: Minter) -> Intake:
    """Build an intake that only stores: nobody takes the mail on."""
    return Intake(
        database=database,
        blobs=Blobs((folder / "blobs").absolute().as_uri()),
        clock=clock,
        mint=mint,
        streams=Streams(database, clock, built_in_streams(Settings())),
        senders=OpenGate(),
        limits=IntakeLimits(),
        batch_limit=SIZE,
        gate=lambda: None,
        hands=None,
        due=WakeUp(),
        told=WakeUp(),
    )


async def measure(database: Database, folder: Path) -> None:
    """Print the table."""
    clock = WallClock()
    mint = Minter(clock)
    caller = caller_of(database, clock)
    intake = intake_over(database, folder, clock, mint)
    bodies = [mail.batch("m", SIZE * n, SIZE) for n in range(ROUNDS)]
    decoder = msgspec.json.Decoder(Batch)

    def decode(n: int) -> list[Draft]:
        return [decode_draft(raw) for raw in decoder.decode(bodies[n]).messages]

    report("decode the JSON", rounds(decode))
    drafts = [decode(n) for n in range(ROUNDS)]
    limits, now = IntakeLimits(), clock.now()
    report("read: check every field", rounds(lambda n: [read(draft, limits, now) for draft in drafts[n]]))
    report("two identifiers", rounds(lambda n: [(mint("msg"), mint("dlv")) for _ in range(SIZE)]))
    seconds = []
    for batch in drafts:
        began = time.perf_counter()
        await intake.accept_batch(caller, batch)
        seconds.append(time.perf_counter() - began)
    report("accept: read, admit, store, commit", seconds)


def main() -> None:
    """Measure on a fresh store."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'store.db'}", pace_s=0)
        try:
            migrate(database)
            asyncio.run(measure(database, Path(folder)))
        finally:
            database.close()


if __name__ == "__main__":
    main()
