"""Orders can be cancelled: a longer status, and when it happened."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. PostgreSQL changes its catalog only, SQLite copies the orders into a new table."""
    with op.batch_alter_table("orders") as orders:
        orders.alter_column(
            "status", existing_type=sa.String(8), type_=sa.String(16), existing_nullable=False
        )
        orders.add_column(sa.Column("cancelled_at_ms", sa.BigInteger()))


def downgrade() -> None:
    """Take back. PostgreSQL refuses it where an order was cancelled: the word is too long."""
    with op.batch_alter_table("orders") as orders:
        orders.drop_column("cancelled_at_ms")
        orders.alter_column(
            "status", existing_type=sa.String(16), type_=sa.String(8), existing_nullable=False
        )
