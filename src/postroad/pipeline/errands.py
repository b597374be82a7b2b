"""Errands: work that a role has under way beside its loop, and what becomes of it when it fails."""

import asyncio
from collections.abc import Awaitable, Coroutine

import structlog

from postroad.model.errors import Unavailable

_log = structlog.get_logger("postroad.sending")
_PAUSE_S = 0.5


class Errands:
    """Coroutines under way. None of them brings the role down: a lease that one leaves behind lapses."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Set out on an errand."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Log what no one expected; the lease that it concerned lapses and is taken over."""
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, Unavailable):
            _log.warning("sending_interrupted")
        else:
            _log.error("sending_failed", exc_info=error)

    async def finished(self) -> None:
        """Return when nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def cancel(self) -> None:
        """Give up what is still under way."""
        for task in self._tasks:
            task.cancel()


async def survive(work: Awaitable[bool]) -> bool:
    """Return what `work` does; when the store is away, wait a moment and return that there was nothing."""
    try:
        return await work
    except Unavailable as error:
        _log.warning("sending_waits", reason=error.code)
    except Exception:  # noqa: BLE001 - a role's loop goes on
        _log.exception("sending_failed")
    await asyncio.sleep(_PAUSE_S)
    return False
