"""The server itself: run it, migrate its database, see how it is."""

import platform
from typing import TYPE_CHECKING, Annotated

import typer

from postroad import __version__
from postroad.cli.asking import AsJson, ConfigFile, Operation, UsageFlawError, ask, rows, settings_of
from postroad.cli.telling import tell, tell_findings, tell_json, tell_records

if TYPE_CHECKING:
    from postroad.config import Settings

ROLES = ("http", "exchange", "delivery", "notifier", "scheduler")


def serve(
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role", metavar="ROLE", help=f"Run only this role ({', '.join(ROLES)}); may be repeated. All by default."
        ),
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Run the server in production; it refuses to start on an unsafe configuration."""
    from postroad.app import run
    from postroad.config import SettingsError, check_production

    roles = _roles(role)
    settings = settings_of(config)
    problems = check_production(settings)
    if problems:
        raise SettingsError(problems)
    if roles is not None and "exchange" in roles and not settings.exchange.enabled:
        raise UsageFlawError("The role exchange has nothing to do: switch it on with exchange.enabled.")
    run(_logging(settings, as_json=as_json), dev=False, roles=roles)


def dev(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Run everything on this machine; every message is captured here, and nothing leaves."""
    from postroad.app import run
    from postroad.config import for_development

    run(_logging(for_development(settings_of(config)), as_json=as_json), dev=True, roles=None)


def migrate(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Bring the database to this version's shape."""
    tell(ask(config, "migrate"), as_json=as_json)


def doctor(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Examine settings, database, disk, DNS and sending domains, and say what to change."""
    settings = settings_of(config)
    # Beside `postroad dev` most of this is as it should be, until somebody serves.
    before = "Before `postroad serve`: " if _is_development(settings) else ""
    settings_found: list[Operation] = [
        {"name": problem["setting"], "state": "warning", "detail": f"{before}{problem['detail']}"}
        for problem in _unsafe(settings)
    ]
    answer = ask(config, "doctor")
    findings: list[Operation] = [*settings_found, *rows(answer, "findings")]
    answer["findings"] = findings
    if as_json:
        tell_json(answer)
    else:
        tell_findings(findings or [{"name": "everything", "state": "ok", "detail": "nothing to change"}])
        tell_records(rows(answer, "domains"))
    if any(finding.get("state") == "problem" for finding in findings):
        raise typer.Exit(1)


def _is_development(settings: "Settings") -> bool:
    """Whether the data directory is one of `postroad dev`; one that may not be looked at is not."""
    try:
        return (settings.data.directory / "dev.key").exists()
    except PermissionError:
        return False


def version(as_json: AsJson = False) -> None:
    """Show the versions of Postroad and of Python."""
    tell({"postroad": __version__, "python": platform.python_version()}, as_json=as_json)


config_app = typer.Typer(help="See the settings.", no_args_is_help=True)


@config_app.command("show")
def show(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show every setting with its value and what it does, as TOML; secrets are masked."""
    from postroad.cli.toml import as_toml
    from postroad.config import shown

    settings = settings_of(config)
    if as_json:
        tell_json(shown(settings))
    else:
        typer.echo(as_toml(settings), nl=False)


@config_app.command("check")
def check(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Say what keeps `postroad serve` from starting with these settings."""
    problems = _unsafe(settings_of(config))
    if as_json:
        tell_json({"data": problems})
    elif problems:
        tell_findings({"name": each["setting"], "state": "problem", "detail": each["detail"]} for each in problems)
    else:
        typer.echo("These settings are safe to serve with.")
    if problems:
        raise typer.Exit(1)


def _unsafe(settings: "Settings") -> list[dict[str, str]]:
    """Return what keeps `postroad serve` from starting, as far as it shows without the store."""
    from postroad.app import unusable_limits, unusable_paths
    from postroad.config import check_production

    problems = [{"setting": each.setting, "detail": each.sentence} for each in check_production(settings)]
    routes_told = any(each["setting"] in {"delivery.relay_url", "delivery.routes"} for each in problems)
    if not routes_told and (flaw := unusable_paths(settings)) is not None:
        problems.append({"setting": "delivery", "detail": f"{flaw}."})
    if (flaw := unusable_limits(settings)) is not None:
        problems.append({"setting": "shaping.file", "detail": flaw})
    return problems


def _roles(chosen: list[str] | None) -> frozenset[str] | None:
    for role in chosen or ():
        if role == "smtp":
            raise UsageFlawError("Mail is taken by SMTP in `postroad dev` only; in production it comes over HTTP.")
        if role not in ROLES:
            raise UsageFlawError(f"There is no role {role!r}; there are {', '.join(ROLES)}.")
    return frozenset(chosen) if chosen else None


def _logging(settings: "Settings", *, as_json: bool) -> "Settings":
    from msgspec.structs import replace

    from postroad.config import LogFormat

    return replace(settings, log=replace(settings.log, format=LogFormat.JSON)) if as_json else settings
