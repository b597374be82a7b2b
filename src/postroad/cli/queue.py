"""The queue: what waits and why; hold it, let it go on, end it; make a site or a project wait."""

from pathlib import Path
from typing import Annotated

import typer

from postroad.cli.asking import (
    AsJson,
    ConfigFile,
    Operation,
    UsageFlawError,
    ask,
    clock_of,
    point_in_time,
    rows,
)
from postroad.cli.choosing import OfProject, choosing
from postroad.cli.telling import tell, tell_json, tell_queue, terminal

queue_app = typer.Typer(help="What waits to be sent, and why; hold it, let it go on, or end it.")
Note = Annotated[str, typer.Option("--note", help="Why; kept with the deliveries and in the audit.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be changed.")]
_STATES = ("sending", "scheduled", "queued", "deferred", "held")
All = Annotated[bool, typer.Option("--all", help="Everything; needed when nothing else says what is meant.")]


@queue_app.callback(invoke_without_command=True)
def queue(context: typer.Context, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show how many deliveries are in which state, and what waits for whom."""
    if context.invoked_subcommand is None:
        tell(ask(config, "queue"), as_json=as_json)


@queue_app.command("list")
@choosing()
def list_all(
    which: Operation,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 50,
    after: Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Continue a listing there.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List what waits: what is being sent, what is due next, what is held."""
    answer = ask(config, "queue.list", {**which, "limit": limit, "after": after})
    if as_json:
        tell_json(answer)
        return
    tell_queue(rows(answer))
    if answer.get("next"):
        typer.echo(f"There is more: --after {answer['next']}")


@queue_app.command("count")
@choosing(without=("message", "to"))
def count(
    which: Operation,
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="site, domain, project, stream, state or class.")
    ] = "site",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Count what waits, the most first."""
    answer = ask(config, "queue.count", {**which, "by": by})
    tell(answer if as_json else {"data": [_brief(row, by) for row in rows(answer)]}, as_json=as_json)


@queue_app.command("show")
def show(
    delivery: Annotated[str, typer.Argument(help="Identifier of the delivery.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show where a delivery stands, and why."""
    tell(ask(config, "queue.show", {"delivery": delivery}), as_json=as_json)


def _changing(action: str, help_text: str) -> None:
    """Add the command that does `action` to what a filter names."""

    @choosing()
    def command(
        which: Operation,
        everything: All = False,
        note: Note = "",
        dry_run: DryRun = False,
        config: ConfigFile = None,
        as_json: AsJson = False,
    ) -> None:
        if not which and not everything:
            raise UsageFlawError("Say which deliveries are meant, or --all.")
        arguments: Operation = {**which, "action": action, "note": note, "dry_run": dry_run}
        tell({"dry_run": dry_run, **_in_parts(config, arguments, as_json=as_json)}, as_json=as_json)

    command.__doc__ = help_text
    queue_app.command(action, help=help_text)(command)


_changing("hold", "Hold what waits until it is released.")
_changing("release", "Let what is held go on; the time to give up moves by as long as it was held.")
_changing("requeue", "Try what waits again now; what is scheduled only with --state scheduled.")
_changing("cancel", "End what waits or is held; nothing of it is sent.")
_changing("bounce", "End what waits or is held as undeliverable; no address is suppressed.")


@queue_app.command("suspend")
def suspend(
    site: Annotated[str | None, typer.Option("--site", metavar="SITE", help="A site, or a recipient domain.")] = None,
    project: Annotated[str | None, typer.Option("--project", metavar="NAME", help="A project.")] = None,
    stream: Annotated[str | None, typer.Option("--stream", metavar="NAME", help="A stream of the project.")] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="RFC 3339 time, or a span from now such as 2h.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; shown wherever somebody asks.")] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make mail wait, to a site, of a project, of a stream, or of these together."""
    arguments: Operation = {
        "site": site,
        "project": project,
        "stream": stream,
        "until": point_in_time(until, clock_of(config)) if until else None,
        "reason": reason,
    }
    tell(ask(config, "queue.suspend", arguments), as_json=as_json)


@queue_app.command("resume")
def resume(
    identifier: Annotated[str | None, typer.Argument(metavar="[ID]", help="Identifier of a suspension.")] = None,
    site: Annotated[str | None, typer.Option("--site", metavar="SITE", help="The site that was suspended.")] = None,
    project: Annotated[str | None, typer.Option("--project", metavar="NAME", help="The project that was.")] = None,
    stream: Annotated[str | None, typer.Option("--stream", metavar="NAME", help="The stream that was.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also what a rule or the guard has suspended.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let go on what was suspended: by identifier, or by the same words with which it was suspended."""
    if not (identifier or site or project):
        raise UsageFlawError("Say what is to go on: the identifier of a suspension, --site or --project.")
    arguments: Operation = {"id": identifier, "site": site, "project": project, "stream": stream, "force": force}
    tell(ask(config, "queue.resume", arguments), as_json=as_json)


@queue_app.command("suspensions")
def suspensions(project: OfProject = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List what is suspended, why, and until when."""
    tell(ask(config, "queue.suspensions", {"project": project}), as_json=as_json)


def _in_parts(config: Path | None, arguments: Operation, *, as_json: bool) -> Operation:
    """Ask for one part after the other until all is done, and return what became of the whole."""
    done: Operation = {"operation": "", "matched": 0, "changed": 0, "in_hand": 0, "sample": []}
    after: object = None
    with terminal(stderr=True).status("Working") as status:
        while True:
            answer = ask(config, "queue.change", {**arguments, "after": after, "operation": done["operation"]})
            done = _joined(done, answer)
            after = answer.get("next")
            if after is None:
                return done
            if not as_json:
                status.update(f"{done['matched']} found, {done['changed']} changed")


def _joined(done: Operation, answer: Operation) -> Operation:
    """Return what became of a change so far, with one part more."""
    sums = {name: _number(done, name) + _number(answer, name) for name in ("matched", "changed")}
    sample = rows(done, "sample") or rows(answer, "sample")
    shown = [{name: row.get(name) for name in ("id", "state", "to", "class")} for row in sample]
    return {"operation": answer.get("operation"), **sums, "in_hand": answer.get("in_hand"), "sample": shown}


def _brief(row: Operation, by: str) -> Operation:
    """Return a count as it fits on a line: states in which nothing stands are left out."""
    states = {state: row[state] for state in _STATES if row.get(state)}
    return {by: row.get(by), "total": row.get("total"), "states": states, "oldest_s": row.get("oldest_s")}


def _number(answer: Operation, name: str) -> int:
    value = answer.get(name)
    return value if isinstance(value, int) else 0
