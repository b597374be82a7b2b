"""Room: whether there is disk and queue left for more mail. What cannot be kept is refused at the door.

`watch` looks every few seconds, `gate` refuses by what it last saw, so that asking costs nothing on the hot path.
"""

import asyncio
import shutil
from pathlib import Path

import structlog
from sqlalchemy import text
from sqlalchemy.engine import Connection

from postroad.model.errors import Unavailable
from postroad.store.database import Database

_log = structlog.get_logger("postroad.store")

PERIOD_S = 5.0
_COUNT_SHARE = 50
"""A count that took a second is repeated after this many: it never takes more than 2 % of a reader."""


class Room:
    """What is left of the disk under the data directory, and how many deliveries wait."""

    def __init__(
        self,
        database: Database,
        directory: Path,
        *,
        min_free_octets: int,
        min_free_percent: float,
        most_deliveries: int,
    ) -> None:
        self._database = database
        self._directory = directory
        self._min_free_octets = min_free_octets
        self._min_free_percent = min_free_percent
        self._most_deliveries = most_deliveries
        self.low_disk = False
        self.waiting = 0
        """Deliveries that wait, as last counted; counting ends one past the limit."""

    def gate(self) -> None:
        """Refuse when there is no room.

        Raises:
            Unavailable: `low_disk` or `backlog_full`.
        """
        if self.low_disk:
            raise Unavailable("low_disk", "The server is short of disk space; nothing was stored.", retry_after_s=60)
        if self.waiting > self._most_deliveries:
            raise Unavailable("backlog_full", "Too many deliveries wait already; nothing was stored.", retry_after_s=30)

    async def watch(self) -> None:
        """Look again and again, until canceled."""
        loop = asyncio.get_running_loop()
        count_at = loop.time()
        while True:
            await self.look_at_disk()
            if loop.time() >= count_at:
                began = loop.time()
                await self.count()
                count_at = loop.time() + max(PERIOD_S, (loop.time() - began) * _COUNT_SHARE)
            await asyncio.sleep(PERIOD_S)

    async def look_at_disk(self) -> None:
        """See how much of the disk is free."""
        usage = await asyncio.to_thread(shutil.disk_usage, self._directory)
        low = usage.free < self._min_free_octets or usage.free * 100 < usage.total * self._min_free_percent
        if low != self.low_disk:
            self.low_disk = low
            if low:
                _log.error("disk_low", free_octets=usage.free, directory=str(self._directory))
            else:
                _log.info("disk_has_room", free_octets=usage.free)

    async def count(self) -> None:
        """Count the deliveries that wait."""
        most = self._most_deliveries + 1
        try:
            self.waiting = await self._database.read(lambda connection: count_waiting(connection, most))
        except Unavailable:
            _log.warning("backlog_not_counted")


def count_waiting(connection: Connection, most: int) -> int:
    """Return how many deliveries wait to be tried; counting ends at `most`."""
    return connection.execute(_waiting, {"most": most}).scalar() or 0


_waiting = text(
    "SELECT count(*) FROM "
    "(SELECT 1 FROM deliveries WHERE state IN ('scheduled', 'queued', 'deferred') LIMIT :most) AS waiting"
)
