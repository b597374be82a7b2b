"""Postroad, broken on purpose: `FAULTS_DEFECT=NAME python -m faults.sabotage serve`.

Negative controls run this instead of `postroad`, to show that an experiment sees what it is there to see. The defects
are patches of a process that is started for the purpose; none is in the product, and no setting turns one on.
`poisonous` is no defect of the product but the fault of an experiment: content that takes its composer down.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

VARIABLE = "FAULTS_DEFECT"
BOOT = "FAULTS_BOOT"
"""Names the boot of the machine that the process is to see: a power cut is followed by another one."""
_BOOT_ID = "00000000-0000-4000-8000-{number:012}"
_EARLY_S = 0.15
_ENTRY = "from faults.sabotage import composing; composing({fd})"
_JOB_LIMIT_S = 2.0


def boot(number: int) -> dict[str, str]:
    """The environment of a process on a machine that was started so many times."""
    return {BOOT: _BOOT_ID.format(number=number)}


def _break(owner: object, name: str, broken: object) -> None:
    """Put something broken in the place of what works."""
    setattr(owner, name, broken)


def _answer_early() -> None:
    """Answer before the commit: what a 202 promises is not on disk yet."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    from postroad.store.database import Database

    local = threading.local()
    transact = Database._transact

    def remembering(self: Database, works: list[Any]) -> None:
        local.now = (self, works)
        try:
            transact(self, works)
        finally:
            local.now = None

    @event.listens_for(Engine, "commit")
    def _before_commit(_: Connection) -> None:
        now = getattr(local, "now", None)
        if now is not None:
            now[0]._answer(now[1])
            time.sleep(_EARLY_S)

    _break(Database, "_transact", remembering)


def _forget_doubt() -> None:
    """Take a connection that was lost behind the final dot for any other lost connection."""
    from postroad.model.attempt import Attempt

    _break(Attempt, "in_doubt", property(lambda _: False))


def _sync_less() -> None:
    """SQLite with synchronous=NORMAL: a commit may be lost with the power."""
    import sqlite3

    connect = sqlite3.connect

    class Lax(sqlite3.Connection):
        def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            return super().execute(sql.replace("synchronous=FULL", "synchronous=NORMAL"), *rest)

    def connecting(*arguments: Any, **options: Any) -> sqlite3.Connection:
        return connect(*arguments, **{**options, "factory": Lax})

    _break(sqlite3, "connect", connecting)


def _bounce_on_any_dns() -> None:
    """Take every failure of the DNS for a domain that does not exist, at once and for ever."""
    from postroad.model.attempt import Trouble
    from postroad.model.reason import Class
    from postroad.pipeline.outcomes import judge

    bouncing = dict.fromkeys((Trouble.DNS_FAILURE, Trouble.DNS_TIMEOUT), (Class.BAD_DOMAIN, "5.1.2"))
    _break(judge, "_BOUNCING_TROUBLE", judge._BOUNCING_TROUBLE | bouncing)


def _retry_at_once() -> None:
    """Ask a server that said "later" again at once."""
    from postroad.pipeline.outcomes import retry

    for name in ("scheduled", "at_least"):
        _break(retry, name, lambda *_: 50_000)


def _give_up_at_first() -> None:
    """Bounce what was only deferred."""
    from postroad.pipeline.outcomes import judge

    def bounce(case: Any, reason: Any, *_: Any) -> Any:
        return judge._final(case, judge.State.BOUNCED, judge.EventType.BOUNCED, reason)

    _break(judge, "_scheduled", bounce)


def _keep_composing() -> None:
    """Compose for ever what takes its process down."""
    from postroad.pipeline import press

    _break(press, "_DEATHS", 1_000_000)


def _poisonous() -> None:
    """Compose in processes that content can take down, and wait less long for one that hangs."""
    from postroad.pipeline import press

    _break(press, "_ENTRY", _ENTRY)
    _break(press, "_JOB_LIMIT_S", _JOB_LIMIT_S)


def _forget_results() -> None:
    """Forget what a receiver answered when the database is away at that moment, in memory and in the journal."""
    from postroad.pipeline.journal import Journal
    from postroad.store.database import Database

    _break(Journal, "result", lambda *_: None)

    write_each = Database.write_each

    async def impatient(self: Database, function: Any, item: Any, **how: Any) -> Any:
        return await write_each(self, function, item, **{**how, "patient": False})

    _break(Database, "write_each", impatient)


def _ignore_lease() -> None:
    """Send content whether or not the lease still holds."""
    from postroad.pipeline.sending import Sending

    def always(self: Sending, lease: Any) -> bool:
        self._journal.dot(lease.delivery_id, lease.attempt)
        return True

    _break(Sending, "_before_dot", always)


DEFECTS: dict[str, Sequence[Callable[[], None]]] = {
    "none": (),
    "answer-early": (_answer_early,),
    "forget-doubt": (_forget_doubt,),
    "sync-less": (_sync_less,),
    "bounce-on-any-dns": (_bounce_on_any_dns,),
    "retry-at-once": (_retry_at_once,),
    "give-up-at-first": (_give_up_at_first,),
    "poisonous": (_poisonous,),
    "keep-composing": (_poisonous, _keep_composing),
    "ignore-lease": (_ignore_lease,),
    "forget-results": (_forget_results,),
}


def composing(descriptor: int) -> None:
    """A composing process in which the words `poison: exit` and `poison: loop` in a subject do what they say."""
    from postroad.pipeline.press import frames, worker

    compose = frames.compose

    def poisoned(job: Any, ring: Any) -> Any:
        text = repr(job)
        if "poison: exit" in text:
            os._exit(1)
        while "poison: loop" in text:
            pass
        return compose(job, ring)

    _break(frames, "compose", poisoned)
    worker.main(descriptor)


def _boot(identifier: str) -> None:
    """Let the machine be one that was started anew."""
    from pathlib import Path

    from postroad.app import node

    file = Path("boot_id")
    file.write_text(identifier)
    node._BOOT_ID = file


def main() -> None:
    """Break what the environment names, then be Postroad."""
    if BOOT in os.environ:
        _boot(os.environ[BOOT])
    for breaking in DEFECTS[os.environ.get(VARIABLE, "none")]:
        breaking()
    from postroad.cli import main as postroad

    postroad(sys.argv[1:])


if __name__ == "__main__":
    main()
