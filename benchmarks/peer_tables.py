"""The peer's tables, and its statements: built once, so that they are compiled once."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    exists,
    func,
    insert,
    select,
    update,
)

metadata = MetaData()

wallets = Table(
    "wallets",
    metadata,
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("balance", BigInteger, nullable=False),
)

charges = Table(
    "charges",
    metadata,
    Column("charge_id", BigInteger, Identity(), primary_key=True),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("amount", BigInteger, nullable=False),
    Column("balance_after", BigInteger, nullable=False),
    Column("charged_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
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

_this_wallet = wallets.c.user_id == bindparam("wallet_user_id")
HOLD_WALLET = select(wallets.c.balance).where(_this_wallet).with_for_update()
SET_BALANCE = update(wallets).where(_this_wallet).values(balance=bindparam("balance"))
ADD_WALLET = insert(wallets)
# Nothing that the database draws is needed: without this every insert would ask for its id back.
ADD_CHARGE = insert(charges).inline()

FIND_COUPON = select(coupons).where(coupons.c.coupon_code == bindparam("code"))
HAS_COUPON = select(
    exists().where(
        user_coupons.c.user_id == bindparam("own_user_id"),
        user_coupons.c.coupon_id == bindparam("own_coupon_id"),
    )
)
ADD_USER_COUPON = insert(user_coupons).inline()
RAISE_ISSUED = (
    update(coupons)
    .where(coupons.c.coupon_id == bindparam("id"))
    .values(issued=coupons.c.issued + 1)
)
