"""What an audit says of rows that are in order, and of rows that are not; by tables of cases."""

from dataclasses import replace
from typing import Any

import pytest

from domain.audit import facts
from domain.audit.findings import INVARIANTS, SHOWN_MAX, STOCK, Findings
from domain.audit.first_come import FirstCome
from domain.audit.log import Line, LogOrder, Partition, Told, later_faults, status_faults
from domain.audit.state import Numbers, Purse, order_faults
from domain.audit.stock import Stock
from domain.entities import BalanceEntry, EntryKind, OrderStatus
from tests import worlds

ANN = worlds.ANN


def entry(amount: int, left: int, kind: EntryKind = EntryKind.CHARGE) -> BalanceEntry:
    return BalanceEntry(ANN, worlds.command_id(1), kind, amount, left, 7)


def purse_faults(entries: list[BalanceEntry], balance: int | None) -> int:
    purse = Purse(ANN)
    found = [fault for each in entries for fault in purse.add(each)]
    return len([*found, *purse.close(None if balance is None else worlds.wallet(balance))])


PURSES = [
    # entries                             wallet  faults
    ([entry(5, 5), entry(-2, 3)], 3, 0),
    ([entry(5, 5), entry(-5, 0)], 0, 0),
    ([entry(5, 5), entry(-2, 3)], 4, 1),
    ([entry(5, 5), entry(-2, 4)], 4, 2),
    ([entry(5, 5), entry(-6, -1)], -1, 2),
    ([entry(5, 5)], None, 1),
    ([], 0, 1),
]


@pytest.mark.parametrize(("entries", "balance", "faults"), PURSES)
def test_a_purse_adds_up(entries: list[BalanceEntry], balance: int | None, faults: int) -> None:
    assert purse_faults(entries, balance) == faults


@pytest.mark.parametrize(
    ("numbers", "issued", "total", "faults"),
    [
        ((1, 2, 3), 3, 3, 0),
        ((), 0, 0, 0),
        ((1, 3), 2, 3, 1),
        ((2,), 1, 3, 1),
        ((1, 2), 3, 3, 1),
        ((1, 2), 2, 1, 1),
    ],
)
def test_copies_are_numbered_without_a_gap(
    numbers: tuple[int, ...], issued: int, total: int, faults: int
) -> None:
    seen = Numbers(worlds.coupon(total, issued))
    found = [f for number in numbers for f in seen.add(replace(worlds.copy(), number=number))]
    assert len([*found, *seen.close()]) == faults


PAID: dict[str, Any] = {"status": OrderStatus.PAID, "paid_at_ms": worlds.NOW_MS}


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({}, 0),
        ({"discount": 400}, 0),
        (PAID, 0),
        ({"status": OrderStatus.CANCELLED, "cancelled_at_ms": 5}, 0),
        ({**PAID, "status": OrderStatus.CANCELLED, "cancelled_at_ms": 5}, 0),
        ({"total_amount": 999}, 2),
        ({"discount": 1_001}, 1),
        ({"discount": 400, "coupon_id": None}, 1),
        ({"payable_amount": 1}, 1),
        ({"status": OrderStatus.PAID}, 1),
        ({"paid_at_ms": 5}, 1),
        ({**PAID, "paid_at_ms": worlds.NOW_MS + 60_000}, 1),
        ({"cancelled_at_ms": 5}, 1),
    ],
)
def test_an_order_agrees_with_itself(fields: dict[str, Any], faults: int) -> None:
    assert len(list(order_faults(worlds.order(**fields)))) == faults


def test_stock_is_what_was_put_in_less_what_paid_orders_hold() -> None:
    stock = Stock()
    stock.define(worlds.TEA, 10)
    stock.define(worlds.TEA, 99)
    stock.restock(worlds.TEA, 5)
    for order in (worlds.order(), worlds.order(**PAID)):
        stock.hold(order)
    stock.define(77, 1)
    assert list(stock.faults(worlds.product(stock=14))) == []
    assert len(list(stock.missing())) == 1
    assert len(list(stock.faults(worlds.product(stock=14)))) == 1


COMES = [
    # what happens                                                                faults
    (("define 1", "serve 1", "sell_out", "sell_out"), 0),
    (("define 1", "serve 1", "sell_out", "define 2", "serve 2"), 0),
    (("define 1", "serve 1", "sell_out", "define 1", "serve 2"), 1),
    (("define 2", "serve 1", "sell_out", "serve 2"), 2),
    (("define 2", "serve 2"), 1),
    (("define 2", "serve 1", "serve 1"), 1),
]


@pytest.mark.parametrize(("doings", "faults"), COMES)
def test_who_came_first_is_served_first(doings: tuple[str, ...], faults: int) -> None:
    first_come = FirstCome(from_the_start=True)
    found: list[str] = []
    for verb, _, number in (doing.partition(" ") for doing in doings):
        if verb == "define":
            first_come.define("RUSH", int(number))
        elif verb == "serve":
            found += first_come.serve("RUSH", int(number), "here")
        else:
            found += first_come.sell_out("RUSH", "there")
    assert len(found) == faults


def test_a_log_that_begins_in_the_middle_is_judged_from_there() -> None:
    first_come = FirstCome(from_the_start=False)
    said = [*first_come.serve("RUSH", 41, "a"), *first_come.sell_out("RUSH", "b")]
    assert said == []
    assert len(list(first_come.serve("RUSH", 43, "c"))) == 2


A = Partition(2, "user-commands", 0)
LINES = [
    # rows: offset, time                      faults  absent
    (((0, 5), (1, 5), (2, 6)), 0, 0),
    (((0, 5), (4, 5)), 0, 3),
    (((0, 5), (0, 5)), 1, 0),
    (((3, 5), (2, 5)), 1, 0),
    (((0, 5), (1, 4)), 1, 0),
    (((9, 5), (10, 5)), 1, 0),
]


@pytest.mark.parametrize(("rows", "faults", "absent"), LINES)
def test_a_partitions_rows_follow_its_offsets_below_its_mark(
    rows: tuple[tuple[int, int], ...], faults: int, absent: int
) -> None:
    order = LogOrder(2, {("user-commands", 0): 10})
    assert sum(len(list(order.add(Line(A, *row)))) for row in rows) == faults
    assert order.absent == absent


def test_rows_of_an_earlier_epoch_have_no_mark_and_need_none() -> None:
    order = LogOrder(2, {("user-commands", 0): 10})
    assert list(order.add(Line(A._replace(epoch=1), 5_000, 1))) == []
    assert len(list(order.add(Line(A._replace(epoch=3), 1, 1)))) == 1
    assert len(list(order.add(Line(A._replace(partition=1), 1, 1)))) == 1


FIRST = Told(1, "APPLIED", b"a", 200, "{}")
LATER = [
    # the row                                   its first  faults
    (Told(2, "REPEATED", b"a", 200, "{}"), FIRST, 0),
    (Told(2, "CONFLICT", b"b", 422, "{}"), FIRST, 0),
    (Told(2, "APPLIED", b"b", 200, "{}"), None, 0),
    (Told(2, "REPEATED", b"a", 200, "{}"), None, 1),
    (Told(2, "REPEATED", b"a", 402, "{}"), FIRST, 1),
    (Told(2, "REPEATED", b"b", 200, "{}"), FIRST, 1),
    (Told(2, "CONFLICT", b"a", 422, "{}"), FIRST, 1),
    (Told(0, "REPEATED", b"a", 200, "{}"), FIRST, 1),
]


@pytest.mark.parametrize(("row", "first", "faults"), LATER)
def test_repeats_and_conflicts_agree_with_their_first(
    row: Told, first: Told | None, faults: int
) -> None:
    assert len(list(later_faults(row, first))) == faults


@pytest.mark.parametrize(
    ("disposition", "status", "faults"),
    [
        ("APPLIED", 200, 0),
        ("APPLIED", 409, 1),
        ("REFUSED", 402, 0),
        ("REFUSED", 200, 1),
        ("CONFLICT", 422, 0),
        ("CONFLICT", 200, 1),
        ("DEAD", 500, 0),
        ("DEAD", 200, 1),
        ("REPEATED", 402, 0),
        ("ELSE", 200, 1),
    ],
)
def test_statuses_agree_with_dispositions(disposition: str, status: int, faults: int) -> None:
    assert len(list(status_faults(Told(1, disposition, b"", status, "{}")))) == faults


def test_what_a_cancelled_order_took_and_gave_back_and_told() -> None:
    order = worlds.order(
        status=OrderStatus.CANCELLED, paid_at_ms=worlds.NOW_MS, cancelled_at_ms=worlds.NOW_MS + 9
    )
    assert [taken.amount for taken in facts.taken_for(order)] == [-1_000, 1_000]
    sold = [fact.quantity for fact in facts.told(order) if isinstance(fact, facts.Sold)]
    assert (sold, list(facts.spent_for(order))) == ([1, -1], [])
    assert list(facts.told(worlds.order())) == []


def test_only_the_first_violations_are_shown() -> None:
    findings = Findings()
    for number in range(SHOWN_MAX + 5):
        findings.of(STOCK).violated(str(number))
    assert (findings.violations, len(findings.of(STOCK).first)) == (SHOWN_MAX + 5, SHOWN_MAX)
    assert len({invariant.name for invariant in INVARIANTS}) == len(INVARIANTS)
