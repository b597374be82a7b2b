"""Hold the measured coverage to its gates: pure packages completely, branches included, everything else 90 %.

coverage json -o .coverage.json && python tools/coverage_gates.py .coverage.json
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

PURE = ("wire", "model", "dialects", "pipeline/compose", "pipeline/outcomes")
REST = 90.0
SHOWN = 12
PACKAGE = "src/postroad/"


class Summary(msgspec.Struct):
    """What coverage says of one file."""

    covered_lines: int
    num_statements: int
    covered_branches: int = 0
    num_branches: int = 0


class File(msgspec.Struct):
    """One file of the report."""

    summary: Summary
    missing_lines: list[int] = []
    missing_branches: list[tuple[int, int]] = []


class Report(msgspec.Struct):
    """The part of coverage's JSON report that the gates look at."""

    files: dict[str, File]


def share(files: Iterable[File]) -> float:
    """Return the covered share of statements and branches, in percent."""
    covered = total = 0
    for file in files:
        covered += file.summary.covered_lines + file.summary.covered_branches
        total += file.summary.num_statements + file.summary.num_branches
    return 100.0 * covered / total if total else 100.0


def failures(files: Mapping[str, File]) -> list[str]:
    """Return a line for each gate that does not hold."""
    found: list[str] = []
    for package in PURE:
        inside = {name: file for name, file in files.items() if is_in(name, package)}
        for name, file in sorted(inside.items()):
            if share([file]) < 100.0:
                lines, branches = missing(file)
                found.append(f"{name}: {share([file]):.1f} % of 100 %; lines {lines}; branches {branches}")
    rest = {name: file for name, file in files.items() if not any(is_in(name, package) for package in PURE)}
    if share(rest.values()) < REST:
        found.append(f"Outside the pure packages: {share(rest.values()):.1f} % of {REST:g} %; the least covered:")
        worst = sorted(rest.items(), key=lambda item: share([item[1]]))[:10]
        found.extend(f"  {share([file]):5.1f} %  {name}" for name, file in worst)
    return found


def missing(file: File) -> tuple[str, str]:
    """Return the first lines and branches that are missing, as text."""
    lines = [str(line) for line in file.missing_lines]
    branches = [f"{start}->{end}" for start, end in file.missing_branches]
    lines, branches = (each[:SHOWN] + ["…"] * (len(each) > SHOWN) or ["-"] for each in (lines, branches))
    return ", ".join(lines), ", ".join(branches)


def is_in(name: str, package: str) -> bool:
    """Return whether a file lies in a package of ours."""
    path = Path(name).as_posix()
    return f"{PACKAGE}{package}/" in path or path.endswith(f"{PACKAGE}{package}.py")


def main(report: str) -> int:
    """Print what fails; return 1 when something does."""
    files = msgspec.json.decode(Path(report).read_bytes(), type=Report).files
    found = failures(files)
    for line in found:
        print(line)
    if not found:
        print(f"Coverage: pure packages 100 %, all together {share(files.values()):.1f} %.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
