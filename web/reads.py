"""Reads by one key, gathered: many requests at once cost one query."""

from collections.abc import Sequence

from domain.entities import Order, Product, UserCoupon, Wallet
from domain.ids import OrderId, UserId
from storage.command_log import find_claimed
from storage.coupons import list_user_coupons
from storage.engine import Database
from storage.orders import load_orders
from storage.products import find_products
from storage.wallets import load_wallets
from web.gathering import Gathering


class Reads:
    """The rows that requests ask for one by one. Always from SQL, never older than the request."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.wallets: Gathering[UserId, Wallet] = Gathering(self._load_wallets)
        self.user_coupons: Gathering[UserId, list[UserCoupon]] = Gathering(self._load_user_coupons)
        self.orders: Gathering[OrderId, Order] = Gathering(self._load_orders)
        self.products: Gathering[int, Product] = Gathering(self._find_products)
        self.done: Gathering[str, bool] = Gathering(self._find_done)
        """Which command ids have an outcome."""

    async def _load_wallets(self, user_ids: Sequence[UserId]) -> dict[UserId, Wallet]:
        async with self._database.connect() as connection:
            return (await load_wallets(connection, user_ids)).loaded

    async def _load_user_coupons(
        self, user_ids: Sequence[UserId]
    ) -> dict[UserId, list[UserCoupon]]:
        async with self._database.connect() as connection:
            return await list_user_coupons(connection, user_ids)

    async def _load_orders(self, order_ids: Sequence[OrderId]) -> dict[OrderId, Order]:
        async with self._database.connect() as connection:
            return (await load_orders(connection, order_ids)).loaded

    async def _find_products(self, product_ids: Sequence[int]) -> dict[int, Product]:
        async with self._database.connect() as connection:
            return await find_products(connection, product_ids)

    async def _find_done(self, command_ids: Sequence[str]) -> dict[str, bool]:
        async with self._database.connect() as connection:
            return dict.fromkeys(await find_claimed(connection, command_ids), True)
