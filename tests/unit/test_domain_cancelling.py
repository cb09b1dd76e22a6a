"""The rule of cancelling: what a payment took returns, all of it or nothing, and once."""

from dataclasses import replace

import pytest

from domain.catalog import STOCK_MAX
from domain.commands import CancelOrder, PayOrder
from domain.entities import BalanceEntry, EntryKind, Order, OrderStatus, UserCoupon
from domain.events import OrderCancelled, Reason, SaleRecorded
from domain.ids import OrderId
from domain.state import Decision, State, Terms
from tests.worlds import (
    ANN,
    BOB,
    CUP,
    NOW_MS,
    ORDER_ID,
    TEA,
    TERMS,
    command_id,
    copy,
    coupon,
    decide_untouched,
    line,
    order,
    product,
    reason_of,
    refusal_of,
    state_of,
    wallet,
)

CANCEL = CancelOrder(command_id(6), ANN, ORDER_ID)
PAY = PayOrder(command_id(4), ANN, ORDER_ID)
PAID_MS = NOW_MS - 7_200_000
BASKET = (line(CUP, price=50, quantity=4), line(TEA, price=300, quantity=2))


def paid(order: Order) -> Order:
    return replace(order, status=OrderStatus.PAID, paid_at_ms=PAID_MS)


def cancelled(order: Order) -> Order:
    return replace(order, status=OrderStatus.CANCELLED, cancelled_at_ms=NOW_MS)


def spent_copy() -> UserCoupon:
    return replace(copy(used_at_ms=PAID_MS), order_id=ORDER_ID)


def cancelled_in(state: State, terms: Terms = TERMS) -> tuple[OrderCancelled, Decision]:
    """Cancel the order of a state, and let the state be as that leaves it."""
    decision = decide_untouched(state, CANCEL, terms)
    assert isinstance(decision.outcome, OrderCancelled), decision.outcome
    state.apply(decision.changes)
    return decision.outcome, decision


def test_a_cancelled_payment_returns_balance_stock_and_coupon_and_takes_its_sales_back() -> None:
    placed = paid(order(BASKET, discount=500))
    shelf = product(TEA, price=999, stock=0), product(CUP, price=999, stock=5)
    decision = decide_untouched(state_of(placed, *shelf, wallet(700), spent_copy()), CANCEL)
    outcome = OrderCancelled(cancelled(placed), 300, 1_000)
    assert decision == Decision(
        outcome,
        (
            cancelled(placed),
            wallet(1_000),
            BalanceEntry(ANN, CANCEL.command_id, EntryKind.REFUND, 300, 1_000, NOW_MS),
            product(CUP, price=999, stock=9),
            product(TEA, price=999, stock=2),
            copy(),
        ),
        (
            outcome,
            SaleRecorded(ORDER_ID, CUP, -4, PAID_MS),
            SaleRecorded(ORDER_ID, TEA, -2, PAID_MS),
        ),
    )


@pytest.mark.parametrize("held", [None, 700])
def test_an_order_that_waits_gives_nothing_back(held: int | None) -> None:
    placed = order(BASKET, discount=500)
    purse = None if held is None else wallet(held)
    decision = decide_untouched(state_of(placed, purse, product(), copy()), CANCEL)
    outcome = OrderCancelled(cancelled(placed), 0, held)
    assert decision == Decision(outcome, (cancelled(placed),), (outcome,))


#   how it stands                          refused for
PRECEDENCE = [
    ("unknown", Reason.ORDER_NOT_FOUND),
    ("others, cancelled, late", Reason.ORDER_NOT_FOUND),
    ("others, late", Reason.ORDER_NOT_FOUND),
    ("others, paid", Reason.ORDER_NOT_FOUND),
    ("cancelled, late", Reason.ORDER_ALREADY_CANCELLED),
    ("cancelled, paid, late", Reason.ORDER_ALREADY_CANCELLED),
    ("cancelled", Reason.ORDER_ALREADY_CANCELLED),
    ("late", Reason.ORDER_EXPIRED),
    ("paid, late", None),
    ("paid", None),
    ("", None),
]


@pytest.mark.parametrize(("stands", "reason"), PRECEDENCE)
def test_refusals_of_a_cancellation_have_this_order(stands: str, reason: Reason | None) -> None:
    placed = order(
        user_id=BOB if "others" in stands else ANN,
        expires_at_ms=NOW_MS if "late" in stands else NOW_MS + 1,
    )
    placed = paid(placed) if "paid" in stands else placed
    placed = cancelled(placed) if "cancelled" in stands else placed
    state = state_of(None if "unknown" in stands else placed, wallet(1_000), product())
    if reason is None:
        cancelled_in(state)
    else:
        refusal = refusal_of(state, CANCEL)
        assert (refusal.reason, refusal.details) == (reason, {"orderId": ORDER_ID})


def test_cancelling_twice_changes_nothing() -> None:
    state = state_of(paid(order()), wallet(0), product())
    cancelled_in(state)
    again = CancelOrder(command_id(7), ANN, ORDER_ID)
    assert reason_of(state, again) is Reason.ORDER_ALREADY_CANCELLED
    assert reason_of(state, again, Terms(NOW_MS + 10**9)) is Reason.ORDER_ALREADY_CANCELLED


@pytest.mark.parametrize("is_paid", [True, False])
@pytest.mark.parametrize("after_ms", [0, 10**9])
def test_a_cancelled_order_cannot_be_paid(is_paid: bool, after_ms: int) -> None:
    state = state_of(paid(order()) if is_paid else order(), wallet(9_999), product())
    cancelled_in(state)
    refusal = refusal_of(state, PAY, Terms(NOW_MS + after_ms))
    assert (refusal.reason, refusal.details) == (Reason.ORDER_CANCELLED, {"orderId": ORDER_ID})


def test_a_payment_and_its_cancellation_leave_everything_as_it_was() -> None:
    rows = wallet(1_000), product(CUP, stock=9), product(TEA, stock=2), copy()
    state = state_of(order(BASKET, discount=500), *rows)
    sold = decide_untouched(state, PAY).events
    state.apply(decide_untouched(state, PAY).changes)
    _, decision = cancelled_in(state)
    assert state_of(order(), *rows).wallets.changed == state.wallets.changed
    assert state_of(order(), *rows).products.changed == state.products.changed
    assert state_of(order(), *rows).user_coupons.changed == state.user_coupons.changed
    assert [entry.amount for entry in state.balance_entries] == [-300, 300]
    taken_back = [replace(s, quantity=-s.quantity) for s in sold if isinstance(s, SaleRecorded)]
    assert list(decision.events[1:]) == taken_back


def test_a_refund_passes_the_maximum_of_a_balance() -> None:
    outcome, _ = cancelled_in(state_of(paid(order()), wallet(TERMS.balance_max), product()))
    assert (outcome.refunded_amount, outcome.balance) == (1_000, TERMS.balance_max + 1_000)


def test_pieces_that_return_pass_the_maximum_of_a_stock() -> None:
    state = state_of(paid(order()), wallet(0), product(stock=STOCK_MAX))
    cancelled_in(state)
    assert state.products.get(TEA) == product(stock=STOCK_MAX + 1)


def test_a_copy_returns_though_its_coupon_is_issued_no_more() -> None:
    state = state_of(
        paid(order(discount=500)),
        wallet(0),
        product(),
        spent_copy(),
        coupon(total=1, issued=1, valid_until_ms=PAID_MS + 1),
    )
    cancelled_in(state)
    assert state.user_coupons.changed == {(ANN, copy().coupon_id): copy()}


def test_a_copy_that_paid_for_another_order_stays_spent() -> None:
    elsewhere = replace(spent_copy(), order_id=OrderId(command_id(99)))
    state = state_of(order(discount=500), product(), elsewhere)
    cancelled_in(state)
    assert state.user_coupons.changed == {(ANN, copy().coupon_id): elsewhere}


@pytest.mark.parametrize("held", [None, 0, 500])
def test_where_nothing_was_paid_nothing_is_refunded(held: int | None) -> None:
    purse = None if held is None else wallet(held)
    placed = paid(order(discount=1_000))
    outcome, decision = cancelled_in(state_of(placed, purse, product(), spent_copy()))
    assert (outcome.refunded_amount, outcome.balance) == (0, held)
    assert {type(change).__name__ for change in decision.changes} == {
        "Order",
        "Product",
        "UserCoupon",
    }


def test_a_copy_that_came_back_pays_the_other_order() -> None:
    second = order(discount=500, order_id=command_id(99))
    state = state_of(paid(order(discount=500)), second, wallet(9_999), product(), spent_copy())
    pay_second = PayOrder(command_id(5), ANN, second.order_id)
    assert reason_of(state, pay_second) is Reason.COUPON_ALREADY_USED
    cancelled_in(state)
    state.apply(decide_untouched(state, pay_second).changes)
    held = state.user_coupons.get((ANN, copy().coupon_id))
    assert held is not None
    assert held.order_id == second.order_id
