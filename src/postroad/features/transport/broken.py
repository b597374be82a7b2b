"""Addresses where TLS is offered and does not work, so that not every connection has to find that out."""

from collections import OrderedDict
from typing import Final

from postroad.model.clock import DAY, Clock, Instant, after
from postroad.store import transport
from postroad.store.database import Database

_SPAN: Final = 3 * DAY
_MOST: Final = 20_000


class BrokenKeeper:
    """Remembers them for three days, over restarts too."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Know nothing yet; `load` brings what was known before."""
        self._database = database
        self._clock = clock
        self._until: OrderedDict[str, Instant] = OrderedDict()
        self._new: dict[str, tuple[str, str, str, Instant]] = {}

    def knows(self, ip: str) -> bool:
        """Tell whether TLS failed at an address not long ago."""
        until = self._until.get(ip)
        return until is not None and until > self._clock.now()

    def learn(self, ip: str, host: str, why: str) -> None:
        """Remember that TLS just failed at an address."""
        until = after(self._clock.now(), _SPAN)
        self._remember(ip, until)
        self._new[ip] = (ip, host, why, until)

    async def load(self) -> None:
        """Remember what is written down."""
        now = self._clock.now()
        found = await self._database.read(lambda connection: transport.broken(connection, now, limit=_MOST))
        for ip, _, _, until in reversed(found):
            self._remember(ip, until)

    async def flush(self) -> None:
        """Write down what is new."""
        if not self._new:
            return
        new, self._new = self._new, {}
        try:
            await self._database.write(lambda connection: transport.note_broken(connection, list(new.values())))
        except BaseException:
            self._new = new | self._new
            raise

    def _remember(self, ip: str, until: Instant) -> None:
        self._until[ip] = until
        self._until.move_to_end(ip)
        while len(self._until) > _MOST:
            self._until.popitem(last=False)
