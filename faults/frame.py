"""What an experiment is, what it is told, what it hands back, and the record that is kept of it."""

from __future__ import annotations

import datetime as dt
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import msgspec

from faults.checker import Mark

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"


class Size(StrEnum):
    """How much is run: `small` in CI, `usual` at a desk, `full` as `faults.md` of the promise asks."""

    SMALL = "small"
    USUAL = "usual"
    FULL = "full"


class Skipped(Exception):  # noqa: N818 - no error: what an experiment needs is not on this machine
    """The machine has not what the experiment needs; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is told. With `control` the product is broken on purpose (or judged by a wrong table)."""

    engine: str
    size: Size
    seed: int
    directory: Path
    control: bool = False
    say: Callable[[str], None] = lambda _: None

    def sized(self, small: int, usual: int, full: int) -> int:
        """One of three numbers, by the size of the run."""
        return {Size.SMALL: small, Size.USUAL: usual, Size.FULL: full}[self.size]


@dataclass(slots=True)
class Outcome:
    """What came of a run; `facts` are measured numbers that no mark judges."""

    marks: list[Mark]
    facts: dict[str, float | str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return all(mark.passed for mark in self.marks)

    @property
    def failed(self) -> list[str]:
        """Names of the marks that were missed."""
        return [mark.name for mark in self.marks if not mark.passed]


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment. `reveals` names the marks of which the negative control must miss at least one."""

    number: str
    name: str
    does: str
    control: str
    reveals: frozenset[str]
    run: Callable[[Options], Outcome]
    engines: tuple[str, ...] = ("sqlite",)
    """Those that it is run on."""
    also: tuple[str, ...] = ()
    """Those that it is run on when asked for: what is shown does not hang on the engine."""


class MarkRecord(msgspec.Struct, frozen=True):
    """A mark, as it is kept."""

    name: str
    meaning: str
    count: float
    limit: float | None
    least: bool
    passed: bool
    examples: tuple[str, ...] = ()


class ControlRecord(msgspec.Struct, frozen=True):
    """What the negative control showed."""

    what: str
    shown: bool
    missed: tuple[str, ...]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one run, as it is kept in `faults/results`."""

    number: str
    name: str
    does: str
    engine: str
    size: Size
    seed: int
    at: str
    commit: str
    clean: bool
    """Whether the tree held nothing but that commit."""
    machine: str
    seconds: float
    passed: bool
    marks: tuple[MarkRecord, ...]
    facts: dict[str, float | str]
    control: ControlRecord | None = None

    @property
    def file(self) -> str:
        return f"{self.number}-{self.name}-{self.engine}-{self.size}.json"


def execute(experiment: Experiment, options: Options, *, with_control: bool) -> tuple[Record, Outcome, Outcome | None]:
    """Run an experiment and, when asked to, its negative control; the record passes when both are as they must be."""
    began, at = time.monotonic(), dt.datetime.now(dt.UTC)
    outcome = experiment.run(options)
    control = None
    if with_control:
        options.say(f"negative control: {experiment.control}")
        with apart("control") as directory:
            control = experiment.run(_for_control(options, directory))
    shown = None if control is None else bool(experiment.reveals & set(control.failed))
    commit, clean = _commit()
    record = Record(
        number=experiment.number,
        name=experiment.name,
        does=experiment.does,
        engine=options.engine,
        size=options.size,
        seed=options.seed,
        at=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        commit=commit,
        clean=clean,
        machine=f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        seconds=round(time.monotonic() - began, 1),
        passed=outcome.passed and shown is not False,
        marks=tuple(_kept(mark) for mark in outcome.marks),
        facts=outcome.facts,
        control=None
        if control is None
        else ControlRecord(what=experiment.control, shown=bool(shown), missed=tuple(control.failed)),
    )
    return record, outcome, control


def _for_control(options: Options, directory: Path) -> Options:
    """The same options for the negative control, with a directory of its own."""
    return Options(options.engine, options.size, options.seed, directory, control=True, say=options.say)


def keep(record: Record) -> Path:
    """Write a record to `faults/results`, over an earlier one of the same experiment, engine and size."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / record.file
    path.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    return path


def kept() -> list[Record]:
    """Every record there is."""
    return [msgspec.json.decode(path.read_bytes(), type=Record) for path in sorted(RESULTS.glob("F*.json"))]


@contextmanager
def apart(name: str) -> Iterator[Path]:
    """Give a directory for ledgers and logs that is gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix=f"fault-{name}-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _kept(mark: Mark) -> MarkRecord:
    return MarkRecord(
        name=mark.name,
        meaning=mark.meaning,
        count=mark.count,
        limit=mark.limit,
        least=mark.least,
        passed=mark.passed,
        examples=() if mark.passed else mark.examples,
    )


def _commit() -> tuple[str, bool]:
    """The commit of the tree, and whether the product in it is exactly that."""
    name = _git("rev-parse", "--short=12", "HEAD")
    return name or "unknown", bool(name) and not _git(
        "status", "--porcelain", "--", "src", "faults", ":!faults/results"
    )


def _git(*arguments: str) -> str:
    """What git says; nothing where there is none, or the tree is not a clone."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
