"""The reputation guard: how a project stands with the receivers of its mail."""

from typing import Annotated

import typer

from postroad.cli.asking import AsJson, ConfigFile, Operation, Project, UsageFlawError, ask, rows
from postroad.cli.telling import tell, tell_json

guard_app = typer.Typer(help="How the mail of a project is received, and when it is paused.", no_args_is_help=True)
_RATES = ("hard_bounce", "block", "complaint")


@guard_app.command("show")
def show(project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show rates of hard bounces, blocks and complaints, what is bad, and what is paused."""
    _tell(ask(config, "guard.show", {"project": project}), as_json=as_json)


@guard_app.command("set")
def adjust(
    hard_bounce_warn: Annotated[
        float | None, typer.Option("--hard-bounce-warn", min=0, max=1, metavar="SHARE", help="Warn above this.")
    ] = None,
    hard_bounce_pause: Annotated[
        float | None,
        typer.Option("--hard-bounce-pause", min=0, max=1, metavar="SHARE", help="Pause above this, as 0.05."),
    ] = None,
    block_warn: Annotated[
        float | None, typer.Option("--block-warn", min=0, max=1, metavar="SHARE", help="Warn above this.")
    ] = None,
    block_pause: Annotated[
        float | None, typer.Option("--block-pause", min=0, max=1, metavar="SHARE", help="Pause above this.")
    ] = None,
    complaint_warn: Annotated[
        float | None, typer.Option("--complaint-warn", min=0, max=1, metavar="SHARE", help="Warn above this.")
    ] = None,
    complaint_pause: Annotated[
        float | None,
        typer.Option("--complaint-pause", min=0, max=1, metavar="SHARE", help="Pause above this, as 0.003."),
    ] = None,
    least: Annotated[
        int | None, typer.Option("--least", min=1, help="Deliveries below which a rate says nothing.")
    ] = None,
    pause: Annotated[
        bool | None, typer.Option("--pause/--warn-only", help="Whether broadcast mail is paused.", show_default=False)
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Begin with the numbers of the settings again.")] = False,
    project: Project = "default",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Hold a project to numbers of its own; what is not given stays."""
    given: Operation = {
        "hard_bounce_warn": hard_bounce_warn,
        "hard_bounce_pause": hard_bounce_pause,
        "block_warn": block_warn,
        "block_pause": block_pause,
        "complaint_warn": complaint_warn,
        "complaint_pause": complaint_pause,
        "least": least,
        "pause": pause,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if not chosen and not reset:
        raise UsageFlawError("Say which number is to change, or --reset.")
    _tell(ask(config, "guard.set", {"project": project, "thresholds": chosen, "reset": reset}), as_json=as_json)


def _tell(answer: Operation, *, as_json: bool) -> None:
    if as_json:
        tell_json(answer)
        return
    plain = {name: answer.get(name) for name in ("thresholds", "own", "counted_from")}
    findings = [{"bad": row.get("sentence"), "pauses": row.get("serious")} for row in rows(answer, "findings")]
    paused = [{name: row.get(name) for name in ("id", "stream", "reason", "until")} for row in rows(answer, "paused")]
    tables = {name: [_line(row) for row in rows(answer, name)] for name in ("streams", "sites")}
    tell({**plain, **tables, "findings": findings, "paused": paused}, as_json=False)


def _line(row: Operation) -> Operation:
    return {"name": row.get("name"), "sent": row.get("sent")} | {rate: _percent(row.get(rate)) for rate in _RATES}


def _percent(rate: object) -> str:
    if not isinstance(rate, dict) or rate.get("share") is None:
        return "–"
    return f"{100 * rate['share']:.2f} % ({rate['count']})"
