"""the ledger says by whose key a call was made, and tells reasoning and audio tokens apart"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0003"
branch_labels = None
depends_on = None

_KINDS = ("tokens_reasoning", "tokens_audio_in", "tokens_audio_out")


def upgrade() -> None:
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.add_column(sa.Column("key_id", sa.String(length=32), nullable=True))
        for name in _KINDS:
            batch_op.add_column(sa.Column(name, sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        for name in reversed(_KINDS):
            batch_op.drop_column(name)
        batch_op.drop_column("key_id")
