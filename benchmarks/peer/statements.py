"""The bare peer's statements: built once, so that they are compiled once."""

from sqlalchemy import bindparam, exists, insert, select, update

from benchmarks.peer.tables import (
    balance_entries,
    coupons,
    order_lines,
    orders,
    products,
    user_coupons,
    wallets,
)

_this_wallet = wallets.c.user_id == bindparam("wallet_user_id")
FIND_BALANCE = select(wallets.c.balance).where(_this_wallet)
HOLD_WALLET = FIND_BALANCE.with_for_update()
SET_BALANCE = update(wallets).where(_this_wallet).values(balance=bindparam("balance"))
ADD_WALLET = insert(wallets)
# Nothing that the database draws is needed: without this every insert would ask for its id back.
ADD_ENTRY = insert(balance_entries).inline()

FIND_COUPON = select(coupons).where(coupons.c.coupon_code == bindparam("code"))
HOLD_COUPON = FIND_COUPON.with_for_update()
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
LIST_COUPONS = (
    select(coupons.c.coupon_code, user_coupons.c.number)
    .join_from(user_coupons, coupons)
    .where(user_coupons.c.user_id == bindparam("own_user_id"))
)

FIND_PRODUCTS = select(products).where(
    products.c.product_id.in_(bindparam("product_ids", expanding=True))
)
HOLD_PRODUCTS = FIND_PRODUCTS.order_by(products.c.product_id).with_for_update()
ADD_ORDER = insert(orders).returning(orders.c.order_id)
ADD_LINES = insert(order_lines).inline()
_this_order = orders.c.order_id == bindparam("this_order_id")
FIND_ORDER = select(orders).where(_this_order)
HOLD_ORDER = FIND_ORDER.with_for_update()
FIND_LINES = (
    select(order_lines)
    .where(order_lines.c.order_id == bindparam("this_order_id"))
    .order_by(order_lines.c.product_id)
)
SET_PAID = update(orders).where(_this_order).values(status="PAID", paid_at=bindparam("at"))
TAKE_STOCK = (
    update(products)
    .where(products.c.product_id == bindparam("id"), products.c.stock >= bindparam("pieces"))
    .values(stock=products.c.stock - bindparam("pieces"))
)
