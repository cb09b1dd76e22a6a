"""A tally: two accounts of the same facts, in any order, and what only one of them tells."""

from typing import Any

from domain.audit.tally import BUCKETS, Tally


def left_over(first: list[str], second: list[str]) -> list[tuple[Any, int]]:
    tally = Tally()
    for fact in first:
        tally.add(fact)
    for fact in second:
        tally.take(fact)
    return sorted((each.fact, each.surplus) for each in tally.differences())


def test_the_same_facts_in_another_order_leave_nothing() -> None:
    facts = [f"fact {number % 700}" for number in range(2_000)]
    assert left_over(facts, facts[::-1]) == []


def test_what_only_one_account_tells_is_named_with_how_often() -> None:
    facts = [f"fact {number}" for number in range(50_000)]
    first, second = [*facts, "A", "C", "C"], [*facts, "B — 감자", "B — 감자", "B — 감자"]
    assert left_over(first, second) == [("A", 1), ("B — 감자", -3), ("C", 2)]


def test_what_is_told_twice_by_one_and_once_by_the_other_is_named() -> None:
    assert left_over(["A", "A"], ["A"]) == [("A", 1)]


def test_more_differences_than_buckets_are_counted_if_not_named() -> None:
    tally = Tally()
    for number in range(BUCKETS * 4):
        tally.add(f"fact {number}")
    found = list(tally.differences())
    assert sum(each.violations for each in found) == BUCKETS * 4
    assert any(each.fact is None for each in found)


def test_two_facts_that_share_a_bucket_do_not_hide_each_other() -> None:
    tally = Tally()
    for number in range(BUCKETS * 2):
        tally.add(f"one {number}")
        tally.take(f"other {number}")
    assert all(each.violations >= 1 for each in tally.differences())
    assert sum(each.violations for each in tally.differences()) > BUCKETS
