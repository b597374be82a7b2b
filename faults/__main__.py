"""`python -m faults kill --engine sqlite --messages 10000 --seed 7`: run an experiment, print its marks."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from faults.kill import Plan, Report, run

_RESULTS = Path(__file__).parent / "results"
_SMALL = 1000


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("experiment", choices=["kill"], nargs="?", default="kill")
    parser.add_argument("--engine", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=1, help="nodes on one PostgreSQL")
    parser.add_argument("--rate", type=float, default=400.0, help="messages a second")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--deadline", type=float, default=600.0, help="seconds after the last kill")
    parser.add_argument("--small", action="store_true", help=f"{_SMALL} messages, kills every 0.5 to 2 s")
    return parser.parse_args()


def _plan(arguments: argparse.Namespace, engine: str) -> Plan:
    nodes = arguments.nodes if engine == "postgresql" else 1
    if arguments.small:
        return Plan(engine, _SMALL, arguments.seed, nodes, 150.0, (0.5, 2.0), min(arguments.deadline, 120.0))
    return Plan(engine, arguments.messages, arguments.seed, nodes, arguments.rate, deadline_s=arguments.deadline)


def _print(console: Console, plan: Plan, report: Report) -> None:
    title = f"kill -9 on {plan.engine}: {plan.messages} messages, {report.kills} kills, {report.seconds:.0f} s"
    table = Table("", "count", "at most", "", "what is counted", title=title, title_justify="left")
    for mark in report.marks:
        verdict = "[green]pass[/]" if mark.passed else "[red]FAIL[/]"
        limit = "-" if mark.limit is None else str(mark.limit)
        table.add_row(mark.name, str(mark.count), limit, verdict if mark.limit is not None else "", mark.meaning)
    console.print(table)
    for mark in report.marks:
        if not mark.passed:
            console.print(f"{mark.name}: {', '.join(mark.examples)}", markup=False)
    for problem in report.problems[:5]:
        console.print(problem, markup=False)


def main() -> int:
    """Run what was asked for; the exit status is 0 when every mark is passed."""
    arguments = _arguments()
    console = Console(width=120 if not sys.stdout.isatty() else None)
    passed = True
    for engine in ("sqlite", "postgresql") if arguments.engine == "both" else (arguments.engine,):
        plan = _plan(arguments, engine)
        directory = _RESULTS / f"kill-{engine}-{plan.seed}"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        report = run(plan, directory, lambda words: console.print(words, style="dim"))
        _print(console, plan, report)
        passed = passed and report.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
