"""Loading sums: all of them, aside, in steps, and the newest assignment's only."""

import asyncio
import random
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest

from domain.ranking import (
    HOUR_MS,
    LogPoint,
    Sale,
    SourcePartition,
    TopEntry,
    hour_of,
    live_window,
    merge_tops,
    rank_order,
)
from storage.engine import Database, create_database
from storage.migrate import upgrade_async
from storage.sales import HourSum, HourSums, SalesSnapshot
from streams.codec import partition_of
from tables.clock import now_ms
from tables.live import LiveSales
from tables.loading import SLICE, Assignment, Loading
from tables.sales_loader import SalesLoader
from tests.contract.paid_orders import define, insert_order
from tests.sales_in_memory import PlainTable, top_of

NOW = 1_773_146_096_789
HOUR = hour_of(NOW)
HOURS = 5
SOURCE = SourcePartition("user-commands", 3)


def sums_of(products: range, *, hours: int, pieces: int = 1) -> HourSums:
    """The same pieces of each product in each of so many hours, the current one the last."""
    return HourSums(
        HourSum(product_id, HOUR - ago * HOUR_MS, pieces)
        for ago in range(hours)
        for product_id in products
    )


def loading_of(sums: HourSums, partitions: set[int], generation: int = 1) -> Loading:
    assignment = Assignment(generation, partitions, 4)
    return Loading(SalesSnapshot({}, sums), assignment, NOW, HOURS)


def shown_by(live: LiveSales) -> tuple[object, ...]:
    """All that somebody could see of it."""
    return (
        sorted(live.stored()),
        live.sums(),
        live.hours(1, NOW),
        (live.products, live.values, live.assignment),
        live.take_changed(NOW),
        top_of(live, NOW),
    )


#   hours ago    7     5    4                    0
#   -------------*-----*---[*--------------------*---)
#              not loaded   the window of 5 hours
def test_what_is_loaded_is_what_a_count_of_the_window_gives() -> None:
    dice = random.Random(7)
    sums = [
        HourSum(product_id, HOUR - ago * HOUR_MS, dice.randint(1, 300))
        for product_id in range(1, 3_000)
        for ago in range(8)
        if dice.random() < 0.5
    ]
    live = LiveSales(PlainTable(), hours=HOURS)
    live.load(SalesSnapshot({}, HourSums(sums)), Assignment(3, {0, 2}, 4), NOW)
    own = [
        each
        for each in sums
        if each.hour_ms > HOUR - HOURS * HOUR_MS
        and partition_of(str(each.product_id).encode(), 4) in {0, 2}
    ]
    totals = Counter[int]()
    for each in own:
        totals[each.product_id] += each.quantity
    assert sorted(live.stored()) == sorted(HourSums(own).by_hour())
    assert live.sums() == totals
    places = sorted((TopEntry(*total) for total in totals.items()), key=rank_order)
    published = live.take_changed(NOW)
    assert {top.partition for top in published} == {0, 2}
    assert merge_tops(published) == tuple(places[:100])


def test_between_two_steps_everybody_sees_what_was_known_before() -> None:
    live = LiveSales(PlainTable(), hours=HOURS)
    live.load(SalesSnapshot({}, sums_of(range(1, 9), hours=2)), Assignment(1, {0, 1}, 4), NOW)
    live.take_changed(NOW)
    before = shown_by(live)
    loading = loading_of(sums_of(range(1, SLICE + 9), hours=3, pieces=2), {0, 1, 2, 3}, 2)
    steps = [shown_by(live) for _ in loading.steps()]
    assert len(steps) > 8
    assert all(step == before for step in steps)
    live.show(loading)
    assert live.values == 3 * (SLICE + 8)
    assert live.assignment.generation == 2
    assert [top.generation for top in live.take_changed(NOW)] == [2, 2, 2, 2]


def test_no_step_is_longer_than_a_slice() -> None:
    loading = loading_of(sums_of(range(1, 3 * SLICE), hours=1), {0, 1, 2, 3})
    sizes = [len(loading.values) for _ in loading.steps()]
    assert max(after - before for before, after in pairwise([0, *sizes])) == SLICE


def sale(product_id: int, offset: int, *, at: int = NOW, quantity: int = 1) -> Sale:
    return Sale(product_id, quantity, at, SOURCE, LogPoint(1, offset))


def place(product_id: int) -> int:
    return partition_of(str(product_id).encode(), 4)


#   hours ago     4       3       2       1       0       (-1)
#   ------------[*-------|-------|-------|-------*-------)
#                 [-------|-------|-------|--------------*-------)   an hour later
def test_an_hour_leaves_table_and_index_on_the_hour_and_its_late_sales_are_ignored() -> None:
    table = PlainTable()
    live = LiveSales(table, hours=HOURS)
    live.load(SalesSnapshot({}, sums_of(range(1, 9), hours=5)), Assignment(1, range(4), 4), NOW)
    oldest = live.window.start_ms
    live.count(sale(1, 5, at=oldest), place(1))
    live.count(sale(2, 6, at=oldest, quantity=-1), place(2))
    assert (live.values, live.sums()[1], live.sums()[2]) == (40, 6, 4)
    live.take_changed(NOW)
    live.advance(HOUR + HOUR_MS - 1)
    assert live.values == 40
    live.advance(HOUR + HOUR_MS)
    assert (live.values, live.products) == (32, 8)
    assert live.sums() == dict.fromkeys(range(1, 9), 4)
    assert oldest not in table.by_hour.hours
    assert {top.window for top in live.take_changed(HOUR + HOUR_MS)} == {
        live_window(HOUR + HOUR_MS, HOURS)
    }
    live.count(sale(1, 7, at=oldest + HOUR_MS - 1), place(1))
    assert (live.values, live.sums()[1]) == (32, 4)
    assert live.take_changed(HOUR + HOUR_MS) == []


def test_all_hours_leave_where_the_clock_has_been_standing_still() -> None:
    live = LiveSales(PlainTable(), hours=HOURS)
    live.load(SalesSnapshot({}, sums_of(range(1, 9), hours=5)), Assignment(1, range(4), 4), NOW)
    live.advance(NOW + 100 * HOUR_MS)
    assert (live.values, live.products, top_of(live, NOW + 100 * HOUR_MS)) == (0, 0, ())


class Watched(LiveSales):
    """Remembers which assignments were ever shown, and how many of their partitions."""

    def __init__(self) -> None:
        super().__init__(PlainTable(), hours=HOURS)
        self.shown: list[tuple[int, int]] = []

    def show(self, loaded: Loading) -> None:
        self.shown.append((loaded.assignment.generation, len(loaded.boards)))
        super().show(loaded)


def left(reason: str) -> NoReturn:
    raise AssertionError(reason)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Forty paid orders in an SQLite file."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'sales.db'}"
    await upgrade_async(url)
    made = create_database(url)
    await define(made, 1)
    async with made.begin() as connection:
        for number in range(40):
            await insert_order(connection, f"order-{number}", now_ms(), p1=1)
    yield made
    await made.dispose()


async def test_a_load_that_partitions_moved_under_is_never_shown(database: Database) -> None:
    present = Assignment(1, {0, 1, 2, 3}, 4)
    live = Watched()
    loader = SalesLoader(live, database, lambda: present, left, retry_seconds_max=5)
    old = asyncio.create_task(loader.load())
    await asyncio.sleep(0)
    present = Assignment(2, {0, 1}, 4)
    await asyncio.gather(loader.load(), old)
    assert live.shown == [(2, 2)]
    await loader.load()
    assert live.shown == [(2, 2), (2, 2)]


# It is asked before the first line, after each of the 40, and when all is built.
@pytest.mark.parametrize("moved", [2, 4, 41, 42])
async def test_a_load_that_partitions_moved_under_is_given_up_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    monkeypatch.setattr("storage.sales.LINES_AT_ONCE", 1)
    asked = 0

    def present() -> Assignment:
        nonlocal asked
        asked += 1
        return Assignment(1 if asked < moved else 2, {0, 1, 2, 3}, 4)

    live = Watched()
    await SalesLoader(live, database, present, left, retry_seconds_max=5).load()
    assert (live.shown, asked) == ([], moved)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
def test_a_value_costs_no_more_memory_than_this() -> None:
    live = LiveSales(PlainTable())
    sums = sums_of(range(1, 1_001), hours=72)
    before = tracemalloc.get_traced_memory()[0]
    live.load(SalesSnapshot({}, sums), Assignment(1, range(4), 4), NOW)
    loaded = tracemalloc.get_traced_memory()[0]
    for number in range(1_000):
        live.count(sale(number + 1, number), place(number + 1))
    counted = tracemalloc.get_traced_memory()[0]
    assert live.values == 72_000
    assert (loaded - before) / 72_000 < 70
    assert (counted - loaded) / 1_000 < 400
