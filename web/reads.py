"""Reads of single rows, gathered: many requests at once cost one query."""

from collections.abc import Sequence

from domain.entities import Order, Wallet
from domain.ids import OrderId, UserId
from storage.engine import Database
from storage.orders import load_orders
from storage.wallets import load_wallets
from web.gathering import Gathering


class Reads:
    """The rows that requests ask for one by one. Always from SQL, never older than the request."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.wallets: Gathering[UserId, Wallet] = Gathering(self._load_wallets)
        self.orders: Gathering[OrderId, Order] = Gathering(self._load_orders)

    async def _load_wallets(self, user_ids: Sequence[UserId]) -> dict[UserId, Wallet]:
        async with self._database.connect() as connection:
            return (await load_wallets(connection, user_ids)).loaded

    async def _load_orders(self, order_ids: Sequence[OrderId]) -> dict[OrderId, Order]:
        async with self._database.connect() as connection:
            return (await load_orders(connection, order_ids)).loaded
