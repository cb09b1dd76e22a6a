"""Sums of what was sold, from the orders themselves, and the stored daily ranking."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ranking import HOUR_MS, LogPoint, SourcePartition, Window
from storage.engine import Database
from storage.marks import load_marks
from storage.rows import insert_rows
from storage.schema import daily_ranking, order_lines, orders, products, ranking_runs

DAILY_PLACES = 5


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


@dataclass(frozen=True, slots=True)
class DailyPlace:
    """One place of a stored ranking, with the product as it was then."""

    rank: int
    product_id: int
    name: str
    price: int
    quantity: int


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
        sa.select(order_lines.c.product_id, hour, _pieces())
        .join_from(orders, order_lines)
        .where(orders.c.status == "PAID", orders.c.paid_at_ms >= since_ms)
        .group_by(order_lines.c.product_id, hour)
    )
    found = await connection.execute(query)
    return [HourSum(row[0], row[1] * HOUR_MS, row[2]) for row in found]


async def save_daily_ranking(
    database: Database, day: date, window: Window, now_ms: int
) -> list[DailyPlace] | None:
    """Sum a day's window and store its ranking, in one transaction; None if it was done before.

    The run's row comes first: of two workers at once, the second waits for the first one's
    commit, and then finds the date taken.
    """
    run = {
        "date": day.isoformat(),
        "window_start_ms": window.start_ms,
        "window_end_ms": window.end_ms,
        "completed_at_ms": now_ms,
    }
    try:
        async with database.begin() as connection:
            await connection.execute(ranking_runs.insert(), run)
            return await _replace_ranking(connection, day, window)
    except IntegrityError:
        if await has_daily_ranking(database, day):
            return None
        raise


async def has_daily_ranking(database: Database, day: date) -> bool:
    """Tell whether the daily batch has run for a day."""
    query = sa.select(ranking_runs.c.date).where(ranking_runs.c.date == day.isoformat())
    async with database.connect() as connection:
        return await connection.scalar(query) is not None


async def list_daily_ranking(connection: AsyncConnection, day: date) -> list[DailyPlace]:
    """List the stored ranking of a day, best first."""
    query = (
        sa.select(*[daily_ranking.c[name] for name in DailyPlace.__dataclass_fields__])
        .where(daily_ranking.c.date == day.isoformat())
        .order_by(daily_ranking.c.rank)
    )
    return [DailyPlace(*row) for row in await connection.execute(query)]


async def _replace_ranking(
    connection: AsyncConnection, day: date, window: Window
) -> list[DailyPlace]:
    places = await _sum_window(connection, window)
    await connection.execute(daily_ranking.delete().where(daily_ranking.c.date == day.isoformat()))
    rows = [
        {"date": day.isoformat(), **{name: getattr(place, name) for name in DailyPlace.__slots__}}
        for place in places
    ]
    await insert_rows(connection, daily_ranking, rows)
    return places


async def _sum_window(connection: AsyncConnection, window: Window) -> list[DailyPlace]:
    pieces = _pieces()
    query = (
        sa.select(products.c.product_id, products.c.name, products.c.price, pieces)
        .join_from(orders, order_lines)
        .join(products)
        .where(
            orders.c.status == "PAID",
            orders.c.paid_at_ms >= window.start_ms,
            orders.c.paid_at_ms < window.end_ms,
        )
        .group_by(products.c.product_id, products.c.name, products.c.price)
        .order_by(pieces.desc(), products.c.product_id)
        .limit(DAILY_PLACES)
    )
    found = await connection.execute(query)
    return [DailyPlace(rank, *row) for rank, row in enumerate(found, 1)]


def _pieces() -> sa.ColumnElement[int]:
    # PostgreSQL sums bigint as numeric, which the driver reads as Decimal.
    return sa.cast(sa.func.sum(order_lines.c.quantity), sa.BigInteger)
