"""Up to where each partition's rows are published, so that none is left behind."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. What was applied so far is taken for published: Kafka's offsets vouched for it."""
    op.add_column("partition_marks", sa.Column("published_offset", sa.BigInteger()))
    op.execute("UPDATE partition_marks SET published_offset = next_offset")
    with op.batch_alter_table("partition_marks") as marks:
        marks.alter_column("published_offset", nullable=False, existing_type=sa.BigInteger())


def downgrade() -> None:
    """Take back."""
    op.drop_column("partition_marks", "published_offset")
