"""What is kept of transport security: MTA-STS policies, addresses where TLS is broken, and counts for TLS reports."""

from collections.abc import Sequence

import msgspec
from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.store import bulk
from postroad.store.schema_transport import sts_policies


class KeptPolicy(msgspec.Struct, frozen=True, array_like=True):
    """The policy of a domain: `refresh_at` is when it is fetched again, `used_at` when mail last went there."""

    domain: str
    policy_id: str
    mode: str
    mx: tuple[str, ...]
    max_age_s: int
    expires_at: Instant
    refresh_at: Instant
    used_at: Instant


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """Sessions of one day that went the same way under the same policy; what does not apply is empty."""

    day: str
    domain: str
    policy_digest: str
    result: str
    host: str
    ip: str
    sending_ip: str
    policy: str
    detail: str
    sessions: int


_POLICY = ("domain", "policy_id", "mode", "mx", "max_age_s", "expires_at", "refresh_at", "used_at")
_COUNTED = Counted.__struct_fields__


def save_policy(connection: Connection, policy: KeptPolicy) -> None:
    """Keep the policy of a domain in place of any earlier one."""
    bulk.run(connection, "DELETE FROM sts_policies WHERE domain = ?", (policy.domain,))
    row = (*msgspec.structs.astuple(policy)[:3], msgspec.json.encode(policy.mx).decode(), *_rest(policy))
    bulk.insert(connection, sts_policies, _POLICY, [row])


def _rest(policy: KeptPolicy) -> tuple[int, Instant, Instant, Instant]:
    return policy.max_age_s, policy.expires_at, policy.refresh_at, policy.used_at


def policy_of(connection: Connection, domain: str) -> KeptPolicy | None:
    """Return the policy that is kept for a domain, expired or not."""
    found = _policies(connection, "WHERE domain = ?", (domain,))
    return found[0] if found else None


def policies(connection: Connection, *, limit: int) -> list[KeptPolicy]:
    """Return policies by domain."""
    return _policies(connection, "ORDER BY domain LIMIT ?", (limit,))


def policies_to_refresh(connection: Connection, now: Instant, *, used_since: Instant, limit: int) -> list[KeptPolicy]:
    """Return policies that are due to be fetched again and still of use."""
    where = "WHERE refresh_at <= ? AND used_at >= ? AND expires_at > ? ORDER BY refresh_at LIMIT ?"
    return _policies(connection, where, (now, used_since, now, limit))


def touch_policy(connection: Connection, domain: str, *, refresh_at: Instant, used_at: Instant) -> None:
    """Note when a policy was last of use, and when it is to be fetched again."""
    bulk.run(
        connection,
        "UPDATE sts_policies SET refresh_at = ?, used_at = ? WHERE domain = ?",
        (refresh_at, used_at, domain),
    )


def remove_policies(connection: Connection, before: Instant, limit: int) -> int:
    """Remove up to `limit` policies that expired before an instant, and return how many went."""
    statement = (
        "DELETE FROM sts_policies WHERE domain IN (SELECT domain FROM sts_policies WHERE expires_at < ? LIMIT ?) "
        "RETURNING domain"
    )
    return len(bulk.run(connection, statement, (before, limit)))


def note_broken(connection: Connection, found: Sequence[tuple[str, str, str, Instant]]) -> None:
    """Note addresses where TLS is broken: address, host, why and until when."""
    for row in found:
        bulk.run(
            connection,
            "INSERT INTO broken_tls (ip, host, why, until) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (ip) DO UPDATE SET host = excluded.host, why = excluded.why, until = excluded.until",
            row,
        )


def broken(connection: Connection, now: Instant, *, limit: int) -> list[tuple[str, str, str, Instant]]:
    """Return addresses where TLS is broken, the latest first."""
    rows = bulk.run(
        connection, "SELECT ip, host, why, until FROM broken_tls WHERE until > ? ORDER BY until DESC LIMIT ?",
        (now, limit),
    )  # fmt: skip
    return [(row[0], row[1], row[2], Instant(row[3])) for row in rows]


def remove_broken(connection: Connection, before: Instant, limit: int) -> int:
    """Forget up to `limit` addresses whose time was over before an instant, and return how many."""
    statement = "DELETE FROM broken_tls WHERE ip IN (SELECT ip FROM broken_tls WHERE until < ? LIMIT ?) RETURNING ip"
    return len(bulk.run(connection, statement, (before, limit)))


def count_sessions(connection: Connection, counted: Sequence[Counted]) -> None:
    """Add to the counts of sessions."""
    for each in counted:
        bulk.run(
            connection,
            f"INSERT INTO tls_sessions ({', '.join(_COUNTED)}) VALUES ({', '.join('?' * len(_COUNTED))}) "  # noqa: S608 - names of ours
            "ON CONFLICT (day, domain, policy_digest, result, host, ip, sending_ip) "
            "DO UPDATE SET sessions = tls_sessions.sessions + excluded.sessions, detail = excluded.detail",
            msgspec.structs.astuple(each),
        )


def sessions(connection: Connection, day: str, domain: str | None = None) -> list[Counted]:
    """Return the counts of a day, by domain and policy; of one domain when it is named."""
    where, values = ("", (day,)) if domain is None else (" AND domain = ?", (day, domain))
    rows = bulk.run(
        connection,
        f"SELECT {', '.join(_COUNTED)} FROM tls_sessions WHERE day = ?{where} "  # noqa: S608 - names of ours
        "ORDER BY domain, policy_digest, result, host, ip, sending_ip",
        values,
    )
    return [Counted(*row) for row in rows]


def reported_domains(connection: Connection, day: str) -> list[str]:
    """Return the domains to which sessions of a day were counted."""
    return [row[0] for row in bulk.run(connection, "SELECT DISTINCT domain FROM tls_sessions WHERE day = ?", (day,))]


def remove_sessions(connection: Connection, before_day: str, limit: int) -> int:
    """Remove up to `limit` counts of days before one, and return how many went."""
    key = "day, domain, policy_digest, result, host, ip, sending_ip"
    statement = (
        f"DELETE FROM tls_sessions WHERE ({key}) IN (SELECT {key} FROM tls_sessions WHERE day < ? LIMIT ?) "  # noqa: S608 - names of ours
        "RETURNING day"
    )
    return len(bulk.run(connection, statement, (before_day, limit)))


def _policies(connection: Connection, where: str, values: tuple[object, ...]) -> list[KeptPolicy]:
    rows = bulk.run(connection, f"SELECT {', '.join(_POLICY)} FROM sts_policies {where}", values)  # noqa: S608 - names of ours
    return [KeptPolicy(row[0], row[1], row[2], tuple(msgspec.json.decode(row[3])), *row[4:]) for row in rows]
