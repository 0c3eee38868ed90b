"""What models are asked and cost, what they are taught by, and which of them answer."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
)

from inhouse.store.tables.base import log_table, metadata

# What a teacher (a rented model, a person, a bank) said of an input: the harvest.
labels = log_table(
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

# What calls passed on asked and were answered, without personal data and secrets, where deployment
# and key allow it: the harvest of texts. `person` is whom the app named as its user, `ref` the item
# that the call was about.
pairs = log_table(
    "pairs",
    Column("pair_id", String(64), nullable=False, unique=True),
    Column("task", String(64), nullable=False, index=True),
    Column("person", String(128), index=True),
    Column("ref", String(128), index=True),
    Column("call_id", String(64), nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("deployment", String(96), nullable=False),
    Column("source", String(128), nullable=False),
    Column("terms", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("messages", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("size_bytes", Integer, nullable=False),
)

# A question that an owned and a rented model both answered: how far they agree on live traffic.
comparisons = log_table(
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
ledger = log_table(
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
    Column("saved_pico_usd", BigInteger),
    Column("estimate_pico_usd", BigInteger),
)

routes = log_table(
    "routes",
    Column("task", String(64), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("decided_by", String(128), nullable=False),
    Column("reason", Text, nullable=False),
)

# What is known of a routed version, and of one it is to replace (then its `reference`), since its
# stage began, up to which rows: see models.cutover.watch.
route_watch = Table(
    "route_watch",
    metadata,
    Column("task", String(64), primary_key=True),
    Column("version", String(96), primary_key=True),
    Column("stage", String(16), nullable=False),
    Column("reference", String(96)),
    Column("at_ms", BigInteger, nullable=False),
    Column("comparison_offset", BigInteger, nullable=False),
    Column("ledger_offset", BigInteger, nullable=False),
    Column("body", Text),
)

# How much worse than the rented model an owned one may be, and who answers for that.
margins = log_table(
    "margins",
    Column("task", String(64), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("margin", Float, nullable=False),
    Column("signed_by", String(128), nullable=False),
)

# What was spent on asking rented models only to check, by day; money as in the ledger.
shadow_spend = Table(
    "shadow_spend",
    metadata,
    Column("day_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("spent_pico_usd", BigInteger, nullable=False),
    Column("held_pico_usd", BigInteger, nullable=False),
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
    Column("beside", Text),
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

# How often API keys may have calls passed on; what they used is counted in a file (`limits.bin`).
rate_limits = Table(
    "rate_limits",
    metadata,
    Column("key_id", String(32), ForeignKey("api_keys.key_id"), primary_key=True),
    Column("requests", BigInteger),
    Column("tokens", BigInteger),
    Column("place", Integer, nullable=False, unique=True),
)

# Vendors cut off on purpose, and what came of it; only its end and its result are written later.
drills = Table(
    "drills",
    metadata,
    Column("drill_id", String(64), primary_key=True),
    Column("vendor", String(64), nullable=False),
    Column("layer", String(8), nullable=False),
    Column("fault", String(16), nullable=False),
    Column("how", String(8), nullable=False),
    Column("share", Float, nullable=False),
    Column("started_by", String(128), nullable=False),
    Column("started_ms", BigInteger, nullable=False, index=True),
    Column("until_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("why_ended", Text),
    Column("most_waiting", Integer),
    Column("result", Text),
)

# Calls made while a drill goes on or is not graded yet: counts alone, gone once it is graded.
drill_calls = log_table(
    "drill_calls",
    Column("drill_id", String(64), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("process", String(16), nullable=False),
    Column("task", String(64), nullable=False),
    Column("asked", Integer, nullable=False),
    Column("answered", Integer, nullable=False),
    Column("by_vendor", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("latency_ms", Float, nullable=False),
    Column("served_ms", Float),
    Column("cost_pico_usd", BigInteger),
    Column("both", Integer, nullable=False),
    Column("missed", Integer, nullable=False),
    Column("extra", Integer, nullable=False),
    Column("neither", Integer, nullable=False),
)
