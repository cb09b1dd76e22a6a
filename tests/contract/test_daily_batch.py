"""The daily batch of several workers, on SQLite and on PostgreSQL; the clock is the test's."""

import asyncio
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from domain.comparison import Comparison, Difference
from domain.daily import LOOK_SECONDS_MAX
from domain.ranking import HOUR_MS, Window, daily_window, hours_in
from storage.daily_ranking import Compared, DailyRun, load_daily_run, load_history
from storage.engine import Database
from storage.leases import LeaseLostError
from storage.marks import Mark, insert_marks
from storage.schema import leases
from tables.daily import GRACE_MS, DailyBatch, DailyTerms, NotYetError
from tables.lease_holder import LeasedError
from tests.client import eventually
from tests.contract.paid_orders import define, order
from tests.house import ROOT

SEOUL = ZoneInfo("Asia/Seoul")
DAY = date(2026, 3, 10)
MIDNIGHT = daily_window(DAY, SEOUL).end_ms
SETTLED = MIDNIGHT + GRACE_MS
PAYMENTS = ("user-commands", 0)


@dataclass
class World:
    """What the batches of a test ask: the time, the log, the live table; and what they asked."""

    now_ms: int = SETTLED
    needed: Mapping[tuple[str, int], int] = field(default_factory=dict)
    differences: int = 0
    asked: list[int] = field(default_factory=list)
    compared: list[Window] = field(default_factory=list)
    times_told: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def clock(self) -> int:
        self.times_told += 1
        return self.now_ms

    async def offsets_at(self, at_ms: int) -> Mapping[tuple[str, int], int]:
        self.asked.append(at_ms)
        await self.free.wait()
        return self.needed

    async def compare(self, window: Window) -> Comparison:
        self.compared.append(window)
        if self.differences < 0:
            raise ValueError
        first = (Difference(7, window.start_ms, 3, 4),) * self.differences
        return Comparison(1, (0,), window, 2, 5, self.differences, first)

    def batch(
        self, database: Database, lease_seconds: float = 60, settle: float = 5
    ) -> DailyBatch:
        terms = DailyTerms(
            SEOUL,
            self.offsets_at,
            self.compare,
            clock=self.clock,
            lease_seconds=lease_seconds,
            settle_seconds_max=settle,
        )
        return DailyBatch(database, terms)


@pytest.fixture
def world() -> World:
    made = World()
    made.free.set()
    return made


async def sold(database: Database, midnights_before: int = 0) -> None:
    """A sale in the last moment before a midnight: before the one of DAY, or an earlier one."""
    await define(database, 1)
    await order(database, MIDNIGHT - midnights_before * 24 * HOUR_MS - 1, p1=3)


async def stored_days(database: Database) -> list[int]:
    """The days of March that have a stored ranking."""
    async with database.connect() as connection:
        return [day.day for day in (await load_history(connection)).days]


async def stored(database: Database) -> DailyRun:
    async with database.connect() as connection:
        run = await load_daily_run(connection)
    assert run is not None
    return run


async def test_midnights_are_made_up_for_in_order_and_once(
    database: Database, world: World
) -> None:
    await sold(database, midnights_before=3)
    await world.batch(database).look()
    assert await stored_days(database) == [10, 9, 8, 7]
    assert world.asked == [MIDNIGHT - number * 24 * HOUR_MS for number in (3, 2, 1, 0)]
    await world.batch(database).look()
    assert len(world.asked) == 4


async def test_a_day_that_is_stored_stays_unless_it_is_made_again(
    database: Database, world: World
) -> None:
    await sold(database)
    batch = world.batch(database)
    made = await batch.make(DAY)
    world.now_ms += 1
    assert await batch.make(DAY) is None
    assert (await stored(database), len(world.asked)) == (made, 1)
    assert await batch.make(DAY, again=True) == await stored(database) != made


async def test_nothing_is_due_before_the_first_sale(database: Database, world: World) -> None:
    await world.batch(database).look()
    assert await stored_days(database) == []


async def test_of_two_workers_one_waits_and_sums(
    database: Database, other: Database, world: World
) -> None:
    await sold(database)
    world.free.clear()
    one = asyncio.create_task(world.batch(database).look())
    await eventually(lambda: bool(world.asked), "a worker that is at it")
    with pytest.raises(LeasedError):
        await world.batch(other).look()
    world.free.set()
    await one
    await world.batch(other).look()
    assert world.asked == [MIDNIGHT]
    assert await stored_days(database) == [10]


async def test_a_worker_that_stops_lets_the_other_go_on_at_once(
    database: Database, other: Database, world: World
) -> None:
    await sold(database)
    world.free.clear()
    one = asyncio.create_task(world.batch(database).run())
    await eventually(lambda: bool(world.asked), "a worker that is at it")
    one.cancel()
    await asyncio.wait([one])
    world.free.set()
    await world.batch(other).look()
    assert await stored_days(database) == [10]


HOLD = f"""
import asyncio, sys
from storage.engine import create_database
from tests.contract.test_daily_batch import DAY, World

async def hold():
    world = World(needed={{{PAYMENTS}: 9}})
    world.free.set()
    batch = world.batch(create_database(sys.argv[1]), lease_seconds=3, settle=60)
    await batch.make(DAY)

asyncio.run(hold())
"""


async def test_a_worker_that_was_killed_is_followed_within_its_lease(
    database: Database, url: str, world: World
) -> None:
    await sold(database)
    batch = world.batch(database)
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, url, cwd=ROOT)
    try:
        await eventually(lambda: is_leased(database), "a worker that is at it")
    finally:
        killed.kill()
        await killed.wait()
    following = asyncio.create_task(batch.run())
    await eventually(lambda: is_stored(database), "the stored ranking")
    following.cancel()
    await asyncio.wait([following])
    assert not await is_leased(database)


async def is_leased(database: Database) -> bool:
    async with database.connect() as connection:
        return bool(await connection.scalar(sa.select(leases.c.holder)))


async def is_stored(database: Database) -> bool:
    return bool(await stored_days(database))


async def test_a_paused_worker_stores_nothing_once_another_has_its_lease(
    database: Database, other: Database, world: World
) -> None:
    await sold(database)
    paused_world = World(needed={PAYMENTS: 1})
    paused = asyncio.create_task(paused_world.batch(database, lease_seconds=0).make(DAY))
    await eventually(lambda: bool(paused_world.asked), "a worker that is at it")
    made = await world.batch(other).make(DAY)
    paused_world.free.set()
    with pytest.raises(LeaseLostError):
        await paused
    assert await stored(database) == made


async def test_a_paused_worker_that_goes_on_finds_the_date_taken(
    database: Database, other: Database, world: World
) -> None:
    await sold(database)
    paused_world = World(now_ms=SETTLED + 60_000)
    paused = asyncio.create_task(paused_world.batch(database, lease_seconds=0).make(DAY))
    await eventually(lambda: bool(paused_world.asked), "a worker that is at it")
    made = await world.batch(other).make(DAY)
    paused_world.free.set()
    await paused
    assert await stored(database) == made


async def test_payments_from_before_midnight_are_waited_for(
    database: Database, other: Database, world: World
) -> None:
    await sold(database)
    world.needed = {PAYMENTS: 5}
    with pytest.raises(NotYetError, match=r"user-commands\[0\] 0 of 5"):
        await world.batch(database, settle=0).look()
    assert await stored_days(database) == []
    waiting = asyncio.create_task(world.batch(database).look())
    await eventually(lambda: len(world.asked) == 2, "a worker that waits")
    async with other.begin() as connection:
        await insert_marks(connection, [Mark(*PAYMENTS, 1, 5, 0)])
    await waiting
    assert await stored_days(database) == [10]


#   23:59:59.999   00:00:00.000         00:00:03.000
#        )[.............................[
#    not yet     due, but may be early    made
async def test_a_midnight_that_has_only_come_is_given_a_little_time(
    database: Database, world: World
) -> None:
    world.now_ms = MIDNIGHT - 1
    with pytest.raises(NotYetError, match="has not come"):
        await world.batch(database, settle=0).make(DAY)
    world.now_ms = SETTLED - 1
    with pytest.raises(NotYetError, match="may still"):
        await world.batch(database, settle=0).make(DAY)
    assert world.asked == []
    world.now_ms = SETTLED
    assert await world.batch(database, settle=0).make(DAY) == await stored(database)


async def test_what_was_compared_is_stored_with_the_ranking(
    database: Database, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await sold(database)
    await world.batch(database).look()
    run = await stored(database)
    assert run.compared == Compared(products=2, hours=71, differences=0)
    assert world.compared == [Window(run.window.start_ms + HOUR_MS, MIDNIGHT)]
    assert "compared 2 products over 71 hours with the live table: 0 differences" in caplog.text
    world.differences = 1
    await world.batch(database).make(DAY, again=True)
    assert (await stored(database)).compared == Compared(2, 71, 1)
    assert caplog.records[-1].levelname == "WARNING"
    assert f"product 7 hour {run.window.start_ms + HOUR_MS}: 3 live, 4 sold" in caplog.text


#   days before today's midnight:   6     5     4     3     2     1     0
#                        the day     [----3----)                          :  -> not any more
#                    the one after         [----2----)                    :  -> ...
#         what the live table holds                   [==== 71 hours =====:
async def test_hours_that_the_live_table_has_left_are_not_compared(
    database: Database, world: World
) -> None:
    await sold(database, midnights_before=6)
    await world.batch(database).look()
    assert await stored_days(database) == [10, 9, 8, 7, 6, 5, 4]
    assert [len(hours_in(window)) for window in world.compared] == [23, 47, 71]
    assert {window.end_ms for window in world.compared} <= {
        MIDNIGHT - number * 24 * HOUR_MS for number in range(3)
    }


async def test_a_comparison_that_fails_keeps_no_ranking_from_being_stored(
    database: Database, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await sold(database)
    world.differences = -1
    batch = world.batch(database)
    making = asyncio.create_task(batch.look())
    await eventually(lambda: is_stored(database), "the stored ranking")
    await eventually(lambda: len(world.compared) > 1, "another try")
    assert not await is_leased(database)
    making.cancel()
    await asyncio.wait([making])
    assert (await stored(database)).compared is None


async def test_midnight_passes_while_a_worker_runs(database: Database, world: World) -> None:
    await sold(database)
    began = time.monotonic()

    async def clock() -> int:
        return MIDNIGHT - 1_000 + round((time.monotonic() - began) * 1000)

    world.clock = clock  # type: ignore[method-assign]
    running = asyncio.create_task(world.batch(database).run())
    await eventually(lambda: is_stored(database), "the stored ranking")
    running.cancel()
    await asyncio.wait([running])
    assert await stored_days(database) == [10]
    assert (await stored(database)).completed_at_ms >= SETTLED


async def test_a_worker_that_is_woken_looks_at_the_clock(database: Database, world: World) -> None:
    await sold(database)
    world.now_ms = MIDNIGHT - 12 * HOUR_MS
    batch = world.batch(database)
    running = asyncio.create_task(batch.run())
    # Once for what is due, and once for when to look again.
    await eventually(lambda: world.times_told == 2, "a worker that waits for half a minute")
    # The clock was set, or the computer slept.
    world.now_ms = SETTLED
    await batch.wake()
    async with asyncio.timeout(LOOK_SECONDS_MAX - 5):
        await eventually(lambda: is_stored(database), "the stored ranking")
    running.cancel()
    await asyncio.wait([running])


async def test_a_worker_that_is_stopped_at_any_point_stops_and_leaves_nothing_locked(
    database: Database, world: World
) -> None:
    await sold(database)
    for steps in range(0, 60, 2):
        batch = world.batch(database)
        making = asyncio.create_task(batch.make(DAY, again=True))
        for _ in range(steps):
            await asyncio.sleep(0.001)
        making.cancel()
        await asyncio.wait([making])
        assert making.cancelled() or making.exception() is None
        assert not await is_leased(database)
    assert await world.batch(database).make(DAY, again=True) == await stored(database)
