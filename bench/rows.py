"""The table: what is promised, what was measured, and how that is printed and stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import msgspec
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One promise: `first` and `goal` bound the ratio to the peer or, without a peer, the value itself."""

    key: str
    what: str
    unit: str
    first: float | None = None
    goal: float | None = None
    peer: str = ""
    less_is_better: bool = False

    @property
    def workload(self) -> str:
        """The row of the plan it belongs to: P3 for `P3 single`."""
        return self.key.partition(" ")[0]

    def holds(self, value: float, bound: float | None) -> bool:
        if bound is None:
            return True
        return value <= bound if self.less_is_better else value >= bound


_SIGNED = "Postfix + OpenDKIM"
ROWS = (
    Row("P1", "single POST → signed → sink, SQLite durable", "msg/s", 4, 8, _SIGNED),
    Row("P1 naive", "the same, beside naive Python", "msg/s", peer="EmailMessage + dkimpy + smtplib"),
    Row("P2", "the same through batch of 500", "msg/s", 5, 10, _SIGNED),
    Row("P3 single", "accept only, durable, single", "msg/s", 4, 8, "Postfix intake"),
    Row("P3 batch", "accept only, durable, batch of 500", "msg/s", 15, 40, "Postfix intake"),
    Row("P4", "P1 on PostgreSQL, one node", "msg/s", 0.8, 1.0, "P1 on SQLite"),
    Row("P5", "drain what is queued", "msg/s", 5, 9, _SIGNED),
    Row("P7", "accept latency p99 at half the saturated rate", "ms", 50, 15, less_is_better=True),
    Row("P8 p50", "accepted → final dot, idle, p50", "ms", 1, 0.5, "Postfix", less_is_better=True),
    Row("P8 p99", "accepted → final dot, idle, p99", "ms", 1, 0.5, "Postfix", less_is_better=True),
    Row("P12", "CPU to drain a delivery behind a long queue", "µs", 2, 1.2, "a short queue", less_is_better=True),
    Row("P12 rate", "rate of draining behind a long queue", "msg/s", 0.5, 0.8, "a short queue"),
    Row("P12 start", "from start to first delivery, long queue", "s", 30, 5, less_is_better=True),
    Row("P12PG", "P12 on PostgreSQL", "µs", 2, 1.2, "a short queue", less_is_better=True),
    Row("P12PG rate", "rate of draining, long queue, PostgreSQL", "msg/s", 0.5, 0.8, "a short queue"),
    Row("P12PG start", "from start to first delivery, PostgreSQL", "s", 30, 5, less_is_better=True),
    Row("P12PG memory", "resident memory, long queue, PostgreSQL", "MiB", 600, 300, less_is_better=True),
    Row("P13 idle", "resident memory, idle", "MiB", 120, 80, less_is_better=True),
    Row("P13 load", "resident memory, under P1", "MiB", 300, 200, less_is_better=True),
    Row("P13 queue", "resident memory, long queue", "MiB", 600, 300, less_is_better=True),
    Row("P14", "postroad dev to first answer, warm", "s", 2, 0.7, less_is_better=True),
    Row("P16", "CPU per message outside RSA", "µs", 350, 180, less_is_better=True),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one row, with the peer of the same round."""

    key: str
    ours: float
    peer: float | None = None

    @property
    def value(self) -> float:
        """What the targets bound: the ratio where there is a peer."""
        return self.ours if self.peer is None else self.ours / self.peer if self.peer else 0.0


class Result(msgspec.Struct, frozen=True):
    """A row with the medians of its rounds."""

    key: str
    what: str
    unit: str
    rounds: int
    ours: float
    peer_name: str
    peer: float | None
    value: float
    values: list[float]
    first: float | None
    goal: float | None
    first_reached: bool
    goal_reached: bool


def summarise(samples: Iterable[Sample]) -> list[Result]:
    """Take the median of the rounds, of the ratios rather than the ratio of medians."""
    by_key: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_key[sample.key].append(sample)
    return [_result(row, by_key[row.key]) for row in ROWS if row.key in by_key]


def _result(row: Row, samples: Sequence[Sample]) -> Result:
    peers = [sample.peer for sample in samples if sample.peer is not None]
    values = [sample.value for sample in samples]
    value = median(values)
    return Result(
        key=row.key,
        what=row.what,
        unit=row.unit,
        rounds=len(samples),
        ours=median(sample.ours for sample in samples),
        peer_name=row.peer,
        peer=median(peers) if peers else None,
        value=value,
        values=values,
        first=row.first,
        goal=row.goal,
        first_reached=row.holds(value, row.first),
        goal_reached=row.holds(value, row.goal),
    )


def show(results: Sequence[Result], console: Console) -> None:
    """Print the table."""
    table = Table("", "workload", title="Measured and promised (medians)", title_justify="left")
    for name in ("ours", "peer", "ratio", "first release", "goal"):
        table.add_column(name, justify="right")
    by_key = {row.key: row for row in ROWS}
    for result in results:
        sign = "≤" if by_key[result.key].less_is_better else "≥"
        ratio = result.peer is not None
        unit = "×" if ratio else f" {result.unit}"
        table.add_row(
            result.key,
            result.what,
            f"{_figure(result.ours)} {result.unit}",
            f"{_figure(result.peer)} {result.unit}\n[dim]{result.peer_name}[/]" if result.peer is not None else "-",
            f"{_figure(result.value)}×" if ratio else "-",
            _verdict(result.first_reached, result.first, sign, unit),
            _verdict(result.goal_reached, result.goal, sign, unit),
        )
    console.print(table)


def _verdict(reached: bool, bound: float | None, sign: str, unit: str) -> str:
    if bound is None:
        return "-"
    return f"{sign} {_figure(bound)}{unit} {'[green]yes[/]' if reached else '[red]no[/]'}"


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
