"""What was read from the store a moment ago: bounded, short-lived, forgotten when this node changes it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from postroad.model.clock import SECOND, Clock

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

LIFE = 4 * SECOND
"""How long a value is believed: what another node changes is known here within five seconds."""
_MOST = 10_000


@dataclass(slots=True)
class _Kept(Generic[Value]):
    value: Value
    read_at: int


class Memory(Generic[Key, Value]):
    """Values by key, each loaded once for all who wait for it."""

    __slots__ = ("_changes", "_clock", "_kept", "_life", "_load", "_loading", "_most")

    def __init__(
        self, load: Callable[[Key], Awaitable[Value]], clock: Clock, *, life: int = LIFE, most: int = _MOST
    ) -> None:
        """Remember what `load` gives, for `life` microseconds each and at most `most` of them."""
        self._load = load
        self._clock = clock
        self._life = life
        self._most = most
        self._kept: dict[Key, _Kept[Value]] = {}
        self._loading: dict[Key, asyncio.Future[Value]] = {}
        self._changes = 0

    async def get(self, key: Key) -> Value:
        """Return the value of a key, which may be as old as the memory's life."""
        kept = self._kept.get(key)
        if kept is not None and 0 <= self._clock.now() - kept.read_at < self._life:
            return kept.value
        return await self._fetch(key)

    def forget(self, key: Key) -> None:
        """Load the key again when it is next asked for; call it after each commit that changes it."""
        self._changes += 1
        self._kept.pop(key, None)
        self._loading.pop(key, None)

    def forget_where(self, concerns: Callable[[Key, Value], bool]) -> None:
        """Forget every value that a change concerns."""
        self._changes += 1
        self._loading.clear()
        for key in [key for key, kept in self._kept.items() if concerns(key, kept.value)]:
            del self._kept[key]

    async def _fetch(self, key: Key) -> Value:
        running = self._loading.get(key)
        if running is None:
            running = asyncio.ensure_future(self._read(key))
            self._loading[key] = running
        return await asyncio.shield(running)

    async def _read(self, key: Key) -> Value:
        read_at, changes = self._clock.now(), self._changes
        task = asyncio.current_task()
        try:
            value = await self._load(key)
        finally:
            if self._loading.get(key) is task:
                del self._loading[key]
        if changes == self._changes:  # what was read before a change may be what the change replaced
            self._keep(key, _Kept(value, read_at))
        return value

    def _keep(self, key: Key, kept: _Kept[Value]) -> None:
        self._kept.pop(key, None)
        while len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = kept
