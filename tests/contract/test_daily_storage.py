"""The stored daily rankings, on SQLite and on PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.ranking import daily_window
from storage.daily_ranking import (
    Compared,
    DailyPlace,
    DailyRun,
    load_daily_run,
    load_history,
    save_compared,
    save_daily_run,
)
from storage.engine import Database
from storage.leases import Lease, LeaseLostError, take_lease
from tests.contract.paid_orders import cancel_all, define, order

DAY = date(2026, 3, 10)
NEXT_DAY = DAY + timedelta(days=1)
WINDOW = daily_window(DAY, ZoneInfo("Asia/Seoul"))
RUN = DailyRun(DAY, WINDOW, WINDOW.end_ms + 5)
NEXT_RUN = DailyRun(NEXT_DAY, daily_window(NEXT_DAY, ZoneInfo("Asia/Seoul")), WINDOW.end_ms + 9)
LEASE = Lease("daily-ranking", "one", for_ms=60_000)


async def taken(database: Database, lease: Lease = LEASE) -> None:
    async with database.begin() as connection:
        assert await take_lease(connection, lease)


async def loaded(database: Database, day: date | None = None) -> DailyRun | None:
    async with database.connect() as connection:
        return await load_daily_run(connection, day)


# start                                                                       midnight
#   -1        0                                                            -1     0
#    *       [*------------------------------------------------------------*-----)*
#  outside   in                                                            in     outside
async def test_the_batch_stores_the_top_5_of_its_window(database: Database) -> None:
    await taken(database)
    await define(database, 1, 2, 3, 4, 5, 6)
    await order(database, WINDOW.start_ms, p6=1000)
    await cancel_all(database)
    await order(database, WINDOW.start_ms - 1, p1=1000)
    await order(database, WINDOW.start_ms, p1=4, p2=4, p3=7)
    await order(database, WINDOW.end_ms - 1, p4=9, p5=2, p6=2)
    await order(database, WINDOW.end_ms, p5=1000)
    stored = await save_daily_run(database, RUN, LEASE)
    assert stored.places == [
        DailyPlace(1, 4, "product 4", 400, 9),
        DailyPlace(2, 3, "product 3", 300, 7),
        DailyPlace(3, 1, "product 1", 100, 4),
        DailyPlace(4, 2, "product 2", 200, 4),
        DailyPlace(5, 5, "product 5", 500, 2),
    ]
    assert replace(stored, places=[]) == RUN
    assert await loaded(database, DAY) == stored


async def test_a_date_is_stored_once(database: Database) -> None:
    await taken(database)
    await define(database, 1)
    await order(database, WINDOW.start_ms, p1=1)
    first = await save_daily_run(database, RUN, LEASE)
    await order(database, WINDOW.start_ms, p1=50)
    assert await save_daily_run(database, replace(RUN, completed_at_ms=2), LEASE) == first
    assert await loaded(database) == first


async def test_a_date_is_replaced_when_it_is_made_again(database: Database) -> None:
    await taken(database)
    await define(database, 1)
    await order(database, WINDOW.start_ms, p1=1)
    first = await save_daily_run(database, RUN, LEASE)
    await save_compared(database, first, Compared(1, 71, 0))
    await order(database, WINDOW.start_ms, p1=50)
    later = replace(RUN, completed_at_ms=RUN.completed_at_ms + 1)
    again = await save_daily_run(database, later, LEASE, again=True)
    assert [place.quantity for place in again.places] == [51]
    assert await loaded(database) == again
    # What the first one was compared with says nothing of this one.
    await save_compared(database, first, Compared(1, 71, 0))
    assert await loaded(database) == again
    await save_compared(database, again, Compared(1, 70, 2))
    assert await loaded(database) == replace(again, compared=Compared(1, 70, 2))


async def test_of_several_at_once_one_stores(database: Database, other: Database) -> None:
    await taken(database)
    await define(database, 1)
    await order(database, WINDOW.start_ms, p1=1)
    results = await asyncio.gather(
        *[
            save_daily_run((database, other)[number % 2], replace(RUN, completed_at_ms=n), LEASE)
            for number, n in enumerate(range(5))
        ]
    )
    assert len({run.completed_at_ms for run in results}) == 1
    assert results[0] == await loaded(database)


async def test_a_holder_whose_lease_another_took_stores_nothing(
    database: Database, other: Database
) -> None:
    await taken(database, replace(LEASE, for_ms=0))
    await taken(other, replace(LEASE, holder="other"))
    await define(database, 1)
    await order(database, WINDOW.start_ms, p1=1)
    with pytest.raises(LeaseLostError):
        await save_daily_run(database, RUN, LEASE)
    assert await loaded(database) is None


async def test_a_day_without_sales_is_a_run_too(database: Database) -> None:
    await taken(database)
    assert await loaded(database) is None
    assert await save_daily_run(database, RUN, LEASE) == RUN
    assert await loaded(database) == RUN


async def test_every_day_stays_and_the_newest_is_the_stored_ranking(database: Database) -> None:
    await taken(database)
    await define(database, 1)
    await order(database, WINDOW.start_ms, p1=1)
    newest = await save_daily_run(database, NEXT_RUN, LEASE)
    older = await save_daily_run(database, RUN, LEASE)
    assert await loaded(database) == newest == NEXT_RUN
    assert await loaded(database, DAY) == older
    assert [place.product_id for place in older.places] == [1]
    assert await loaded(database, DAY - timedelta(days=1)) is None


async def test_the_history_names_the_days_and_the_first_sale(database: Database) -> None:
    async with database.connect() as connection:
        history = await load_history(connection)
    assert (history.days, history.first_sale_ms) == ([], None)
    await taken(database)
    await define(database, 1)
    for at_ms in (None, WINDOW.end_ms, WINDOW.start_ms):
        await order(database, at_ms, p1=1)
    for run in (RUN, NEXT_RUN):
        await save_daily_run(database, run, LEASE)
    async with database.connect() as connection:
        history = await load_history(connection)
    assert (history.days, history.first_sale_ms) == ([NEXT_DAY, DAY], WINDOW.start_ms)
