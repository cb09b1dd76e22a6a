"""Who may still join a line: a table of what is known against what is answered."""

from typing import Any

import pytest

from web.backlog import RATE_FLOOR, UNKNOWN_MAX, Limits, Line, is_stalled, next_rate, retry_after

LIMITS = Limits(queue_seconds_max=2.0, session_timeout_seconds=8.0)
NOW = 1_000.0
ANN = "1"


def line(waiting: int, rate: float = RATE_FLOOR, still: float = 0.0) -> Line:
    return Line(end_offset=100 + waiting, next_offset=100, rate=rate, moved_at=NOW - still)


@pytest.mark.parametrize(
    ("joined", "seconds"),
    [
        #     waiting, drained/s, no progress for            0 s . . 2 s . . . . . . . . 10 s
        (line(0), None),  #                                  |
        (line(1_000), None),  #                              ------|
        (line(1_001), 2),  #                                 ---...|.
        (line(2_000), 3),  #                                 ---...|......
        (line(100, rate=10.0), 9),  #                        ---...|.........................
        (line(100, rate=50.0), None),  #                     ------|
        (line(0, still=60.0), None),  # nobody waits: an idle line does not stall
        (line(1, still=1.9), None),  #                       |
        (line(1, still=2.1), 7),  #     a stall costs the session timeout
        (line(1_000, still=2.1), 8),  # on top of what waits anyway
        (line(1_000_000, rate=1.0), 300),  # never longer than five minutes
    ],
)
def test_a_wait_beyond_the_budget_is_refused_and_says_when_to_return(
    joined: Line, seconds: int | None
) -> None:
    assert retry_after(joined, ANN, NOW, LIMITS) == seconds


@pytest.mark.parametrize("known", [{"end_offset": 5}, {"next_offset": 5}, {}])
def test_a_line_that_nobody_knows_admits_a_few(known: dict[str, Any]) -> None:
    assert retry_after(Line(outstanding=UNKNOWN_MAX - 1, **known), ANN, NOW, LIMITS) is None
    assert retry_after(Line(outstanding=UNKNOWN_MAX, **known), ANN, NOW, LIMITS) == 1


@pytest.mark.parametrize(
    ("rate", "measured", "is_busy", "expected"),
    [
        (500.0, 1_500.0, True, 1_000.0),
        (500.0, 100.0, True, 300.0),
        (500.0, 0.5, True, 250.5),
        (500.0, 3.0, False, 500.0),  # few came; it may well drain more
        (500.0, 1_500.0, False, 1_000.0),
        (3_000.0, 3.0, False, 2_975.0),  # and slowly the past is forgotten
    ],
)
def test_the_rate_follows_what_is_seen(
    rate: float, measured: float, is_busy: bool, expected: float
) -> None:
    assert next_rate(rate, measured, is_busy=is_busy) == pytest.approx(expected)


def test_what_is_on_its_way_to_the_log_waits_too() -> None:
    crowd = Line(end_offset=100, next_offset=100, moved_at=NOW, outstanding=1_001)
    assert retry_after(crowd, ANN, NOW, LIMITS) == 2


def test_what_this_edge_hears_first_counts_at_once() -> None:
    one = Line()
    one.see_end(10, None)
    one.see_mark(4, None, NOW)
    assert one.waiting == 6
    one.note_written(12)
    one.note_applied(7)
    assert one.waiting == 5
    one.note_written(3)
    one.note_applied(3)
    assert one.waiting == 5


def test_late_news_of_the_broker_and_the_database_takes_nothing_back() -> None:
    one = Line(end_offset=10, next_offset=10)
    known = one.end_offset
    one.note_written(10)
    one.see_end(10, known)
    one.see_mark(10, 10, NOW)
    assert (one.end_offset, one.next_offset) == (11, 10)


def test_offsets_that_go_back_are_another_logs() -> None:
    one = Line(end_offset=1_000, next_offset=990)
    one.see_end(5, 1_000)
    assert one.waiting is None
    one.see_mark(5, one.next_offset, NOW)
    assert one.waiting == 0


def test_a_drained_line_shows_its_rate_from_mark_to_mark() -> None:
    one = Line()
    one.see_end(3_000, None)
    one.see_mark(0, None, NOW)
    one.see_mark(0, 0, NOW + 0.5)
    assert one.rate == RATE_FLOOR
    one.see_mark(1_000, 0, NOW + 1.0)
    assert one.rate == pytest.approx(next_rate(RATE_FLOOR, 1_000.0, is_busy=True))
    assert one.moved_at == NOW + 1.0


def test_a_line_without_progress_stalls_from_its_last_move_on() -> None:
    one = Line()
    one.see_end(1, None)
    one.see_mark(0, None, NOW)
    for seconds in (0.5, 1.0, 1.5, 2.0, 2.5):
        one.see_mark(0, 0, NOW + seconds)
    assert one.moved_at == NOW
    assert (is_stalled(one, NOW + 2.0), is_stalled(one, NOW + 2.5)) == (False, True)
    assert retry_after(one, ANN, NOW + 2.5, LIMITS) == 7
    one.see_mark(1, 0, NOW + 3.0)
    assert retry_after(one, ANN, NOW + 3.0, LIMITS) is None
    assert not is_stalled(one, NOW + 60.0)
