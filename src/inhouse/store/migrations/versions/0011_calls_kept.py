"""what calls passed on asked and were answered, kept to learn from; keys that allow it"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_INDEXED = ("task", "person", "ref", "at_ms")


def upgrade() -> None:
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("keeps_calls", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    op.create_table(
        "pairs",
        sa.Column(
            "log_offset",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("pair_id", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=True),
        sa.Column("ref", sa.String(length=128), nullable=True),
        sa.Column("call_id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("deployment", sa.String(length=96), nullable=False),
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("terms", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("messages", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("log_offset", name=op.f("pk_pairs")),
        sa.UniqueConstraint("pair_id", name=op.f("uq_pairs_pair_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("pairs", schema=None) as batch_op:
        for name in _INDEXED:
            batch_op.create_index(batch_op.f(f"ix_pairs_{name}"), [name], unique=False)


def downgrade() -> None:
    op.drop_table("pairs")
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.drop_column("keeps_calls")
