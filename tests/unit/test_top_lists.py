"""The edge's view of the ranking: which lists are shown together."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ranking import HOUR_MS, TopEntry, TopList, hour_of, live_window
from tables.shapes import decode_top, encode_top
from tables.top_lists import TopLists

NOW = 1_773_146_096_789
HOUR = hour_of(NOW)


def top_list(partition: int, quantity: int, hour_ms: int = HOUR) -> TopList:
    return TopList(
        partition, 1, live_window(hour_ms), hour_ms + 5, (TopEntry(partition + 1, quantity),)
    )


def test_nothing_sold_is_an_empty_view() -> None:
    view = TopLists(2).view()
    assert view.entries == ()
    assert view.as_of_ms > 0


def test_what_is_there_is_shown_until_all_partitions_are() -> None:
    lists = TopLists(2)
    lists.put(top_list(0, 5))
    assert lists.view().entries == ((1, 5),)
    lists.put(top_list(1, 9))
    assert lists.view().entries == ((2, 9), (1, 5))
    assert lists.view(1).entries == ((2, 9),)
    assert lists.view().window == live_window(NOW)


#   hour      H         H | H+1       H+1
#   lists   0: H  1: H   0: H+1     1: H+1
#   shown   H            H (as it was)  H+1
def test_between_two_hours_the_last_whole_view_stays() -> None:
    lists = TopLists(2)
    for top in (top_list(0, 5), top_list(1, 9), top_list(0, 1, HOUR + HOUR_MS)):
        lists.put(top)
    assert lists.view().entries == ((2, 9), (1, 5))
    assert lists.view().window == live_window(NOW)
    lists.put(top_list(1, 2, HOUR + HOUR_MS))
    assert lists.view().entries == ((2, 2), (1, 1))
    assert lists.view().window == live_window(NOW + HOUR_MS)


#   hour      H | H+1                H+1
#   lists   0: H  1: H+1           0: H+1
#   shown        1: H+1 alone      H+1, whole
def test_lists_of_two_windows_are_never_shown_together() -> None:
    lists = TopLists(2)
    lists.put(top_list(0, 5))
    lists.put(top_list(1, 9, HOUR + HOUR_MS))
    assert lists.view().entries == ((2, 9),)
    assert lists.view().window == live_window(NOW + HOUR_MS)
    lists.put(top_list(0, 7, HOUR + HOUR_MS))
    assert lists.view().entries == ((2, 9), (1, 7))


def test_windows_of_two_lengths_are_two_windows() -> None:
    lists = TopLists(2, hours=24)
    for top in (top_list(0, 5), top_list(1, 9)):
        lists.put(top)
    for length, at_ms in ((24, HOUR + 6), (72, HOUR + 7)):
        before, window = lists.view(), live_window(HOUR, length)
        lists.put(replace(top_list(0, length), window=window, as_of_ms=at_ms))
        if length == 24:
            assert lists.view() == before
        lists.put(replace(top_list(1, 1), window=window, as_of_ms=at_ms))
        assert (lists.view().entries, lists.view().window) == (((1, length), (2, 1)), window)


#   hour      H    | H+1         late in H+1
#   lists   0: H     0: H+1      1: H (its owner's clock is behind)
#   shown                        H, whole
def test_the_order_in_which_partitions_are_read_does_not_matter() -> None:
    lists = TopLists(2)
    for top in (top_list(0, 5), top_list(0, 6, HOUR + HOUR_MS), top_list(1, 9)):
        lists.put(top)
    assert lists.is_whole
    assert lists.view().entries == ((2, 9), (1, 5))
    lists.put(top_list(1, 8, HOUR + HOUR_MS))
    assert lists.view().entries == ((2, 8), (1, 6))


def test_windows_whose_lists_never_came_together_are_forgotten() -> None:
    lists = TopLists(2)
    for top in (top_list(0, 5), top_list(1, 9)):
        lists.put(top)
    for hours in range(1, 50):
        lists.put(top_list(0, hours, HOUR + hours * HOUR_MS))
    assert lists.view().entries == ((2, 9), (1, 5))
    assert len(lists._by_window) == 3
    lists.put(top_list(1, 8, HOUR + 49 * HOUR_MS))
    assert lists.view().entries == ((1, 49), (2, 8))


puts = st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(1, 9))


@given(st.lists(puts))
def test_whatever_comes_the_view_is_of_one_window_and_each_partition_is_in_it_once(
    said: list[tuple[int, int, int]],
) -> None:
    lists = TopLists(3)
    newest: dict[int, dict[int, int]] = {hours: {} for hours in range(4)}
    turned = dict.fromkeys(range(3), 0)
    shown = -1
    for partition, further, quantity in said:
        # Owners' clocks differ by little, so nobody is two hours ahead.
        ahead_max = min(3, min(turned.values()) + 1)
        turned[partition] = hours = min(ahead_max, turned[partition] + further // 2)
        newest[hours][partition] = quantity
        lists.put(top_list(partition, quantity, HOUR + hours * HOUR_MS))
        shown = max([shown, *(h for h, found in newest.items() if len(found) == 3)])
        expected = shown if shown >= 0 else max(h for h, found in newest.items() if found)
        assert lists.view().window == live_window(HOUR + expected * HOUR_MS)
        assert {e.product_id - 1: e.quantity for e in lists.view().entries} == newest[expected]
        assert len(lists.view().entries) == len(newest[expected])


def test_a_view_is_of_the_time_of_its_newest_list() -> None:
    lists = TopLists(2)
    lists.put(replace(top_list(0, 5), as_of_ms=NOW + 1))
    lists.put(top_list(1, 9))
    assert lists.view().as_of_ms == NOW + 1


def test_after_a_group_was_forgotten_the_new_owner_is_heard_at_once() -> None:
    lists = TopLists(1)
    lists.put(replace(top_list(0, 5), generation=40, loaded_at_ms=HOUR))
    lists.put(replace(top_list(0, 6), loaded_at_ms=HOUR + 60_000))
    lists.put(replace(top_list(0, 4), generation=40, loaded_at_ms=HOUR, as_of_ms=NOW))
    assert lists.view().entries == ((1, 6),)
    assert lists.lists()[0].generation == 1


def test_a_list_of_a_partition_that_there_is_not_is_ignored() -> None:
    lists = TopLists(2)
    lists.put(top_list(2, 5))
    lists.put(top_list(-1, 5))
    assert lists.view().entries == ()
    assert lists.lists() == {}


def test_a_list_survives_the_wire() -> None:
    top = top_list(1, 7)
    assert decode_top(encode_top(top)) == top


@pytest.mark.parametrize("value", [b"", b"{}", b"null", b'{"partition": 1}', b"\xff"])
def test_what_is_no_list_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's messages are its own.
        decode_top(value)
