"""The tables of what came back by mail: the mail itself until it is no longer kept, and what it said of deliveries."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text, text

from postroad.store.metadata import metadata

inbound_mail = Table(
    "inbound_mail",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("sender", Text, nullable=False),  # of the envelope; empty for the null path
    Column("recipient", Text, nullable=False),
    Column("ip", Text, nullable=False),
    Column("hello", Text, nullable=False),
    Column("tls", Text),
    Column("size", BigInteger, nullable=False),  # as it came; of what is larger only the beginning is kept
    Column("raw", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),  # pending, done, quarantined
    Column("tries", Integer, nullable=False, server_default="0"),  # readings that were begun
    Column("next_at", BigInteger),
    Column("node", Text),  # who reads it
    Column("token", Text),  # the delivery that the recipient's address proves
    Column("taken_for", Text),
    Column("effect", Text),
    Column("proof", Text),
    Column("project_id", Text),
    Column("message_id", Text),
    Column("delivery_id", Text),
    Index(
        "ix_inbound_mail_pending",
        "next_at",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index("ix_inbound_mail_project", "project_id", "id"),  # list
)

late_facts = Table(
    "late_facts",
    metadata,
    Column("delivery_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("proof", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("inbound_id", Text, nullable=False),
    PrimaryKeyConstraint("delivery_id", "kind", "proof"),  # the same report twice changes nothing
    sqlite_with_rowid=False,
)
