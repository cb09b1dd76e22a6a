"""What of the command log may go: cutoffs, pure."""

import pytest

from storage.marks import Mark
from storage.retention import Aged, LogPartition
from streams.retention import Bounds, age_limit, finished_of, those_past

EPOCH = 3
TOPIC = "user-commands"

#   epoch   finished    newest   end: the first offset that stays, whatever its age
ENDS = [
    (3, 100, 200, 100),  # what is not published and acknowledged stays
    (3, 200, 100, 100),  # the newest row stays
    (3, 100, 100, 100),
    (3, 0, 100, 0),
    (3, None, 100, 0),  # of a group that nobody remembers nothing is known
    (2, None, 100, 101),  # an earlier epoch's rows are nobody's any more
    (2, 50, 100, 101),
]


@pytest.mark.parametrize(("epoch", "finished", "newest", "end"), ENDS)
def test_finished_rows_below_the_newest_may_go(
    epoch: int, finished: int | None, newest: int, end: int
) -> None:
    ends = {} if finished is None else {(TOPIC, 5): finished, (TOPIC, 6): 999}
    bounds = Bounds(0, EPOCH, ends)
    assert bounds.end_of(LogPartition(epoch, TOPIC, 5), newest) == end


def test_finished_is_what_is_published_and_acknowledged() -> None:
    def mark(partition: int, published: int) -> Mark:
        return Mark(TOPIC, partition, EPOCH, 9, 0, published)

    marks = {(TOPIC, 0): mark(0, 3), (TOPIC, 1): mark(1, 9), (TOPIC, 2): mark(2, 9)}
    committed = {(TOPIC, 0): 5, (TOPIC, 1): 5, ("elsewhere", 0): 5}
    assert finished_of(committed, marks) == {(TOPIC, 0): 3, (TOPIC, 1): 5}


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
