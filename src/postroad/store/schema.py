"""The tables. Instants are integers of microseconds UTC, documents are JSON text that no statement looks into.

What is searched is a column with an index; an index is paid for by every insert, so each one names the query that
wants it. Hot tables (messages, deliveries, attempts, events) are kept apart from the slowly changing ones.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from postroad.store.metadata import metadata
from postroad.store.schema_inbound import inbound_mail, late_facts
from postroad.store.schema_shaping import nodes, shaping_changes, site_pins, site_states
from postroad.store.schema_traffic import domain_sites, guard_projects, reputation, suspensions
from postroad.store.schema_transport import broken_tls, sts_policies, tls_sessions

__all__ = [
    "api_keys", "attempts", "audit", "blob_uses", "broken_tls", "deliveries", "dkim_keys", "domain_sites", "domains",
    "events", "guard_projects", "idempotency_keys", "inbound_mail", "late_facts", "message_labels", "messages",
    "metadata", "nodes", "projects", "reputation", "server_facts", "shaping_changes", "site_pins", "site_states",
    "streams", "sts_policies", "suppressions", "suspensions", "tls_sessions", "uploads", "webhook_deliveries",
    "webhooks",
]  # fmt: skip

# --- slowly changing -------------------------------------------------------------------------------------------------

projects = Table(
    "projects",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("paused_at", BigInteger),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("limits", Text, nullable=False, server_default="{}"),
    Column("digest", LargeBinary, nullable=False, unique=True),  # SHA-256 of the secret, which is never stored
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
)

streams = Table(
    "streams",
    metadata,
    Column("project_id", Text, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("project_id", "name"),
)

_CAUSED = "incident IS NOT NULL"
_PROBED = "probe_delivery IS NOT NULL"

suppressions = Table(
    "suppressions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("scope", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("evidence", Text),
    Column("message_id", Text),
    Column("delivery_id", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("site", Text),  # these four: of what was put there automatically
    Column("incident", Text),
    Column("reason_class", Text),
    Column("rule", Text),
    Column("probe_at", BigInteger),  # these two: of what passes with time
    Column("probe_delivery", Text),
    Index("ux_suppressions_address", "project_id", "folded", "scope", unique=True),
    Index("ix_suppressions_project", "project_id", "id"),  # list and export
    Index("ix_suppressions_probes", "probe_delivery", sqlite_where=text(_PROBED), postgresql_where=text(_PROBED)),
    Index("ix_suppressions_incident", "incident", sqlite_where=text(_CAUSED), postgresql_where=text(_CAUSED)),  # undo
    Index(
        "ix_suppressions_origin",
        "site",
        "rule",
        "created_at",
        sqlite_where=text(_CAUSED),
        postgresql_where=text(_CAUSED),
    ),  # which incident goes on
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, nullable=False),
    Column("project_id", Text, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("began_at", BigInteger, nullable=False, index=True),
    PrimaryKeyConstraint("id", "project_id"),
)
"""Which incidents there were: one is known, too, when nothing that it suppressed is left on the list."""

domains = Table(
    "domains",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("verified_at", BigInteger),
    Column("checked_at", BigInteger),
    Column("next_check_at", BigInteger, index=True),
    Column("failing_since", BigInteger),  # since when DNS has said for certain that none of its keys is there
    Column("findings", Text, nullable=False, server_default="[]"),  # the last check, record by record
    Column("settings", Text, nullable=False, server_default="{}"),
    Index("ux_domains_name", "project_id", "name", unique=True),
    Index("ix_domains_by_name", "name"),
)

dkim_keys = Table(
    "dkim_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    # a key outlives its domain: the octets of mail that it signed can be made again
    Column("domain_id", Text, ForeignKey("domains.id", ondelete="SET NULL"), index=True),
    Column("domain", Text, nullable=False, index=True),  # numbering of selectors
    Column("number", Integer, nullable=False),
    Column("selector", Text, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("state", Text, nullable=False),  # pending, active, retired
    Column("sealed", LargeBinary, nullable=False),  # PKCS #8 under the master key
    Column("public", Text, nullable=False),  # the text of the DNS record
    Column("created_at", BigInteger, nullable=False),
    Column("activated_at", BigInteger),
    Column("retired_at", BigInteger),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("types", Text, nullable=False, server_default="[]"),
    Column("secrets", LargeBinary, nullable=False),  # sealed list of secrets with the time each one ends
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    Column("disabled_reason", Text),
    Column("updated_at", BigInteger, nullable=False),
    Column("cursor", BigInteger, nullable=False, server_default="0"),  # place in the log up to which it is fanned out
    Column("failing_since", BigInteger),  # the first failure since the last success
    Column("failures", Integer, nullable=False, server_default="0"),  # how many since then
    Column("paused_until", BigInteger),  # nothing is sent before
    Column("lease_until", BigInteger),
    Column("lease_node", Text),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("webhook_id", Text, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # pending, delivered, failed
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("history", Text, nullable=False, server_default="[]"),  # each attempt: time, status or trouble, milliseconds
    PrimaryKeyConstraint("webhook_id", "seq"),
    Index(
        "ix_webhook_deliveries_ended",
        "updated_at",
        sqlite_where=text("state <> 'pending'"),
        postgresql_where=text("state <> 'pending'"),
    ),  # retention
    Index(
        "ix_webhook_deliveries_due",
        "webhook_id",
        "next_at",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    sqlite_with_rowid=False,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("project_id", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the request's body
    Column("status", SmallInteger, nullable=False),
    Column("response", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False, index=True),  # retention
    PrimaryKeyConstraint("project_id", "route", "key"),
    sqlite_with_rowid=False,
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("project_id", Text, index=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("data", Text, nullable=False, server_default="{}"),
)

server_facts = Table(
    "server_facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# --- hot -------------------------------------------------------------------------------------------------------------

messages = Table(
    "messages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("header_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("send_at", BigInteger),
    Column("expires_at", BigInteger, nullable=False),
    Column("tags", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary),
    Column("content_sha256", Text),
    Index("ix_messages_project", "project_id", "id"),  # list and search, newest first
)

message_labels = Table(
    "message_labels",
    metadata,
    Column("project_id", Text, nullable=False),
    Column("label", Text, nullable=False),  # tag:NAME or meta:KEY=VALUE
    Column("message_id", Text, nullable=False),
    PrimaryKeyConstraint("project_id", "label", "message_id"),
    Index("ix_message_labels_message", "message_id"),  # retention
    sqlite_with_rowid=False,
)

blob_uses = Table(
    "blob_uses",
    metadata,
    Column("sha256", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    PrimaryKeyConstraint("sha256", "message_id"),
    Index("ix_blob_uses_message", "message_id"),  # retention
    sqlite_with_rowid=False,
)

uploads = Table(
    "uploads",
    metadata,
    Column("project_id", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("at", BigInteger, nullable=False, index=True),  # retention
    PrimaryKeyConstraint("project_id", "sha256"),
    sqlite_with_rowid=False,
)

_DUE = "state IN ('scheduled', 'queued', 'deferred')"
_SENDING = "state = 'sending'"
_PARKED = f"{_DUE} AND line >= 'p'"
_HELD = "state = 'held'"

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("message_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),  # all that were begun: the number of the last attempt row
    Column("failures", Integer, nullable=False),  # those that count for the retry schedule
    Column("in_doubt", Integer, nullable=False),
    Column("next_at", BigInteger),
    Column("line", Text, nullable=False, server_default="0 "),  # where in the queue it stands (store/lines.py)
    Column("first_due_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("lease_token", BigInteger, nullable=False),
    Column("lease_until", BigInteger),
    Column("lease_node", Text),
    Column("lease_boot", Text),
    Column("reason", Text),
    Column("reason_class", Text),  # what the reason says kept it back
    Column("noticed_at", BigInteger),  # when the last deferral was made an event
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_deliveries_message", "message_id"),
    Index("ix_deliveries_recipient", "project_id", "folded", "id"),  # "who received what?"
    Index("ix_deliveries_due", "next_at", sqlite_where=text(_DUE), postgresql_where=text(_DUE)),  # the queue, as shown
    Index("ix_deliveries_line", "line", "next_at", sqlite_where=text(_DUE), postgresql_where=text(_DUE)),  # lease
    Index("ix_deliveries_overdue", "expires_at", sqlite_where=text(_PARKED), postgresql_where=text(_PARKED)),
    Index(
        "ix_deliveries_leased", "lease_until", sqlite_where=text(_SENDING), postgresql_where=text(_SENDING)
    ),  # reaper
    Index("ix_deliveries_held", "id", sqlite_where=text(_HELD), postgresql_where=text(_HELD)),  # the queue, as shown
)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("node", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("outcome", Text),  # the state it led to
    Column("digest", LargeBinary),  # SHA-256 of the octets that were sent
    Column("recipe", Text),  # what beside the content decided them: DKIM keys, headers of ours
    Column("document", LargeBinary),  # the Attempt, as JSON
    PrimaryKeyConstraint("delivery_id", "number"),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("project_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("message_id", Text),
    Column("delivery_id", Text),
    Column("data", Text, nullable=False),
    Index("ix_events_project", "project_id", "seq"),  # the feed
    Index(
        "ix_events_message",
        "message_id",
        sqlite_where=text("message_id IS NOT NULL"),
        postgresql_where=text("message_id IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)
