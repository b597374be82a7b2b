"""How answers and failures are told: to people with Rich, to programs as JSON."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from postroad.cli.asking import Operation, rows

if TYPE_CHECKING:
    from rich.console import Console

_BOUNDLESS = 100_000
_MINUTE_S = 60
_UNITS = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
_COLOURS = {
    "ok": "green",
    "verified": "green",
    "missing": "red",
    "different": "red",
    "problem": "red",
    "failed": "red",
    "warning": "yellow",
    "pending": "yellow",
    "unknown": "yellow",
}


def tell(answer: Operation, *, as_json: bool) -> None:
    """Print an answer: JSON, or its values in lines and its lists as tables."""
    if as_json:
        tell_json(answer)
        return
    console = terminal()
    if "data" in answer:
        _table(console, rows(answer))
        return
    _lines(console, answer)
    for name in answer:
        if found := rows(answer, name):
            console.print(f"\n{_words(name)}", style="bold")
            _table(console, found)


def tell_json(answer: object, *, stream: str = "stdout") -> None:
    """Print one JSON document."""
    out = sys.stderr if stream == "stderr" else sys.stdout
    out.write(msgspec.json.format(msgspec.json.encode(answer)).decode() + "\n")


def tell_records(domains: Iterable[Operation]) -> None:
    """Print the DNS records of domains: for each what is wanted, what was found, and what to change."""
    console = terminal()
    for domain in domains:
        console.print(f"\n{domain.get('name', '')}", style="bold", end="  ")
        console.print(_coloured(domain.get("state", "")))
        for record in rows(domain, "records"):
            title = f"  {record.get('purpose', '')}  {record.get('type', '')}  {record.get('name', '')}"
            console.print(title, end="  ", markup=False)
            console.print(_coloured(record.get("state", "")))
            for part in ("wanted", "found", "change"):
                for line in _several(record.get(part)):
                    console.print(f"    {part:<7} {line}", markup=False)


def tell_queue(found: Sequence[Operation]) -> None:
    """Print deliveries of the queue, two lines each: where one stands and when it is tried, and why."""
    console = terminal()
    if not found:
        console.print("The queue holds nothing that fits.")
    for row in found:
        when = row.get("next_attempt_at") if row.get("state") not in ("held", "sending") else None
        site = row.get("site")
        to = f"{row.get('to')}" if str(row.get("to")).endswith(f"@{site}") else f"{row.get('to')} ({site})"
        head = f"{row.get('state'):<9}  {to}"
        console.print(f"{head}  {str(when)[:19]}Z" if when else head, markup=False)
        reason, waits = row.get("reason"), row.get("suspended")
        why = f"{row.get('class')}: {reason}" if reason else f"attempts: {row.get('attempts')}"
        console.print(f"           {row.get('id')}  {why}", markup=False)
        if isinstance(waits, dict):
            console.print(f"           suspended ({waits.get('cause')}): {waits.get('reason')}", markup=False)


def tell_findings(findings: Iterable[Operation]) -> None:
    """Print what an examination found, the remedy below what is wrong."""
    console = terminal()
    for finding in findings:
        console.print(_coloured(finding.get("state", "")), end="  ")
        console.print(f"{finding.get('detail', '')}", markup=False)
        if finding.get("remedy"):
            console.print(f"    {finding['remedy']}", markup=False)


def tell_failure(
    sentence: str,
    *,
    code: str,
    as_json: bool,
    errors: Sequence[Mapping[str, str]] = (),
    retry_after_s: int | None = None,
) -> None:
    """Print why a command failed: a red line, or a problem document on standard error."""
    if as_json:
        problem: Operation = {"code": code, "detail": sentence, "errors": list(errors)}
        if retry_after_s is not None:
            problem["retry_after_s"] = retry_after_s
        tell_json(problem, stream="stderr")
        return
    console = terminal(stderr=True)
    for line in sentence.splitlines():
        console.print(f"Error: {line}", style="red", markup=False)
    for error in errors:
        if error.get("detail") != sentence:
            console.print(f"  {error.get('pointer', '')}: {error.get('detail', '')}", style="red", markup=False)


def terminal(*, stderr: bool = False) -> "Console":
    """Return a console that breaks no line, so that what it prints can be copied and searched."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True, emoji=False)


def _coloured(state: object) -> str:
    colour = _COLOURS.get(str(state))
    return f"[{colour}]{state}[/{colour}]" if colour else str(state)


def _words(name: str) -> str:
    return name.removesuffix("_s").replace("_", " ").capitalize()


def _value(name: str, value: object) -> str:
    """Return a value in words: what is counted in seconds as a span of time."""
    match value:
        case int() | float() if name.endswith("_s") and not isinstance(value, bool):
            return _span(value)
        case _:
            return _text(value)


def _span(seconds: float) -> str:
    """Return a span of time to two units, such as 4 d 23 h, 12 min 5 s or 1.5 s."""
    if seconds < _MINUTE_S:
        return f"{round(seconds, 1):g} s"
    left, parts = round(seconds), list[str]()
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def _text(value: object) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(_text(item) for item in value) or "–"
        case dict():
            return ", ".join(f"{name}: {_text(item)}" for name, item in value.items()) or "–"
        case _:
            return str(value)


def _several(value: object) -> list[str]:
    if value is None or value in ("", []):
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _lines(console: "Console", answer: Operation) -> None:
    plain = {name: value for name, value in answer.items() if not rows(answer, name)}
    width = max((len(_words(name)) for name in plain), default=0)
    for name, value in plain.items():
        console.print(f"{_words(name):<{width}}  {_value(name, value)}", markup=False)


def _table(console: "Console", found: Sequence[Operation]) -> None:
    from rich.table import Table

    if not found:
        console.print("There are none.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = list(dict.fromkeys(name for row in found for name in row))
    for column in columns:
        table.add_column(_words(column), overflow="fold")
    for row in found:
        table.add_row(*(_escaped(_value(column, row.get(column))) for column in columns))
    if console.measure(table, options=console.options.update(width=_BOUNDLESS)).maximum > console.width:
        _records(console, found)
    else:
        console.print(table, soft_wrap=False)


def _records(console: "Console", found: Sequence[Operation]) -> None:
    """Print rows that are too wide for a table below one another, each value on a line of its own."""
    for number, row in enumerate(found):
        if number:
            console.print()
        width = max(len(_words(name)) for name in row)
        for name, value in row.items():
            console.print(f"{_words(name):<{width}}  {_value(name, value)}", markup=False)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
