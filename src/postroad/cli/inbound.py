"""What came back by mail: bounces, complaints, automatic answers, and what could not be read."""

import base64
import sys
from enum import StrEnum
from typing import Annotated

import typer

from postroad.cli.asking import PAGE, AsJson, ConfigFile, ask
from postroad.cli.telling import tell

inbound_app = typer.Typer(help="Mail that came to the exchange: bounces, complaints, answers.", no_args_is_help=True)
Mail = Annotated[str, typer.Argument(help="Identifier of the mail (inb_…).")]


class Standing(StrEnum):
    """Where a mail stands."""

    PENDING = "pending"
    DONE = "done"
    QUARANTINED = "quarantined"


@inbound_app.command("list")
def list_all(
    state: Annotated[
        Standing | None, typer.Option("--state", help="Only those that wait, are done, or could not be read.")
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", metavar="NAME", help="Only those about mail of this project.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=PAGE, help="At most so many.")] = 50,
    after: Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Continue a listing there.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List what came in, newest first: what it was taken for, what came of it, and for which delivery."""
    arguments: dict[str, object] = {"project": project, "state": state, "limit": limit, "after": after}
    tell(ask(config, "inbound.list", arguments), as_json=as_json)


@inbound_app.command("show")
def show(
    mail: Mail,
    raw: Annotated[bool, typer.Option("--raw", help="Print the mail itself, octet by octet.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show a mail that came in, and what was made of it."""
    answer = ask(config, "inbound.show", {"mail": mail})
    if raw:
        sys.stdout.buffer.write(base64.b64decode(str(answer["raw"])))
        return
    tell(answer if as_json else {name: value for name, value in answer.items() if name != "raw"}, as_json=as_json)


@inbound_app.command("release")
def release(mail: Mail, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Have a mail read again that was put aside because reading it had failed three times."""
    tell(ask(config, "inbound.release", {"mail": mail}), as_json=as_json)
