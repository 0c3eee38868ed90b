"""operators' rules; which session was which person"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "feed_rules",
        sa.Column("rule_id", sa.String(length=64), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", name=op.f("pk_feed_rules")),
    )
    op.create_table(
        "session_links",
        sa.Column("session_id", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_session_links")),
    )
    with op.batch_alter_table("session_links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_session_links_user_id"), ["user_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("session_links", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_session_links_user_id"))

    op.drop_table("session_links")
    op.drop_table("feed_rules")
