"""The table of results in docs/explanation/reliability.md, made from the records and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from faults.frame import ROOT, MarkRecord, Record, kept

PAGE = ROOT / "docs" / "explanation" / "reliability.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
_HEAD = (
    "| | experiment | engine | size | result | marks | other numbers | control | date | commit |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


def render(records: Sequence[Record]) -> str:
    """The table of these records."""
    rows = sorted(records, key=lambda record: (int(record.number[1:]), record.engine, record.size))
    return "\n".join((*_HEAD, *(_row(record) for record in rows)))


def replaced(page: str, text: str) -> str:
    """The page with `text` between the markers.

    Raises:
        ValueError: the page has no markers.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def write() -> int:
    """Write the table of all records into the page."""
    PAGE.write_text(replaced(PAGE.read_text(), render(kept())))
    return 0


def _row(record: Record) -> str:
    marks = ", ".join(_mark(mark) for mark in record.marks)
    facts = ", ".join(
        f"{name} {value if isinstance(value, str) else f'{value:g}'}" for name, value in record.facts.items()
    )
    control = "-"
    if record.control is not None:
        missed = ", ".join(record.control.missed) or "nothing"
        control = f"{record.control.what}: missed {missed}" if record.control.shown else "**did not show**"
    commit = f"`{record.commit}`" + ("" if record.clean else " with changes")
    cells = (
        record.number,
        record.does,
        record.engine,
        record.size.value,
        "passed" if record.passed else "**failed**",
        marks,
        facts or "-",
        control,
        record.at[:10],
        commit,
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _mark(mark: MarkRecord) -> str:
    limit = "" if mark.limit is None else f" ({'≥' if mark.least else '≤'} {mark.limit:g})"
    text = f"{mark.name} {mark.count:g}{limit}"
    return text if mark.passed else f"**{text}**"
