"""Soft causes: a mailbox that stays full is suppressed for a while, probed, and taken off the list when it takes mail.

A full mailbox says nothing at first: people empty theirs. One that was full for weeks, message after message, is
abandoned, and to go on mailing it harms whoever does.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from postroad.config.suppressions import Suppressions as Settings
from postroad.model.clock import DAY, Clock, after
from postroad.model.ids import Mint, SuppressionId
from postroad.model.reason import Class
from postroad.model.suppression import WHOLE_PROJECT, Cause, Suppression
from postroad.store import Connection, soft
from postroad.store import suppressions as store
from postroad.store.database import Database
from postroad.store.reputation import End

_PROBES: Final = 500
SOFT: Final = Class.MAILBOX_FULL


class Softening:
    """Suppresses for soft causes, and mends."""

    def __init__(
        self, database: Database, clock: Clock, mint: Mint, settings: Settings, *, told: Callable[[], None]
    ) -> None:
        """Build the service; `told` is called when events were written."""
        self._database = database
        self._clock = clock
        self._mint = mint
        self._settings = settings
        self._told = told

    async def heard(self, ends: Sequence[End]) -> int:
        """Look at deliveries that ended, and return how many addresses were suppressed for it."""
        count = 0
        for end in ends if self._settings.soft else ():
            if end.kept_back_by == SOFT and end.told.reason is not None:
                count += await self._database.write(partial(self._suppress, end))
        if count:
            self._told()
        return count

    async def mend(self) -> int:
        """Act on probes that have ended, and return how many."""
        now = self._clock.now()
        again_at = after(now, int(self._settings.probe_days * DAY))
        count = await self._database.write(lambda c: soft.settle_probes(c, now, again_at, _PROBES))
        if count:
            self._told()
        return count

    def _suppress(self, end: End, connection: Connection) -> int:
        settings, now = self._settings, self._clock.now()
        past = soft.history(connection, end.project_id, end.recipient, SOFT)
        if past.first_at is None or past.messages < settings.soft_messages:
            return 0
        if now - past.first_at < settings.soft_days * DAY:
            return 0
        entry = Suppression(
            id=SuppressionId(self._mint("sup")),
            project_id=end.project_id,
            scope=WHOLE_PROJECT,
            address=end.recipient,
            cause=Cause.BOUNCE,
            author="system",
            created_at=now,
            expires_at=after(now, int(settings.soft_expire_days * DAY)),
            evidence=end.told.reason,
            message_id=end.message_id,
            delivery_id=end.delivery_id,
            note=f"The mailbox was full for {past.messages} messages over {(now - past.first_at) // DAY} days.",
            probe_at=after(now, int(settings.probe_days * DAY)),
        )
        return store.put(connection, [entry], now).count(store.Put.ADDED)
