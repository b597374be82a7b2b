"""Which site a recipient domain was last found to belong to: the roll-up of its mail exchangers, as far as known."""

from collections.abc import Iterable, Mapping

from sqlalchemy.engine import Connection

from postroad.model.clock import HOUR, Instant
from postroad.store import bulk

_AGAIN = 12 * HOUR
"""A domain that is found where it was is written down this often, so that finding it costs no write each time."""
_CHUNK = 64


def note(connection: Connection, found: Mapping[str, str], now: Instant) -> None:
    """Write down the sites of domains, where they are new or another than before."""
    pairs = list(found.items())
    for start in range(0, len(pairs), _CHUNK):
        chunk = pairs[start : start + _CHUNK]
        bulk.run(
            connection,
            f"INSERT INTO domain_sites (domain, site, seen_at) VALUES {', '.join(['(?, ?, ?)'] * len(chunk))} "  # noqa: S608 - parameters are bound
            "ON CONFLICT (domain) DO UPDATE SET site = excluded.site, seen_at = excluded.seen_at "
            "WHERE domain_sites.site <> excluded.site OR domain_sites.seen_at < excluded.seen_at - ?",
            (*(value for domain, site in chunk for value in (domain, site, now)), _AGAIN),
        )


def of(connection: Connection, domains: Iterable[str]) -> dict[str, str]:
    """Return the sites of those of the domains that have one."""
    wanted = sorted(set(domains))
    rows = bulk.select_in(connection, "SELECT domain, site FROM domain_sites WHERE domain IN (:values)", wanted)
    return {row[0]: row[1] for row in rows}


def domains(connection: Connection, site: str) -> list[str]:
    """Return the domains of a site, in order."""
    rows = bulk.run(connection, "SELECT domain FROM domain_sites WHERE site = ? ORDER BY domain", (site,))
    return [row[0] for row in rows]


def remove_unseen(connection: Connection, before: Instant, limit: int) -> int:
    """Forget up to `limit` domains that nobody has written to since an instant, and return how many."""
    rows = bulk.run(
        connection,
        "DELETE FROM domain_sites WHERE domain IN (SELECT domain FROM domain_sites WHERE seen_at < ? LIMIT ?) "
        "RETURNING domain",
        (before, limit),
    )
    return len(rows)
