"""Addresses where TLS is offered and does not work, so that not every connection has to find that out."""

from collections import OrderedDict
from typing import Final

from postroad.model.attempt import BrokenTls
from postroad.model.clock import DAY, Clock, Instant, after, to_rfc3339
from postroad.store import transport
from postroad.store.database import Database

_SPAN: Final = 3 * DAY
_MOST: Final = 20_000
_NEVER: Final = (Instant(0), "")


class BrokenKeeper:
    """Remembers them for three days, over restarts too."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Know nothing yet; `load` brings what was known before."""
        self._database = database
        self._clock = clock
        self._found: OrderedDict[str, tuple[Instant, str]] = OrderedDict()
        self._new: dict[str, tuple[str, str, str, Instant]] = {}

    def knows(self, ip: str) -> BrokenTls | None:
        """Return how TLS failed at an address not long ago; None when it did not."""
        until, why = self._found.get(ip, _NEVER)
        if until <= self._clock.now():
            return None
        return BrokenTls(since=to_rfc3339(after(until, -_SPAN)), until=to_rfc3339(until), detail=why)

    def learn(self, ip: str, host: str, why: str) -> None:
        """Remember that TLS just failed at an address."""
        until = after(self._clock.now(), _SPAN)
        self._remember(ip, until, why)
        self._new[ip] = (ip, host, why, until)

    async def load(self) -> None:
        """Remember what is written down."""
        now = self._clock.now()
        found = await self._database.read(lambda connection: transport.broken(connection, now, limit=_MOST))
        for ip, _, why, until in reversed(found):
            self._remember(ip, until, why)

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

    def _remember(self, ip: str, until: Instant, why: str) -> None:
        self._found[ip] = (until, why)
        self._found.move_to_end(ip)
        while len(self._found) > _MOST:
            self._found.popitem(last=False)
