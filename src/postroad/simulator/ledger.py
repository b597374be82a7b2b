"""What the simulated providers took, written down and synced before it is acknowledged."""

import asyncio
import os
from collections import deque
from pathlib import Path

import msgspec

_KEPT = 100_000


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient of one message that a provider took."""

    at_ns: int
    provider: str
    number: int
    """Counts the messages of one run."""
    message_id: str
    sender: str
    recipient: str
    sha256: str
    size: int
    tls: bool
    answered: bool
    """False where the acknowledgement was lost on purpose."""


class Ledger:
    """A file with one JSON line a recipient, and the last ones in memory. Waiting messages share one fsync."""

    def __init__(self, path: Path | None = None) -> None:
        """Add to the file at `path`; None: keep in memory only."""
        self._descriptor = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._lines: list[bytes] = []
        self._syncing: asyncio.Task[None] | None = None
        self.entries: deque[Taken] = deque(maxlen=_KEPT)

    async def add(self, entries: list[Taken]) -> None:
        """Write entries down; return once they are on disk."""
        if self._descriptor is not None:
            self._lines += [msgspec.json.encode(entry) + b"\n" for entry in entries]
            while self._syncing is not None and not self._syncing.done():
                await asyncio.shield(self._syncing)
            if self._lines:
                lines, self._lines = b"".join(self._lines), []
                self._syncing = asyncio.create_task(asyncio.to_thread(_write, self._descriptor, lines))
            if self._syncing is not None:
                await asyncio.shield(self._syncing)
        self.entries.extend(entries)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)


def _write(descriptor: int, lines: bytes) -> None:
    while lines:
        lines = lines[os.write(descriptor, lines) :]
    os.fdatasync(descriptor)
