"""The door to the store: group-committed writes and concurrent reads, both away from the event loop.

Waiting units of work share one transaction and one fsync. A unit is a plain function over a connection; it may run more
than once (after a deadlock, or alone when its group failed), so it must do nothing but SQL. Units given through
`write_each` with the same function are gathered further: the function is called once with all their items, so that
one statement carries many rows.
"""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import structlog
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from postroad.model.errors import Unavailable
from postroad.store import engines
from postroad.store.pace import Pace
from postroad.store.seat import Seat
from postroad.store.work import Then, Work, fail, resolve, run_all

T = TypeVar("T")
Item = TypeVar("Item")
Unit = Callable[[Connection], T]
UnitOfMany = Callable[[Connection, list[Item]], Sequence[T | Exception]]

_log = structlog.get_logger("postroad.store")
_TRIES = 5
_AWAY_S = 1.0
"""How long an engine that was away is taken to be away still, when nothing waits that would find out."""


class _Nudge:
    """Wakes a writer that has nothing but lazy units to look for."""


@dataclass(slots=True)
class Counters:
    """What the writers did since the start; read by the metrics."""

    transactions: int = 0
    units: int = 0
    failures: int = 0
    busy_s: float = 0.0


@dataclass(slots=True)
class _State:
    pending: int = 0
    counting: threading.Lock = field(default_factory=threading.Lock)
    closing: bool = False
    broken: bool = False
    away_until: float = 0.0
    """By the monotonic clock: until then the engine is known to be away, and units that do not wait are refused."""
    counters: Counters = field(default_factory=Counters)


class Database:
    """One store, over SQLite or PostgreSQL."""

    def __init__(
        self,
        url: str,
        *,
        node: str = "",
        readers: int = 4,
        writers: int = 1,
        group: int = 512,
        backlog: int = 20_000,
        pace_s: float = 0.008,
        lazy_s: float = 0.03,
        connect_timeout_s: float = 10.0,
    ) -> None:
        """Open the store; on SQLite take the file's lock.

        Args:
            url: `sqlite:///FILE` or `postgresql://…`.
            node: whose it is, as PostgreSQL is told.
            readers: threads that read.
            writers: threads that write; SQLite has one, whatever is given.
            group: units in one transaction at the most.
            pace_s: least time between the beginnings of two transactions of one writer (`Pace`).
            lazy_s: how long a lazy unit waits for others.
            connect_timeout_s: time allowed for connecting to PostgreSQL.
            backlog: units that may wait; one more is refused as `overloaded`.

        Raises:
            engines.AlreadyOpen: another process holds the SQLite file.
        """
        self.url = url
        self.engine_name = engines.engine_name(url)
        self._lock_descriptor: int | None = None
        if self.engine_name == "sqlite":
            path = engines.sqlite_path(url)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock_descriptor = engines.hold_file(path)
            writers = 1
        self._writer_engine: Engine = engines.connect_writer(
            url, connections=writers + 1, connect_timeout_s=int(connect_timeout_s), node=node
        )
        self._reader_engine: Engine = engines.connect_readers(
            url, connections=readers, connect_timeout_s=int(connect_timeout_s), node=node
        )
        self._seat = Seat(self._writer_engine)
        self._queue: SimpleQueue[Work | _Nudge | None] = SimpleQueue()
        self._lazy: deque[Work] = deque()
        self._nudging = False
        self._pace_s = pace_s
        self._lazy_s = lazy_s
        self._group = group
        self._backlog = backlog
        self._state = _State()
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-read")
        self._threads = [
            threading.Thread(target=self._write_loop, name=f"store-write-{n}", daemon=True) for n in range(writers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def counters(self) -> Counters:
        """What the writers did since the start."""
        return self._state.counters

    @property
    def waiting(self) -> int:
        """How many units wait or run."""
        return self._state.pending

    @property
    def engine(self) -> Engine:
        """The engine of writes, for migrations only."""
        return self._writer_engine

    async def write(self, function: Unit[T], *, patient: bool = False) -> T:
        """Run `function` in a write transaction and return its result once that is durable.

        With `patient`, an engine that is away is waited for; without, `Unavailable` is raised.
        """
        result: T = await self._submit(function, None, gathered=False, patient=patient)
        return result

    async def write_each(
        self, function: UnitOfMany[Item, T], item: Item, *, patient: bool = False, lazy: bool = False
    ) -> T:
        """Run `function` over this item and all others that wait for it; return this item's result once durable.

        `function` answers with one result an item, in order; an exception in an item's place is raised to that item.
        With `lazy` the item does not begin a transaction of its own at once: it joins the next one, or waits a little
        for others like it.
        """
        return await self.submit_each(function, item, patient=patient, lazy=lazy)

    def submit_each(
        self,
        function: UnitOfMany[Item, T],
        item: Item,
        *,
        then: Then[T] | None = None,
        patient: bool = False,
        lazy: bool = False,
    ) -> asyncio.Future[T]:
        """Do as `write_each` does, and tell `then` the outcome, even when whoever waits for the future is cancelled.

        Raises:
            Unavailable: the store takes no more units now.
        """
        return self._submit(function, item, gathered=True, patient=patient, lazy=lazy, then=then)

    async def read(self, function: Unit[T]) -> T:
        """Run `function` in a read transaction."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, function)

    def read_now(self, function: Unit[T]) -> T:
        """Run `function` in a read transaction on the calling thread."""
        try:
            with self._reader_engine.begin() as connection:
                return function(connection)
        except DBAPIError as error:
            if engines.is_away(error):
                raise Unavailable("store_unavailable", "The store cannot be read now.", retry_after_s=2) from error
            raise

    def write_now(self, function: Unit[T]) -> T:
        """Run `function` in a write transaction of its own on the calling thread (start-up and commands).

        On SQLite, call it only while no unit waits: the writer connection is shared.
        """
        with self._writer_engine.begin() as connection:
            return function(connection)

    def close(self) -> None:
        """Finish the waiting units and give the store back."""
        self._state.closing = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._readers.shutdown()
        self._reader_engine.dispose()
        self._writer_engine.dispose()
        if self._lock_descriptor is not None:
            engines.release_file(self._lock_descriptor)
            self._lock_descriptor = None

    def _submit(
        self,
        function: Callable[..., Any],
        item: Any,
        *,
        gathered: bool,
        patient: bool,
        lazy: bool = False,
        then: Then[Any] | None = None,
    ) -> asyncio.Future[Any]:
        state = self._state
        if state.broken or state.closing or (not patient and time.monotonic() < state.away_until):
            raise _unavailable()
        if not patient and state.pending >= self._backlog:
            raise Unavailable("overloaded", "The store is behind; nothing was stored.", retry_after_s=1)
        loop = asyncio.get_running_loop()
        work = Work(function, item, gathered, patient, loop.create_future(), loop, then)
        with state.counting:
            state.pending += 1
        if not lazy:
            self._queue.put(work)
            return work.future
        self._lazy.append(work)
        if not self._nudging:
            self._nudging = True
            loop.call_later(self._lazy_s, self._nudge)
        return work.future

    def _nudge(self) -> None:
        """Let a writer look for lazy units."""
        self._nudging = False
        if self._lazy:
            self._queue.put(_Nudge())

    # --- on the writers' threads -------------------------------------------------------------------------------------

    def _write_loop(self) -> None:
        pace = Pace(self._pace_s)
        while (works := self._take(pace)) is not None:
            pace.begin()
            self._carry_out(works)
            counters = self._state.counters
            counters.busy_s += pace.end()
            counters.units += len(works)
            self._answer(works)
        self._seat.release()

    def _take(self, pace: Pace) -> list[Work] | None:
        """Wait for a unit, then for the pace, and return all that wait by then; None: the store closes."""
        works: list[Work] = []
        try:
            first = self._queue.get_nowait()
        except Empty:
            self._seat.release()
            first = self._queue.get()
        if first is not None:
            pace.keep(lambda: self._state.pending)
        ending = first is None
        if isinstance(first, Work):
            works.append(first)
        while len(works) < self._group:
            try:
                works.append(self._lazy.popleft())
            except IndexError:
                break
        while not ending and len(works) < self._group:
            try:
                work = self._queue.get_nowait()
            except Empty:
                break
            if isinstance(work, Work):
                works.append(work)
            ending = work is None
        if ending and works:
            self._queue.put(None)
        return None if ending and not works else works

    def _carry_out(self, works: list[Work]) -> None:
        """Run the units until each has an outcome or an error."""
        if self._state.broken:
            fail(works, _unavailable())  # a later sync would succeed, and tell nothing of what the failed one lost
            return
        tries = 0
        left = works
        while left:
            tries += 1
            try:
                self._transact(left)
            except DBAPIError as error:
                self._state.counters.failures += 1
                left = self._after_failure(left, error, tries)
            except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait, not to this thread
                fail(left, error)
                return
            else:
                self._state.counters.transactions += 1
                self._state.away_until = 0.0
                return

    def _after_failure(self, works: list[Work], error: DBAPIError, tries: int) -> list[Work]:
        """Say which units are tried again after their transaction failed as a whole; the others get their error."""
        if engines.is_broken(error):
            self._state.broken = True
            _log.critical("store_broken", error=type(error.orig).__name__)
            fail(works, _unavailable())
            return []
        if engines.is_transient(error) and tries < _TRIES:
            time.sleep(0.005 * tries)
            return works
        if not engines.is_away(error) and not engines.is_transient(error):
            fail(works, error)
            return []
        _log.warning("store_away", error=type(error.orig).__name__, tries=tries)
        return self._while_away(works, tries)

    def _while_away(self, works: list[Work], tries: int) -> list[Work]:
        """Refuse the units that do not wait for an engine that is away, those behind them too, and return the others.

        As long as this writer has patient units it is busy waiting, so that others are refused at the door.
        """
        while True:
            try:
                work = self._queue.get_nowait()
            except Empty:
                break
            if isinstance(work, Work):
                works.append(work)
            elif work is None:
                self._queue.put(None)
                break
        refused = [work for work in works if not work.patient]
        fail(refused, _unavailable())
        self._answer(refused)
        works[:] = [work for work in works if work.patient]
        if works and self._state.closing:
            fail(works, _unavailable())
            return []
        self._state.away_until = math.inf if works else time.monotonic() + _AWAY_S
        if works:
            time.sleep(min(0.1 * 2 ** min(tries, 5), 2.0))
        return works

    def _transact(self, works: list[Work]) -> None:
        groups: dict[object, list[Work]] = {}
        for work in works:
            groups.setdefault(work.function if work.gathered else work, []).append(work)
        for careful in (False, True):
            for work in works:
                work.error = None
            with self._seat.begin() as connection:
                if run_all(connection, groups.values(), careful=careful):
                    return
                connection.rollback()

    def _answer(self, works: list[Work]) -> None:
        """Hand the outcomes back to their loops, one wake-up for each loop."""
        loops: dict[asyncio.AbstractEventLoop, list[Work]] = {}
        for work in works:
            loops.setdefault(work.loop, []).append(work)
        with self._state.counting:  # the loop counts up meanwhile
            self._state.pending -= len(works)
        for loop, answered in loops.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(resolve, answered)


def _unavailable() -> Unavailable:
    return Unavailable("store_unavailable", "The store cannot be written now; nothing was stored.", retry_after_s=2)
