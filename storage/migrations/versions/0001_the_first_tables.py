"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite counts rows by itself only in a column whose type is exactly INTEGER.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    _create_balances()
    _create_catalog()
    _create_coupons()
    _create_orders()
    _create_command_log()
    _create_command_ids()
    _create_marks()
    _create_ranking()


def _create_balances() -> None:
    op.create_table(
        "wallets",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("balance >= 0", name=op.f("wallets_balance_ck")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("wallets_pk")),
    )
    op.create_table(
        "balance_entries",
        sa.Column("entry_id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("command_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("balance_after", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("balance_entries_pk")),
        sa.UniqueConstraint(
            "user_id", "command_id", name=op.f("balance_entries_user_id_command_id_uq")
        ),
        sqlite_autoincrement=True,
    )


def _create_catalog() -> None:
    op.create_table(
        "products",
        sa.Column("product_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("stock", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("price >= 0", name=op.f("products_price_ck")),
        sa.CheckConstraint("stock >= 0", name=op.f("products_stock_ck")),
        sa.PrimaryKeyConstraint("product_id", name=op.f("products_pk")),
    )


def _create_coupons() -> None:
    op.create_table(
        "coupons",
        sa.Column("coupon_id", sa.String(36), nullable=False),
        sa.Column("coupon_code", sa.String(64), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("discount_amount", sa.BigInteger(), nullable=False),
        sa.Column("valid_from_ms", sa.BigInteger()),
        sa.Column("valid_until_ms", sa.BigInteger()),
        sa.CheckConstraint("issued >= 0 AND issued <= total", name=op.f("coupons_issued_ck")),
        sa.PrimaryKeyConstraint("coupon_id", name=op.f("coupons_pk")),
        sa.UniqueConstraint("coupon_code", name=op.f("coupons_coupon_code_uq")),
    )
    op.create_table(
        "user_coupons",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("coupon_id", sa.String(36), nullable=False),
        sa.Column("user_coupon_id", sa.String(36), nullable=False),
        sa.Column("coupon_code", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("discount_amount", sa.BigInteger(), nullable=False),
        sa.Column("issued_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_at_ms", sa.BigInteger()),
        sa.Column("order_id", sa.String(36)),
        sa.ForeignKeyConstraint(
            ["coupon_id"], ["coupons.coupon_id"], name=op.f("user_coupons_coupon_id_fk")
        ),
        sa.PrimaryKeyConstraint("user_id", "coupon_id", name=op.f("user_coupons_pk")),
        sa.UniqueConstraint("coupon_id", "number", name=op.f("user_coupons_coupon_id_number_uq")),
    )


def _create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("order_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("total_amount", sa.BigInteger(), nullable=False),
        sa.Column("discount_amount", sa.BigInteger(), nullable=False),
        sa.Column("payable_amount", sa.BigInteger(), nullable=False),
        sa.Column("coupon_id", sa.String(36)),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("paid_at_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("order_id", name=op.f("orders_pk")),
    )
    op.create_index(op.f("orders_paid_at_ms_ix"), "orders", ["paid_at_ms"])
    op.create_index(op.f("orders_user_id_ix"), "orders", ["user_id"])
    _create_order_lines()


def _create_order_lines() -> None:
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.String(36), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("order_lines_quantity_ck")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.order_id"], name=op.f("order_lines_order_id_fk")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.product_id"], name=op.f("order_lines_product_id_fk")
        ),
        sa.PrimaryKeyConstraint("order_id", "product_id", name=op.f("order_lines_pk")),
    )


def _place_columns() -> list[sa.Column[int] | sa.Column[str]]:
    return [
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(120), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
    ]


def _create_command_log() -> None:
    op.create_table(
        "command_log",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        *_place_columns(),
        sa.Column("key", sa.Text()),
        sa.Column("command_id", sa.String(36)),
        sa.Column("principal", sa.String(255)),
        sa.Column("type", sa.String(64)),
        sa.Column("fingerprint", sa.LargeBinary(32)),
        sa.Column("payload", sa.Text()),
        sa.Column("disposition", sa.String(16), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("events", sa.Text()),
        sa.Column("reply_to", sa.Integer()),
        sa.Column("request_token", sa.String(64)),
        sa.Column("accepted_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("command_log_pk")),
        sa.UniqueConstraint(
            "epoch",
            "topic",
            "partition",
            "offset",
            name=op.f("command_log_epoch_topic_partition_offset_uq"),
        ),
        sqlite_autoincrement=True,
    )


def _create_command_ids() -> None:
    op.create_table(
        "command_ids",
        sa.Column("principal", sa.String(255), nullable=False),
        sa.Column("command_id", sa.String(36), nullable=False),
        *_place_columns(),
        sa.PrimaryKeyConstraint("principal", "command_id", name=op.f("command_ids_pk")),
    )
    op.create_index(op.f("command_ids_command_id_ix"), "command_ids", ["command_id"])
    op.create_table(
        "accepted_commands",
        sa.Column("command_id", sa.String(36), nullable=False),
        sa.Column("principal", sa.String(255), nullable=False),
        sa.Column("accepted_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("command_id", "principal", name=op.f("accepted_commands_pk")),
    )


def _create_marks() -> None:
    op.create_table(
        "partition_marks",
        sa.Column("topic", sa.String(120), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("last_timestamp_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", name=op.f("partition_marks_pk")),
    )
    op.create_table(
        "log_epochs",
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cluster_id", sa.String(64), nullable=False),
        sa.Column("adopted_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("log_epochs_pk")),
    )
    op.create_table(
        "dead_letters",
        *_place_columns(),
        sa.Column("key", sa.LargeBinary()),
        sa.Column("value", sa.LargeBinary()),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "epoch", "topic", "partition", "offset", name=op.f("dead_letters_pk")
        ),
    )


def _create_ranking() -> None:
    op.create_table(
        "daily_ranking",
        sa.Column("date", sa.String(10), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("date", "rank", name=op.f("daily_ranking_pk")),
    )
    op.create_table(
        "ranking_runs",
        sa.Column("date", sa.String(10), nullable=False),
        sa.Column("window_start_ms", sa.BigInteger(), nullable=False),
        sa.Column("window_end_ms", sa.BigInteger(), nullable=False),
        sa.Column("completed_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("date", name=op.f("ranking_runs_pk")),
    )


def downgrade() -> None:
    """Take back; tables that refer to others go first."""
    for table in (
        "ranking_runs",
        "daily_ranking",
        "dead_letters",
        "log_epochs",
        "partition_marks",
        "accepted_commands",
        "command_ids",
        "command_log",
        "order_lines",
        "orders",
        "user_coupons",
        "coupons",
        "products",
        "balance_entries",
        "wallets",
    ):
        op.drop_table(table)
