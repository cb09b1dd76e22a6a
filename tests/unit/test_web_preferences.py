"""What `Prefer` says, and what a place in the stream of results is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.results import FirstOutcome
from web.preferences import NO_PREFERENCE, WAIT_SECONDS_MAX, Preference, read_preferences
from web.result_events import Position, event_of, read_position, write_position

ASYNC = Preference(None, is_async=True, applied="respond-async")

#   headers                                     what is heeded
PREFER: list[tuple[list[str], Preference]] = [
    (["respond-async"], ASYNC),
    (["Respond-Async"], ASYNC),
    (["respond-async; foo=1"], ASYNC),
    (["return=minimal, respond-async"], ASYNC),
    (["return=minimal", "respond-async"], ASYNC),
    (["wait=3"], Preference(3, applied="wait=3")),
    (['wait = "3"'], Preference(3, applied="wait=3")),
    (["wait=3, wait=9"], Preference(3, applied="wait=3")),
    (["WAIT=3;x"], Preference(3, applied="wait=3")),
    (["wait=999999"], Preference(WAIT_SECONDS_MAX, applied=f"wait={WAIT_SECONDS_MAX}")),
    (["wait=0"], Preference(None, is_async=True, applied="wait=0")),
    (["respond-async, wait=2"], Preference(2, applied="respond-async, wait=2")),
    (["wait=2", "respond-async"], Preference(2, applied="respond-async, wait=2")),
    (["respond-async, wait=0"], Preference(None, is_async=True, applied="respond-async, wait=0")),
    *(([text], NO_PREFERENCE) for text in ("", ",", "wait", "wait=", "wait=-1", "wait=1.5")),
    *(([text], NO_PREFERENCE) for text in ("wait=x", "wait=\u0663", "handling=strict", "@@")),
]


@pytest.mark.parametrize(("headers", "heeded"), PREFER)
def test_preferences_are_heeded_or_ignored(headers: list[str], heeded: Preference) -> None:
    assert read_preferences(headers) == heeded


@given(st.lists(st.text()))
def test_no_preference_is_an_error(headers: list[str]) -> None:
    assert (read_preferences(headers).wait_seconds or 0) <= WAIT_SECONDS_MAX


ids = st.integers(0, 2**40)


@given(ids, st.frozensets(ids))
def test_a_place_is_read_as_it_was_written(settled: int, told: frozenset[int]) -> None:
    position = Position(settled, told)
    assert read_position(write_position(position)) == position


@pytest.mark.parametrize("text", ["", "x", "1.", ".1", "-1", "1,2", "1" * 19, "\u0661"])
def test_what_is_no_place_is_none(text: str) -> None:
    assert read_position(text) is None


def test_rows_that_come_late_are_told_once() -> None:
    position = Position(10).after(13, settled=10).after(12, settled=10)
    assert position == Position(10, frozenset({12, 13}))
    assert [position.knows(row) for row in (10, 11, 12, 13, 14)] == [
        True,
        False,
        True,
        True,
        False,
    ]
    assert position.after(14, settled=12) == Position(12, frozenset({13, 14}))
    assert position.after(11, settled=9).settled == 10


def test_an_event_has_the_outcome_byte_for_byte() -> None:
    outcome = FirstOutcome(7, "1", "c", 409, '{"code":"X"}')
    assert event_of(outcome, Position(6, frozenset({7}))) == (
        b"event: result\nid: 6.7\n"
        b'data: {"commandId":"c","state":"DONE","status":409,"body":{"code":"X"}}\n\n'
    )
