"""a version that is to replace another is watched beside it"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_KEPT = "task, version, stage, at_ms, comparison_offset, ledger_offset, body"


def upgrade() -> None:
    with op.batch_alter_table("model_versions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("beside", sa.Text(), nullable=True))
    _rebuild(["task", "version"], sa.Column("reference", sa.String(length=96), nullable=True))


def downgrade() -> None:
    # A row a task is all there is room for; whoever looks next begins anew.
    op.execute("DELETE FROM route_watch")
    _rebuild(["task"])
    with op.batch_alter_table("model_versions", schema=None) as batch_op:
        batch_op.drop_column("beside")


def _rebuild(key: list[str], *more: sa.Column[str]) -> None:
    """The table with another key; its rows are kept."""
    op.create_table(
        "route_watch_new",
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=96), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        *more,
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("comparison_offset", sa.BigInteger(), nullable=False),
        sa.Column("ledger_offset", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
    )
    op.execute(f"INSERT INTO route_watch_new ({_KEPT}) SELECT {_KEPT} FROM route_watch")
    op.drop_table("route_watch")
    op.rename_table("route_watch_new", "route_watch")
    with op.batch_alter_table("route_watch", schema=None) as batch_op:
        batch_op.create_primary_key(op.f("pk_route_watch"), key)
