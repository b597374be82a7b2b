"""Webhook endpoints: where events are pushed."""

from typing import Annotated

import typer

from postroad.cli.asking import AsJson, ConfigFile, Project, ask
from postroad.cli.telling import tell

webhook_app = typer.Typer(help="Endpoints to which events are pushed.", no_args_is_help=True)
Webhook = Annotated[str, typer.Argument(help="Identifier of the webhook (whk_…).")]


@webhook_app.command("create")
def create(
    url: Annotated[str, typer.Argument(help="Where events are to be posted.")],
    event: Annotated[
        list[str] | None,
        typer.Option("--event", metavar="TYPE", help="Type such as message.bounced; may be repeated."),
    ] = None,
    project: Project = "default",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Create a webhook; its signing secret is shown this once."""
    tell(ask(config, "webhook.create", {"project": project, "url": url, "events": event or []}), as_json=as_json)


@webhook_app.command("list")
def list_all(project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the webhooks of a project."""
    tell(ask(config, "webhook.list", {"project": project}), as_json=as_json)


@webhook_app.command("attempts")
def attempts(
    webhook: Webhook, project: Project = "default", config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """List the latest attempts to reach a webhook, with what it answered."""
    tell(ask(config, "webhook.attempts", {"project": project, "webhook": webhook}), as_json=as_json)


@webhook_app.command("rotate")
def rotate(webhook: Webhook, project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Make a new signing secret; the old one signs beside it for a day."""
    tell(ask(config, "webhook.rotate", {"project": project, "webhook": webhook}), as_json=as_json)


@webhook_app.command("enable")
def enable(webhook: Webhook, project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Switch a webhook on again; it continues where it stopped."""
    tell(ask(config, "webhook.enable", {"project": project, "webhook": webhook}), as_json=as_json)


@webhook_app.command("disable")
def disable(webhook: Webhook, project: Project = "default", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Switch a webhook off; its place in the event log is kept."""
    tell(ask(config, "webhook.disable", {"project": project, "webhook": webhook}), as_json=as_json)


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
    tell(ask(config, "webhook.remove", {"project": project, "webhook": webhook}), as_json=as_json)
