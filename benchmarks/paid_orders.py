"""Paid orders by the million, in bulk: what a busy shop's last three days would have left."""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

import asyncpg

from domain.ranking import live_window

ORDER_COLUMNS = (
    "order_id",
    "user_id",
    "status",
    "total_amount",
    "discount_amount",
    "payable_amount",
    "created_at_ms",
    "expires_at_ms",
    "paid_at_ms",
)
LINE_COLUMNS = ("order_id", "product_id", "position", "unit_price", "quantity")
PRODUCT_COLUMNS = ("product_id", "name", "price", "stock")
# Neighbours in time must not be neighbours in the index of ids: real ids are random.
SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC835
STEP = 7919
USERS = 20_000


class Amount(NamedTuple):
    """How many orders of one line each, and of how many products, evenly over the live window."""

    orders: int
    products: int
    now_ms: int

    def product_rows(self) -> Iterator[tuple[Any, ...]]:
        """Every product."""
        return ((n, f"product {n}", 100, 10**9) for n in range(1, self.products + 1))

    def order_rows(self) -> Iterator[tuple[Any, ...]]:
        """Every order, in the order of payment."""
        start_ms = live_window(self.now_ms).start_ms
        span_ms = self.now_ms - start_ms
        for number in range(self.orders):
            at_ms = start_ms + number * span_ms // self.orders
            user = number % USERS
            yield (_id(number), user, "PAID", 100, 0, 100, at_ms, at_ms + 900_000, at_ms)

    def line_rows(self) -> Iterator[tuple[Any, ...]]:
        """One line of each order; hardly a product is sold twice in an hour."""
        for number in range(self.orders):
            product_id = 1 + number * STEP % self.products
            yield (_id(number), product_id, 0, 100, 1 + number % 3)


def _id(number: int) -> str:
    return str(uuid.UUID(int=number * SPREAD % 2**128))


async def fill_postgres(url: str, amount: Amount) -> None:
    """Copy rows in; foreign keys are not looked at, since a look for each row takes a minute."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET session_replication_role = replica")
        for table, columns, rows in _tables(amount):
            await connection.copy_records_to_table(table, records=rows, columns=columns)
        await connection.execute("VACUUM ANALYZE orders, order_lines")
    finally:
        await connection.close()


def fill_sqlite(path: str, amount: Amount) -> None:
    """Insert rows in one transaction that need not survive a power cut."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -400000")
        connection.execute("BEGIN")
        for table, columns, rows in _tables(amount):
            places = ", ".join("?" * len(columns))
            names = ", ".join(columns)
            connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)
        connection.execute("COMMIT")


def _tables(amount: Amount) -> list[tuple[str, tuple[str, ...], Iterator[tuple[Any, ...]]]]:
    return [
        ("products", PRODUCT_COLUMNS, amount.product_rows()),
        ("orders", ORDER_COLUMNS, amount.order_rows()),
        ("order_lines", LINE_COLUMNS, amount.line_rows()),
    ]
