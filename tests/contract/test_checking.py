"""The live table beside SQL, on SQLite and PostgreSQL, whatever happens meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.comparison import Comparison, Difference
from domain.ranking import (
    HOUR_MS,
    LogPoint,
    Sale,
    SourcePartition,
    Tally,
    Window,
    hour_of,
    live_window,
)
from storage.engine import Database
from storage.marks import Mark, insert_marks
from storage.sales import load_sales_snapshot
from streams.codec import partition_of
from tables.checking import Checks, UnsettledError, compare
from tables.live import LiveSales
from tables.loading import Assignment
from tables.shapes import encode_tally
from tests.contract.paid_orders import define, order
from tests.sales_in_memory import PlainTable

NOW = 1_773_146_096_789
HOUR = hour_of(NOW)
LIVE = live_window(NOW)
SOURCE = SourcePartition("user-commands", 0)
PARTITIONS = 4
MARK = 10


class Shop(Database):
    """A database, a table that is loaded from it, and what happens around each snapshot."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.engine)
        self.table = PlainTable()
        self.live = LiveSales(self.table)
        self.snapshots = 0
        self.now = NOW
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    async def load(self, *partitions: int) -> None:
        """Load the table, as a worker that owns these partitions."""
        self._loaded = await load_sales_snapshot(Database(self.engine), LIVE.start_ms)
        self._partitions = partitions
        self.reload(1)

    def reload(self, generation: int) -> None:
        """Load the same once more."""
        assignment = Assignment(generation, self._partitions, PARTITIONS)
        self.live.load(self._loaded, assignment, self.now)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        self.before()
        async with super().snapshot() as connection:
            yield connection
        self.snapshots += 1
        self.after()

    def count(self, product_id: int, quantity: int, offset: int, at: int = NOW) -> None:
        """Let a sale of an own partition arrive."""
        sale = Sale(product_id, quantity, at, SOURCE, LogPoint(1, offset))
        self.live.count(sale, partition_of(str(product_id).encode(), PARTITIONS))

    def spoil(self, product_id: int, quantity: int) -> None:
        """Make the table say something else of this hour."""
        self.table.put(str(product_id), HOUR, encode_tally(Tally(quantity)))


@pytest.fixture
async def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """What was sold is applied up to the mark, and loaded."""
    await define(database, 1, 2, 3, 4, 5)
    await order(database, NOW, p1=10, p2=20, p3=30, p4=40)
    await order(database, NOW - 71 * HOUR_MS, p1=1, p5=5)
    async with database.begin() as connection:
        await insert_marks(connection, [Mark(*SOURCE, 1, MARK, 0)])
    shop = Shop(database)
    monkeypatch.setattr("tables.checking.now_ms", lambda: shop.now)
    monkeypatch.setattr("tables.checking.SETTLE_SECONDS", 0.5)
    monkeypatch.setattr("tables.checking.LOOK_SECONDS", 0.01)
    await shop.load(*range(PARTITIONS))
    return shop


async def checked(shop: Shop, window: Window = LIVE) -> Comparison:
    return await compare(shop.live, shop, window)


async def test_the_products_and_hours_of_own_partitions_are_compared(shop: Shop) -> None:
    found = await checked(shop)
    assert (found.products, found.hours, found.differences) == (5, 6, 0)
    assert (found.partitions, found.window, found.generation) == (tuple(range(4)), LIVE, 1)
    own = [each for each in range(1, 6) if partition_of(b"%d" % each, PARTITIONS) in {1, 3}]
    await shop.load(1, 3)
    part = await checked(shop)
    assert (part.products, part.partitions, part.differences) == (len(own), (1, 3), 0)
    assert 0 < len(own) < 5


async def test_sales_and_cancels_beyond_the_marks_are_no_differences(shop: Shop) -> None:
    def happen() -> None:
        shop.count(1, 3, MARK)
        shop.count(2, -20, MARK + 1)
        shop.count(5, 7, MARK + 2, at=NOW - 3 * HOUR_MS)
        shop.count(5, -5, MARK + 3, at=NOW - 71 * HOUR_MS)

    shop.after = happen
    found = await checked(shop)
    assert (found.products, found.hours, found.differences) == (5, 7, 0)
    assert shop.live.sums() == {1: 14, 3: 30, 4: 40, 5: 7}


async def test_sales_that_the_snapshot_knows_are_waited_for(
    shop: Shop, database: Database
) -> None:
    await order(database, NOW, p1=2, p3=6)
    await order(database, NOW, p2=3)

    def arrive() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.3, shop.count, 1, 2, 10)
        loop.call_later(0.3, shop.count, 3, 6, 10)
        loop.call_later(0.6, shop.count, 2, 3, 11)

    async with database.begin() as connection:
        await connection.exec_driver_sql("UPDATE partition_marks SET next_offset = 12")
    shop.before = arrive
    assert (await checked(shop)).differences == 0
    assert shop.snapshots == 1


async def test_what_stays_wrong_is_named(shop: Shop) -> None:
    shop.spoil(1, 11)
    del shop.table.by_hour.hours[HOUR]["2"]
    shop.spoil(9, 9)
    shop.live._boards[partition_of(b"4", PARTITIONS)].add(4, -40)
    del shop.table.by_hour.hours[LIVE.start_ms]
    shop.after = lambda: shop.count(1, 1, MARK)
    found = await checked(shop)
    assert found.differences == 6
    assert found.first == (
        Difference(1, HOUR, 12, 11),
        Difference(2, HOUR, 0, 20),
        Difference(9, HOUR, 9, 0),
        Difference(1, LIVE.start_ms, 0, 1),
        Difference(5, LIVE.start_ms, 0, 5),
        Difference(4, None, 0, 40),
    )


async def test_a_table_that_is_loaded_meanwhile_is_compared_anew(shop: Shop) -> None:
    def load_once() -> None:
        if shop.snapshots == 1:
            shop.reload(2)

    shop.after = load_once
    found = await checked(shop)
    assert (found.generation, found.differences, shop.snapshots) == (2, 0, 2)


async def test_where_partitions_move_and_move_nothing_is_said(shop: Shop) -> None:
    shop.after = lambda: shop.reload(1 + shop.snapshots)
    with pytest.raises(UnsettledError, match="each of 3 checks"):
        await checked(shop)


#   hours ago    71   70              0     the next
#   -------------[----*---------------*---)--------
#   then              [---------------------------)
async def test_an_hour_that_leaves_meanwhile_is_not_compared(shop: Shop) -> None:
    def turn() -> None:
        shop.now = NOW + HOUR_MS

    shop.after = turn
    found = await checked(shop)
    assert (found.products, found.hours, found.differences) == (4, 4, 0)
    assert found.window == Window(LIVE.start_ms + HOUR_MS, LIVE.end_ms)
    assert shop.snapshots == 2
    shop.after = lambda: None
    shop.now += HOUR_MS
    assert (await checked(shop)).hours == 4
    assert shop.snapshots == 3


async def test_a_window_of_its_own_is_compared_as_far_as_it_is_live(shop: Shop) -> None:
    shop.spoil(1, 11)
    shop.live._boards[partition_of(b"4", PARTITIONS)].add(4, -40)
    before = await checked(shop, Window(LIVE.start_ms - 5 * HOUR_MS, HOUR))
    assert (before.products, before.hours, before.differences) == (2, 2, 0)
    assert before.window == Window(LIVE.start_ms, HOUR)
    assert (await checked(shop, Window(HOUR, HOUR + HOUR_MS))).first == (
        Difference(1, HOUR, 11, 10),
    )


async def test_who_asks_meanwhile_gets_the_same_answer(shop: Shop) -> None:
    checks = Checks(shop.live, shop)
    one, two, other = await asyncio.gather(
        checks.compare(LIVE), checks.compare(LIVE), checks.compare(Window(HOUR, LIVE.end_ms))
    )
    assert one is two
    assert (one.hours, other.hours, shop.snapshots) == (6, 4, 2)
    assert await checks.compare(LIVE) == one
    assert shop.snapshots == 3
