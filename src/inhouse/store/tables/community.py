"""What people post and do, what they are served, and what keeps the whole going."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    false,
)

from inhouse.store.tables.base import log_table, metadata

events = log_table(
    "events",
    Column("event_id", String(128), nullable=False, unique=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("user_id", String(128), nullable=False),
    Column("item_id", String(128)),
    Column("target", String(160)),
    Column("value", Float),
    Column("page_id", String(64)),
    Column("position", Integer),
)

served_pages = log_table(
    "served_pages",
    Column("page_id", String(64), nullable=False, unique=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("user_id", String(128), nullable=False, index=True),
    Column("surface", String(24), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

consumers = Table(
    "consumers",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("log_offset", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("item_id", String(128), primary_key=True),
    Column("creator_id", String(128), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("topics", Text, nullable=False),
    Column("language", String(16)),
    Column("region", String(16)),
    Column("media_url", Text),
    Column("duration_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("hidden", Boolean, nullable=False),
    Column("vectors", LargeBinary),
    Column("reply_to", String(128)),
)
# A thread in the order of time. Posts, which answer nothing, are not in it and pay nothing for it.
Index(
    "ix_items_replies",
    items.c.reply_to,
    items.c.created_ms,
    items.c.item_id,
    sqlite_where=items.c.reply_to.is_not(None),
    postgresql_where=items.c.reply_to.is_not(None),
)

users = Table(
    "users",
    metadata,
    Column("user_id", String(128), primary_key=True),
    Column("name", Text),
    Column("created_ms", BigInteger, nullable=False),
    Column("topics", Text, nullable=False),
    Column("language", String(16)),
    Column("region", String(16)),
    Column("birth_year", Integer),
    Column("is_creator", Boolean, nullable=False),
)

# What other processes must hear of: a row of items, users or verdicts changed.
changes = log_table(
    "changes",
    Column("entity", String(16), nullable=False),
    Column("entity_id", String(128), nullable=False),
)

experiments = Table(
    "experiments",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("active", Boolean, nullable=False),
)

# What operators want shown, shown more, or not shown.
feed_rules = Table(
    "feed_rules",
    metadata,
    Column("rule_id", String(64), primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("active", Boolean, nullable=False),
)

# Which anonymous session was which person, where the app has said so.
session_links = Table(
    "session_links",
    metadata,
    Column("session_id", String(128), primary_key=True),
    Column("user_id", String(128), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
)

exposures = log_table(
    "exposures",
    Column("experiment", String(64), nullable=False),
    Column("user_id", String(128), nullable=False),
    Column("arm", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    indexes=(Index("uq_exposures_who", "experiment", "user_id", "arm", unique=True),),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(32), primary_key=True),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("name", String(128), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
    Column("keeps_calls", Boolean, nullable=False, server_default=false()),
)

# Who works in the console. A name stays taken for good: decisions are filed under it.
staff = Table(
    "staff",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("name_key", String(128), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("secret", String(255)),
    Column("secret_until_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("off_ms", BigInteger),
    Column("erased_ms", BigInteger),
    Column("changed_ms", BigInteger, nullable=False),
    Column("changed_by", String(64), nullable=False),
)

staff_sessions = Table(
    "staff_sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("name", String(64), ForeignKey("staff.name"), nullable=False, index=True),
    Column("began_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
)

# Long work that resumes: imports, re-scans.
jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String(128), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("cursor", Text, nullable=False),
    Column("counts", Text, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)
