"""queues with settings, two people a case, known answers, many cases at once"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gold_items",
        sa.Column("gold_id", sa.String(length=64), nullable=False),
        sa.Column("item_id", sa.String(length=128), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("priority", sa.Float(), nullable=False),
        sa.Column("waited_ms", sa.BigInteger(), nullable=False),
        sa.Column("known_ms", sa.BigInteger(), nullable=False),
        sa.Column("text_key", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("made_by", sa.String(length=128), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gold_id", name=op.f("pk_gold_items")),
        sa.UniqueConstraint("item_id", name=op.f("uq_gold_items_item_id")),
    )
    with op.batch_alter_table("gold_items", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_gold_items_queue"), ["queue"], unique=False)

    op.create_table(
        "review_bulks",
        sa.Column("bulk_id", sa.String(length=64), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("reviewer", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("creator_id", sa.String(length=128), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("cases", sa.Text(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("decided", sa.Integer(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bulk_id", name=op.f("pk_review_bulks")),
    )
    with op.batch_alter_table("review_bulks", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_review_bulks_creator_id"), ["creator_id"], unique=False
        )

    op.create_table(
        "review_queues",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_review_queues")),
    )
    op.create_table(
        "reviewers",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_reviewers")),
    )
    op.create_table(
        "review_notes",
        sa.Column(
            "log_offset",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("item_id", sa.String(length=128), nullable=False),
        sa.Column("reviewer", sa.String(length=128), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["review_cases.case_id"], name=op.f("fk_review_notes_case_id")
        ),
        sa.PrimaryKeyConstraint("log_offset", name=op.f("pk_review_notes")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("review_notes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_review_notes_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_review_notes_item_id"), ["item_id"], unique=False)

    op.create_table(
        "review_opinions",
        sa.Column(
            "log_offset",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("opinion_id", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("item_id", sa.String(length=128), nullable=False),
        sa.Column("reviewer", sa.String(length=128), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("undoes", sa.String(length=64), nullable=True),
        sa.Column("bulk_id", sa.String(length=64), nullable=True),
        sa.Column("took_ms", sa.BigInteger(), nullable=True),
        sa.Column("gold_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["review_cases.case_id"], name=op.f("fk_review_opinions_case_id")
        ),
        sa.PrimaryKeyConstraint("log_offset", name=op.f("pk_review_opinions")),
        sa.UniqueConstraint("opinion_id", name=op.f("uq_review_opinions_opinion_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("review_opinions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_review_opinions_bulk_id"), ["bulk_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_review_opinions_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_review_opinions_gold_id"), ["gold_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_review_opinions_item_id"), ["item_id"], unique=False)

    with op.batch_alter_table("review_cases", schema=None) as batch_op:
        batch_op.add_column(sa.Column("taken_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("gold_id", sa.String(length=64), nullable=True))
        batch_op.create_index("ix_review_cases_locked_by", ["locked_by"], unique=False)

    with op.batch_alter_table("review_decisions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("bulk_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("took_ms", sa.BigInteger(), nullable=True))
        batch_op.create_index("ix_review_decisions_bulk_id", ["bulk_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("review_decisions", schema=None) as batch_op:
        batch_op.drop_index("ix_review_decisions_bulk_id")
        batch_op.drop_column("took_ms")
        batch_op.drop_column("bulk_id")

    with op.batch_alter_table("review_cases", schema=None) as batch_op:
        batch_op.drop_index("ix_review_cases_locked_by")
        batch_op.drop_column("gold_id")
        batch_op.drop_column("taken_ms")

    with op.batch_alter_table("review_opinions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_review_opinions_item_id"))
        batch_op.drop_index(batch_op.f("ix_review_opinions_gold_id"))
        batch_op.drop_index(batch_op.f("ix_review_opinions_case_id"))
        batch_op.drop_index(batch_op.f("ix_review_opinions_bulk_id"))

    op.drop_table("review_opinions")
    with op.batch_alter_table("review_notes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_review_notes_item_id"))
        batch_op.drop_index(batch_op.f("ix_review_notes_case_id"))

    op.drop_table("review_notes")
    op.drop_table("reviewers")
    op.drop_table("review_queues")
    with op.batch_alter_table("review_bulks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_review_bulks_creator_id"))

    op.drop_table("review_bulks")
    with op.batch_alter_table("gold_items", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_gold_items_queue"))

    op.drop_table("gold_items")
