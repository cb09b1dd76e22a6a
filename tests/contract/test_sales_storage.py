"""Sums of sales, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from domain.ranking import HOUR_MS, LogPoint, SourcePartition, daily_window
from storage.engine import Database, create_database
from storage.marks import Mark, insert_marks, move_mark
from storage.migrate import upgrade_async
from storage.sales import HourSum, load_sales_snapshot
from storage.schema import orders
from tests.contract.paid_orders import define, insert_order, order

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


async def test_sums_are_by_product_and_hour_of_paid_orders_alone(database: Database) -> None:
    await define(database, 1, 2)
    hour = WINDOW.start_ms
    await order(database, hour - 1, p1=100)
    await order(database, hour, p1=1, p2=5)
    await order(database, hour + HOUR_MS - 1, p1=2)
    await order(database, hour + HOUR_MS, p1=4)
    await order(database, None, p1=1000)
    await order(database, hour, p1=50)
    async with database.begin() as connection:
        last = sa.update(orders).where(orders.c.order_id == "order-5")
        await connection.execute(last.values(status="CANCELLED"))
    snapshot = await load_sales_snapshot(database, hour)
    expected = {HourSum(1, hour, 3), HourSum(2, hour, 5), HourSum(1, hour + HOUR_MS, 4)}
    assert set(snapshot.sums) == expected
    assert all(type(each.quantity) is int for each in snapshot.sums)


async def test_a_snapshot_has_the_marks_of_its_moment(database: Database) -> None:
    async with database.begin() as connection:
        await insert_marks(connection, [Mark("user-commands", 3, 2, 41, 0)])
    snapshot = await load_sales_snapshot(database, 0)
    assert snapshot.marks == {SourcePartition("user-commands", 3): LogPoint(2, 41)}
    assert list(snapshot.sums) == []


async def test_sums_and_marks_are_of_one_moment_while_orders_are_paid(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.sales.LINES_AT_ONCE", 7)
    source = SourcePartition("user-commands", 3)
    await define(database, 1)
    async with database.begin() as connection:
        await insert_marks(connection, [Mark(*source, 1, 0, 0)])

    async def pay_in_turn() -> None:
        for number in range(60):
            async with database.begin() as connection:
                await insert_order(connection, f"turn-{number}", WINDOW.start_ms, p1=1)
                await move_mark(connection, source, (number, number + 1), 1)

    paying = asyncio.create_task(pay_in_turn())
    while not paying.done():
        snapshot = await load_sales_snapshot(database, 0)
        assert sum(each.quantity for each in snapshot.sums) == snapshot.marks[source].offset
    await paying
    last = await load_sales_snapshot(database, 0)
    assert (list(last.sums), last.marks[source].offset) == ([HourSum(1, WINDOW.start_ms, 60)], 60)
