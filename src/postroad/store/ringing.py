"""Wake-ups among nodes: what one node has left for others is begun at once, and not when their timers next look.

PostgreSQL carries them (LISTEN and NOTIFY) over one connection that only listens. All is best effort: a word may be
lost, and behind every wait stands a timer. Words go out a moment after the commit that they tell of, in a transaction
of their own that waits for no disk, a few together, and only where there is somebody to hear them: they cost the
commits nothing.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

import structlog
from sqlalchemy import make_url
from sqlalchemy.engine import Connection

from postroad.model.errors import Unavailable
from postroad.store import bulk
from postroad.store.database import Database
from postroad.store.engines import application
from postroad.store.shaping import ALIVE

_log = structlog.get_logger("postroad.store")
_CHANNEL: Final = "postroad"
_PAUSE_S: Final = 0.05
"""Least time between two transactions that tell others."""
_LOOK_S: Final = 5.0
"""How often a node looks whether there are others; also how soon a dead connection is noticed."""
_AGAIN_S: Final = 2.0
_CONNECT_S: Final = 10
_OTHERS: Final = """
    SELECT count(*) FROM nodes WHERE name <> %s
        AND seen_at > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - %s
"""
_NETWORK: Final = {"keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 10_000}

Heard = Callable[[str], None]
"""Takes what another node said beside the subject; called on the loop."""


class Ringing:
    """What one node tells the others, and hears of them."""

    def __init__(self, database: Database, *, node: str) -> None:
        """Be silent until `run` has found others; on SQLite there are none."""
        self._database = database
        self._node = node
        self._heard: dict[str, Heard] = {}
        self._unsaid: dict[str, str] = {}
        self._saying: asyncio.Task[None] | None = None
        self.others = 0
        """How many other nodes deliver, as last counted."""
        self.listening = False

    @property
    def possible(self) -> bool:
        """Whether there can be other nodes at all."""
        return self._database.engine_name == "postgresql"

    def on(self, subject: str, heard: Heard) -> None:
        """Have `heard` called when another node speaks of a subject."""
        self._heard[subject] = heard

    def tell(self, subject: str, word: str = "", *, alone: bool = False) -> None:
        """Tell other nodes soon, together with what else there is to tell; returns at once.

        Of what is said of one subject meanwhile, the last holds. `alone` tells it though no other node delivers.
        """
        if not (self.others or alone) or not self.possible:
            return
        self._unsaid[subject] = word
        if self._saying is None:
            self._saying = asyncio.get_running_loop().create_task(self._say())

    async def run(self) -> None:
        """Listen until canceled."""
        if not self.possible:
            return
        import psycopg  # costs eight megabytes, which a server on SQLite does without

        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as problem:
                _log.debug("not_listening", error=type(problem).__name__)
            finally:
                self.listening = False
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self) -> None:
        import psycopg

        url = make_url(self._database.url).set(drivername="postgresql+psycopg")
        _, given = url.get_dialect()().create_connect_args(url)
        name = {"fallback_application_name": application(self._node)}
        arguments = cast(
            "dict[str, Any]", {"connect_timeout": _CONNECT_S, **_NETWORK, **name, **given, "autocommit": True}
        )
        async with await psycopg.AsyncConnection.connect(**arguments) as connection:
            await connection.execute(f"LISTEN {_CHANNEL}")
            self.listening = True
            while True:
                found = await (await connection.execute(_OTHERS, (self._node, ALIVE))).fetchone()
                self.others = 0 if found is None else found[0]
                async for notice in connection.notifies(timeout=_LOOK_S):
                    self._hear(notice.payload)

    def _hear(self, payload: str) -> None:
        node, _, said = payload.partition(" ")
        subject, _, word = said.partition(" ")
        if node != self._node and (heard := self._heard.get(subject)) is not None:
            heard(word)

    async def _say(self) -> None:
        """Say all there is, and what is added meanwhile after a pause."""
        try:
            while self._unsaid:
                said, self._unsaid = self._unsaid, {}
                payloads = [f"{self._node} {subject} {word}".rstrip() for subject, word in said.items()]
                try:
                    await self._database.read(partial(_notify, payloads=payloads))
                except Unavailable:
                    return
                await asyncio.sleep(_PAUSE_S)
        finally:
            self._saying = None


def _notify(connection: Connection, payloads: list[str]) -> None:
    """Send words; a transaction that sends some is written to the log, which nobody needs to wait for."""
    bulk.run(connection, "SET LOCAL synchronous_commit = off")
    for payload in payloads:
        bulk.run(connection, "SELECT pg_notify(?, ?)", (_CHANNEL, payload))
