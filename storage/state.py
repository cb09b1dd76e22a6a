"""The working state of a batch: all look-ups asked together, all changes written together."""

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.needs import Needs
from domain.state import State
from storage.coupons import ask_coupons, ask_named_copies, save_coupons, save_user_coupons
from storage.lookups import Lookups, looked_up
from storage.orders import ask_orders, save_orders
from storage.products import ask_products, ask_to_write, save_products
from storage.rows import Writes
from storage.wallets import ask_moved, ask_wallets, save_wallets


async def load_state(connection: AsyncConnection, needs: Needs) -> State:
    """Load all that a batch names. Products that it may write are locked, in id order."""
    return await looked_up(connection, lambda lookups: ask_state(lookups, needs))


def ask_state(lookups: Lookups, needs: Needs) -> Callable[[], State]:
    """Gather the look-up of all that a batch names, see `load_state`."""
    wallets = ask_wallets(lookups, needs.wallets)
    coupons = ask_coupons(lookups, needs.coupons)
    named = needs.orders | needs.created
    orders = ask_orders(lookups, named)
    if needs.writes_products:
        products = ask_to_write(lookups, needs.products, named)
    else:
        products = ask_products(lookups, needs.products)
    copies = ask_named_copies(lookups, needs, named)
    moved = ask_moved(lookups, needs.charges)
    return lambda: State(wallets(), products(), coupons(), copies(), orders(), moved())


def save_state(writes: Writes, state: State) -> None:
    """Write what the batch's decisions changed; parents before the rows that refer to them."""
    save_wallets(writes, state.wallets, state.balance_entries)
    save_products(writes, state.products)
    save_coupons(writes, state.coupons)
    save_user_coupons(writes, state.user_coupons)
    save_orders(writes, state.orders)
