"""What a check compares, and what several workers' checks say together."""

from typing import Any

import pytest

from domain.comparison import (
    SHOWN_MAX,
    Comparison,
    Difference,
    differing,
    merge_comparisons,
    overlap,
)
from domain.ranking import Window

#   held          expected      differing: product, held, expected
CASES: list[tuple[dict[int, int], dict[int, int], list[tuple[int, int, int]]]] = [
    ({}, {}, []),
    ({1: 3}, {1: 3}, []),
    ({1: 3}, {1: 2}, [(1, 3, 2)]),
    ({1: 3}, {}, [(1, 3, 0)]),
    ({1: -3}, {1: 3}, [(1, -3, 3)]),
    ({1: 0}, {}, []),
    ({1: 0}, {1: 0}, []),
    ({}, {1: 3}, [(1, 0, 3)]),
    ({}, {1: 0}, []),
    ({2: 2, 1: 1}, {2: 2, 3: 5, 1: 2}, [(1, 1, 2), (3, 0, 5)]),
]


@pytest.mark.parametrize(("held", "expected", "found"), CASES)
def test_what_is_held_is_as_expected_or_named(
    held: dict[int, int], expected: dict[int, int], found: list[tuple[int, int, int]]
) -> None:
    assert differing(held, expected) == found


#   one        other      both
OVERLAPS = [
    ((0, 10), (0, 10), (0, 10)),
    ((0, 10), (5, 20), (5, 10)),
    ((5, 20), (0, 10), (5, 10)),
    ((0, 10), (2, 4), (2, 4)),
    ((0, 10), (10, 20), (10, 10)),
    ((0, 10), (30, 40), (30, 30)),
]


@pytest.mark.parametrize(("one", "other", "both"), OVERLAPS)
def test_windows_have_hours_in_common_or_none(
    one: tuple[int, int], other: tuple[int, int], both: tuple[int, int]
) -> None:
    assert overlap(Window(*one), Window(*other)) == both


def comparison(*partitions: int, **fields: Any) -> Comparison:
    told = {
        "generation": 7,
        "partitions": partitions,
        "window": Window(0, 10),
        "products": 2,
        "hours": 5,
        "differences": 0,
        "first": (),
    }
    return Comparison(**{**told, **fields})


def test_workers_together_have_compared_what_each_has() -> None:
    wrong = tuple(Difference(each, None, 1, 2) for each in range(15))
    one = comparison(0, 3, differences=15, first=wrong)
    two = comparison(1, 2, differences=16, first=wrong, window=Window(2, 10))
    merged = merge_comparisons([one, two])
    assert merged.partitions == (0, 1, 2, 3)
    assert (merged.products, merged.hours, merged.differences) == (4, 10, 31)
    assert merged.window == Window(2, 10)
    assert merged.first == (*wrong, *wrong)[:SHOWN_MAX]


@pytest.mark.parametrize(
    "found",
    [
        [],
        [comparison(0, 1), comparison(1, 2)],
        [comparison(0, 1), comparison(2, 3, generation=8)],
    ],
)
def test_partitions_on_the_move_are_not_compared(found: list[Comparison]) -> None:
    with pytest.raises(ValueError, match="generations"):
        merge_comparisons(found)
