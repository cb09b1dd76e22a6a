"""What operators did about dead letters, and what closed each of them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PLACE = ["epoch", "topic", "partition", "offset"]
LETTER = [f"dead_letters.{name}" for name in PLACE]


def upgrade() -> None:
    """Apply."""
    op.create_index(op.f("dead_letters_recorded_at_ms_ix"), "dead_letters", ["recorded_at_ms"])
    op.create_table(
        "dead_letter_actions",
        sa.Column("action_id", sa.String(36), nullable=False),
        *_place(),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("why", sa.Text()),
        sa.Column("content", sa.LargeBinary(32)),
        sa.Column("acted_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("action_id", name=op.f("dead_letter_actions_pk")),
        _refers_to_a_letter("dead_letter_actions"),
    )
    op.create_index(
        op.f("dead_letter_actions_epoch_topic_partition_offset_ix"), "dead_letter_actions", PLACE
    )
    _create_closings()


def _create_closings() -> None:
    op.create_table(
        "dead_letter_closings",
        *_place(),
        sa.Column("action_id", sa.String(36), nullable=False),
        sa.Column("by_epoch", sa.Integer()),
        sa.Column("by_topic", sa.String(120)),
        sa.Column("by_partition", sa.Integer()),
        sa.Column("by_offset", sa.BigInteger()),
        sa.Column("disposition", sa.String(16)),
        sa.Column("status", sa.Integer()),
        sa.Column("closed_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*PLACE, name=op.f("dead_letter_closings_pk")),
        sa.ForeignKeyConstraint(
            ["action_id"],
            ["dead_letter_actions.action_id"],
            name=op.f("dead_letter_closings_action_id_fk"),
        ),
        _refers_to_a_letter("dead_letter_closings"),
    )


def _place() -> list[sa.Column[int] | sa.Column[str]]:
    return [
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(120), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
    ]


def _refers_to_a_letter(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        PLACE, LETTER, name=op.f(f"{table}_epoch_topic_partition_offset_fk")
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("dead_letter_closings")
    op.drop_table("dead_letter_actions")
    op.drop_index(op.f("dead_letters_recorded_at_ms_ix"), "dead_letters")
