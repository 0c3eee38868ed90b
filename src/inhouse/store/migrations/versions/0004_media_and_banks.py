"""banks of hashes, and what the media of posts looks like"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WIDE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _banks()
    op.create_table(
        "media",
        sa.Column("item_id", sa.String(length=128), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=True),
        sa.Column("md5", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_media")),
    )
    op.create_index("ix_media_state_due_ms", "media", ["state", "due_ms"])
    op.create_table(
        "media_hashes",
        sa.Column("item_id", sa.String(length=128), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("pdq", sa.LargeBinary(), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", "place", name=op.f("pk_media_hashes")),
    )
    # The key of what was judged names the media too, so posts that have any are looked at again.
    op.execute(
        "INSERT INTO changes (entity, entity_id) "
        "SELECT 'item', item_id FROM items WHERE media_url IS NOT NULL ORDER BY item_id"
    )


def _banks() -> None:
    op.create_table(
        "hash_banks",
        sa.Column("bank_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bank_id", name=op.f("pk_hash_banks")),
        sa.UniqueConstraint("name", name=op.f("uq_hash_banks_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "bank_hashes",
        sa.Column("hash_id", _WIDE, autoincrement=True, nullable=False),
        sa.Column("bank_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash_id", name=op.f("pk_bank_hashes")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_bank_hashes_hash", "bank_hashes", ["hash", "bank_id"], unique=True)
    op.create_index("ix_bank_hashes_of_bank", "bank_hashes", ["bank_id", "hash_id"])
    op.create_index(op.f("ix_bank_hashes_change"), "bank_hashes", ["change"])


def downgrade() -> None:
    op.drop_table("media_hashes")
    op.drop_table("media")
    op.drop_table("bank_hashes")
    op.drop_table("hash_banks")
