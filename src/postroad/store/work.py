"""Units of work in one transaction: how groups of them run, and how each gets its own outcome.

A unit that fails must not take the others with it: then the transaction is begun again with a savepoint for each group,
and a group that fails is run unit by unit.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import structlog
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from postroad.store import bulk, engines

_log = structlog.get_logger("postroad.store")
_T = TypeVar("_T")
Then: TypeAlias = Callable[[_T | None, BaseException | None], None]
"""Is told the outcome of a unit, or its error, on the loop of whoever submitted it."""


@dataclass(slots=True, eq=False)
class Work:
    """A unit that waits, and the future of whoever waits for it."""

    function: Callable[..., Any]
    item: Any
    gathered: bool
    patient: bool
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    then: "Then[Any] | None" = None
    """Told before the future is resolved, and even when whoever waited for that has gone away."""
    outcome: Any = None
    error: BaseException | None = None


def run_all(connection: Connection, groups: Collection[list[Work]], *, careful: bool) -> bool:
    """Run the groups of a transaction, and tell whether it may be committed.

    Hardly any group of gathered units ever fails, so at first they go without savepoints. When one does fail the
    transaction has to be begun again, with `careful`.

    Raises:
        Exception: that of a unit that is alone, or of an engine that will take none.
    """
    alone = len(groups) == 1
    for group in groups:
        if careful or not group[0].gathered or (alone and len(group) == 1):
            _run_group(connection, group, alone=alone)
            continue
        try:
            _run(connection, group)
        except Exception as error:
            if isinstance(error, DBAPIError) and _is_the_engines(error):
                raise
            return False  # with savepoints the unit that is to blame gets it
    return True


def _is_the_engines(error: DBAPIError) -> bool:
    """Whether no unit is to blame, so that none needs to be told from the others."""
    return engines.is_away(error) or engines.is_transient(error) or engines.is_broken(error)


def _run_group(connection: Connection, group: list[Work], *, alone: bool) -> None:
    """Run one group in a savepoint; when a group of many fails, run each of its units in one of its own."""
    try:
        if alone and len(group) == 1:
            _run(connection, group)
        else:
            with bulk.savepoint(connection):
                _run(connection, group)
    except DBAPIError as error:
        if engines.is_away(error) or engines.is_transient(error) or (alone and len(group) == 1):
            raise
        _run_singly(connection, group, error)
    except Exception as error:
        if alone and len(group) == 1:
            raise
        _run_singly(connection, group, error)


def _run_singly(connection: Connection, group: list[Work], error: Exception) -> None:
    if len(group) == 1:
        group[0].error = error
        return
    for work in group:
        _run_group(connection, [work], alone=False)


def _run(connection: Connection, group: list[Work]) -> None:
    first = group[0]
    if not first.gathered:
        first.outcome = first.function(connection)
        return
    for work, outcome in zip(group, first.function(connection, [work.item for work in group]), strict=True):
        if isinstance(outcome, BaseException):
            work.error = outcome
        else:
            work.outcome = outcome


def fail(works: list[Work], error: BaseException) -> None:
    """Give every unit the same error."""
    for work in works:
        work.error = error


def resolve(works: list[Work]) -> None:
    """Tell those who wait; call it on their loop."""
    for work in works:
        if work.then is not None:
            _tell(work, work.then)
        if work.future.done():
            continue  # whoever waited has gone away; the work is done all the same
        if work.error is not None:
            work.future.set_exception(work.error)
        else:
            work.future.set_result(work.outcome)


def _tell(work: Work, then: Then[Any]) -> None:
    try:
        then(work.outcome if work.error is None else None, work.error)
    except Exception:  # noqa: BLE001 - a bug of one must not keep the outcomes of others from them
        _log.exception("unit_not_told")
