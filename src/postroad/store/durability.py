"""Whether the engine keeps what it has committed: what a 202 stands on, as the engine itself tells.

`hazards` asks PostgreSQL, as whoever we are there; no more than a plain user's rights are needed. SQLite is set by us
alone and has none. `Lookout` asks now and then, and raises the alarm when the answer changes.
"""

import asyncio
from enum import StrEnum
from typing import Final

import msgspec
import structlog
from sqlalchemy.engine import Connection

from postroad.model.errors import Unavailable
from postroad.store import bulk
from postroad.store.database import Database

_log = structlog.get_logger("postroad.store")
_PERIOD_S: Final = 300.0

# A plain user sees of a standby that it is there, and not how it replicates: the other columns of its row are null.
# What replicates rows for other programs is no standby.
_ASKED: Final = """
    SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
        current_setting('synchronous_standby_names'),
        (SELECT count(*) FROM pg_stat_replication AS r WHERE coalesce(r.state, 'streaming') <> 'backup' AND NOT EXISTS (
            SELECT 1 FROM pg_replication_slots AS s WHERE s.active_pid = r.pid AND s.slot_type = 'logical'))
"""


class Danger(StrEnum):
    """What may lose what was committed."""

    FSYNC = "fsync"
    FULL_PAGE_WRITES = "full_page_writes"
    SYNCHRONOUS_COMMIT = "synchronous_commit"
    STANDBYS = "asynchronous_standbys"


class Hazard(msgspec.Struct, frozen=True):
    """One danger. It is grave when this server alone may lose mail, and not when only a fail-over may."""

    danger: Danger
    detail: str
    grave: bool


def hazards(connection: Connection) -> list[Hazard]:
    """Return what makes commits less than durable."""
    if connection.dialect.name != "postgresql":
        return []
    fsync, whole_pages, commit, names, standbys = bulk.run(connection, _ASKED)[0]
    found: list[Hazard] = []
    if fsync == "off":
        detail = "PostgreSQL runs with fsync off: a loss of power can destroy the whole database. Set fsync = on."
        found.append(Hazard(Danger.FSYNC, detail, grave=True))
    if whole_pages == "off":
        detail = (
            "PostgreSQL runs with full_page_writes off: a loss of power can leave pages half written. Set "
            "full_page_writes = on, unless the file system writes whole pages or none."
        )
        found.append(Hazard(Danger.FULL_PAGE_WRITES, detail, grave=True))
    if commit == "off":
        detail = (
            "PostgreSQL answers commits before they are on disk (synchronous_commit is off), although Postroad asks "
            "for more: a pooler in between may drop what it asks for. Set synchronous_commit = on."
        )
        found.append(Hazard(Danger.SYNCHRONOUS_COMMIT, detail, grave=True))
    if standbys and (not names.strip() or commit in ("off", "local")):
        count = "1 standby replicates" if standbys == 1 else f"{standbys} standbys replicate"
        detail = (
            f"{count} asynchronously only: what was answered in the last moments before a fail-over can be lost. Name "
            "them in synchronous_standby_names to make a 202 durable across fail-overs."
        )
        found.append(Hazard(Danger.STANDBYS, detail, grave=False))
    return found


class Lookout:
    """Looks at the start and every few minutes."""

    def __init__(self, database: Database) -> None:
        """Know nothing yet."""
        self._database = database
        self.known: tuple[Hazard, ...] = ()
        """What was found last."""

    async def watch(self) -> None:
        """Look again and again, until canceled; on SQLite there is nothing to look for."""
        while self._database.engine_name == "postgresql":
            await self.look()
            await asyncio.sleep(_PERIOD_S)

    async def look(self) -> None:
        """Look once, and log what is new."""
        try:
            found = await self._database.read(hazards)
        except Unavailable:
            return
        for hazard in found:
            if hazard not in self.known:
                log = _log.error if hazard.grave else _log.warning
                log("commits_not_durable", danger=hazard.danger.value, detail=hazard.detail)
        if self.known and not found:
            _log.info("commits_durable")
        self.known = tuple(found)
