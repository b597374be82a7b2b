"""A writer's seat: the connection that it keeps from one transaction to the next while there is work for it.

Taking a connection from the pool and giving it back costs as much as some of the statements in between.
"""

import contextlib
import threading
from collections.abc import Iterator

from sqlalchemy.engine import Connection, Engine


class Seat(threading.local):
    """One connection for each thread that asks."""

    def __init__(self, engine: Engine) -> None:
        """Take the engine that connects; nothing is connected yet."""
        self._engine = engine
        self._connection: Connection | None = None

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give the connection, in a transaction that is committed at the end; after a failure it is given back."""
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            with self._connection.begin():
                yield self._connection
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the connection back, so that others may have it while there is nothing to write."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()
