"""The clock, which tests may move ahead."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import asdict

from postroad.app.administration.operation import Answer, Nothing, Operation, operation
from postroad.model.errors import Refused

if TYPE_CHECKING:
    from postroad.app.house import House


class Jump(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far to move the clock."""

    by_s: float
    at_once: bool = False


async def show(house: "House", given: Nothing) -> Answer:
    """Return what time it is."""
    return asdict(house.time.shown())


async def advance(house: "House", given: Jump) -> Answer:
    """Move the clock of the server that runs; a command that runs alone ends, and its clock with it."""
    if not house.sending.running:
        raise Refused("no_server", "No server that delivers runs on this data directory, so there is no clock to move.")
    return asdict(await house.time.advance(given.by_s, at_once=given.at_once))


OPERATIONS: Final[Mapping[str, Operation]] = {
    "clock.show": operation(Nothing, show),
    "clock.advance": operation(Jump, advance),
}
