"""Admin actions, kept for good; coupons can be paused."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "coupons", sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "admin_actions",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(120), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("principal", sa.String(255), nullable=False),
        sa.Column("command_id", sa.String(36), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("acted_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="admin_actions_pk"),
        sa.UniqueConstraint(
            "epoch",
            "topic",
            "partition",
            "offset",
            name="admin_actions_epoch_topic_partition_offset_uq",
        ),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Take back; who did what is lost."""
    op.drop_table("admin_actions")
    with op.batch_alter_table("coupons") as coupons:
        coupons.drop_column("paused")
