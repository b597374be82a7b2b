"""The role that removes what is no longer kept, little by little, so that nobody notices."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from postroad.config.tree import Retention as Settings
from postroad.model.clock import DAY, HOUR, Clock, Instant, after, to_rfc3339
from postroad.model.errors import Unavailable
from postroad.model.ids import ProjectId
from postroad.store import (
    Connection,
    inbound,
    reputation,
    retention,
    sites,
    suppressions,
    suspensions,
    transport,
    uploads,
)
from postroad.store.blobs import YOUNG_S, Blobs
from postroad.store.database import Database

_log = structlog.get_logger("postroad.retention")
_ROUND_S = 600.0
_BREATH_S = 0.2
_BATCH = 500

Removal = Callable[[Connection, Instant, int], int]


class Retention:
    """Removes what the settings no longer keep."""

    def __init__(self, database: Database, blobs: Blobs, clock: Clock, settings: Settings) -> None:
        """Take the stores, and how long things are kept."""
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._settings = settings

    async def run(self) -> None:
        """Go round every ten minutes, until canceled."""
        while True:
            await asyncio.sleep(_ROUND_S)
            await self.round()

    async def round(self) -> None:
        """Remove all that has had its time."""
        settings = self._settings
        removed = {
            "messages": await self._repeat(self._of(retention.remove_messages, settings.messages_days * DAY)),
            "uploads": await self._uploads(after(self._clock.now(), -int(settings.uploads_hours * HOUR))),
            "events": await self._repeat(self._of(retention.remove_events, settings.events_days * DAY)),
            "incidents": await self._repeat(self._of(suppressions.remove_incidents, settings.events_days * DAY)),
            "answers": await self._repeat(self._of(retention.remove_answers, settings.idempotency_hours * HOUR)),
            "inbound": await self._repeat(self._of(inbound.remove, settings.inbound_days * DAY)),
            "pushes": await self._repeat(self._of(retention.remove_pushes, settings.webhook_attempts_days * DAY)),
            "reputation": await self._repeat(self._of(reputation.remove_before, settings.messages_days * DAY)),
            "suspensions": await self._repeat(self._of(suspensions.remove_lapsed, settings.messages_days * DAY)),
            "sts_policies": await self._repeat(self._of(transport.remove_policies, 0)),
            "broken_tls": await self._repeat(self._of(transport.remove_broken, 0)),
            "tls_sessions": await self._repeat(self._of(_tls_sessions, settings.tls_reports_days * DAY)),
            "sites": await self._repeat(self._of(sites.remove_unseen, settings.messages_days * DAY)),
        }
        if any(removed.values()):
            _log.info("removed", **removed)

    async def _repeat(self, batch: Callable[[], Awaitable[int]]) -> int:
        total = 0
        while count := await batch():
            total += count
            await asyncio.sleep(_BREATH_S)
        return total

    def _of(self, removal: Removal, span: float) -> Callable[[], Awaitable[int]]:
        before = after(self._clock.now(), -int(span))

        async def batch() -> int:
            return await self._database.write(lambda connection: removal(connection, before, _BATCH))

        return batch

    async def _uploads(self, before: Instant) -> int:
        """Forget uploads whose blobs are gone or needed; what is left, as while the blob store is away, comes again."""
        total, behind = 0, ("", "")
        old = partial(uploads.old, before=before, limit=_BATCH)
        while found := await self._database.read(partial(old, behind=behind)):
            gone, away = await self._gone(found, before)
            total += await self._database.write(partial(uploads.forget, gone=gone, before=before))
            if away:
                break
            behind = found[-1]
            await asyncio.sleep(_BREATH_S)
        return total

    async def _gone(
        self, found: Sequence[tuple[ProjectId, str]], before: Instant
    ) -> tuple[list[tuple[ProjectId, str]], bool]:
        """Remove the blobs that nobody needs; return what may be forgotten, and whether the store went away."""
        gone: list[tuple[ProjectId, str]] = []
        for project, sha256 in found:
            used = await self._database.read(partial(uploads.is_used, sha256=sha256, before=before))
            try:
                if used or await self._blobs.delete(sha256, unused_for_s=YOUNG_S):
                    gone.append((project, sha256))
            except Unavailable:
                return gone, True
        return gone, False


def _tls_sessions(connection: Connection, before: Instant, limit: int) -> int:
    return transport.remove_sessions(connection, to_rfc3339(before)[:10], limit)
