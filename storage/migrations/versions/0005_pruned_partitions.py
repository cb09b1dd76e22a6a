"""Up to where the command log was pruned, and the promises of an outcome by their age."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "pruned_partitions",
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(120), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("first_kept_offset", sa.BigInteger(), nullable=False),
        sa.Column("pruned_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("pruned_rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "topic", "partition", name=op.f("pruned_partitions_pk")),
    )
    op.create_index(
        op.f("accepted_commands_accepted_at_ms_ix"), "accepted_commands", ["accepted_at_ms"]
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index(op.f("accepted_commands_accepted_at_ms_ix"), "accepted_commands")
    op.drop_table("pruned_partitions")
