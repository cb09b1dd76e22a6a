"""What a worker counts, and when it stops to: windows to the millisecond, on the table it has.

In the pictures `[` is the first millisecond that counts, `)` the first one that does not, `*` a
sale; `N` is now. The clock is an argument everywhere.
"""

from pathlib import Path

import pytest

from domain.ranking import AHEAD_MS_MAX, HOUR_MS, LogPoint, Sale, SourcePartition, TopEntry
from storage.sales import HourSum, HourSums, SalesSnapshot
from tables.live import LiveSales
from tables.loading import Assignment
from tests.sales_in_memory import SalesInMemory, top_of

SOURCE = SourcePartition("user-commands", 0)
HOUR = 1_773_144_000_000  # 2026-03-10, 12:00 UTC
NOW = HOUR + 2_096_789


class World:
    """One worker that owns the only partition, and sales that come one after the other."""

    def __init__(self, folder: Path, hours: int, *sums: tuple[int, int, int]) -> None:
        self.memory = SalesInMemory(folder, 1)
        self.live = LiveSales(self.memory.table, hours=hours)
        snapshot = SalesSnapshot(
            {SOURCE: LogPoint(1, 0)}, HourSums(HourSum(*each) for each in sums)
        )
        self.live.load(snapshot, Assignment(1, {0}, 1), NOW)
        self.live.take_changed(NOW)
        self._sold = 0

    def sell(self, product_id: int, at_ms: int, quantity: int = 1) -> None:
        """Count a sale that no other one is a repetition of."""
        point = LogPoint(1, self._sold)
        self._sold += 1
        self.live.count(Sale(product_id, quantity, at_ms, SOURCE, point), 0)

    def top(self, now_ms: int = NOW) -> list[tuple[int, int]]:
        """Return what is on top; the table's hours say the same, or this fails."""
        entries = top_of(self.live, now_ms)
        for entry in entries:
            assert sum(self.live.hours(entry.product_id, now_ms).values()) == entry.quantity
        return [(entry.product_id, entry.quantity) for entry in entries]


@pytest.fixture(params=[1, 2, 24, 72])
def hours(request: pytest.FixtureRequest) -> int:
    """Lengths of the window, the shortest one among them."""
    length: int = request.param
    return length


@pytest.fixture
def world(tmp_path: Path, hours: int) -> World:
    return World(tmp_path, hours)


#        start - 1  start  start + 1            12:00       N
#   --------*---------[*------*--------- ... ----|----------*----
#   product 1          2      3                             4
def test_the_window_begins_on_its_first_millisecond(world: World, hours: int) -> None:
    start = HOUR - (hours - 1) * HOUR_MS
    for product_id, at_ms in enumerate((start - 1, start, start + 1, NOW), 1):
        world.sell(product_id, at_ms)
    assert world.top() == [(2, 1), (3, 1), (4, 1)]
    assert world.live.hours(1, NOW) == {}
    assert len(world.memory.changelog) == 3


#            start               start + 1 h              N     13:00 - 1   13:00
#   ----------[*----------------*-|*--------- ... --------*---------|---------|------
#   until 13:00: 5 pieces of product 1     from 13:00: only product 2 is left, with no sale
def test_the_oldest_hour_leaves_on_the_hour_to_the_millisecond(tmp_path: Path) -> None:
    world = World(tmp_path, 24)
    start, turn = HOUR - 23 * HOUR_MS, HOUR + HOUR_MS
    world.sell(1, start, 3)
    world.sell(1, start + HOUR_MS - 1, 2)
    world.sell(2, start + HOUR_MS, 1)
    assert world.top(turn - 1) == [(1, 5), (2, 1)]
    assert world.top(turn) == [(2, 1)]
    assert world.live.hours(1, turn) == {}
    assert world.live.values == 1


#   11:59:59.999  12:00:00.000
#   ------------*|*------------
def test_one_millisecond_can_be_two_hours(tmp_path: Path) -> None:
    world = World(tmp_path, 2)
    world.sell(1, HOUR - 1, 3)
    world.sell(1, HOUR, 4)
    assert world.live.hours(1, NOW) == {HOUR - HOUR_MS: 3, HOUR: 4}
    assert world.top() == [(1, 7)]


#   hour   -3   -2   -1    0
#   -----[----|--*-|*---|-**--
#   came       3rd  1st   2nd, 4th
def test_the_order_in_which_sales_come_makes_no_difference(tmp_path: Path) -> None:
    world = World(tmp_path, 4)
    for hours_ago, quantity in ((1, 2), (0, 4), (2, 8), (0, 16)):
        world.sell(1, NOW - hours_ago * HOUR_MS, quantity)
    assert world.live.hours(1, NOW) == {HOUR - 2 * HOUR_MS: 8, HOUR - HOUR_MS: 2, HOUR: 20}


#   start - 1 h    start            N | 13:00
#   ------------)[-*--------- ... ----|-------
#                 a late sale of product 1, counted for less than an hour
def test_a_late_sale_leaves_with_its_own_hour(world: World, hours: int) -> None:
    world.sell(2, NOW)
    world.sell(1, HOUR - (hours - 1) * HOUR_MS, 9)
    assert world.top()[0] == (1, 9)
    after = world.top(HOUR + HOUR_MS)
    assert after == ([(2, 1)] if hours > 1 else [])


#        N    13:00 - 1  13:00   N + 5 min.
#   -----|--------|---------|*----------*----      N is a minute before 13:00
def test_a_sale_a_little_ahead_counts_at_once_and_in_its_own_hour(tmp_path: Path) -> None:
    world = World(tmp_path, 1)
    turn = HOUR + HOUR_MS
    now = turn - 60_000
    world.live.advance(now)
    world.sell(1, now + AHEAD_MS_MAX, 2)
    world.sell(1, turn, 1)
    world.sell(2, now, 9)
    assert top_of(world.live, now) == ((2, 9), (1, 3))
    assert world.top(turn) == [(1, 3)]
    assert world.live.hours(1, turn) == {turn: 3}
    assert world.top(turn + HOUR_MS) == []


#   [----*3---|---*2----|----N----)      the sale of 3 is cancelled now
def test_a_cancelled_sale_is_missing_in_its_own_hour(tmp_path: Path) -> None:
    world = World(tmp_path, 3)
    world.sell(1, NOW - 2 * HOUR_MS, 3)
    world.sell(1, NOW - HOUR_MS, 2)
    world.sell(1, NOW - 2 * HOUR_MS, -3)
    assert world.live.hours(1, NOW) == {HOUR - HOUR_MS: 2}
    assert world.top(NOW + HOUR_MS) == [(1, 2)]


#   *3 ---)[---------*2---N-----      the sale of 3 has left the window when it is cancelled
def test_a_cancel_of_what_has_left_the_window_takes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, 2)
    world.sell(1, NOW - HOUR_MS, 3)
    world.sell(1, NOW, 2)
    assert world.top(NOW + HOUR_MS) == [(1, 2)]
    world.sell(1, NOW - HOUR_MS, -3)
    assert world.top(NOW + HOUR_MS) == [(1, 2)]


#   loaded    [ 5 | 7 | 2 N)
#   an hour        [ 7 | 2 | N)         ... and at last   [   |   | N)
def test_loaded_sums_leave_hour_by_hour_like_sales(tmp_path: Path) -> None:
    sums = [(1, HOUR - ago * HOUR_MS, quantity) for ago, quantity in ((2, 5), (1, 7), (0, 2))]
    world = World(tmp_path, 3, *sums, (2, HOUR - 3 * HOUR_MS, 99))
    shown = [world.top(NOW + turned * HOUR_MS) for turned in range(4)]
    assert shown == [[(1, 14)], [(1, 9)], [(1, 2)], []]
    assert (world.live.values, world.live.products) == (0, 0)


#   ---[--*--- 72 hours ---*--N--)----------[--- 72 hours ---N--)
#                                 the machine slept over all of it
def test_a_clock_that_leaps_over_the_window_leaves_nothing(world: World, hours: int) -> None:
    world.sell(1, NOW)
    world.sell(2, HOUR - (hours - 1) * HOUR_MS)
    assert world.top(NOW + 2 * hours * HOUR_MS) == []
    assert world.live.values == 0


#   the clock says 13:00, then 12:35 again
def test_a_clock_that_is_set_back_brings_nothing_back(tmp_path: Path) -> None:
    world = World(tmp_path, 1)
    world.sell(1, NOW)
    assert world.top(HOUR + HOUR_MS) == []
    assert world.top(NOW) == []
    world.sell(1, NOW)
    assert top_of(world.live, NOW) == ()
    assert world.live.window.start_ms == HOUR + HOUR_MS


#   12:59:59.999   the list of 12:00        13:00:00.000   a list of 13:00, with no sale
def test_every_list_is_published_anew_on_the_hour(world: World) -> None:
    world.sell(1, NOW)
    turn = HOUR + HOUR_MS
    [before] = world.live.take_changed(turn - 1)
    assert world.live.take_changed(turn - 1) == []
    [after] = world.live.take_changed(turn)
    assert before.window.end_ms == turn
    assert after.window.end_ms == turn + HOUR_MS
    assert before.entries == (TopEntry(1, 1),)
