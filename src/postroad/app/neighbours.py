"""What nodes tell each other: that there is work to do, that mail was suspended or goes on, and the time of tests."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from postroad.app.timekeeping import Timekeeper
from postroad.model.errors import Unavailable
from postroad.pipeline.suspensions import Suspensions
from postroad.store.ringing import Ringing
from postroad.store.wakeup import WakeUp

_log = structlog.get_logger("postroad.server")
_DUE = "due"
_SUSPENSIONS = "suspensions"
_CLOCK = "clock"


def time_elsewhere(ringing: Ringing) -> Callable[[int], None] | None:
    """Return what tells other nodes that the clock was moved, or None where there can be none."""
    if not ringing.possible:
        return None
    return lambda ahead: ringing.tell(_CLOCK, str(ahead), alone=True)


def follow_time(ringing: Ringing, time: Timekeeper) -> None:
    """Move this node's clock, where it may be moved, along with those of others."""
    ringing.on(_CLOCK, lambda ahead: time.follow(int(ahead)))


def join(ringing: Ringing, due: WakeUp, suspensions: Suspensions) -> None:
    """Let a node's wake-ups reach the others, and theirs this one."""
    reading: list[asyncio.Task[None]] = []
    heard = False

    def reread(_: str) -> None:
        nonlocal heard
        heard = True  # whoever reads now may have begun too early for this change
        if not reading:
            reading.append(asyncio.get_running_loop().create_task(read()))

    async def read() -> None:
        nonlocal heard
        while heard:
            heard = False
            await _reread(suspensions)
        reading.clear()

    due.also(partial(ringing.tell, _DUE))
    ringing.on(_DUE, lambda _: due.ring())
    ringing.on(_SUSPENSIONS, reread)


def changing(ringing: Ringing, suspensions: Suspensions) -> Callable[[], Awaitable[None]]:
    """Return what follows on a change of suspensions: this node sees them at once, and the others hear of it."""

    async def changed() -> None:
        ringing.tell(_SUSPENSIONS)
        await suspensions.refresh()

    return changed


async def _reread(suspensions: Suspensions) -> None:
    try:
        await suspensions.refresh()
    except Unavailable as problem:
        _log.warning("suspensions_unread", reason=problem.code)
