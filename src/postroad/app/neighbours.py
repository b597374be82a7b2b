"""What nodes tell each other: that there is work to do, and that mail was suspended or goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from postroad.model.errors import Unavailable
from postroad.pipeline.suspensions import Suspensions
from postroad.store.ringing import Ringing
from postroad.store.wakeup import WakeUp

_log = structlog.get_logger("postroad.server")
_DUE = "due"
_SUSPENSIONS = "suspensions"


def join(ringing: Ringing, due: WakeUp, suspensions: Suspensions) -> None:
    """Let a node's wake-ups reach the others, and theirs this one."""
    tasks: set[asyncio.Task[None]] = set()

    def reread(_: str) -> None:
        if not tasks:
            task = asyncio.get_running_loop().create_task(_reread(suspensions))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

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
