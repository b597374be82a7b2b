"""Send one message from the command line."""

import base64
import mimetypes
from pathlib import Path
from typing import Annotated

import typer

from postroad.cli.asking import (
    AsJson,
    ConfigFile,
    Operation,
    Project,
    UsageFlawError,
    ask,
    clock_of,
    contents,
    octets,
    point_in_time,
)
from postroad.cli.telling import tell


def send(
    to: Annotated[list[str], typer.Option("--to", metavar="ADDRESS", help="Recipient; may be repeated.")],
    sender: Annotated[str | None, typer.Option("--from", metavar="ADDRESS", help="Author.")] = None,
    cc: Annotated[list[str] | None, typer.Option("--cc", metavar="ADDRESS", help="Copy; may be repeated.")] = None,
    bcc: Annotated[
        list[str] | None, typer.Option("--bcc", metavar="ADDRESS", help="Hidden copy; may be repeated.")
    ] = None,
    subject: Annotated[str, typer.Option("--subject", help="Subject.")] = "",
    text: Annotated[
        str | None, typer.Option("--text", help="Text part: itself, @FILE, or - for standard input.")
    ] = None,
    html: Annotated[
        str | None, typer.Option("--html", help="HTML part: itself, @FILE, or - for standard input.")
    ] = None,
    attach: Annotated[
        list[Path] | None, typer.Option("--attach", metavar="FILE", help="Attachment; may be repeated.")
    ] = None,
    raw: Annotated[
        Path | None, typer.Option("--raw", metavar="FILE", help="A whole RFC 5322 message instead of its parts.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Tag; may be repeated.")] = None,
    stream: Annotated[str | None, typer.Option("--stream", help="Stream, such as transactional or broadcast.")] = None,
    send_at: Annotated[
        str | None, typer.Option("--send-at", metavar="TIME", help="RFC 3339 time, or a span from now such as 90m.")
    ] = None,
    project: Project = "default",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Send a message, as `POST /v1/messages` does."""
    if (raw is None) == (text is None and html is None):
        raise UsageFlawError("Give either --text, --html or both, or --raw alone.")
    if raw is None and sender is None:
        raise UsageFlawError("Say whom the message is from with --from.")
    message: Operation = {
        "from": sender,
        "to": to,
        "cc": cc,
        "bcc": bcc,
        "subject": subject or None,
        "text": contents(text) if text is not None else None,
        "html": contents(html) if html is not None else None,
        "attachments": [_attachment(path) for path in attach or ()],
        "raw": base64.b64encode(_mail(raw)).decode() if raw else None,
        "tags": tag,
        "stream": stream,
        "send_at": point_in_time(send_at, clock_of(config)) if send_at else None,
    }
    given = {name: value for name, value in message.items() if value}
    tell(ask(config, "message.send", {"project": project, "message": given}), as_json=as_json)


def _mail(path: Path) -> bytes:
    """Return a mail with the line ends of the wire; in a file they are often those of the system."""
    mail = octets(path)
    return mail if b"\r" in mail else mail.replace(b"\n", b"\r\n")


def _attachment(path: Path) -> Operation:
    kind, encoding = mimetypes.guess_type(path.name)
    return {
        "filename": path.name,
        "content_type": kind if kind and not encoding else "application/octet-stream",
        "content": base64.b64encode(octets(path)).decode(),
    }
