"""The tables of those who watch over the traffic: which site a domain belongs to, and what waits by decision."""

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table, Text

from postroad.store.metadata import metadata

domain_sites = Table(
    "domain_sites",
    metadata,
    Column("domain", Text, primary_key=True),
    Column("site", Text, nullable=False, index=True),
    Column("seen_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

suspensions = Table(
    "suspensions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False),  # these three: * for any
    Column("project_id", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("evidence", Text, nullable=False, server_default="{}"),
    Column("created_at", BigInteger, nullable=False),
    Column("until", BigInteger),
    Index("ux_suspensions_subject", "site", "project_id", "stream", "cause", unique=True),
)

reputation = Table(
    "reputation",
    metadata,
    Column("project_id", Text, nullable=False),
    Column("site", Text, nullable=False),  # * for all; one of these two is *
    Column("bucket", BigInteger, nullable=False),
    Column("stream", Text, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("delivered", BigInteger, nullable=False),
    Column("hard", BigInteger, nullable=False),
    Column("blocked", BigInteger, nullable=False),
    Column("complained", BigInteger, nullable=False),
    PrimaryKeyConstraint("project_id", "site", "bucket", "stream"),
    sqlite_with_rowid=False,
)

guard_projects = Table(
    "guard_projects",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("counted_from", BigInteger, nullable=False),
    Column("warned", Text, nullable=False),
    Column("thresholds", Text, nullable=False),
)
