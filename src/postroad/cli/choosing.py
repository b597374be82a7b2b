"""Which deliveries of the queue a command is about: the same options for every command that chooses some."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from postroad.cli.asking import Operation, span_s

OfProject = Annotated[
    str | None, typer.Option("--project", metavar="NAME", help="Only this project; otherwise all.", show_default=False)
]
_OPTIONS: Final[dict[str, Any]] = {
    "project": OfProject,
    "site": Annotated[str | None, typer.Option("--site", metavar="SITE", help="Only this site, as `count` names it.")],
    "domain": Annotated[str | None, typer.Option("--domain", metavar="DOMAIN", help="Only this recipient domain.")],
    "stream": Annotated[str | None, typer.Option("--stream", metavar="NAME", help="Only this stream.")],
    "states": Annotated[
        list[str] | None,
        typer.Option("--state", metavar="STATE", help="scheduled, queued, deferred, held, sending; may be repeated."),
    ],
    "class": Annotated[
        str | None,
        typer.Option("--class", metavar="CLASS", help="Only what this kept back last, such as mailbox_full."),
    ],
    "older_than_s": Annotated[
        str | None, typer.Option("--older-than", metavar="SPAN", help="Accepted so long ago, such as 2h.")
    ],
    "message": Annotated[str | None, typer.Option("--message", metavar="ID", help="Only this message.")],
    "to": Annotated[str | None, typer.Option("--to", metavar="ADDRESS", help="Only this recipient.")],
}
"""By the arguments of the operations; all that is given must hold."""
_PARAMETER: Final = "of_{}"

Command = Callable[..., None]


def choosing(*, without: tuple[str, ...] = ()) -> Callable[[Command], Command]:
    """Put the options that choose deliveries before those of a command.

    Its first parameter is the filter that they make up, with what was given and nothing else; options named in
    `without` it does not have.
    """
    kept = {name: kind for name, kind in _OPTIONS.items() if name not in without}

    def give(command: Command) -> Command:
        own = list(inspect.signature(command).parameters.values())[1:]
        options = [
            inspect.Parameter(
                _PARAMETER.format(name), inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=kind
            )
            for name, kind in kept.items()
        ]

        @functools.wraps(command)
        def run(**given: Any) -> None:
            chosen = {name: given.pop(_PARAMETER.format(name)) for name in kept}
            command(_filter(chosen), **given)

        signature = inspect.Signature([*options, *own])
        run.__signature__ = signature  # type: ignore[attr-defined]  # what typer reads options from
        run.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
        return run

    return give


def _filter(chosen: dict[str, Any]) -> Operation:
    given: Operation = {name: value for name, value in chosen.items() if value not in (None, [])}
    if chosen.get("older_than_s"):
        given["older_than_s"] = span_s(chosen["older_than_s"])
    return given
