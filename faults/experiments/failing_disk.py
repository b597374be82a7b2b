"""F3: syncs fail with EIO, writes with ENOSPC or stop short: no 2xx for what is not on disk.

The power is cut at the end of each kind, so that what a failed sync did not make durable is lost for certain.
"""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass

from faults import sabotage
from faults.checker import Mark, none_of
from faults.disk import Disk, disk
from faults.frame import Experiment, Options, Outcome
from faults.injector import Client
from faults.load import SETTINGS, Load
from faults.observer import unknown
from faults.stage import Stage, python_path, stage
from peers.ledger import Behaviour
from peers.mta import mail_sink
from peers.postroad import relaying
from peers.process import PeerFailed

_FAILING_S = 2.0
_ON_THE_WAY_NS = 500_000_000
"""An answer may be on its way to the ledger that a commit before the first failure has earned."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of failing; `final` tells whether the server may store nothing more until it is restarted."""

    name: str
    sync: int = 0
    write: int = 0
    short: bool = False
    final: bool = False


_KINDS = (
    Kind("sync EIO", sync=errno.EIO, final=True),
    Kind("sync ENOSPC", sync=errno.ENOSPC, final=True),
    Kind("write ENOSPC", write=errno.ENOSPC),
    Kind("write short", short=True, final=True),  # the kernel makes EIO of it
)


def run(options: Options) -> Outcome:
    """Let the disk fail under load in each way, cut the power, start again, and compare the ledgers."""
    rounds = options.sized(1, 3, 20)
    lies, revived, stopped = [], [], []
    failures = 0
    with disk() as drive, mail_sink(Behaviour(seed=options.seed), directory=options.directory) as sink:
        data = drive.place / "data"
        data.mkdir(mode=0o750)
        settings = {**relaying(sink.port), **SETTINGS, "POSTROAD_DATA_DIRECTORY": str(data)}
        with stage(options, settings) as on:
            _prepare(on, options)
            with Load(options, on) as load:
                for number, kind in enumerate(_KINDS[:1] if options.control else _KINDS * rounds, 1):
                    time.sleep(0.7)
                    if options.control:
                        load.injector.await_ack()  # so that the commit that fails is one that was answered for
                    first_ns, until_ns, times = _fail(drive, kind)
                    failures += times
                    time.sleep(1.0)
                    during = load.answered_between(first_ns + _ON_THE_WAY_NS, until_ns) if first_ns else 0
                    after = load.answered_between(until_ns, time.time_ns())
                    if during:
                        lies.append(f"{kind.name}: {during} answered 202 while it failed")
                    if kind.final and after:
                        revived.append(f"{kind.name}: {after} answered 202 after a failed sync")
                    if not kind.final and not after and not _answers(on, load):
                        stopped.append(f"{kind.name}: nothing answered 202 after the disk was well again")
                    drive.cut(options.seed)
                    on.node.kill()
                    drive.unmount()
                    drive.mount()
                    on.node.environment |= sabotage.boot(number)
                    try:
                        on.node.start()
                    except PeerFailed as failure:
                        stopped.append(f"{kind.name}: no start: {str(failure)[-200:]}")
                        break
            marks = load.compare(sink.ledger)
            if options.control:  # what it answered and could not store it may still have sent
                marks.append(unknown(Client([on.node.port], on.key, "unknown"), load.acks()))
    marks += [
        none_of("LIES", "answered 202 while every commit failed", lies),
        none_of("REVIVED", "answered 202 after a failed sync and before a restart", revived),
        none_of("STOPPED", "did not go on by itself, or did not start", stopped),
        Mark("FAILED", "syncs and writes that failed", failures, len(_KINDS), least=True),
    ]
    return Outcome(marks, {"rounds": rounds, "acknowledged": len(load.acks()), "failed calls": failures})


def _prepare(on: Stage, options: Options) -> None:
    """Let the node see that the machine was started anew; for the control, answer before the commit."""
    on.node.stop()
    on.node.module = "faults.sabotage"
    defect = "answer-early" if options.control else "none"
    on.node.environment |= {"PYTHONPATH": python_path(), sabotage.VARIABLE: defect}
    on.node.start()


def _fail(drive: Disk, kind: Kind) -> tuple[int, int, int]:
    """Fail for a while; returns when the first call failed and when it was over (ns), and how many failed."""
    drive.fail(sync=kind.sync, write=kind.write, short=kind.short, only="postroad.db")
    time.sleep(_FAILING_S)
    until_ns = time.time_ns()
    told = drive.heal()
    return told["first_at_ns"], until_ns, told["times"]


def _answers(on: Stage, load: Load) -> bool:
    """Whether a request is answered 202 within some seconds."""
    before, deadline = len(load.acks()), time.monotonic() + 15
    while time.monotonic() < deadline:
        if len(load.acks()) > before:
            return True
        time.sleep(0.2)
    return False


EXPERIMENT = Experiment(
    number="F3",
    name="failing-disk",
    does="Syncs fail with EIO and ENOSPC, writes with ENOSPC or stop short, under load; then the power goes.",
    control="a build that answers 202 before the commit",
    reveals=frozenset({"LOST", "LIES", "UNKNOWN"}),
    run=run,
)
