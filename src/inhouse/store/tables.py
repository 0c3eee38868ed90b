"""Every table, for both databases. Packages above write their own queries on these.

Log tables (`*_offset` primary keys) are only ever appended to. Times are milliseconds since 1970
UTC.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives rowids only to INTEGER; PostgreSQL needs the wide one.
_Wide = BigInteger().with_variant(Integer(), "sqlite")


def _log_key() -> "Column[int]":
    return Column("log_offset", _Wide, primary_key=True, autoincrement=True)


def _log(name: str, *columns: "Column[object]", indexes: tuple[Index, ...] = ()) -> Table:
    """An append-only table: offsets rise, are never reused, and rows are never edited."""
    return Table(name, metadata, _log_key(), *columns, *indexes, sqlite_autoincrement=True)


events = _log(
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

served_pages = _log(
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
changes = _log(
    "changes",
    Column("entity", String(16), nullable=False),
    Column("entity_id", String(128), nullable=False),
)

verdicts = _log(
    "verdicts",
    Column("item_id", String(128), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("labels", Text, nullable=False),
    Column("decided_by", String(160), nullable=False),
    Column("policy_version", String(64), nullable=False),
    Column("model_version", String(96)),
    Column("note", Text),
)

# Policies in the order in which they came into force, whole, so that what they decided is known.
policies = _log(
    "policies",
    Column("version", String(64), nullable=False),
    Column("reader_version", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

# When the circuit breaker opened, for which rule (null: for all together), and who closed it.
breaker_events = _log(
    "breaker_events",
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("rule", String(64)),
    Column("removals", Integer),
    Column("judged", Integer),
    Column("who", String(128), nullable=False),
)

reports = _log(
    "reports",
    Column("report_id", String(64), nullable=False, unique=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("item_id", String(128), nullable=False, index=True),
    Column("reporter_id", String(128), nullable=False, index=True),
    Column("category", String(64), nullable=False),
    Column("note", Text),
)

review_cases = Table(
    "review_cases",
    metadata,
    Column("case_id", String(64), primary_key=True),
    Column("item_id", String(128), nullable=False, index=True),
    Column("queue", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("priority", Float, nullable=False),
    Column("state", String(16), nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("locked_by", String(128)),
    Column("locked_until_ms", BigInteger),
    Column("closed_ms", BigInteger),
    Column("taken_ms", BigInteger),
    Column("gold_id", String(64)),
    Index("ix_review_cases_state_priority", "state", "priority"),
    Index("ix_review_cases_locked_by", "locked_by"),
)

review_decisions = _log(
    "review_decisions",
    Column("decision_id", String(64), nullable=False, unique=True),
    Column("case_id", String(64), ForeignKey("review_cases.case_id"), nullable=False, index=True),
    Column("item_id", String(128), nullable=False, index=True),
    Column("reviewer", String(128), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("action", String(24), nullable=False),
    Column("category", String(64)),
    Column("note", Text),
    Column("undoes", String(64)),
    Column("bulk_id", String(64)),
    Column("took_ms", BigInteger),
    indexes=(
        Index("ix_review_decisions_bulk_id", "bulk_id"),
        Index("ix_review_decisions_item_id", "item_id"),
    ),
)

# What a reviewer said where their word alone is not in force: one of two in a queue for two people,
# or an answer to a case whose answer is known.
review_opinions = _log(
    "review_opinions",
    Column("opinion_id", String(64), nullable=False, unique=True),
    Column("case_id", String(64), ForeignKey("review_cases.case_id"), nullable=False, index=True),
    Column("item_id", String(128), nullable=False, index=True),
    Column("reviewer", String(128), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("action", String(24), nullable=False),
    Column("category", String(64)),
    Column("note", Text),
    Column("undoes", String(64)),
    Column("bulk_id", String(64), index=True),
    Column("took_ms", BigInteger),
    Column("gold_id", String(64), index=True),
)

# What else was done with a case: skipped, sent to another queue, remarked on.
review_notes = _log(
    "review_notes",
    Column("case_id", String(64), ForeignKey("review_cases.case_id"), nullable=False, index=True),
    Column("item_id", String(128), nullable=False, index=True),
    Column("reviewer", String(128), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("words", Text, nullable=False),
    Column("queue", String(64)),
)

# How queues differ from what they are without settings, in the order in which they take cases.
review_queues = Table(
    "review_queues",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)

# Posts whose right answer is known, shown again to see how well people decide.
gold_items = Table(
    "gold_items",
    metadata,
    Column("gold_id", String(64), primary_key=True),
    Column("item_id", String(128), nullable=False, unique=True),
    Column("queue", String(64), nullable=False, index=True),
    Column("action", String(24), nullable=False),
    Column("category", String(64)),
    Column("reason", Text, nullable=False),
    Column("priority", Float, nullable=False),
    Column("waited_ms", BigInteger, nullable=False),
    Column("known_ms", BigInteger, nullable=False),
    Column("text_key", String(16), nullable=False),
    Column("source", String(16), nullable=False),
    Column("made_by", String(128), nullable=False),
    Column("made_ms", BigInteger, nullable=False),
)

# Decisions on many cases at once: what was chosen and shown, and how far it has come.
review_bulks = Table(
    "review_bulks",
    metadata,
    Column("bulk_id", String(64), primary_key=True),
    Column("made_ms", BigInteger, nullable=False),
    Column("reviewer", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("creator_id", String(128), index=True),
    Column("body", Text, nullable=False),
    Column("cases", Text, nullable=False),
    Column("done", Integer, nullable=False),
    Column("decided", Integer, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)

# What a reviewer has chosen for themselves: blur, breaks.
reviewers = Table(
    "reviewers",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("body", Text, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)

appeals = Table(
    "appeals",
    metadata,
    Column("appeal_id", String(64), primary_key=True),
    Column("item_id", String(128), nullable=False, index=True),
    Column("user_id", String(128), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("words", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("decided_by", String(128)),
    Column("decided_ms", BigInteger),
    Column("answer", Text),
    Column("report_id", String(64)),
)

# What a notice of illegal content says beyond its report (Art. 16 DSA). Name and address go as
# soon as they are no longer needed.
notices = Table(
    "notices",
    metadata,
    Column("report_id", String(64), primary_key=True),
    Column("item_id", String(128), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("illegal", Boolean, nullable=False),
    Column("good_faith", Boolean, nullable=False),
    Column("name", Text),
    Column("email", Text),
)

# What reporters are told. The latest answer to a report counts.
report_answers = _log(
    "report_answers",
    Column("report_id", String(64), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("decided_by", String(160), nullable=False),
    Column("words", Text, nullable=False),
)

# Statements of reasons (Art. 17 DSA): why a post or an account is restricted, for its author.
statements = Table(
    "statements",
    metadata,
    Column("statement_id", String(64), primary_key=True),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("user_id", String(128), nullable=False, index=True),
    Column("item_id", String(128), index=True),
    Column("text_key", String(32), nullable=False),
    Column("kinds", String(96), nullable=False),
    Column("category", String(64), nullable=False),
    Column("decided_by", String(160), nullable=False),
    Column("policy_version", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("ended_ms", BigInteger),
    Column("exported_ms", BigInteger),
)

# Every decision, in the order in which they were made; each row holds the hash of the one before
# it (`store.chain`). `number` counts without gaps.
audit = Table(
    "audit",
    metadata,
    Column("number", _Wide, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("what", String(24), nullable=False),
    Column("actor", String(160), nullable=False),
    Column("item_id", String(128)),
    Column("user_id", String(128)),
    Column("details", Text),
    Column("salt", LargeBinary),
    Column("digest", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    # Nearly all rows are verdicts; the others are found at once.
    Index(
        "ix_audit_rare",
        "what",
        "number",
        sqlite_where=text("what <> 'verdict'"),
        postgresql_where=text("what <> 'verdict'"),
    ),
)

# Sexual abuse of children: what was taken out of everything else, encrypted, with its duties.
sealed = Table(
    "sealed",
    metadata,
    Column("item_id", String(128), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("source", String(160), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("content", LargeBinary),
    Column("reported_ms", BigInteger),
    Column("reported_to", String(96)),
    Column("report_number", String(96)),
    Column("reported_by", String(128)),
    Column("purged_ms", BigInteger),
)

# What a teacher (a rented model, a person, a bank) said of an input: the harvest.
labels = _log(
    "labels",
    Column("label_id", String(64), nullable=False, unique=True),
    Column("task", String(64), nullable=False, index=True),
    Column("ref", String(128), nullable=False, index=True),
    Column("input_text", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("source", String(128), nullable=False),
    Column("terms", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

# A question that an owned and a rented model both answered: how far they agree on live traffic.
comparisons = _log(
    "comparisons",
    Column("task", String(64), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("ref", String(128), nullable=False),
    Column("student", String(96), nullable=False),
    Column("teacher", String(128), nullable=False),
    Column("student_scores", Text, nullable=False),
    Column("teacher_scores", Text, nullable=False),
)

# One row per attempt of an AI call: retries, fallbacks and shadows too. Money is in whole
# millionths of a millionth of a dollar, so that the database adds it up exactly; null is unknown.
ledger = _log(
    "ledger",
    Column("call_id", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("task", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("deployment", String(96), nullable=False),
    Column("host", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("model", String(96), nullable=False),
    Column("inputs", Integer, nullable=False),
    Column("answered", Integer, nullable=False),
    Column("tokens_in", BigInteger),
    Column("tokens_cached", BigInteger),
    Column("tokens_out", BigInteger),
    Column("cost_pico_usd", BigInteger),
    Column("price_version", String(96)),
    Column("latency_ms", Float, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("spillover", String(96)),
    Column("simulated", Boolean, nullable=False),
    Column("key_id", String(32)),
    Column("tokens_reasoning", BigInteger),
    Column("tokens_audio_in", BigInteger),
    Column("tokens_audio_out", BigInteger),
)

routes = _log(
    "routes",
    Column("task", String(64), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("decided_by", String(128), nullable=False),
    Column("reason", Text, nullable=False),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("version", String(96), primary_key=True),
    Column("task", String(64), nullable=False, index=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("folder", Text, nullable=False),
    Column("card", Text, nullable=False),
    Column("parity", Text),
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

exposures = _log(
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
)

# Banks of hashes of pictures and files that are known.
hash_banks = Table(
    "hash_banks",
    metadata,
    Column("bank_id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(48), nullable=False, unique=True),
    Column("body", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

# `change` rises with every write, so that processes can ask what is new.
bank_hashes = Table(
    "bank_hashes",
    metadata,
    Column("hash_id", _Wide, primary_key=True, autoincrement=True),
    Column("bank_id", Integer, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("note", Text),
    Column("state", String(16), nullable=False),
    Column("added_ms", BigInteger, nullable=False),
    Column("change", BigInteger, nullable=False, index=True),
    Index("uq_bank_hashes_hash", "hash", "bank_id", unique=True),
    Index("ix_bank_hashes_of_bank", "bank_id", "hash_id"),
    sqlite_autoincrement=True,
)

# What was fetched for a post, or waits to be.
media = Table(
    "media",
    metadata,
    Column("item_id", String(128), primary_key=True),
    Column("url", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("reason", Text),
    Column("kind", String(16)),
    Column("md5", LargeBinary),
    Column("sha256", LargeBinary),
    Index("ix_media_state_due_ms", "state", "due_ms"),
)

media_hashes = Table(
    "media_hashes",
    metadata,
    Column("item_id", String(128), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("pdq", LargeBinary, nullable=False),
    Column("quality", Integer, nullable=False),
)

# What API keys may spend on calls that are passed on; money as in the ledger.
budgets = Table(
    "budgets",
    metadata,
    Column("key_id", String(32), ForeignKey("api_keys.key_id"), primary_key=True),
    Column("limit_pico_usd", BigInteger, nullable=False),
    Column("period", String(8), nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("spent_pico_usd", BigInteger, nullable=False),
    Column("held_pico_usd", BigInteger, nullable=False),
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
