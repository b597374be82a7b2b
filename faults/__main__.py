"""`python -m faults [F13 drop …] --small`: run experiments with their negative controls, print marks, keep records.

`python -m faults table` writes the table of results into docs/explanation/reliability.md from the records.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from collections.abc import Callable

import msgspec
from rich.console import Console
from rich.table import Table

from faults import table
from faults.catalogue import catalogue, choose
from faults.frame import RESULTS, Experiment, Options, Record, Size, Skipped, execute, keep
from peers.process import PartMissing


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("experiments", nargs="*", help="numbers or names; none: all; `list`, `table`")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--small", dest="size", action="store_const", const=Size.SMALL, help="as in CI: seconds each")
    size.add_argument("--full", dest="size", action="store_const", const=Size.FULL, help="as promised: up to hours")
    parser.add_argument("--engine", choices=["sqlite", "postgresql", "all"], default="all")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-control", action="store_true", help="leave the negative control out")
    parser.add_argument("--control-only", action="store_true", help="run nothing but the negative control")
    parser.add_argument("--keep", action="store_true", help="keep a record of the result in faults/results")
    parser.add_argument("--json", action="store_true", help="print records as JSON lines and nothing else")
    return parser.parse_args()


def _print(console: Console, record: Record) -> None:
    title = f"{record.number} {record.name} on {record.engine}, {record.size}: {record.seconds:.0f} s"
    shown = Table("", "count", "", "", "what is counted", title=title, title_justify="left")
    for mark in record.marks:
        limit = "-" if mark.limit is None else f"{'>=' if mark.least else '<='} {mark.limit:g}"
        verdict = "" if mark.limit is None else "[green]pass[/]" if mark.passed else "[red]FAIL[/]"
        shown.add_row(mark.name, f"{mark.count:g}", limit, verdict, mark.meaning)
    console.print(shown)
    for mark in record.marks:
        for example in mark.examples:
            console.print(f"{mark.name}: {example}", markup=False)
    facts = ", ".join(
        f"{name} {value if isinstance(value, str) else f'{value:g}'}" for name, value in record.facts.items()
    )
    if facts:
        console.print(facts, style="dim", markup=False)
    if record.control is not None:
        verdict = "[green]shown[/]" if record.control.shown else "[red]NOT SHOWN[/]"
        console.print(
            f"control ({record.control.what}): {verdict}, missed {', '.join(record.control.missed) or 'none'}"
        )


def _control_only(experiment: Experiment, options: Options, console: Console) -> bool:
    outcome = experiment.run(
        Options(options.engine, options.size, options.seed, options.directory, control=True, say=options.say)
    )
    for mark in outcome.marks:
        console.print(f"{mark.name} {mark.count:g} {'' if mark.passed else 'missed'} {mark.examples}", markup=False)
    return bool(experiment.reveals & set(outcome.failed))


def _one(experiment: Experiment, engine: str, arguments: argparse.Namespace, say: Callable[[str], None]) -> Options:
    size = arguments.size or Size.USUAL
    directory = RESULTS / f"{experiment.number}-{engine}-{arguments.seed}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return Options(engine, size, arguments.seed, directory, say=say)


def main() -> int:
    """Run what was asked for; the exit status is 0 when every mark is passed and every control shows."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started and mounted is cleared away
    console = Console(width=140 if not sys.stdout.isatty() else None)
    if arguments.experiments == ["table"]:
        return table.write()
    if arguments.experiments == ["list"]:
        for experiment in catalogue():
            console.print(f"{experiment.number:4} {experiment.name:10} {experiment.does}", markup=False)
        return 0

    def say(words: str) -> None:
        if not arguments.json:
            console.print(words, style="dim", markup=False)

    passed = True
    for experiment in choose(arguments.experiments):
        engines = experiment.engines if arguments.engine == "all" else (arguments.engine,)
        for engine in [each for each in engines if each in (*experiment.engines, *experiment.also)]:
            passed = _run(experiment, engine, arguments, console, say) and passed
    return 0 if passed else 1


def _run(
    experiment: Experiment, engine: str, arguments: argparse.Namespace, console: Console, say: Callable[[str], None]
) -> bool:
    options = _one(experiment, engine, arguments, say)
    say(f"{experiment.number} {experiment.name} on {engine}: {experiment.does}")
    try:
        if arguments.control_only:
            return _control_only(experiment, options, console)
        record = execute(experiment, options, with_control=not arguments.no_control)[0]
    except (Skipped, PartMissing) as missing:
        console.print(f"{experiment.number} {experiment.name} was not run: {missing}", style="yellow", markup=False)
        return True
    if arguments.keep:
        keep(record)
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
    else:
        _print(console, record)
    return record.passed


if __name__ == "__main__":
    sys.exit(main())
