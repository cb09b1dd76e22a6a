"""Products and orders as if they had come about, for tests of what was sold."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.engine import Database
from storage.schema import order_lines, orders, products


async def define(database: Database, *product_ids: int) -> None:
    """Products `product 7` for 700 won."""
    rows = [
        {"product_id": each, "name": f"product {each}", "price": each * 100, "stock": 10}
        for each in product_ids
    ]
    async with database.begin() as connection:
        await connection.execute(products.insert(), rows)


async def order(database: Database, paid_at: int | None, **quantities: int) -> None:
    """An order of these quantities by product (`p1=3`), paid or not."""
    name = f"order-{await _count(database)}"
    async with database.begin() as connection:
        await insert_order(connection, name, paid_at, **quantities)


async def insert_order(
    connection: AsyncConnection, name: str, paid_at: int | None, **quantities: int
) -> None:
    """The same, in a transaction that does more."""
    row: dict[str, Any] = {
        "order_id": name,
        "user_id": 1,
        "status": "PENDING" if paid_at is None else "PAID",
        "total_amount": 1,
        "discount_amount": 0,
        "payable_amount": 1,
        "created_at_ms": paid_at or 0,
        "expires_at_ms": paid_at or 0,
        "paid_at_ms": paid_at,
    }
    lines = [
        {
            "order_id": name,
            "position": position,
            "product_id": int(product[1:]),
            "unit_price": 1,
            "quantity": quantity,
        }
        for position, (product, quantity) in enumerate(quantities.items())
    ]
    await connection.execute(orders.insert(), row)
    await connection.execute(order_lines.insert(), lines)


async def cancel_all(database: Database) -> None:
    """Every order, as if it had been cancelled after it was paid."""
    async with database.begin() as connection:
        await connection.execute(orders.update().values(status="CANCELLED"))


async def _count(database: Database) -> int:
    async with database.connect() as connection:
        return len((await connection.execute(orders.select())).all())
