"""Orders and their lines."""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities import Order, OrderLine, OrderStatus
from domain.ids import OrderId, ProductId, UserId
from domain.state import Rows
from storage.lookups import Found, Lookups, looked_up
from storage.rows import Row, Writes
from storage.schema import order_lines, orders
from storage.sets import one_of

_columns = (
    "order_id",
    "user_id",
    "status",
    "total_amount",
    "discount_amount",
    "payable_amount",
    "coupon_id",
    "created_at_ms",
    "expires_at_ms",
    "paid_at_ms",
    "cancelled_at_ms",
)
_order_columns = [orders.c[name] for name in _columns]
_line_names = ("order_id", "position", "product_id", "unit_price", "quantity")
_line_columns = [order_lines.c[n] for n in ("order_id", "product_id", "unit_price", "quantity")]

_orders_by_id = sa.select(*_order_columns).where(one_of(orders.c.order_id, "order_ids"))
_lines_of_orders = (
    sa.select(*_line_columns)
    .where(one_of(order_lines.c.order_id, "order_ids"))
    .order_by(order_lines.c.order_id, order_lines.c.position)
)


async def load_orders(
    connection: AsyncConnection, order_ids: Iterable[OrderId]
) -> Rows[OrderId, Order]:
    """Load these orders with their lines, those that exist."""
    return await looked_up(connection, lambda lookups: ask_orders(lookups, order_ids))


def ask_orders(
    lookups: Lookups, order_ids: Iterable[OrderId]
) -> Callable[[], Rows[OrderId, Order]]:
    """Gather the look-up of orders and of their lines, see `load_orders`."""
    named = {"order_ids": list(order_ids)}
    heads = lookups.ask(_orders_by_id, named)
    lines = lookups.ask(_lines_of_orders, named)
    return lambda: _orders(heads, lines)


def _orders(heads: Found, lines: Found) -> Rows[OrderId, Order]:
    listed: dict[str, list[OrderLine]] = {head[0]: [] for head in heads}
    for order_id, product_id, unit_price, quantity in lines:
        listed[order_id].append(OrderLine(ProductId(product_id), unit_price, quantity))
    return Rows({OrderId(head[0]): _order(listed[head[0]], *head) for head in heads})


def _order(
    lines: list[OrderLine], order_id: Any, user_id: Any, status: str, *others: Any
) -> Order:
    return Order(order_id, user_id, tuple(lines), OrderStatus(status), *others)


async def list_orders(
    connection: AsyncConnection, user_id: UserId, before: tuple[int, str] | None, rows_max: int
) -> list[Order]:
    """List a user's orders, the newest first; `before` is when one was made, and its id."""
    key = (orders.c.created_at_ms, orders.c.order_id)
    query = sa.select(orders.c.order_id).where(orders.c.user_id == user_id)
    if before is not None:
        query = query.where(sa.tuple_(*key) < sa.tuple_(*map(sa.literal, before)))
    newest = query.order_by(*(column.desc() for column in key)).limit(rows_max)
    ids = [OrderId(order_id) for order_id in await connection.scalars(newest)]
    found = (await load_orders(connection, ids)).loaded
    return [found[order_id] for order_id in ids if order_id in found]


def save_orders(writes: Writes, rows: Rows[OrderId, Order]) -> None:
    """Save new orders with their lines, and the status of those that were paid or cancelled."""
    added = rows.added()
    writes.update(orders, _columns, map(_order_row, rows.updated()))
    writes.insert(orders, _columns, map(_order_row, added))
    writes.insert(order_lines, _line_names, (row for order in added for row in _line_rows(order)))


_order_row = attrgetter(*_columns)


def _line_rows(order: Order) -> list[Row]:
    return [
        (order.order_id, position, line.product_id, line.unit_price, line.quantity)
        for position, line in enumerate(order.lines)
    ]
