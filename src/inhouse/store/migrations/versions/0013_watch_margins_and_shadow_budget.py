"""what is watched of a routed version; signed margins; what checking cost by day"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None

_WIDE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "route_watch",
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=96), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("comparison_offset", sa.BigInteger(), nullable=False),
        sa.Column("ledger_offset", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_route_watch")),
    )
    op.create_table(
        "margins",
        sa.Column("log_offset", _WIDE, autoincrement=True, nullable=False),
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("margin", sa.Float(), nullable=False),
        sa.Column("signed_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("log_offset", name=op.f("pk_margins")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_margins_task"), "margins", ["task"])
    op.create_table(
        "shadow_spend",
        sa.Column("day_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("spent_pico_usd", sa.BigInteger(), nullable=False),
        sa.Column("held_pico_usd", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day_ms", name=op.f("pk_shadow_spend")),
    )


def downgrade() -> None:
    op.drop_table("shadow_spend")
    op.drop_table("margins")
    op.drop_table("route_watch")
