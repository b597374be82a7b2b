"""The suppression list: whom a project no longer mails, and why."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from postroad.cli.asking import (
    PAGE,
    AsJson,
    ConfigFile,
    Operation,
    Project,
    UsageFlawError,
    ask,
    clock_of,
    octets,
    pages,
    past_time,
)
from postroad.cli.telling import tell, tell_json, terminal

suppression_app = typer.Typer(help="Addresses that are no longer mailed, and why.", no_args_is_help=True)
Address = Annotated[str, typer.Argument(help="The address, such as ada@example.com.")]
Stream = Annotated[str | None, typer.Option("--stream", help="Only for this stream; otherwise for all.")]
Incident = Annotated[str | None, typer.Option("--incident", metavar="ID", help="Only what this incident caused.")]
OfCause = Annotated[
    str | None, typer.Option("--cause", metavar="CAUSE", help="bounce, complaint, unsubscribe, manual or import.")
]
OfProject = Annotated[
    str | None, typer.Option("--project", metavar="NAME", help="Only this project; otherwise all.", show_default=False)
]
_ADDRESS = ("address", "email", "email address", "email_address", "recipient")
"""What the column of addresses may be called, in lists of others too."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a spreadsheet recognises a formula (OWASP, CSV injection)."""


class Format(StrEnum):
    """How a list is written."""

    CSV = "csv"
    JSONL = "jsonl"


@suppression_app.command("list")
def list_all(
    project: Project = "default",
    limit: Annotated[int, typer.Option("--limit", min=1, max=PAGE, help="At most so many.")] = 50,
    after: Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Continue a listing there.")] = None,
    incident: Incident = None,
    cause: OfCause = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List suppressions, the newest first."""
    which = {name: value for name, value in (("incident", incident), ("cause", cause)) if value is not None}
    arguments: Operation = {"project": project, "limit": limit, "after": after, **which}
    tell(ask(config, "suppression.list", arguments), as_json=as_json)


@suppression_app.command("add")
def add(
    address: Address,
    stream: Stream = None,
    note: Annotated[str | None, typer.Option("--note", help="Why, for the record.")] = None,
    project: Project = "default",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Stop mailing an address."""
    arguments: Operation = {"project": project, "address": address, "stream": stream, "note": note}
    tell(ask(config, "suppression.add", arguments), as_json=as_json)


@suppression_app.command("remove")
def remove(
    address: Address,
    stream: Stream = None,
    force: Annotated[bool, typer.Option("--force", help="Even when the recipient complained.")] = False,
    project: Project = "default",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Allow an address to be mailed again."""
    arguments: Operation = {"project": project, "address": address, "stream": stream, "force": force}
    tell(ask(config, "suppression.remove", arguments), as_json=as_json)


@suppression_app.command("incidents")
def incidents(
    project: OfProject = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=PAGE, help="At most so many.")] = 50,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List what put addresses on the lists by itself, the latest first: where, why, when and how many."""
    tell(ask(config, "suppression.incidents", {"project": project, "limit": limit}), as_json=as_json)


@suppression_app.command("undo")
def undo(
    incident: Incident = None,
    cause: OfCause = None,
    cls: Annotated[str | None, typer.Option("--class", metavar="CLASS", help="Such as invalid_recipient.")] = None,
    rule: Annotated[str | None, typer.Option("--rule", metavar="RULE", help="The rule that decided.")] = None,
    site: Annotated[str | None, typer.Option("--site", metavar="SITE", help="Where the mail went.")] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Put there then or later.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Put there before this time.")] = None,
    project: OfProject = None,
    force: Annotated[bool, typer.Option("--force", help="Also complaints and wishes to unsubscribe.")] = False,
    note: Annotated[str, typer.Option("--note", help="Why, for the audit.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be taken off.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Take off the lists all that an incident put there, or a rule, a class of replies, a site, a time."""
    given: Operation = {
        "project": project,
        "incident": incident,
        "cause": cause,
        "class": cls,
        "rule": rule,
        "site": site,
        "since": past_time(since, clock_of(config)) if since else None,
        "until": past_time(until, clock_of(config)) if until else None,
    }
    which = {name: value for name, value in given.items() if value is not None}
    answer = ask(config, "suppression.undo", {**which, "force": force, "note": note, "dry_run": dry_run})
    tell(answer, as_json=as_json)


@suppression_app.command("remove-file")
def remove_file(
    file: Annotated[Path, typer.Argument(help="CSV with an address column, JSON lines, or one address a line.")],
    stream: Stream = None,
    force: Annotated[bool, typer.Option("--force", help="Even when the recipient complained.")] = False,
    project: Project = "default",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Allow the addresses of a file to be mailed again, in batches."""
    entries = _entries(_text(file))
    done = {"matched": 0, "removed": 0, "kept": 0}
    for batch in _in_batches(entries, as_json=as_json, word="Removing"):
        addresses = [str(entry.get("address", "")) for entry in batch]
        arguments: Operation = {"project": project, "addresses": addresses, "stream": stream, "force": force}
        answer = ask(config, "suppression.remove_all", arguments)
        for name in done:
            count = answer.get(name)
            done[name] += count if isinstance(count, int) else 0
    tell({**done}, as_json=as_json)


@suppression_app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV with an address column, JSON lines, or one address a line.")],
    project: Project = "default",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Add the suppressions of a file, in batches."""
    entries = _entries(_text(file))
    done: dict[str, int] = {"added": 0, "present": 0, "refused": 0}
    refused: list[object] = []
    for batch in _in_batches(entries, as_json=as_json):
        answer = ask(config, "suppression.import", {"project": project, "entries": batch})
        for name in ("added", "present"):
            count = answer.get(name)
            done[name] += count if isinstance(count, int) else 0
        errors = answer.get("errors")
        refused.extend(errors if isinstance(errors, list) else [])
    done["refused"] = len(refused)
    tell({**done, "errors": refused}, as_json=as_json)
    if refused:
        raise typer.Exit(1)


@suppression_app.command("export")
def export(
    project: Project = "default",
    form: Annotated[Format, typer.Option("--format", help="How the list is written.")] = Format.CSV,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Print all suppressions; in CSV, what a spreadsheet would take for a formula is quoted with an apostrophe."""
    found = pages(config, "suppression.list", {"project": project})
    if as_json:
        tell_json({"data": [row for page in found for row in page]})
        return
    columns: list[str] = []
    for page in found:
        if form is Format.JSONL:
            typer.echo("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in page), nl=False)
        elif page:
            head = not columns
            columns = columns or list(page[0])
            typer.echo(_csv(page, columns, head=head), nl=False)


def _csv(page: Iterable[Operation], columns: list[str], *, head: bool) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if head:
        writer.writerow(columns)
    writer.writerows([[_inert(row.get(column)) for column in columns] for row in page])
    return out.getvalue()


def _inert(value: object) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _text(file: Path) -> str:
    read = octets(file)
    try:
        return read.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = read.count(b"\n", 0, error.start) + 1
        raise UsageFlawError(f"Line {line} of {file} is not UTF-8.") from error


def _entries(text: str) -> list[Operation]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    if lines[0].lstrip().startswith("{"):
        return list(_json_lines(lines))
    delimiter = next((mark for mark in ",;\t" if mark in lines[0]), ",")
    names = [name.strip().lower() for name in next(csv.reader(lines[:1], delimiter=delimiter))]
    column = next((names.index(name) for name in _ADDRESS if name in names), None)
    if column is not None:
        names[column] = "address"
        return _rows(text, names, delimiter)
    if len(names) > 1:
        raise UsageFlawError("The list has no column called address or email.")
    return [{"address": _bare(line.strip())} for line in lines]


def _rows(text: str, names: list[str], delimiter: str) -> list[Operation]:
    """Return the rows behind the heading; a quote that is never closed would swallow rows, so it is refused."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        found = [row for row in reader if any(cell.strip() for cell in row)][1:]
    except csv.Error as error:
        raise UsageFlawError(f"Line {reader.line_num} of the list is not CSV: {error}.") from error
    return [
        {name: _bare(value.strip()) for name, value in zip(names, row, strict=False) if name and value} for row in found
    ]


def _json_lines(lines: Iterable[str]) -> Iterator[Operation]:
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            raise UsageFlawError(f"Line {number} is not a JSON object.")
        yield entry


def _bare(text: str) -> str:
    """Take off the apostrophe that an export put before what looks like a formula."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def _in_batches(entries: list[Operation], *, as_json: bool, word: str = "Importing") -> Iterator[list[Operation]]:
    remaining = iter(entries)
    batches = iter(lambda: list(islice(remaining, PAGE)), [])
    if as_json or len(entries) <= PAGE:
        yield from batches
        return
    from rich.progress import Progress

    with Progress(console=terminal(stderr=True)) as progress:
        task = progress.add_task(word, total=len(entries))
        for batch in batches:
            yield batch
            progress.advance(task, len(batch))
