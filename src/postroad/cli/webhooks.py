"""Webhook endpoints: where events are pushed."""

from typing import Annotated

import typer

from postroad.cli.asking import AsJson, ConfigFile, Operation, Project, ask, rows
from postroad.cli.telling import tell

webhook_app = typer.Typer(help="Endpoints to which events are pushed.", no_args_is_help=True)
Webhook = Annotated[str, typer.Argument(help="Identifier of the webhook (whk_…).")]


def _tell(answer: Operation, *, as_json: bool) -> None:
    """Print endpoints; one that names no events gets all of them."""
    if not as_json:
        for endpoint in (answer, *rows(answer)):
            if endpoint.get("types") == []:
                endpoint["types"] = "all"
    tell(answer, as_json=as_json)


@webhook_app.command("create")
def create(
    url: Annotated[str, typer.Argument(help="Where events are to be posted.")],
    event: Annotated[
        list[str] | None,
        typer.Option(
            "--event",
            metavar="TYPE",
            help="Type such as message.bounced or message.*; may be repeated. All by default.",
        ),
    ] = None,
    project: Project = "default",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Create a webhook; its signing secret is shown this once."""
    _tell(ask(config, "webhook.create", {"project": project, "url": url, "types": event or []}), as_json=as_json)


@webhook_app.command("list")
def list_all(project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the webhooks of a project."""
    _tell(ask(config, "webhook.list", {"project": project}), as_json=as_json)


@webhook_app.command("attempts")
def attempts(
    webhook: Webhook, project: Project = "default", config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """List the latest attempts to reach a webhook, with what it answered."""
    tell(ask(config, "webhook.attempts", {"project": project, "webhook": webhook}), as_json=as_json)


@webhook_app.command("rotate")
def rotate(webhook: Webhook, project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Make a new signing secret; the old one signs beside it for a day."""
    _tell(ask(config, "webhook.rotate", {"project": project, "webhook": webhook}), as_json=as_json)


@webhook_app.command("enable")
def enable(webhook: Webhook, project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Switch a webhook on again; it continues where it stopped."""
    _tell(ask(config, "webhook.enable", {"project": project, "webhook": webhook}), as_json=as_json)


@webhook_app.command("disable")
def disable(webhook: Webhook, project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Switch a webhook off; its place in the event log is kept."""
    _tell(ask(config, "webhook.disable", {"project": project, "webhook": webhook}), as_json=as_json)


@webhook_app.command("replay")
def replay(
    webhook: Webhook,
    after: Annotated[str, typer.Option("--after", metavar="EVENT", help="Push again what came after this event.")],
    project: Project = "default",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Push past events to a webhook again, with the identifiers they had."""
    arguments: dict[str, object] = {"project": project, "webhook": webhook, "after": after}
    tell(ask(config, "webhook.replay", arguments), as_json=as_json)


@webhook_app.command("remove")
def remove(webhook: Webhook, project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Remove a webhook."""
    _tell(ask(config, "webhook.remove", {"project": project, "webhook": webhook}), as_json=as_json)
