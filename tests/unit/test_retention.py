"""What of the command log may go: cutoffs, pure."""

import pytest

from storage.retention import Aged, LogPartition
from streams.retention import Bounds, age_limit, those_past

EPOCH = 3
TOPIC = "user-commands"

#   epoch   committed   newest   end: the first offset that stays, whatever its age
ENDS = [
    (3, 100, 200, 100),  # what the group has not acknowledged stays
    (3, 200, 100, 100),  # the newest row stays
    (3, 100, 100, 100),
    (3, 0, 100, 0),
    (3, None, 100, 0),  # a group that nobody remembers has acknowledged nothing
    (2, None, 100, 101),  # an earlier epoch's rows are nobody's any more
    (2, 50, 100, 101),
]


@pytest.mark.parametrize(("epoch", "committed", "newest", "end"), ENDS)
def test_acknowledged_rows_below_the_newest_may_go(
    epoch: int, committed: int | None, newest: int, end: int
) -> None:
    acknowledged = {} if committed is None else {(TOPIC, 5): committed, (TOPIC, 6): 999}
    bounds = Bounds(0, EPOCH, acknowledged)
    assert bounds.end_of(LogPartition(epoch, TOPIC, 5), newest) == end


#   times of a partition's rows   how many go    (rows before 100 are past the window)
HEADS = [
    ([], 0),
    ([99], 1),
    ([100], 0),
    ([1, 98, 99, 100, 101], 3),
    ([1, 2, 3], 3),
    # Broker times of a partition never fall; if they did, what was pruned would have holes.
    ([1, 100, 2], 1),
]


@pytest.mark.parametrize(("times", "going"), HEADS)
def test_rows_go_from_the_head_up_to_the_first_within_the_window(
    times: list[int], going: int
) -> None:
    rows = [Aged(offset, time) for offset, time in enumerate(times)]
    assert those_past(rows, 100) == rows[:going]


def test_a_clock_that_runs_ahead_makes_nothing_old() -> None:
    assert age_limit([1_000, 9_000_000], 100) == age_limit([9_000_000, 1_000], 100) == 900
