"""A shop's history by formulas: that its numbers fit together, and what is made of a run."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from benchmarks.growth.__main__ import options_of, parse
from benchmarks.growth.measuring import Found, Shop, ShopRound
from benchmarks.growth.report import figures, ratios, to_markdown
from benchmarks.growth.rows import fillings
from benchmarks.growth.size import EMPTY, FULL, Size
from benchmarks.growth.touched import since
from benchmarks.machine import circumstances
from benchmarks.open_loop.sender import Heard

SMALL = Size(users=30, products=7, coupons=5, commands=200)


@pytest.mark.parametrize(
    ("users", "products", "coupons", "commands"),
    [
        (31, 7, 5, 200),  # Users are no multiple of ten.
        (30, 7, 5, 210),  # The last cycle is not whole.
        (30, 7, 5, 40),  # Not everybody is charged.
        (30, 7_919 * 2, 5, 200),  # Not every product would have its turn.
        (30, 7, 1, 200),  # Somebody would get a second copy of a coupon.
    ],
)
def test_a_size_for_which_the_formulas_do_not_hold_is_refused(
    users: int, products: int, coupons: int, commands: int
) -> None:
    with pytest.raises(ValueError, match="must"):
        Size(users, products, coupons, commands)


@pytest.mark.parametrize("share", [1.0, 0.37, 0.01, 0.000_1])
def test_a_share_of_a_shop_is_one_for_which_the_formulas_hold(share: float) -> None:
    size = FULL.scaled(share)
    assert size.users == pytest.approx(FULL.users * share, abs=10)
    assert size.charges >= size.users


def test_the_full_shop_is_what_the_goal_speaks_of() -> None:
    rows = FULL.rows()
    assert rows["command_log"] >= 10_000_000
    history = ("balance_entries", "user_coupons", "orders", "order_lines")
    assert sum(rows[name] for name in history) >= 10_000_000
    assert (FULL.users, FULL.products, FULL.coupons) == (1_000_000, 100_000, 100_000)
    assert sum(EMPTY.rows().values()) < sum(rows.values()) / 100


def test_each_table_is_filled_and_each_record_is_written_once() -> None:
    listed = list(fillings(SMALL))
    tables = Counter(statement.split("INSERT INTO ")[1].split()[0] for *_, statement in listed)
    assert set(tables) | {"command_ids"} == set(SMALL.rows())
    records = sum(each.numbers for each in listed if each.what.startswith("records"))
    assert records == SMALL.records


def test_what_was_touched_is_what_has_come_since() -> None:
    assert since({"a": 5, "b": 2, "c": 9}, {"a": 3, "b": 2}) == {"a": 2, "c": 9}


def heard(done: int) -> Heard:
    numbers: dict[str, Any] = dict.fromkeys(
        ("p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"), 1.0
    )
    numbers |= dict.fromkeys(("late_p50_ms", "late_p99_ms", "cpu_us"), 1.0)
    return Heard(1.0, {"200": done}, 0, due=done, unanswered=0, **numbers)


def a_round(work: str, side: str, number: int, seconds: float) -> ShopRound:
    spent = {"edge": seconds / 2, "worker": seconds / 2, "broker": 99.0}
    return ShopRound(work, side, number, heard(100), [], spent, {})


def test_the_ratio_is_that_of_the_pairs_of_the_work_that_grew_the_most() -> None:
    rounds = [
        *(a_round("charge", "empty", 1, 1.0), a_round("charge", "full", 1, 1.1)),
        *(a_round("coupon", "empty", 1, 1.0), a_round("coupon", "full", 1, 1.5)),
        *(a_round("coupon", "full", 2, 2.4), a_round("coupon", "empty", 2, 2.0)),
        *(a_round("balance", "empty", 1, 1.0), a_round("balance", "full", 1, 9.0)),
    ]
    found = Found(circumstances("-"), 100.0, [], rounds)
    assert figures(found) == {"growth_ratio": [1.5, 1.2]}
    assert ratios(found, "charge") == [1.1]


def test_a_faster_run_with_fewer_answers_costs_more_each() -> None:
    some = a_round("charge", "full", 1, 1.0)
    some.heard = heard(50)
    assert some.cpu_ms() == 20.0
    assert some.per_request("nothing") == 0


def test_options_that_are_not_named_are_those_of_the_run() -> None:
    asked = options_of(parse(["--share", "0.02", "--pairs", "2", "--works", "charge", "top"]))
    assert asked.full == FULL.scaled(0.02)
    assert (asked.pairs, asked.works, asked.seconds) == (2, ("charge", "top"), 10)
    assert options_of(parse(["--smoke"])).full == FULL.scaled(0.01)


def test_charges_of_a_user_come_in_turns() -> None:
    users = [1 + n * 7_919 % SMALL.users for n in range(SMALL.charges)]
    assert set(users) == set(range(1, SMALL.users + 1))
    assert all(one != other for one, other in pairwise(users))


def test_the_table_has_a_row_for_each_work_and_shop_and_names_what_is_touched_more() -> None:
    rounds = [a_round("charge", "empty", 1, 1.0), a_round("charge", "full", 1, 1.2)]
    rounds[0].touched = {"wallets_pk": 200, "WAL bytes": 90_000}
    rounds[1].touched = {"wallets_pk": 300, "WAL bytes": 150_000}
    shop = Shop("full", FULL.rows(), 300.0, 4.0, 12_000_000_000)
    lines = to_markdown(Found(circumstances("-"), 100.0, [shop], rounds)).splitlines()
    assert "| charge | full | 6.00 | 6.00 | 0.00 | 12.00 | 1.20 | 1.20 to 1.20 |" in "".join(lines)
    assert [line for line in lines if line.startswith("| full | ") and "12.00" in line]
    assert lines[-1] == "- charge, blocks per request: wallets_pk 2.00 to 3.00"
