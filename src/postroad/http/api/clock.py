"""The server's clock, which tests may move ahead."""

from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.params import JSONBody

from postroad.http.auth import FULL, READ, GivenServices
from postroad.http.services import Time


class ClockShown(msgspec.Struct, frozen=True, kw_only=True):
    """What time it is for the server."""

    now: str
    ahead_s: float
    """How far it was moved ahead of the machine's clock, since the start of the server."""
    movable: bool
    """Whether it may be moved: in `postroad dev`, and with `testing.movable_clock`."""
    stops: int
    """How many times the jump stopped on its way for what was due."""
    left_s: float
    """What is left of a jump that took too long; ask for it again."""


class Jump(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far to move the clock."""

    by_s: Annotated[float, msgspec.Meta(gt=0, le=31_622_400)]
    at_once: bool = False
    """Whether to leave out the stops: everything that is due on the way is then due at its end."""


class ClockController(Controller):
    """The server's clock."""

    path = "/v1/clock"
    tags = ("Testing",)

    @get(opt=READ, summary="Show the clock", sync_to_thread=False)
    def show(self, services: GivenServices) -> ClockShown:
        """Return the server's time, and how far it was moved."""
        return _shown(services.time.shown())

    @post("/advance", opt=FULL, status_code=200, summary="Move the clock ahead")
    async def advance(self, services: GivenServices, data: JSONBody[Jump]) -> ClockShown:
        """Let time pass: retries, schedules, pauses and expiry that lie on the way happen, one after the other.

        Only where tests are at home: in `postroad dev`, or with `testing.movable_clock` in a closed network.
        """
        return _shown(await services.time.advance(data.by_s, at_once=data.at_once))


def _shown(time: Time) -> ClockShown:
    return ClockShown(now=time.now, ahead_s=time.ahead_s, movable=time.movable, stops=time.stops, left_s=time.left_s)
