"""The rules of the ranking: windows to the millisecond, what counts once, who is on top."""

from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.leaderboard import Leaderboard
from domain.ranking import (
    CLOCKS_MS_MAX,
    HOUR_MS,
    TOP_MAX,
    LogPoint,
    Sale,
    SourcePartition,
    Tally,
    TopEntry,
    TopList,
    daily_window,
    day_of,
    hour_of,
    hours_in,
    live_window,
    merge_tops,
    rank_order,
    supersedes,
)

SOURCE = SourcePartition("user-commands", 3)
OTHER_SOURCE = SourcePartition("user-commands", 4)


def ms(text: str) -> int:
    """The epoch milliseconds of an ISO time, UTC where it has no offset."""
    at = datetime.fromisoformat(text)
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


NOW = ms("2026-03-10T12:34:56.789")


def sale(quantity: int = 1, *, offset: int, epoch: int = 1, at: int = NOW) -> Sale:
    return Sale(7, quantity, at, SOURCE, LogPoint(epoch, offset))


# now is somewhere in the hour that begins at 12:00; the window is that hour and 71 before it:
#
#   07. 13:00                                   10. 12:00    now    13:00
#   [0----------|1-- ... --|70-----------------|71-----------*-----)
#
def test_the_live_window_is_the_current_hour_and_the_71_before_it() -> None:
    window = live_window(NOW)
    assert window == (ms("2026-03-07T13:00"), ms("2026-03-10T13:00"))
    assert len(hours_in(window)) == 72
    assert hours_in(window)[-1] == hour_of(NOW) == ms("2026-03-10T12:00")


#        12:59:59.999  13:00:00.000
#   -----------------)[-------------
def test_an_hour_begins_on_its_first_millisecond() -> None:
    last = ms("2026-03-10T12:59:59.999")
    assert hour_of(last) == ms("2026-03-10T12:00")
    assert hour_of(last + 1) == ms("2026-03-10T13:00")
    assert live_window(last + 1).start_ms - live_window(last).start_ms == HOUR_MS


#   06. 24:00 (Seoul)                           09. 24:00 = 15:00 UTC
#   [------------------- 72 hours -------------)
def test_the_daily_window_is_the_three_days_before_midnight_in_the_zone() -> None:
    window = daily_window(date(2026, 3, 10), ZoneInfo("Asia/Seoul"))
    assert window == (ms("2026-03-06T15:00"), ms("2026-03-09T15:00"))
    assert day_of(window.end_ms - 1, ZoneInfo("Asia/Seoul")) == date(2026, 3, 9)
    assert day_of(window.end_ms, ZoneInfo("Asia/Seoul")) == date(2026, 3, 10)


def test_a_day_is_24_hours_back_also_where_the_clock_was_put_forward() -> None:
    # Berlin lost an hour on 29 March 2026: three days before midnight is 23:00 by its wall clock.
    window = daily_window(date(2026, 3, 30), ZoneInfo("Europe/Berlin"))
    assert window == (ms("2026-03-26T22:00"), ms("2026-03-29T22:00"))


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Adelaide"])
def test_a_midnight_off_the_whole_hour_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="whole hour"):
        daily_window(date(2026, 3, 10), ZoneInfo(zone))


def test_a_tally_counts_a_point_of_a_source_once() -> None:
    once = Tally().count(sale(3, offset=10))
    assert once.quantity == 3
    assert once.count(sale(3, offset=10)) is once
    assert once.count(sale(3, offset=9)) is once
    assert once.count(sale(2, offset=11)).quantity == 5


def test_sources_do_not_hide_each_other() -> None:
    other = Sale(7, 4, NOW, OTHER_SOURCE, LogPoint(1, 2))
    assert Tally().count(sale(3, offset=10)).count(other).quantity == 7


def test_a_later_log_epoch_begins_its_offsets_anew() -> None:
    before = Tally().count(sale(3, offset=10))
    assert before.count(sale(2, offset=0, epoch=2)).quantity == 5


def test_a_cancelled_sale_is_taken_back_from_its_own_hour() -> None:
    assert Tally().count(sale(3, offset=10)).count(sale(-3, offset=11)).quantity == 0


def test_more_pieces_come_first_and_then_the_lower_product() -> None:
    board = Leaderboard()
    for product_id, quantity in ((3, 5), (1, 5), (2, 9), (4, 1)):
        board.add(product_id, quantity)
    assert board.top(3) == ((2, 9), (1, 5), (3, 5))
    assert board.top(100) == ((2, 9), (1, 5), (3, 5), (4, 1))


def test_a_product_without_pieces_has_no_place() -> None:
    board = Leaderboard()
    board.add(1, 5)
    board.add(1, -5)
    board.add(2, -1)
    assert board.top() == ()


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(-5, 20)), max_size=300),
    st.integers(1, 15),
)
def test_a_leaderboard_is_what_sorting_all_totals_would_give(
    changes: list[tuple[int, int]], limit: int
) -> None:
    board, totals = Leaderboard(), Counter[int]()
    for number, (product_id, quantity) in enumerate(changes):
        board.add(product_id, quantity)
        totals[product_id] += quantity
        if number % 7 == 0:
            board.top(limit)
    expected = sorted((TopEntry(*t) for t in totals.items() if t[1] > 0), key=rank_order)
    assert board.top(limit) == tuple(expected[:limit])


@given(st.dictionaries(st.integers(1, 12), st.integers(-5, 20)))
def test_a_leaderboard_of_totals_is_as_if_they_had_been_added(totals: dict[int, int]) -> None:
    board = Leaderboard()
    for product_id, quantity in totals.items():
        board.add(product_id, quantity)
    assert board.top() == Leaderboard(totals).top()
    assert board.totals == Leaderboard(totals).totals


def test_a_heap_holds_no_more_than_twice_the_products() -> None:
    board = Leaderboard()
    for number in range(10_000):
        board.add(number % 50, 1)
    assert len(board._heap) <= 2 * 50 + TOP_MAX


def top_list(partition: int, *entries: tuple[int, int], generation: int = 1) -> TopList:
    shown = tuple(TopEntry(*entry) for entry in entries)
    return TopList(partition, generation, live_window(NOW), NOW, shown)


def test_the_merge_of_partitions_is_the_order_of_all_their_products() -> None:
    merged = merge_tops([top_list(0, (1, 9), (4, 2)), top_list(1, (3, 9), (2, 5))])
    assert merged == ((1, 9), (3, 9), (2, 5), (4, 2))
    assert merge_tops([top_list(0, (1, 9)), top_list(1, (3, 9))], limit=1) == ((1, 9),)


class Tenure(NamedTuple):
    """A worker's time as the owner of a partition."""

    generation: int
    loaded_at_ms: int

    def top_list(self, at_ms: int = NOW) -> TopList:
        return TopList(
            0, self.generation, live_window(at_ms), at_ms, (), "", loaded_at_ms=self.loaded_at_ms
        )


HELD = Tenure(5, NOW)
FAR_MS = CLOCKS_MS_MAX + 1


@pytest.mark.parametrize(
    ("new", "is_taken"),
    [
        (HELD, True),
        # Loads as far apart as clocks can be: the generation decides.
        (Tenure(6, NOW), True),
        (Tenure(6, NOW - CLOCKS_MS_MAX), True),
        (Tenure(4, NOW), False),
        (Tenure(4, NOW + CLOCKS_MS_MAX), False),
        # The group was forgotten: its generations began anew.
        (Tenure(1, NOW + FAR_MS), True),
        # A zombie of before the group was forgotten, and an ordinary one.
        (Tenure(9, NOW - FAR_MS), False),
        (Tenure(4, NOW - FAR_MS), False),
        (Tenure(5, NOW + FAR_MS), True),
        (Tenure(6, NOW + FAR_MS), True),
    ],
)
def test_the_list_of_the_later_owner_replaces_the_one_held(new: Tenure, is_taken: bool) -> None:
    assert supersedes(new.top_list(), HELD.top_list()) is is_taken
    assert supersedes(new.top_list(), None)


def test_a_list_of_the_next_hour_replaces_every_one_of_this_hour() -> None:
    next_hour = NOW + HOUR_MS
    assert supersedes(Tenure(1, NOW - FAR_MS).top_list(next_hour), HELD.top_list())
    # The present owner's own list of that hour follows at once, and has the last word.
    assert supersedes(HELD.top_list(next_hour), Tenure(9, NOW - FAR_MS).top_list(next_hour))


@st.composite
def tenures(draw: st.DrawFn) -> list[Tenure]:
    """Owners one after another: by rebalances, or with the group forgotten in between."""
    found = [Tenure(draw(st.integers(1, 9)), NOW)]
    for _ in range(draw(st.integers(1, 6))):
        generation, loaded_at_ms = found[-1]
        if draw(st.booleans()):
            moved_ms = draw(st.integers(0, 4 * FAR_MS))
            found.append(Tenure(generation + draw(st.integers(1, 3)), loaded_at_ms + moved_ms))
        else:
            forgotten_ms = draw(st.integers(FAR_MS, 4 * FAR_MS))
            found.append(Tenure(draw(st.integers(1, 9)), loaded_at_ms + forgotten_ms))
    return found


@given(tenures(), st.lists(st.integers(0, 6)))
def test_once_a_later_owner_has_spoken_no_earlier_one_is_heard(
    owners: list[Tenure], said: list[int]
) -> None:
    held: TopList | None = None
    latest = -1
    for number in (each % len(owners) for each in said):
        new = owners[number].top_list()
        assert supersedes(new, held) is (number >= latest)
        if number >= latest:
            held, latest = new, number


def test_entries_are_in_strict_order() -> None:
    entries = merge_tops([top_list(0, (5, 1), (6, 1)), top_list(1, (1, 1))])
    assert all(rank_order(a) < rank_order(b) for a, b in pairwise(entries))
