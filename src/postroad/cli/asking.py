"""How a command reaches the server, and the options that every command has."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from postroad.config import Settings

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings file; else ./postroad.toml, else /etc/postroad/postroad.toml.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Project = Annotated[str, typer.Option("--project", metavar="NAME", help="Name or identifier of the project.")]

Operation = dict[str, object]
_SPAN = re.compile(r"(\d+)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
PAGE = 1000


class UsageFlawError(typer.TyperException):
    """A command line that cannot be understood beyond what its parser sees."""

    exit_code = 2


def settings_of(config: Path | None) -> "Settings":
    """Load the settings as the command line names them."""
    from postroad.config import load

    return load(config)


def ask(config: Path | None, operation: str, arguments: Operation | None = None) -> Operation:
    """Let the running server, or the store itself when none runs, carry out one operation."""
    from postroad.app import administer

    return administer(settings_of(config), operation, arguments or {})


def pages(config: Path | None, operation: str, arguments: Operation) -> Iterator[list[Operation]]:
    """Yield one page of a listing after the other, until there is no next one."""
    after: object = None
    while True:
        answer = ask(config, operation, {**arguments, "limit": PAGE, "after": after})
        yield rows(answer)
        after = answer.get("next")
        if after is None:
            return


def rows(answer: Operation, name: str = "data") -> list[Operation]:
    """Return one of the lists in an answer; none when it has no such list."""
    data = answer.get(name)
    return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []


def clock_of(config: Path | None) -> Callable[[], datetime]:
    """Return the clock by which spans are counted: the server's, which may have been moved ahead of this machine's."""

    def now() -> datetime:
        told = ask(config, "clock.show").get("now")
        return datetime.fromisoformat(told) if isinstance(told, str) else datetime.now(UTC)

    return now


def point_in_time(text: str, clock: Callable[[], datetime]) -> str:
    """Return an RFC 3339 time from one, or from a span from now such as `90m` or `30d`."""
    span = _SPAN.fullmatch(text)
    if span:
        return (clock() + timedelta(**{_UNITS[span[2]]: int(span[1])})).isoformat(timespec="seconds")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageFlawError(
            f"{text!r} is not a time; write 2026-12-24T18:00:00Z, or a span from now such as 90m or 30d."
        )
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def past_time(text: str, clock: Callable[[], datetime]) -> str:
    """Return an RFC 3339 time from one, or from a span before now such as `90m`."""
    if _SPAN.fullmatch(text):
        return (clock() - timedelta(seconds=span_s(text))).isoformat(timespec="seconds")
    return point_in_time(text, clock)


def span_s(text: str) -> int:
    """Return the seconds of a span such as `90m` or `30d`."""
    span = _SPAN.fullmatch(text)
    if not span:
        raise UsageFlawError(f"{text!r} is not a span; write 90s, 15m, 2h, 30d or 1w.")
    return int(timedelta(**{_UNITS[span[2]]: int(span[1])}).total_seconds())


def contents(text: str) -> str:
    """Return a text as it is, from a file when it is `@FILE`, or from standard input when it is `-`."""
    try:
        if text == "-":
            return typer.get_text_stream("stdin").read()
        return octets(Path(text[1:])).decode() if text.startswith("@") else text
    except UnicodeDecodeError:
        name = "Standard input" if text == "-" else text[1:]
        raise UsageFlawError(f"{name} is not UTF-8; convert it first, for instance with iconv.") from None


def octets(path: Path) -> bytes:
    """Return the contents of a file that the command line names."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageFlawError(f"{path} cannot be read: {error.strerror}.") from None
