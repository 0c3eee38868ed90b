"""people's rights: statements, answers to reports, the audit chain, what is sealed"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_WIDE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_RARE = sa.text("what <> 'verdict'")


def upgrade() -> None:
    with op.batch_alter_table("appeals", schema=None) as batch_op:
        batch_op.add_column(sa.Column("report_id", sa.String(length=64), nullable=True))
    _create_notices()
    _create_statements()
    _create_audit()
    op.create_table(
        "sealed",
        sa.Column("item_id", sa.String(length=128), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=160), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("reported_ms", sa.BigInteger(), nullable=True),
        sa.Column("reported_to", sa.String(length=96), nullable=True),
        sa.Column("report_number", sa.String(length=96), nullable=True),
        sa.Column("reported_by", sa.String(length=128), nullable=True),
        sa.Column("purged_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_sealed")),
    )


def _create_notices() -> None:
    op.create_table(
        "notices",
        sa.Column("report_id", sa.String(length=64), nullable=False),
        sa.Column("item_id", sa.String(length=128), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("illegal", sa.Boolean(), nullable=False),
        sa.Column("good_faith", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_notices")),
    )
    op.create_index(op.f("ix_notices_item_id"), "notices", ["item_id"], unique=False)
    op.create_table(
        "report_answers",
        sa.Column("log_offset", _WIDE, autoincrement=True, nullable=False),
        sa.Column("report_id", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("decided_by", sa.String(length=160), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("log_offset", name=op.f("pk_report_answers")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_report_answers_report_id"), "report_answers", ["report_id"], unique=False
    )


def _create_statements() -> None:
    op.create_table(
        "statements",
        sa.Column("statement_id", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("item_id", sa.String(length=128), nullable=True),
        sa.Column("text_key", sa.String(length=32), nullable=False),
        sa.Column("kinds", sa.String(length=96), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("decided_by", sa.String(length=160), nullable=False),
        sa.Column("policy_version", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("exported_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("statement_id", name=op.f("pk_statements")),
    )
    for column in ("at_ms", "user_id", "item_id"):
        op.create_index(op.f(f"ix_statements_{column}"), "statements", [column], unique=False)


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", _WIDE, autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(length=24), nullable=False),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("item_id", sa.String(length=128), nullable=True),
        sa.Column("user_id", sa.String(length=128), nullable=True),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
    )
    op.create_index(
        "ix_audit_rare",
        "audit",
        ["what", "number"],
        unique=False,
        sqlite_where=_RARE,
        postgresql_where=_RARE,
    )


def downgrade() -> None:
    for name in ("sealed", "audit", "statements", "report_answers", "notices"):
        op.drop_table(name)
    with op.batch_alter_table("appeals", schema=None) as batch_op:
        batch_op.drop_column("report_id")
