"""The stored daily rankings, on SQLite and on PostgreSQL."""

import asyncio
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from domain.ranking import daily_window
from storage.daily_ranking import DailyPlace, DailyRun, load_daily_run, save_daily_ranking
from storage.engine import Database
from tests.contract.paid_orders import define, order

DAY = date(2026, 3, 10)
WINDOW = daily_window(DAY, ZoneInfo("Asia/Seoul"))


async def loaded(database: Database, day: date | None = None) -> DailyRun | None:
    async with database.connect() as connection:
        return await load_daily_run(connection, day)


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
    assert await loaded(database, DAY) == DailyRun(DAY, WINDOW, WINDOW.end_ms + 5, stored)


async def test_a_date_is_stored_once(database: Database) -> None:
    await define(database, 1)
    await order(database, WINDOW.start_ms, p1=1)
    await save_daily_ranking(database, DAY, WINDOW, 1)
    first = await loaded(database)
    await order(database, WINDOW.start_ms, p1=50)
    assert await save_daily_ranking(database, DAY, WINDOW, 2) is None
    assert await loaded(database) == first


async def test_of_two_workers_at_once_one_stores(database: Database) -> None:
    await define(database, 1)
    await order(database, WINDOW.start_ms, p1=1)
    runs = [save_daily_ranking(database, DAY, WINDOW, number) for number in range(5)]
    results = await asyncio.gather(*runs)
    assert sorted(result is None for result in results) == [False, True, True, True, True]


async def test_a_day_without_sales_is_a_run_too(database: Database) -> None:
    assert await loaded(database) is None
    assert await save_daily_ranking(database, DAY, WINDOW, 1) == []
    assert await loaded(database) == DailyRun(DAY, WINDOW, 1, [])


async def test_every_day_stays_and_the_newest_is_the_stored_ranking(database: Database) -> None:
    await define(database, 1)
    await order(database, WINDOW.start_ms, p1=1)
    later = DAY + timedelta(days=1)
    for day in (later, DAY):
        await save_daily_ranking(database, day, daily_window(day, ZoneInfo("Asia/Seoul")), 2)
    newest, older = await loaded(database), await loaded(database, DAY)
    assert newest is not None
    assert older is not None
    assert (newest.day, newest.places) == (later, [])
    assert [place.product_id for place in older.places] == [1]
    assert await loaded(database, DAY - timedelta(days=1)) is None
