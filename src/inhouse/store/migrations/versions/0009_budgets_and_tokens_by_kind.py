"""budgets of keys; the ledger says whose key a call was, and tells reasoning and audio apart"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None

_KINDS = ("tokens_reasoning", "tokens_audio_in", "tokens_audio_out")


def upgrade() -> None:
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.add_column(sa.Column("key_id", sa.String(length=32), nullable=True))
        for name in _KINDS:
            batch_op.add_column(sa.Column(name, sa.BigInteger(), nullable=True))
    op.create_table(
        "budgets",
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("limit_pico_usd", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("spent_pico_usd", sa.BigInteger(), nullable=False),
        sa.Column("held_pico_usd", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.key_id"], name=op.f("fk_budgets_key_id")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_budgets")),
    )


def downgrade() -> None:
    op.drop_table("budgets")
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        for name in reversed(_KINDS):
            batch_op.drop_column(name)
        batch_op.drop_column("key_id")
