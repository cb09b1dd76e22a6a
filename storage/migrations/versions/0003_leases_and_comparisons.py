"""Leases, and what the daily batch found when it compared its sums with the live table."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FOUND = {
    "compared_products": sa.BigInteger(),
    "compared_hours": sa.Integer(),
    "differences": sa.BigInteger(),
}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("leases_pk")),
    )
    for name, kind in FOUND.items():
        op.add_column("ranking_runs", sa.Column(name, kind))


def downgrade() -> None:
    """Take back."""
    for name in FOUND:
        op.drop_column("ranking_runs", name)
    op.drop_table("leases")
