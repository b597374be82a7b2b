"""Projects and their API keys."""

from enum import StrEnum
from typing import Annotated

import typer

from postroad.cli.asking import AsJson, ConfigFile, Project, ask, clock_of, point_in_time
from postroad.cli.telling import tell

project_app = typer.Typer(help="Projects: tenants with their own keys, domains and mail.", no_args_is_help=True)
key_app = typer.Typer(help="API keys of a project.", no_args_is_help=True)


OneProject = Annotated[str, typer.Argument(metavar="PROJECT", help="Name or identifier of the project.")]


class Mode(StrEnum):
    """Whether a key sends or only captures."""

    LIVE = "live"
    TEST = "test"


class Scope(StrEnum):
    """What a key may do."""

    FULL = "full"
    SEND = "send"
    READ = "read"


@project_app.command("create")
def create_project(
    name: Annotated[str, typer.Argument(help="Name of the new project.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Create a project."""
    tell(ask(config, "project.create", {"name": name}), as_json=as_json)


@project_app.command("list")
def list_projects(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List all projects."""
    tell(ask(config, "project.list"), as_json=as_json)


@project_app.command("rename")
def rename_project(
    project: OneProject,
    name: Annotated[str, typer.Argument(help="Its new name.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a project another name; settings that name it have to be changed with it."""
    tell(ask(config, "project.rename", {"project": project, "name": name}), as_json=as_json)


@project_app.command("pause")
def pause_project(project: OneProject, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Let a project's mail wait: it is still accepted, and what was not begun is not sent."""
    tell(ask(config, "project.pause", {"project": project}), as_json=as_json)


@project_app.command("resume")
def resume_project(project: OneProject, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Send what has waited since a project was paused."""
    tell(ask(config, "project.resume", {"project": project}), as_json=as_json)


@key_app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")] = "default",
    project: Project = "default",
    mode: Annotated[Mode, typer.Option("--mode", help="A test key captures, whatever the configuration.")] = Mode.LIVE,
    scope: Annotated[Scope, typer.Option("--scope", help="What the key may do.")] = Scope.FULL,
    from_domain: Annotated[
        list[str] | None, typer.Option("--from-domain", metavar="DOMAIN", help="Send only from this; may be repeated.")
    ] = None,
    recipient: Annotated[
        list[str] | None,
        typer.Option("--recipient", metavar="PATTERN", help="Send only to these, as *@example.com; may be repeated."),
    ] = None,
    network: Annotated[
        list[str] | None, typer.Option("--network", metavar="CIDR", help="Use only from there; may be repeated.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="TIME", help="RFC 3339 time, or a span from now such as 30d.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key; it is shown this once and cannot be shown again."""
    arguments: dict[str, object] = {
        "project": project,
        "name": name,
        "mode": str(mode),
        "scope": str(scope),
        "from_domains": from_domain or [],
        "recipients": recipient or [],
        "networks": network or [],
        "expires_at": point_in_time(expires, clock_of(config)) if expires else None,
    }
    tell(ask(config, "key.create", arguments), as_json=as_json)


@key_app.command("list")
def list_keys(project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the API keys of a project, without their secrets."""
    tell(ask(config, "key.list", {"project": project}), as_json=as_json)


@key_app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="Identifier of the key (key_…).")],
    project: Project = "default",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Revoke an API key at once."""
    tell(ask(config, "key.revoke", {"project": project, "key": key}), as_json=as_json)
