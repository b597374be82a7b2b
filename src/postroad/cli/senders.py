"""Sending domains."""

import sys
from typing import Annotated

import typer

from postroad.cli.asking import AsJson, ConfigFile, Operation, Project, UsageFlawError, ask
from postroad.cli.telling import tell, tell_json, tell_records

domain_app = typer.Typer(help="Sending domains and their DNS records.", no_args_is_help=True)
Domain = Annotated[str, typer.Argument(help="The domain, such as example.com.")]


@domain_app.command("create")
def create(domain: Domain, project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Create a sending domain with its DKIM keys, and print the DNS records it needs."""
    _tell(ask(config, "domain.create", {"project": project, "name": domain}), as_json=as_json)


@domain_app.command("check")
def check(domain: Domain, project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Look up the DNS records of a domain: what is wanted, what was found, and what to change."""
    answer = ask(config, "domain.check", {"project": project, "name": domain})
    _tell(answer, as_json=as_json)
    if answer.get("state") != "verified":
        raise typer.Exit(1)


@domain_app.command("list")
def list_all(project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the sending domains of a project."""
    tell(ask(config, "domain.list", {"project": project}), as_json=as_json)


@domain_app.command("rotate")
def rotate(domain: Domain, project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Make new DKIM keys; they are used once DNS shows them."""
    _tell(ask(config, "domain.rotate", {"project": project, "name": domain}), as_json=as_json)


@domain_app.command("delete")
def delete(
    domain: Domain,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant.")] = False,
    project: Project = "default",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Delete a sending domain: mail from it is refused from then on, and what waits is held."""
    if not yes:
        _confirm(domain)
    tell(ask(config, "domain.delete", {"project": project, "name": domain}), as_json=as_json)


def _confirm(domain: str) -> None:
    """Ask a person on the terminal; a script has to say it beforehand.

    Raises:
        typer.Abort: the answer is no.
    """
    if not sys.stdin.isatty():
        raise UsageFlawError(f"Nobody can be asked whether {domain} is to be deleted; say --yes.")
    typer.confirm(
        f"Mail from {domain} is refused from then on, and what waits is held. "
        "To have it back takes new keys and new DNS records. Delete it?",
        abort=True,
        err=True,
    )


def _tell(answer: Operation, *, as_json: bool) -> None:
    if as_json:
        tell_json(answer)
    else:
        tell_records([answer])
