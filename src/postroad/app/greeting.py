"""What `postroad dev` prints: where things are, a key, and a command to paste."""

import secrets

from rich.console import Console
from rich.table import Table

from postroad.app.house import House
from postroad.config import RouteKind
from postroad.features.accounts import development_key, ensure_default_project


async def greet(house: House) -> None:
    """Make the default project and its key ready, and print how to use them."""
    project = await ensure_default_project(house.projects)
    key = await development_key(house.keys, project, house.settings.data.directory, secrets.token_bytes(32))
    base = f"http://{_host(house.settings.http.host)}:{house.http_port}"
    console = Console(highlight=False, soft_wrap=True)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    for name, value in (
        ("API", f"{base}/v1"),
        ("Reference", f"{base}/docs"),
        ("SMTP", f"{house.settings.smtp.host}:{house.smtp_port}  (any or no login)"),
        ("Data", str(house.settings.data.directory.resolve())),
        ("Project", project.name),
        ("API key", key),
    ):
        table.add_row(name, value)
    console.print()
    captured = house.settings.delivery.route is RouteKind.CAPTURE
    where = "is captured here" if captured else "goes to the simulated internet"
    console.print(f"[bold]Postroad is running.[/bold] Every message {where}; nothing leaves this machine.")
    console.print()
    console.print(table)
    console.print()
    console.print("Send the first message:")
    console.print()
    console.print(_send_command(base, key), markup=False)
    console.print()
    console.print("Then read what happened to it, with the id from the answer:")
    console.print()
    console.print(f"  curl -s {base}/v1/messages/ID -H 'Authorization: Bearer {key}'", markup=False)
    console.print()
    console.print("Stop with Ctrl-C.")
    console.file.flush()


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _send_command(base: str, key: str) -> str:
    return (
        f"  curl -s {base}/v1/messages \\\n"
        f"    -H 'Authorization: Bearer {key}' \\\n"
        "    -H 'Content-Type: application/json' \\\n"
        '    -d \'{"from": "Postroad <hello@example.com>", "to": "you@example.org", '
        '"subject": "It works", "text": "The first message."}\''
    )
