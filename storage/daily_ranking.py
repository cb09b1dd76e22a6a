"""The stored daily rankings: one run for each date, with the best sellers of its window."""

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ranking import Window
from storage.engine import Database
from storage.leases import Lease, keep_lease
from storage.rows import insert_rows, reader_of
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
class Compared:
    """What a run's sums were compared with: the hours that the live table still held."""

    products: int
    hours: int
    differences: int


@dataclass(frozen=True, slots=True)
class DailyRun:
    """A day's stored ranking: what was sold in the window before its midnight, best first.

    `compared` is None where it was not, or could not be, compared with the live table.
    """

    day: date
    window: Window
    completed_at_ms: int
    places: list[DailyPlace] = field(default_factory=list)
    compared: Compared | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Which days have a stored ranking, and when anything was sold first."""

    days: list[date]
    first_sale_ms: int | None


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
        _compared(row),
    )


def _compared(row: sa.Row[Any]) -> Compared | None:
    if row.differences is None:
        return None
    return Compared(row.compared_products, row.compared_hours, row.differences)


async def load_history(connection: AsyncConnection) -> History:
    """Load the days that have a stored ranking, newest first, and the time of the first sale."""
    days = await connection.scalars(
        sa.select(ranking_runs.c.date).order_by(ranking_runs.c.date.desc())
    )
    first_sale_ms = await connection.scalar(sa.select(sa.func.min(orders.c.paid_at_ms)))
    return History([date.fromisoformat(each) for each in days], first_sale_ms)


_place_names, _place_row = reader_of(DailyPlace)


async def save_daily_run(
    database: Database, run: DailyRun, lease: Lease, *, again: bool = False
) -> DailyRun:
    """Sum a run's window and store its ranking, in one transaction; return what is stored then.

    A date that is stored already stays as it is, unless the run is made again: the run's row comes
    first, and of two transactions at once the second waits for the first, and finds the date
    taken. Raises LeaseLostError, and stores nothing, where the lease is another's by now.
    """
    try:
        async with database.begin() as connection:
            if again:
                await _delete(connection, run.day)
            await connection.execute(ranking_runs.insert(), _row_of(run))
            places = await _sum_window(connection, run.window)
            rows = [(run.day.isoformat(), *_place_row(place)) for place in places]
            await insert_rows(connection, daily_ranking, ("date", *_place_names), rows)
            await keep_lease(connection, lease)
    except IntegrityError:
        async with database.connect() as connection:
            if held := await load_daily_run(connection, run.day):
                return held
        raise
    return replace(run, places=places)


async def save_compared(database: Database, run: DailyRun, compared: Compared) -> None:
    """Note what a stored run was compared with; one that was made again meanwhile stays."""
    found = {
        "compared_products": compared.products,
        "compared_hours": compared.hours,
        "differences": compared.differences,
    }
    async with database.begin() as connection:
        await connection.execute(
            sa.update(ranking_runs)
            .where(
                ranking_runs.c.date == run.day.isoformat(),
                ranking_runs.c.completed_at_ms == run.completed_at_ms,
            )
            .values(found)
        )


def _row_of(run: DailyRun) -> dict[str, Any]:
    return {
        "date": run.day.isoformat(),
        "window_start_ms": run.window.start_ms,
        "window_end_ms": run.window.end_ms,
        "completed_at_ms": run.completed_at_ms,
    }


async def _delete(connection: AsyncConnection, day: date) -> None:
    for table in (daily_ranking, ranking_runs):
        await connection.execute(table.delete().where(table.c.date == day.isoformat()))


async def _list_places(connection: AsyncConnection, day: str) -> list[DailyPlace]:
    query = (
        sa.select(*[daily_ranking.c[name] for name in DailyPlace.__dataclass_fields__])
        .where(daily_ranking.c.date == day)
        .order_by(daily_ranking.c.rank)
    )
    return [DailyPlace(*row) for row in await connection.execute(query)]


async def _sum_window(connection: AsyncConnection, window: Window) -> list[DailyPlace]:
    # Product data come for the places only: SQLite takes four times as long to group by them.
    sold = pieces().label("sold")
    best = (
        sa.select(order_lines.c.product_id, sold)
        .join_from(orders, order_lines)
        .where(
            orders.c.status == "PAID",
            orders.c.paid_at_ms >= window.start_ms,
            orders.c.paid_at_ms < window.end_ms,
        )
        .group_by(order_lines.c.product_id)
        .order_by(sold.desc(), order_lines.c.product_id)
        .limit(DAILY_PLACES)
        .subquery()
    )
    query = (
        sa.select(products.c.product_id, products.c.name, products.c.price, best.c.sold)
        .join_from(best, products, best.c.product_id == products.c.product_id)
        .order_by(best.c.sold.desc(), products.c.product_id)
    )
    found = await connection.execute(query)
    return [DailyPlace(rank, *row) for rank, row in enumerate(found, 1)]
