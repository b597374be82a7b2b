"""Keeping shaping: what was learned, the changes and the pins, between memory and the store, and among nodes.

Written lazily and together, every few seconds: what a crash loses of it is learned again.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import structlog

from postroad.model.clock import Clock
from postroad.model.errors import Unavailable
from postroad.model.shaping import Change, Pin, What
from postroad.pipeline.shaping.limits import Book
from postroad.pipeline.shaping.memory import SiteMemory
from postroad.pipeline.shaping.shaping import Shaping
from postroad.store import shaping as kept
from postroad.store import sites
from postroad.store.database import Database

_log = structlog.get_logger("postroad.shaping")
_EVERY_S = 5.0
_memory = msgspec.json.Decoder(SiteMemory)
_encoder = msgspec.json.Encoder()


class Keeper:
    """Keeps the shaping of one node."""

    def __init__(
        self,
        shaping: Shaping,
        database: Database,
        clock: Clock,
        *,
        node: str,
        reread: Callable[[], Book | None],
        due: Callable[[], None],
    ) -> None:
        """Build the keeper.

        `reread` returns other limits when the file of them has changed, `due` wakes those who wait for room.
        """
        self._shaping = shaping
        self._database = database
        self._clock = clock
        self._node = node
        self._reread = reread
        self._due = due
        self._shared = database.engine_name == "postgresql"

    async def load(self) -> None:
        """Bring back what this node had learned, and every pin."""
        now = self._clock.now()
        documents = await self._database.write(lambda connection: kept.saved(connection, self._node, now))
        self._shaping.recall({site: _memory.decode(document) for site, document in documents.items()})
        await self.refresh()

    async def refresh(self) -> None:
        """Read pins anew."""
        self._shaping.pin(await self._database.read(kept.pins))

    async def run(self) -> None:
        """Say that this node is alive, write down what changed and read what others changed, until canceled."""
        try:
            while True:
                try:
                    await self._round()
                except Unavailable:
                    _log.warning("shaping_waits")
                await asyncio.sleep(_EVERY_S)
        finally:
            await asyncio.shield(self._leave())

    async def _round(self) -> None:
        now = self._clock.now()
        if self._shared:
            names = await self._database.write(lambda connection: kept.alive(connection, self._node, now))
            self._shaping.divide(names.index(self._node), len(names))
            await self.refresh()
        if (book := await asyncio.to_thread(self._reread)) is not None:
            self._shaping.reload(book)
            self._due()
        await self.flush()
        self._shaping.forget(now)

    async def flush(self) -> None:
        """Write down what has changed since the last time."""
        changes, states, domains = (
            self._shaping.taken_changes(),
            self._shaping.changed(),
            self._shaping.taken_domains(),
        )
        if not changes and not states and not domains:
            return
        now = self._clock.now()
        documents = {site: _encoder.encode(memory) for site, memory in states.items()}
        found = kept.Found(self._node, documents, changes, domains)
        try:
            await self._database.write(lambda connection: kept.keep(connection, found, now))
        except Unavailable:
            self._shaping.give_back(changes, states, domains)
            raise
        for change in changes:
            if change.what is not What.RAISED:
                _log.info("site_" + change.what, site=change.site, why=change.sentence)

    async def pin(self, pin: Pin) -> None:
        """Fix a limit until it is taken back."""
        await self._database.write(lambda connection: kept.put_pin(connection, pin))
        self._shaping.change(pin.site, None, What.PINNED, f"{pin.author} pinned {pin.limit} to {pin.value:g}")
        await self._settle()

    async def unpin(self, site: str, limit: str, author: str) -> bool:
        """Let a limit be found again, and tell whether it was pinned."""
        at = self._clock.now()
        gone = await self._database.write(
            lambda connection: kept.remove_pin(connection, site, limit, author=author, at=at)
        )
        if gone:
            self._shaping.change(site, None, What.UNPINNED, f"{author} unpinned {limit}")
            await self._settle()
        return gone

    async def states(self) -> dict[str, SiteMemory]:
        """Return what all nodes have written down of their sites, the worst of each site for all nodes."""
        documents = await self._database.read(kept.all_saved)
        found: dict[str, SiteMemory] = {}
        for site, document in documents:
            memory = _memory.decode(document)
            known = found.get(site)
            if known is None or memory.trouble > known.trouble:
                found[site] = memory
        return found

    async def sites_of(self, domains: Sequence[str]) -> dict[str, str]:
        """Return the sites that domains were last found to belong to, of those that were met."""
        return await self._database.read(lambda connection: sites.of(connection, domains))

    async def changes(self, site: str | None, limit: int) -> list[Change]:
        """Return the newest changes, of one site or of all."""
        await self.flush()
        return await self._database.read(lambda connection: kept.changes(connection, site, limit=limit))

    async def _settle(self) -> None:
        await self.refresh()
        await self.flush()
        self._due()

    async def _leave(self) -> None:
        try:
            await self.flush()
            if self._shared:
                await self._database.write(lambda connection: kept.gone(connection, self._node))
        except Unavailable:
            _log.warning("shaping_not_kept")
