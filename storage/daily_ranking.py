"""The stored daily rankings: one run for each date, with the best sellers of its window."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ranking import Window
from storage.engine import Database
from storage.rows import insert_rows
from storage.sales import pieces
from storage.schema import daily_ranking, order_lines, orders, products, ranking_runs

DAILY_PLACES = 5


@dataclass(frozen=True, slots=True)
class DailyPlace:
    """One place of a stored ranking, with the product as it was then."""

    rank: int
    product_id: int
    name: str
    price: int
    quantity: int


@dataclass(frozen=True, slots=True)
class DailyRun:
    """A day's stored ranking: what was sold in the window before its midnight, best first."""

    day: date
    window: Window
    completed_at_ms: int
    places: list[DailyPlace]


async def load_daily_run(connection: AsyncConnection, day: date | None = None) -> DailyRun | None:
    """Load a day's stored ranking, or the newest one; None where there is none."""
    query = sa.select(ranking_runs).order_by(ranking_runs.c.date.desc()).limit(1)
    if day is not None:
        query = query.where(ranking_runs.c.date == day.isoformat())
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return DailyRun(
        date.fromisoformat(row.date),
        Window(row.window_start_ms, row.window_end_ms),
        row.completed_at_ms,
        await _list_places(connection, row.date),
    )


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
        async with database.connect() as connection:
            if await load_daily_run(connection, day):
                return None
        raise


async def _list_places(connection: AsyncConnection, day: str) -> list[DailyPlace]:
    query = (
        sa.select(*[daily_ranking.c[name] for name in DailyPlace.__dataclass_fields__])
        .where(daily_ranking.c.date == day)
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
    sold = pieces()
    query = (
        sa.select(products.c.product_id, products.c.name, products.c.price, sold)
        .join_from(orders, order_lines)
        .join(products)
        .where(
            orders.c.status == "PAID",
            orders.c.paid_at_ms >= window.start_ms,
            orders.c.paid_at_ms < window.end_ms,
        )
        .group_by(products.c.product_id, products.c.name, products.c.price)
        .order_by(sold.desc(), products.c.product_id)
        .limit(DAILY_PLACES)
    )
    found = await connection.execute(query)
    return [DailyPlace(rank, *row) for rank, row in enumerate(found, 1)]
