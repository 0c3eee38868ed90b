"""what an item answers"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("items", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reply_to", sa.String(length=128), nullable=True))
    is_reply = sa.text("reply_to IS NOT NULL")
    op.create_index(
        "ix_items_replies",
        "items",
        ["reply_to", "created_ms", "item_id"],
        sqlite_where=is_reply,
        postgresql_where=is_reply,
    )


def downgrade() -> None:
    op.drop_index("ix_items_replies", table_name="items")
    with op.batch_alter_table("items", schema=None) as batch_op:
        batch_op.drop_column("reply_to")
