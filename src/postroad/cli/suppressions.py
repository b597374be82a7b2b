"""The suppression list: whom a project no longer mails, and why."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

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
    rows,
)
from postroad.cli.telling import tell, tell_json, terminal

if TYPE_CHECKING:
    from postroad.features.suppressions.transfer import Line

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
Entry = TypeVar("Entry")


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
    lines = _lines(file)
    refused = [line for line in lines if line.problem and not _is_address(line.address)]
    wrong = {line.number for line in refused}
    addresses = [line.address for line in lines if line.number not in wrong]
    done = {"matched": 0, "removed": 0, "kept": 0}
    for batch in _in_batches(addresses, as_json=as_json, word="Removing"):
        arguments: Operation = {"project": project, "addresses": batch, "stream": stream, "force": force}
        answer = ask(config, "suppression.remove_all", arguments)
        for name in done:
            count = answer.get(name)
            done[name] += count if isinstance(count, int) else 0
    errors = [{"line": line.number, "address": line.address, "detail": line.problem} for line in refused]
    _tell_done({**done}, errors, as_json=as_json)


@suppression_app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV with an address column, JSON lines, or one address a line.")],
    project: Project = "default",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Add the suppressions of a file, in batches."""
    import msgspec

    done = {"added": 0, "present": 0}
    errors: list[Operation] = []
    for batch in _in_batches(_lines(file), as_json=as_json):
        answer = ask(config, "suppression.import", {"project": project, "lines": msgspec.to_builtins(batch)})
        for name in done:
            count = answer.get(name)
            done[name] += count if isinstance(count, int) else 0
        errors += rows(answer, "errors")
    _tell_done({**done}, errors, as_json=as_json)


@suppression_app.command("export")
def export(
    project: Project = "default",
    form: Annotated[Format, typer.Option("--format", help="How the list is written.")] = Format.CSV,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Print all suppressions; in CSV, what a spreadsheet would take for a formula is quoted with an apostrophe."""
    if as_json:
        found = pages(config, "suppression.list", {"project": project})
        tell_json({"data": [row for page in found for row in page]})
        return
    after: object = ""
    while after is not None:
        answer = ask(config, "suppression.export", {"project": project, "format": form.value, "after": after})
        typer.echo(str(answer.get("text", "")).encode(), nl=False)  # UTF-8, whatever the terminal is set to
        after = answer.get("next")


def _lines(file: Path) -> list["Line"]:
    """Read a list as the API does, however long it is; each line is judged by itself."""
    from postroad.features.suppressions.transfer import form_of, read_list
    from postroad.model.errors import Refused

    read = octets(file)
    try:
        return read_list(read, form_of(read), most=None)
    except Refused as refusal:
        raise UsageFlawError(f"{file}: {refusal.detail}") from refusal


def _is_address(text: str) -> bool:
    from postroad.wire.address import AddressError, parse_mailbox

    try:
        return bool(parse_mailbox(text))
    except AddressError:
        return False


def _tell_done(done: Operation, errors: list[Operation], *, as_json: bool) -> None:
    """Tell what was done, and what was refused with its lines; the command has failed when anything was."""
    tell({**done, "refused": len(errors), "errors": errors}, as_json=as_json)
    if errors:
        raise typer.Exit(1)


def _in_batches(entries: Sequence[Entry], *, as_json: bool, word: str = "Importing") -> Iterator[list[Entry]]:
    batches = (list(entries[start : start + PAGE]) for start in range(0, len(entries), PAGE))
    if as_json or len(entries) <= PAGE:
        yield from batches
        return
    from rich.progress import Progress

    with Progress(console=terminal(stderr=True)) as progress:
        task = progress.add_task(word, total=len(entries))
        for batch in batches:
            yield batch
            progress.advance(task, len(batch))
