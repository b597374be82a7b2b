"""See the server's clock, and move it ahead in tests."""

import re
from typing import Annotated, Final

import typer

from postroad.cli.asking import AsJson, ConfigFile, Operation, UsageFlawError, ask
from postroad.cli.telling import tell

clock_app = typer.Typer(help="See the server's clock, and move it ahead in tests.", no_args_is_help=True)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@clock_app.command("show")
def show(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show what time it is for the server, and how far its clock was moved."""
    answer = ask(config, "clock.show")
    tell(answer if as_json else _without(answer, "stops", "left_s"), as_json=as_json)


@clock_app.command("advance")
def advance(
    span: Annotated[str, typer.Argument(help="How far, such as 90s, 4h, 5d or 1d12h.")],
    at_once: Annotated[bool, typer.Option("--at-once", help="Do not stop for what is due on the way.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let time pass in a server that runs for tests; every retry on the way is made at its own time."""
    by_s = _span_s(span)
    answer = ask(config, "clock.advance", {"by_s": by_s, "at_once": at_once})
    stops = 0
    while (left_s := answer.get("left_s")) and isinstance(left_s, float):
        stops += _count(answer)
        answer = ask(config, "clock.advance", {"by_s": left_s, "at_once": at_once})
    answer["stops"] = stops + _count(answer)
    tell(answer if as_json else _without(answer, "movable", "left_s"), as_json=as_json)


def _without(answer: Operation, *names: str) -> Operation:
    """Return an answer without what tells a person nothing."""
    return {name: value for name, value in answer.items() if name not in names}


def _count(answer: dict[str, object]) -> int:
    stops = answer.get("stops")
    return stops if isinstance(stops, int) else 0


def _span_s(text: str) -> float:
    if not re.fullmatch(rf"(?:{_PART.pattern})+", text):
        raise UsageFlawError(f"{text!r} is no span of time; write one such as 90s, 4h, 5d or 1d12h.")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
