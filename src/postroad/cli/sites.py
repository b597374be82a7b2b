"""Sites: how fast mail goes to each, why, and limits that are pinned."""

from typing import Annotated

import typer

from postroad.cli.asking import AsJson, ConfigFile, UsageFlawError, ask
from postroad.cli.telling import tell

sites_app = typer.Typer(help="How fast mail goes to each site, and why; pin limits.")
Site = Annotated[str, typer.Argument(metavar="SITE", help="Such as google, or the name of a mail exchanger.")]


@sites_app.callback(invoke_without_command=True)
def sites(context: typer.Context, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the sites that were met lately, those in trouble first."""
    if context.invoked_subcommand is None:
        tell(ask(config, "site.list"), as_json=as_json)


@sites_app.command()
def show(site: Site, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show one site: how mail flows, its limits, and what has changed and why."""
    tell(ask(config, "site.show", {"site": site}), as_json=as_json)


@sites_app.command()
def changes(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 50,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what has changed lately at all sites, the newest first."""
    tell(ask(config, "site.changes", {"limit": limit}), as_json=as_json)


@sites_app.command()
def pin(
    site: Site,
    limits: Annotated[list[str], typer.Argument(metavar="LIMIT=VALUE", help="Such as connections=3.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Fix limits of a site until they are unpinned; the rest is found by trying as before."""
    tell(ask(config, "site.pin", {"site": site, "limits": dict(_pair(text) for text in limits)}), as_json=as_json)


@sites_app.command()
def unpin(
    site: Site,
    limits: Annotated[
        list[str] | None, typer.Argument(metavar="LIMIT", help="Such as connections; none: all that are pinned.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let limits of a site be found by trying again."""
    tell(ask(config, "site.unpin", {"site": site, "limits": limits or []}), as_json=as_json)


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise UsageFlawError(f"{text!r} is no limit and value; write it as connections=3.") from None
