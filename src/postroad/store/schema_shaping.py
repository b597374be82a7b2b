"""The tables of shaping: what was learned of sites, pins, changes, and which nodes share the limits."""

from sqlalchemy import BigInteger, Column, Float, Integer, PrimaryKeyConstraint, Table, Text

from postroad.store.metadata import metadata

site_states = Table(
    "site_states",
    metadata,
    Column("node", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("node", "site"),
    sqlite_with_rowid=False,
)

site_pins = Table(
    "site_pins",
    metadata,
    Column("site", Text, nullable=False),
    Column("limit_name", Text, nullable=False),
    Column("value", Float, nullable=False),
    Column("author", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("site", "limit_name"),
    sqlite_with_rowid=False,
)

shaping_changes = Table(
    "shaping_changes",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("site", Text, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

nodes = Table(
    "nodes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("seen_at", BigInteger, nullable=False),  # by the database's clock
)
