"""`python -m bench`: measure, print the table, and with `--json` store it under bench/results/."""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import sys
import time
from pathlib import Path

import msgspec
from rich.console import Console

import postroad
from bench.machine import Machine, look
from bench.rows import Result, Sample, show, summarise
from bench.workloads import WORKLOADS, Round
from peers.process import PartMissing, PeerFailed

_RESULTS = Path(__file__).parent / "results"
_ONCE = frozenset({"P12", "P12PG"})
"""Workloads that take minutes and are measured in the first round only."""
_ASKED_FOR = frozenset({"P12PG"})
"""Workloads that are measured when they are named only."""


class Report(msgspec.Struct, frozen=True):
    """What a run leaves behind."""

    at: str
    machine: str
    alone: Machine
    python: str
    cores: int | None
    messages: int
    rounds: int
    results: list[Result]
    failures: list[str]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", help=f"rows to measure, such as P1,P5 (of {', '.join(WORKLOADS)})")
    parser.add_argument("--messages", type=int, default=10_000, help="messages of one load")
    parser.add_argument("--queued", type=int, default=20_000, help="messages of P5's queue")
    parser.add_argument("--backlog", type=int, default=1_000_000, help="messages of P12's long queue")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="store the results in bench/results/")
    parser.add_argument("--quiet", action="store_true", help="do not tell what is being measured")
    return parser.parse_args()


def _measure(arguments: argparse.Namespace, names: list[str], console: Console) -> tuple[list[Sample], list[str]]:
    samples: list[Sample] = []
    failures: list[str] = []
    for number in range(1, arguments.rounds + 1):

        def say(words: str, number: int = number) -> None:
            if not arguments.quiet:
                console.print(f"[{number}/{arguments.rounds}] {words}", style="dim", markup=False, highlight=False)

        turn = Round(arguments.messages, arguments.queued, arguments.backlog, say)
        for name in names:
            if name in _ONCE and number > 1:
                continue
            try:
                for sample in WORKLOADS[name](turn):
                    samples.append(sample)
                    say(f"  {sample.key}: {sample.ours:.4g} beside {sample.peer or 0:.4g}")
            except (PartMissing, PeerFailed, RuntimeError, TimeoutError) as error:
                failures.append(f"{name}, round {number}: {error}")
                say(f"  {name} failed: {error}")
    return samples, failures


def main() -> int:
    """Measure what was asked for; the exit status is 0 when all of it reaches the first release's column."""
    arguments = _arguments()
    compileall.compile_dir(Path(postroad.__file__).parent, quiet=1)  # installed packages are, and a start is to be warm
    console = Console(width=140 if not sys.stdout.isatty() else None)
    names = (
        arguments.only.upper().split(",") if arguments.only else [name for name in WORKLOADS if name not in _ASKED_FOR]
    )
    if unknown := [name for name in names if name not in WORKLOADS]:
        console.print(f"There is no workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}.")
        return 2
    machine = look()
    samples, failures = _measure(arguments, names, console)
    results = summarise(samples)
    show(results, console)
    console.print(machine.sentence(), markup=False, highlight=False)
    for failure in failures:
        console.print(failure, style="red", markup=False)
    if arguments.json:
        _RESULTS.mkdir(exist_ok=True)
        report = Report(
            at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            machine=platform.platform(),
            alone=machine,
            python=platform.python_version(),
            cores=os.cpu_count(),
            messages=arguments.messages,
            rounds=arguments.rounds,
            results=results,
            failures=failures,
        )
        file = _RESULTS / f"{report.at.replace(':', '')}.json"
        file.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
        console.print(f"stored in {file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}")
    return 0 if not failures and all(result.first_reached for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
