"""What is found in posts, what is decided of them, and what is owed for it."""

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
    text,
)

from inhouse.store.tables.base import WIDE, log_table, metadata

verdicts = log_table(
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
policies = log_table(
    "policies",
    Column("version", String(64), nullable=False),
    Column("reader_version", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

# When the circuit breaker opened, for which rule (null: for all together), and who closed it.
breaker_events = log_table(
    "breaker_events",
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("rule", String(64)),
    Column("removals", Integer),
    Column("judged", Integer),
    Column("who", String(128), nullable=False),
)

reports = log_table(
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

review_decisions = log_table(
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
review_opinions = log_table(
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
review_notes = log_table(
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
report_answers = log_table(
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
    Column("number", WIDE, primary_key=True, autoincrement=False),
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
    Column("hash_id", WIDE, primary_key=True, autoincrement=True),
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
