"""The events of the live ranking's stream: what is one, and what its id says."""

import json

import pytest

from domain.ranking import HOUR_MS, live_window
from streams.outcomes import moment
from tests.worlds import NOW_MS
from web.best_sellers import show_window
from web.shapes import RankedProduct, TopProducts
from web.top_board import Shown, event_of, first_places


def top_of(
    *quantities: int, name: str = "Tea", as_of_ms: int = NOW_MS, at_ms: int = NOW_MS
) -> TopProducts:
    places = [
        RankedProduct(rank, 100 + rank, name, 10, quantity)
        for rank, quantity in enumerate(quantities, 1)
    ]
    return TopProducts(places, moment(as_of_ms), show_window(live_window(at_ms)))


def test_an_event_is_three_lines_and_the_last_is_json() -> None:
    event = event_of(top_of(9, 4, name="a\nb\r\u2028c"))
    assert event.text.endswith(b"\n\n")
    name, event_id, data = event.text[:-2].split(b"\n")
    assert name == b"event: top"
    assert event_id == b"id: " + event.id.encode()
    assert data.startswith(b"data: {")
    shown = json.loads(data[6:])
    assert [each["quantity"] for each in shown["products"]] == [9, 4]
    assert shown["products"][0]["name"] == "a\nb\r\u2028c"
    assert b"\r" not in event.text


def test_the_same_content_has_the_same_id_however_often_it_is_looked_at() -> None:
    assert event_of(top_of(9, 4)).id == event_of(top_of(9, 4, as_of_ms=NOW_MS + 5)).id


@pytest.mark.parametrize(
    "other",
    [
        top_of(9, 5),
        top_of(9),
        top_of(9, 4, name="Coffee"),
        top_of(9, 4, at_ms=NOW_MS + HOUR_MS),
    ],
    ids=["a quantity", "a place", "product data", "the window"],
)
def test_whatever_is_shown_is_in_the_id(other: TopProducts) -> None:
    assert event_of(top_of(9, 4)).id != event_of(other).id


def test_each_limit_has_its_event_and_it_is_made_once() -> None:
    shown = Shown(top_of(9, 4, 2))
    assert shown.event(2) is shown.event(2)
    assert shown.event(2).id == event_of(first_places(top_of(9, 4, 2), 2)).id != shown.event(3).id
    assert shown.event(3).id == shown.event(100).id


def test_a_limit_counts_ranks_also_where_one_is_left_out() -> None:
    top = top_of(9, 4, 2)
    del top.products[1]
    assert [each.rank for each in first_places(top, 2).products] == [1]
    assert [each.rank for each in first_places(top, 3).products] == [1, 3]
