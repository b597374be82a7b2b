"""The tables of transport security: what domains have said of it, where it breaks, and how sessions went."""

from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, Table, Text

from postroad.store.metadata import metadata

sts_policies = Table(
    "sts_policies",
    metadata,
    Column("domain", Text, primary_key=True),
    Column("policy_id", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("mx", Text, nullable=False),  # patterns, as a JSON list
    Column("max_age_s", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("refresh_at", BigInteger, nullable=False, index=True),  # refresh
    Column("used_at", BigInteger, nullable=False),
)

broken_tls = Table(
    "broken_tls",
    metadata,
    Column("ip", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)

tls_sessions = Table(
    "tls_sessions",
    metadata,
    Column("day", Text, nullable=False),  # UTC, as 2026-01-31
    Column("domain", Text, nullable=False),
    Column("policy_digest", Text, nullable=False),
    Column("result", Text, nullable=False),  # empty: the session went well
    Column("host", Text, nullable=False),
    Column("ip", Text, nullable=False),
    Column("sending_ip", Text, nullable=False),
    Column("policy", Text, nullable=False),  # type, lines and hosts, as JSON
    Column("detail", Text, nullable=False),
    Column("sessions", BigInteger, nullable=False),
    PrimaryKeyConstraint("day", "domain", "policy_digest", "result", "host", "ip", "sending_ip"),
    sqlite_with_rowid=False,
)
