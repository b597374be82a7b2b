"""All operations, by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from postroad.app.administration import (
    accounts,
    clock,
    guarding,
    hooks,
    inbound_mail,
    installation,
    mail,
    queueing,
    sending_domains,
    sites,
    suppressing,
    transporting,
)
from postroad.app.administration.operation import Operation, Prepared
from postroad.model.errors import Refused

__all__ = ["OPERATIONS", "Operation", "Prepared", "find"]

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        **installation.OPERATIONS,
        **accounts.OPERATIONS,
        **clock.OPERATIONS,
        **sending_domains.OPERATIONS,
        **sites.OPERATIONS,
        **mail.OPERATIONS,
        **suppressing.OPERATIONS,
        **queueing.OPERATIONS,
        **guarding.OPERATIONS,
        **hooks.OPERATIONS,
        **transporting.OPERATIONS,
        **inbound_mail.OPERATIONS,
    }
)


def find(name: str) -> Operation:
    """Return an operation.

    Raises:
        Refused: there is none of this name (`unknown_operation`).
    """
    found = OPERATIONS.get(name)
    if found is None:
        raise Refused(
            "unknown_operation",
            f"There is no operation {name!r} here. The command and the server may be of different releases.",
        )
    return found
