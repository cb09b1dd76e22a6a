"""The edge's view of the ranking: which lists are shown together."""

import pytest

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


def test_a_list_of_a_partition_that_there_is_not_is_ignored() -> None:
    lists = TopLists(2)
    lists.put(top_list(2, 5))
    assert lists.view().entries == ()


def test_a_list_survives_the_wire() -> None:
    top = top_list(1, 7)
    assert decode_top(encode_top(top)) == top


@pytest.mark.parametrize("value", [b"", b"{}", b"null", b'{"partition": 1}', b"\xff"])
def test_what_is_no_list_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's messages are its own.
        decode_top(value)
