"""Every table of the system of record. Times are epoch milliseconds; money is whole won."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_uq",
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
        "ck": "%(table_name)s_%(constraint_name)s_ck",
        "fk": "%(table_name)s_%(column_0_N_name)s_fk",
    }
)

# SQLite counts rows by itself only in a column whose type is exactly INTEGER.
RowNumber = BigInteger().with_variant(Integer, "sqlite")

wallets = Table(
    "wallets",
    metadata,
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("balance", BigInteger, CheckConstraint("balance >= 0", name="balance"), nullable=False),
)

balance_entries = Table(
    "balance_entries",
    metadata,
    Column("entry_id", RowNumber, primary_key=True, autoincrement=True),
    Column("user_id", BigInteger, nullable=False),
    Column("command_id", String(36), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("balance_after", BigInteger, nullable=False),
    Column("recorded_at_ms", BigInteger, nullable=False),
    # The id first: ids that grow with time keep an index's work in its last pages.
    UniqueConstraint("command_id", "user_id"),
    Index(None, "user_id", "entry_id"),
    sqlite_autoincrement=True,
)

products = Table(
    "products",
    metadata,
    Column("product_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False),
    Column("price", BigInteger, CheckConstraint("price >= 0", name="price"), nullable=False),
    Column("stock", BigInteger, CheckConstraint("stock >= 0", name="stock"), nullable=False),
)

coupons = Table(
    "coupons",
    metadata,
    Column("coupon_id", String(36), primary_key=True),
    Column("coupon_code", String(64), nullable=False, unique=True),
    Column("total", BigInteger, nullable=False),
    Column("issued", BigInteger, nullable=False),
    Column("discount_amount", BigInteger, nullable=False),
    Column("valid_from_ms", BigInteger),
    Column("valid_until_ms", BigInteger),
    Column("paused", Boolean, nullable=False, server_default=false()),
    CheckConstraint("issued >= 0 AND issued <= total", name="issued"),
)

user_coupons = Table(
    "user_coupons",
    metadata,
    Column("user_id", BigInteger, primary_key=True),
    Column("coupon_id", String(36), ForeignKey("coupons.coupon_id"), primary_key=True),
    Column("user_coupon_id", String(36), nullable=False),
    Column("coupon_code", String(64), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("discount_amount", BigInteger, nullable=False),
    Column("issued_at_ms", BigInteger, nullable=False),
    Column("used_at_ms", BigInteger),
    Column("order_id", String(36)),
    *(Column(name, BigInteger) for name in ("total", "log_epoch", "log_partition", "log_offset")),
    UniqueConstraint("coupon_id", "number"),
)

orders = Table(
    "orders",
    metadata,
    Column("order_id", String(36), primary_key=True),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("status", String(16), nullable=False),
    Column("total_amount", BigInteger, nullable=False),
    Column("discount_amount", BigInteger, nullable=False),
    Column("payable_amount", BigInteger, nullable=False),
    Column("coupon_id", String(36)),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("paid_at_ms", BigInteger, index=True),
    Column("cancelled_at_ms", BigInteger),
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", String(36), ForeignKey("orders.order_id"), primary_key=True),
    Column("product_id", BigInteger, ForeignKey("products.product_id"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    Column(
        "quantity", BigInteger, CheckConstraint("quantity > 0", name="quantity"), nullable=False
    ),
)

command_log = Table(
    "command_log",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("epoch", Integer, nullable=False),
    Column("topic", String(120), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", Text),
    Column("command_id", String(36)),
    Column("principal", String(255)),
    Column("type", String(64)),
    Column("fingerprint", LargeBinary(32)),
    Column("payload", Text),
    Column("disposition", String(16), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("events", Text),
    Column("reply_to", Integer),
    Column("request_token", String(64)),
    Column("accepted_at_ms", BigInteger, nullable=False),
    UniqueConstraint("epoch", "topic", "partition", "offset"),
    sqlite_autoincrement=True,
)

command_ids = Table(
    "command_ids",
    metadata,
    # The id first, as above; and it is by the id alone that known commands are looked up.
    Column("command_id", String(36), primary_key=True),
    Column("principal", String(255), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("topic", String(120), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
)

accepted_commands = Table(
    "accepted_commands",
    metadata,
    Column("command_id", String(36), primary_key=True),
    Column("principal", String(255), primary_key=True),
    Column("accepted_at_ms", BigInteger, nullable=False, index=True),
)

partition_marks = Table(
    "partition_marks",
    metadata,
    Column("topic", String(120), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("last_timestamp_ms", BigInteger, nullable=False),
    Column("published_offset", BigInteger, nullable=False),
)

pruned_partitions = Table(
    "pruned_partitions",
    metadata,
    Column("epoch", Integer, primary_key=True),
    Column("topic", String(120), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("first_kept_offset", BigInteger, nullable=False),
    Column("pruned_until_ms", BigInteger, nullable=False),
    Column("pruned_rows", BigInteger, nullable=False),
)

log_epochs = Table(
    "log_epochs",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("cluster_id", String(64), nullable=False),
    Column("adopted_at_ms", BigInteger, nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("epoch", Integer, primary_key=True),
    Column("topic", String(120), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", Text, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("recorded_at_ms", BigInteger, nullable=False, index=True),
)

_PLACE = ("epoch", "topic", "partition", "offset")
_LETTER = [f"dead_letters.{name}" for name in _PLACE]

dead_letter_actions = Table(
    "dead_letter_actions",
    metadata,
    Column("action_id", String(36), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("topic", String(120), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("why", Text),
    Column("content", LargeBinary(32)),
    Column("acted_at_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(_PLACE, _LETTER),
    Index(None, *_PLACE),
)

dead_letter_closings = Table(
    "dead_letter_closings",
    metadata,
    Column("epoch", Integer, primary_key=True),
    Column("topic", String(120), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("action_id", String(36), ForeignKey("dead_letter_actions.action_id"), nullable=False),
    Column("by_epoch", Integer),
    Column("by_topic", String(120)),
    Column("by_partition", Integer),
    Column("by_offset", BigInteger),
    Column("disposition", String(16)),
    Column("status", Integer),
    Column("closed_at_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(_PLACE, _LETTER),
)

admin_actions = Table(
    "admin_actions",
    metadata,
    Column("number", RowNumber, primary_key=True, autoincrement=True),
    Column("epoch", Integer, nullable=False),
    Column("topic", String(120), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("principal", String(255), nullable=False),
    Column("command_id", String(36), nullable=False),
    Column("type", String(64), nullable=False),
    Column("payload", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("acted_at_ms", BigInteger, nullable=False),
    UniqueConstraint("epoch", "topic", "partition", "offset"),
    sqlite_autoincrement=True,
)

daily_ranking = Table(
    "daily_ranking",
    metadata,
    Column("date", String(10), primary_key=True),
    Column("rank", Integer, primary_key=True),
    Column("product_id", BigInteger, nullable=False),
    Column("name", String(200), nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("quantity", BigInteger, nullable=False),
)

ranking_runs = Table(
    "ranking_runs",
    metadata,
    Column("date", String(10), primary_key=True),
    Column("window_start_ms", BigInteger, nullable=False),
    Column("window_end_ms", BigInteger, nullable=False),
    Column("completed_at_ms", BigInteger, nullable=False),
    Column("compared_products", BigInteger),
    Column("compared_hours", Integer),
    Column("differences", BigInteger),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)
