"""rate limits of keys; the ledger says what an answer from the cache would have cost"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.add_column(sa.Column("saved_pico_usd", sa.BigInteger(), nullable=True))
    op.create_table(
        "rate_limits",
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=True),
        sa.Column("tokens", sa.BigInteger(), nullable=True),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_keys.key_id"], name=op.f("fk_rate_limits_key_id")
        ),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_rate_limits")),
        sa.UniqueConstraint("place", name=op.f("uq_rate_limits_place")),
    )


def downgrade() -> None:
    op.drop_table("rate_limits")
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.drop_column("saved_pico_usd")
