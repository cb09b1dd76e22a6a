"""The peer's tables. Where a run is counted they have the names of ours, and the same meaning."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    func,
)

metadata = MetaData()

wallets = Table(
    "wallets",
    metadata,
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("balance", BigInteger, CheckConstraint("balance >= 0"), nullable=False),
)

balance_entries = Table(
    "balance_entries",
    metadata,
    Column("entry_id", BigInteger, Identity(), primary_key=True),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("balance_after", BigInteger, nullable=False),
    Column("recorded_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
)

coupons = Table(
    "coupons",
    metadata,
    Column("coupon_id", BigInteger, Identity(), primary_key=True),
    Column("coupon_code", String(64), nullable=False, unique=True),
    Column("total", BigInteger, nullable=False),
    Column("issued", BigInteger, nullable=False),
)

user_coupons = Table(
    "user_coupons",
    metadata,
    Column("user_coupon_id", BigInteger, Identity(), primary_key=True),
    Column("coupon_id", BigInteger, ForeignKey("coupons.coupon_id"), nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("issued_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
    UniqueConstraint("user_id", "coupon_id"),
)

products = Table(
    "products",
    metadata,
    Column("product_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("stock", BigInteger, CheckConstraint("stock >= 0"), nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("order_id", BigInteger, Identity(), primary_key=True),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("status", String(16), nullable=False),
    Column("total_amount", BigInteger, nullable=False),
    Column("payable_amount", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("paid_at", DateTime(timezone=True)),
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", BigInteger, ForeignKey("orders.order_id"), primary_key=True),
    Column("product_id", BigInteger, ForeignKey("products.product_id"), primary_key=True),
    Column("unit_price", BigInteger, nullable=False),
    Column("quantity", BigInteger, nullable=False),
)
