"""Wake-ups: what a commit tells those who wait for it, so that nothing has to poll. A timer stands behind each wait."""

import asyncio
from collections.abc import Callable


class WakeUp:
    """A bell on one event loop: `ring` wakes every waiter, and a ring that nobody heard is kept for the next one."""

    def __init__(self) -> None:
        self._rings = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._elsewhere: Callable[[], None] | None = None

    def also(self, elsewhere: Callable[[], None]) -> None:
        """Have `elsewhere` called too when it is to ring everywhere."""
        self._elsewhere = elsewhere

    @property
    def beat(self) -> int:
        """How often it rang; give it to `wait` to hear also what rang since it was read."""
        return self._rings

    def ring(self) -> None:
        """Wake everyone who waits. Call it on the loop's own thread."""
        self._rings += 1
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def ring_everywhere(self) -> None:
        """Ring, and let other nodes know: for what this node leaves to whoever has time."""
        self.ring()
        if self._elsewhere is not None:
            self._elsewhere()

    async def wait(self, seen: int, timeout_s: float) -> int:
        """Return the count of rings as soon as it differs from `seen`, or after `timeout_s`."""
        if self._rings == seen:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                await asyncio.wait_for(future, timeout_s)
            except TimeoutError:
                pass
            finally:
                self._waiting.discard(future)
        return self._rings
