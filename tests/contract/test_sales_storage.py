"""Sums of sales and the daily batch, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.ranking import HOUR_MS, LogPoint, SourcePartition, daily_window
from storage.engine import Database, create_database
from storage.marks import Mark, insert_marks
from storage.migrate import upgrade_async
from storage.sales import (
    DailyPlace,
    HourSum,
    has_daily_ranking,
    list_daily_ranking,
    load_sales_snapshot,
    save_daily_ranking,
)
from storage.schema import order_lines, orders, products

DAY = date(2026, 3, 10)
WINDOW = daily_window(DAY, ZoneInfo("Asia/Seoul"))


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that nobody else has, of each kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'sales.db'}"
    new_database: Callable[[], str] = request.getfixturevalue("new_database")
    return new_database().replace("postgresql://", "postgresql+asyncpg://")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """The database with its tables, and nothing in them."""
    await upgrade_async(url)
    made = create_database(url)
    yield made
    await made.dispose()


async def define(database: Database, *product_ids: int) -> None:
    rows = [
        {"product_id": each, "name": f"product {each}", "price": each * 100, "stock": 10}
        for each in product_ids
    ]
    async with database.begin() as connection:
        await connection.execute(products.insert(), rows)


async def order(database: Database, paid_at: int | None, **quantities: int) -> None:
    """An order of these quantities by product (`p1=3`), paid or not."""
    name = f"order-{await _count(database)}"
    row: dict[str, Any] = {
        "order_id": name,
        "user_id": 1,
        "status": "PENDING" if paid_at is None else "PAID",
        "total_amount": 1,
        "discount_amount": 0,
        "payable_amount": 1,
        "created_at_ms": WINDOW.start_ms,
        "expires_at_ms": WINDOW.end_ms,
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
    async with database.begin() as connection:
        await connection.execute(orders.insert(), row)
        await connection.execute(order_lines.insert(), lines)


async def _count(database: Database) -> int:
    async with database.connect() as connection:
        return len((await connection.execute(orders.select())).all())


async def test_sums_are_by_product_and_hour_of_paid_orders_alone(database: Database) -> None:
    await define(database, 1, 2)
    hour = WINDOW.start_ms
    await order(database, hour - 1, p1=100)
    await order(database, hour, p1=1, p2=5)
    await order(database, hour + HOUR_MS - 1, p1=2)
    await order(database, hour + HOUR_MS, p1=4)
    await order(database, None, p1=1000)
    snapshot = await load_sales_snapshot(database, hour)
    expected = {HourSum(1, hour, 3), HourSum(2, hour, 5), HourSum(1, hour + HOUR_MS, 4)}
    assert set(snapshot.sums) == expected
    assert all(type(each.quantity) is int for each in snapshot.sums)


async def test_a_snapshot_has_the_marks_of_its_moment(database: Database) -> None:
    async with database.begin() as connection:
        await insert_marks(connection, [Mark("user-commands", 3, 2, 41, 0)])
    snapshot = await load_sales_snapshot(database, 0)
    assert snapshot.marks == {SourcePartition("user-commands", 3): LogPoint(2, 41)}
    assert snapshot.sums == []


# start                                                                       midnight
#   -1        0                                                            -1     0
#    *       [*------------------------------------------------------------*-----)*
#  outside   in                                                            in     outside
async def test_the_batch_stores_the_top_5_of_its_window(database: Database) -> None:
    await define(database, 1, 2, 3, 4, 5, 6)
    await order(database, WINDOW.start_ms - 1, p1=1000)
    await order(database, WINDOW.start_ms, p1=4, p2=4, p3=7)
    await order(database, WINDOW.end_ms - 1, p4=9, p5=1, p6=2)
    await order(database, WINDOW.end_ms, p5=1000)
    stored = await save_daily_ranking(database, DAY, WINDOW, WINDOW.end_ms + 5)
    assert stored == [
        DailyPlace(1, 4, "product 4", 400, 9),
        DailyPlace(2, 3, "product 3", 300, 7),
        DailyPlace(3, 1, "product 1", 100, 4),
        DailyPlace(4, 2, "product 2", 200, 4),
        DailyPlace(5, 6, "product 6", 600, 2),
    ]
    async with database.connect() as connection:
        assert await list_daily_ranking(connection, DAY) == stored


async def test_a_date_is_stored_once(database: Database) -> None:
    await define(database, 1)
    await order(database, WINDOW.start_ms, p1=1)
    first = await save_daily_ranking(database, DAY, WINDOW, 1)
    await order(database, WINDOW.start_ms, p1=50)
    assert await save_daily_ranking(database, DAY, WINDOW, 2) is None
    async with database.connect() as connection:
        assert await list_daily_ranking(connection, DAY) == first


async def test_of_two_workers_at_once_one_stores(database: Database) -> None:
    await define(database, 1)
    await order(database, WINDOW.start_ms, p1=1)
    runs = [save_daily_ranking(database, DAY, WINDOW, number) for number in range(5)]
    results = await asyncio.gather(*runs)
    assert sorted(result is None for result in results) == [False, True, True, True, True]


async def test_a_day_without_sales_is_a_run_too(database: Database) -> None:
    assert not await has_daily_ranking(database, DAY)
    assert await save_daily_ranking(database, DAY, WINDOW, 1) == []
    assert await has_daily_ranking(database, DAY)


async def test_days_do_not_replace_each_other(database: Database) -> None:
    await define(database, 1)
    await order(database, WINDOW.start_ms, p1=1)
    await save_daily_ranking(database, DAY, WINDOW, 1)
    later = date(2026, 3, 11)
    await save_daily_ranking(database, later, daily_window(later, ZoneInfo("Asia/Seoul")), 2)
    async with database.connect() as connection:
        assert len(await list_daily_ranking(connection, DAY)) == 1
        assert await list_daily_ranking(connection, later) == []
