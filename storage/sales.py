"""Sums of what was sold, from the orders themselves."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ranking import HOUR_MS, LogPoint, SourcePartition
from storage.engine import Database
from storage.marks import load_marks
from storage.schema import order_lines, orders


@dataclass(frozen=True, slots=True)
class HourSum:
    """What one product sold in one UTC hour."""

    product_id: int
    hour_ms: int
    quantity: int


@dataclass(frozen=True, slots=True)
class SalesSnapshot:
    """Sums and marks of one moment: a sale is in the sums if and only if it is below its mark."""

    marks: Mapping[SourcePartition, LogPoint]
    sums: list[HourSum]


async def load_sales_snapshot(database: Database, since_ms: int) -> SalesSnapshot:
    """Load what each product sold in each hour from a time on, and how far the log is applied."""
    async with database.snapshot() as connection:
        marks = {
            SourcePartition(*place): LogPoint(mark.epoch, mark.next_offset)
            for place, mark in (await load_marks(connection)).items()
        }
        return SalesSnapshot(marks, await list_hour_sums(connection, since_ms))


async def list_hour_sums(connection: AsyncConnection, since_ms: int) -> list[HourSum]:
    """List what each product sold in each hour from a time on."""
    hour = sa.cast(orders.c.paid_at_ms // HOUR_MS, sa.BigInteger)
    query = (
        sa.select(order_lines.c.product_id, hour, pieces())
        .join_from(orders, order_lines)
        .where(orders.c.status == "PAID", orders.c.paid_at_ms >= since_ms)
        .group_by(order_lines.c.product_id, hour)
    )
    found = await connection.execute(query)
    return [HourSum(row[0], row[1] * HOUR_MS, row[2]) for row in found]


def pieces() -> sa.ColumnElement[int]:
    """Return the sum of pieces over the order lines of a group."""
    # PostgreSQL sums bigint as numeric, which the driver reads as Decimal.
    return sa.cast(sa.func.sum(order_lines.c.quantity), sa.BigInteger)
