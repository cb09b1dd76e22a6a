"""Orders and their lines."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities import Order, OrderLine, OrderStatus
from domain.ids import OrderId, ProductId, UserId
from domain.state import Rows
from storage.rows import Writes
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
    ids = list(order_ids)
    if not ids:
        return Rows()
    heads = (await connection.execute(_orders_by_id, {"order_ids": ids})).all()
    if not heads:
        return Rows()
    lines = await _load_lines(connection, [head.order_id for head in heads])
    return Rows({OrderId(head.order_id): _order(head, lines[head.order_id]) for head in heads})


async def _load_lines(
    connection: AsyncConnection, order_ids: list[str]
) -> dict[str, list[OrderLine]]:
    lines: dict[str, list[OrderLine]] = {order_id: [] for order_id in order_ids}
    found = await connection.execute(_lines_of_orders, {"order_ids": order_ids})
    for order_id, product_id, unit_price, quantity in found:
        lines[order_id].append(OrderLine(ProductId(product_id), unit_price, quantity))
    return lines


def _order(head: Any, lines: list[OrderLine]) -> Order:
    return Order(
        order_id=OrderId(head.order_id),
        user_id=UserId(head.user_id),
        lines=tuple(lines),
        status=OrderStatus(head.status),
        total_amount=head.total_amount,
        discount_amount=head.discount_amount,
        payable_amount=head.payable_amount,
        coupon_id=head.coupon_id,
        created_at_ms=head.created_at_ms,
        expires_at_ms=head.expires_at_ms,
        paid_at_ms=head.paid_at_ms,
        cancelled_at_ms=head.cancelled_at_ms,
    )


def save_orders(writes: Writes, rows: Rows[OrderId, Order]) -> None:
    """Save new orders with their lines, and the status of those that were paid or cancelled."""
    moved = [
        {
            "order_id": order.order_id,
            "status": order.status.value,
            "paid_at_ms": order.paid_at_ms,
            "cancelled_at_ms": order.cancelled_at_ms,
        }
        for order in rows.updated()
    ]
    added = rows.added()
    writes.update(orders, moved)
    writes.insert(orders, map(_order_row, added))
    lines = [row for order in added for row in _line_rows(order)]
    writes.insert(order_lines, lines)


def _order_row(order: Order) -> dict[str, Any]:
    row = {name: getattr(order, name) for name in _columns}
    return {**row, "status": order.status.value}


def _line_rows(order: Order) -> list[dict[str, Any]]:
    return [
        {
            "order_id": order.order_id,
            "position": position,
            "product_id": line.product_id,
            "unit_price": line.unit_price,
            "quantity": line.quantity,
        }
        for position, line in enumerate(order.lines)
    ]
