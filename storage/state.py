"""The working state of a batch: loaded with one query per table, saved in bulk."""

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.needs import Needs
from domain.state import State
from storage.coupons import load_coupons, load_user_coupons, save_coupons, save_user_coupons
from storage.orders import load_orders, save_orders
from storage.products import load_products, save_products
from storage.rows import Writes
from storage.wallets import load_moved, load_wallets, save_wallets


async def load_state(connection: AsyncConnection, needs: Needs) -> State:
    """Load all that a batch names. Products that it may write are locked, in id order."""
    orders = await load_orders(connection, needs.orders)
    coupons = await load_coupons(connection, needs.coupons)
    product_ids = set(needs.products)
    coupon_ids = needs.copies_by_coupon | {c.coupon_id for c in coupons.loaded.values()}
    for order in orders.loaded.values() if needs.opens_orders else ():
        product_ids.update(line.product_id for line in order.lines)
        if order.coupon_id is not None:
            coupon_ids.add(order.coupon_id)
    return State(
        wallets=await load_wallets(connection, needs.wallets),
        products=await load_products(connection, product_ids, to_write=needs.writes_products),
        coupons=coupons,
        user_coupons=await load_user_coupons(connection, needs.copies_by_user, coupon_ids),
        orders=orders,
        moved=await load_moved(connection, needs.charges),
    )


def save_state(writes: Writes, state: State) -> None:
    """Write what the batch's decisions changed; parents before the rows that refer to them."""
    save_wallets(writes, state.wallets, state.balance_entries)
    save_products(writes, state.products)
    save_coupons(writes, state.coupons)
    save_user_coupons(writes, state.user_coupons)
    save_orders(writes, state.orders)
