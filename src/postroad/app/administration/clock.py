"""The clock, which tests may move ahead."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import asdict

from postroad.app.administration.operation import Answer, Nothing, Operation, operation

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
    """Move the clock ahead."""
    return asdict(await house.time.advance(given.by_s, at_once=given.at_once))


OPERATIONS: Final[Mapping[str, Operation]] = {
    "clock.show": operation(Nothing, show),
    "clock.advance": operation(Jump, advance),
}
