"""Transport security: TLS reports, the policies that are kept, and where TLS is broken."""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from postroad.app.administration.operation import MOST_ROWS, Answer, Nothing, Operation, operation, time_of
from postroad.store import transport

if TYPE_CHECKING:
    from postroad.app.house import House


class OfDay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arguments of `tlsrpt`."""

    day: dt.date | None = None
    """In UTC; today when none is named."""
    domain: str | None = None


class OfDomain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arguments of `tlsrpt report`."""

    domain: str
    day: dt.date | None = None
    """In UTC; today when none is named."""


async def tlsrpt(house: "House", given: OfDay) -> Answer:
    """Return the TLS reports of a day, one for each domain that mail went to, as RFC 8460 has them."""
    return {"data": await house.transport.reports.read(given.day, given.domain)}


async def report(house: "House", given: OfDomain) -> Answer:
    """Return the TLS report of a day to one domain, and nothing around it."""
    return await house.transport.reports.document(given.day, given.domain)


async def policies(house: "House", given: Nothing) -> Answer:
    """Return the MTA-STS policies that are kept."""
    found = await house.database.read(lambda connection: transport.policies(connection, limit=MOST_ROWS))
    return {
        "data": [
            {
                "domain": each.domain,
                "mode": each.mode,
                "mx": list(each.mx),
                "id": each.policy_id,
                "expires_at": time_of(each.expires_at),
                "refresh_at": time_of(each.refresh_at),
            }
            for each in found
        ]
    }


async def broken(house: "House", given: Nothing) -> Answer:
    """Return the addresses that are spoken to without TLS for now, because it does not work there."""
    now = house.clock.now()
    found = await house.database.read(lambda connection: transport.broken(connection, now, limit=MOST_ROWS))
    return {
        "data": [{"ip": ip, "host": host, "detail": why, "until": time_of(until)} for ip, host, why, until in found]
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    "tls.reports": operation(OfDay, tlsrpt),
    "tls.report": operation(OfDomain, report),
    "tls.policies": operation(Nothing, policies),
    "tls.broken": operation(Nothing, broken),
}
