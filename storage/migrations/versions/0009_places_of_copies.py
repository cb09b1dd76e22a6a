"""A copy of a coupon knows its place in the log, and a user's statement is read in its order."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_NAMES = ("total", "log_epoch", "log_partition", "log_offset")
_BY_USER = "balance_entries_user_id_entry_id_ix"
# A copy's id is that of the command that issued it. What is pruned is not known any more.
_PLACES = """UPDATE user_coupons SET log_epoch = l.epoch, log_partition = l.partition,
    log_offset = l."offset" FROM command_ids c JOIN command_log l ON l.epoch = c.epoch
    AND l.topic = c.topic AND l.partition = c.partition AND l."offset" = c."offset"
    WHERE c.command_id = user_coupons.user_coupon_id AND l.type = 'IssueCoupon'
    AND l.disposition = 'APPLIED'"""
_TOTALS = """UPDATE user_coupons SET total = c.total FROM coupons c
    WHERE c.coupon_id = user_coupons.coupon_id"""


def upgrade() -> None:
    """Apply. Copies that are out get the place that the log still tells, and the total of now."""
    for name in _NAMES:
        op.add_column("user_coupons", sa.Column(name, sa.BigInteger()))
    op.execute(_PLACES)
    op.execute(_TOTALS)
    op.create_index(_BY_USER, "balance_entries", ["user_id", "entry_id"])


def downgrade() -> None:
    """Take back."""
    op.drop_index(_BY_USER, "balance_entries")
    for name in reversed(_NAMES):
        op.drop_column("user_coupons", name)
