"""What an operation is: its arguments, read whole before anything is done, and the function that carries it out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from postroad.features.accounts import ensure_default_project
from postroad.features.accounts.bootstrap import DEFAULT_PROJECT
from postroad.http.problems import invalid
from postroad.model.clock import Instant, to_rfc3339
from postroad.model.errors import Flaw, Refused
from postroad.model.project import Project

if TYPE_CHECKING:
    from postroad.app.house import House

ACTOR: Final = "cli"
"""Who did it, in the audit."""
MOST_ROWS: Final = 1000
"""Rows in one page of a listing."""

Answer = dict[str, object]
Prepared = Callable[["House"], Awaitable[Answer]]
"""An operation with its arguments, ready to be carried out."""


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No arguments."""


class OfProject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arguments of what concerns one project."""

    project: str = DEFAULT_PROJECT
    """Its name or its identifier."""


Given = TypeVar("Given", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation."""

    prepare: Callable[[dict[str, object]], Prepared]
    """Reads the arguments; raises `Refused` that names the one which is wrong."""
    seals: bool = False
    """Whether it makes a secret that has to be encrypted under the master key."""
    sends: bool = False
    """Whether it takes mail in."""


def operation(
    arguments: type[Given],
    carry_out: Callable[["House", Given], Awaitable[Answer]],
    *,
    seals: bool = False,
    sends: bool = False,
) -> Operation:
    """Return the operation that `carry_out` does with these arguments."""

    def prepare(given: dict[str, object]) -> Prepared:
        return partial(_run, carry_out, read(given, arguments))

    return Operation(prepare, seals=seals, sends=sends)


async def _run(carry_out: Callable[["House", Given], Awaitable[Answer]], given: Given, house: "House") -> Answer:
    return await carry_out(house, given)


def read(given: object, kind: type[Given], called: str = "argument") -> Given:
    """Return what was given as `kind`.

    Raises:
        Refused: it does not fit; the sentence names the place.
    """
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as problem:
        flaw = invalid(problem, kind=kind).flaws[0]
        where = flaw.pointer.removeprefix("/").replace("/", ".")
        sentence = f"The {called} {where} is not valid: {flaw.detail}" if where else flaw.detail
        raise Refused("invalid_request", sentence, flaws=(flaw,)) from problem


def renamed(refusal: Refused, old: str, new: str) -> Refused:
    """Return a refusal whose flaws point at the argument `new` where the feature calls it `old`."""
    flaws = [
        Flaw(
            new + flaw.pointer.removeprefix(old) if flaw.pointer.startswith(old) else flaw.pointer,
            flaw.detail,
            flaw.code,
        )
        for flaw in refusal.flaws
    ]
    return Refused(refusal.code, refusal.detail, flaws=flaws)


async def project_of(house: "House", name_or_id: str) -> Project:
    """Return a project by name or identifier; the one called `default` is made when it is first asked for.

    Raises:
        Refused: there is none (`not_found`).
    """
    if name_or_id == DEFAULT_PROJECT:
        return await ensure_default_project(house.projects)
    try:
        return await house.projects.find(name_or_id)
    except Refused as refusal:
        raise Refused(
            refusal.code, f"There is no project {name_or_id!r}; `postroad project list` shows those that there are."
        ) from refusal


def time_of(at: Instant | None) -> str | None:
    """Return an instant as it is shown."""
    return None if at is None else to_rfc3339(at)
