"""The rules of payment: balance, stock, coupon and status move together, or not at all."""

from dataclasses import replace

import pytest

from domain.commands import PayOrder
from domain.entities import BalanceEntry, EntryKind, OrderStatus
from domain.events import OrderPaid, Reason, SaleRecorded
from domain.state import Decision, Terms
from tests.worlds import (
    ANN,
    BOB,
    COUPON_ID,
    CUP,
    NOW_MS,
    ORDER_ID,
    TEA,
    command_id,
    copy,
    decide_untouched,
    line,
    order,
    product,
    reason_of,
    refusal_of,
    state_of,
    wallet,
)

PAY = PayOrder(command_id(4), ANN, ORDER_ID)
BASKET = (line(CUP, price=50, quantity=4), line(TEA, price=300, quantity=2))


def test_a_payment_moves_balance_stock_coupon_and_status_and_tells_each_sale() -> None:
    placed = order(BASKET, discount=500)
    shelf = product(TEA, price=999, stock=2), product(CUP, price=999, stock=9)
    decision = decide_untouched(state_of(placed, *shelf, wallet(1_000), copy()), PAY)
    paid = replace(placed, status=OrderStatus.PAID, paid_at_ms=NOW_MS)
    outcome = OrderPaid(paid, 700)
    assert decision == Decision(
        outcome,
        (
            paid,
            wallet(700),
            BalanceEntry(ANN, PAY.command_id, EntryKind.PAYMENT, -300, 700, NOW_MS),
            product(CUP, price=999, stock=5),
            product(TEA, price=999, stock=0),
            replace(copy(), used_at_ms=NOW_MS, order_id=ORDER_ID),
        ),
        (
            outcome,
            SaleRecorded(ORDER_ID, CUP, 4, NOW_MS),
            SaleRecorded(ORDER_ID, TEA, 2, NOW_MS),
        ),
    )


#   what stands against it                               refused for
PRECEDENCE = [
    ("unknown", Reason.ORDER_NOT_FOUND),
    ("others, paid, expired, poor, spent, short", Reason.ORDER_NOT_FOUND),
    ("others", Reason.ORDER_NOT_FOUND),
    ("paid, expired, poor, spent, short", Reason.ORDER_ALREADY_PAID),
    ("paid", Reason.ORDER_ALREADY_PAID),
    ("cancelled, expired, poor, spent, short", Reason.ORDER_CANCELLED),
    ("cancelled", Reason.ORDER_CANCELLED),
    ("expired, poor, spent, short", Reason.ORDER_EXPIRED),
    ("expired", Reason.ORDER_EXPIRED),
    ("poor, spent, short", Reason.INSUFFICIENT_BALANCE),
    ("poor", Reason.INSUFFICIENT_BALANCE),
    ("spent, short", Reason.COUPON_ALREADY_USED),
    ("spent", Reason.COUPON_ALREADY_USED),
    ("short", Reason.OUT_OF_STOCK),
]
DETAILS = {
    Reason.ORDER_NOT_FOUND: {"orderId": ORDER_ID},
    Reason.ORDER_ALREADY_PAID: {"orderId": ORDER_ID},
    Reason.ORDER_CANCELLED: {"orderId": ORDER_ID},
    Reason.ORDER_EXPIRED: {"orderId": ORDER_ID},
    Reason.INSUFFICIENT_BALANCE: {"balance": 299, "payableAmount": 300},
    Reason.COUPON_ALREADY_USED: {"couponId": COUPON_ID},
    Reason.OUT_OF_STOCK: {"productId": CUP, "requested": 4, "stock": 3},
}


def status_in(stands: str) -> OrderStatus:
    named = [status for status in OrderStatus if status.lower() in stands.split(", ")]
    return named[0] if named and named[0] is not OrderStatus.EXPIRED else OrderStatus.PENDING


@pytest.mark.parametrize(("stands", "reason"), PRECEDENCE)
def test_refusals_of_a_payment_have_this_order(stands: str, reason: Reason) -> None:
    placed = order(
        BASKET,
        discount=500,
        user_id=BOB if "others" in stands else ANN,
        status=status_in(stands),
        expires_at_ms=NOW_MS if "expired" in stands else NOW_MS + 1,
    )
    state = state_of(
        None if "unknown" in stands else placed,
        wallet(299 if "poor" in stands else 300),
        copy(used_at_ms=NOW_MS - 1 if "spent" in stands else None),
        product(TEA, stock=1 if "short" in stands else 2),
        product(CUP, stock=3 if "short" in stands else 4),
    )
    refusal = refusal_of(state, PAY)
    assert (refusal.reason, refusal.details) == (reason, DETAILS[reason])


#   expires at      at NOW_MS
EXPIRY = [(NOW_MS - 1, False), (NOW_MS, False), (NOW_MS + 1, True)]


@pytest.mark.parametrize(("expires_at_ms", "paid"), EXPIRY)
def test_an_order_can_be_paid_until_the_millisecond_before_it_expires(
    expires_at_ms: int, paid: bool
) -> None:
    state = state_of(order(expires_at_ms=expires_at_ms), wallet(1_000), product())
    outcome = decide_untouched(state, PAY).outcome
    assert isinstance(outcome, OrderPaid) is paid
    if not paid:
        assert reason_of(state, PAY) is Reason.ORDER_EXPIRED


#   held    payable   left      (None: no wallet)
BALANCES = [
    (1_000, 1_000, 0),
    (1_001, 1_000, 1),
    (999, 1_000, None),
    (0, 1_000, None),
    (None, 1_000, None),
]


@pytest.mark.parametrize(("held", "payable", "left"), BALANCES)
def test_the_last_won_can_be_spent_and_no_more(
    held: int | None, payable: int, left: int | None
) -> None:
    purse = None if held is None else wallet(held)
    state = state_of(order([line(price=payable)]), purse, product())
    if left is None:
        refusal = refusal_of(state, PAY)
        assert refusal.details == {"balance": held or 0, "payableAmount": payable}
    else:
        outcome = decide_untouched(state, PAY).outcome
        assert isinstance(outcome, OrderPaid)
        assert outcome.balance == left


@pytest.mark.parametrize("held", [None, 0, 500])
def test_an_order_of_nothing_to_pay_leaves_balance_and_history_alone(held: int | None) -> None:
    purse = None if held is None else wallet(held)
    placed = order(discount=1_000)
    decision = decide_untouched(state_of(placed, purse, product(), copy(discount=1_000)), PAY)
    assert isinstance(decision.outcome, OrderPaid)
    assert decision.outcome.balance == held
    assert {type(change).__name__ for change in decision.changes} == {
        "Order",
        "Product",
        "UserCoupon",
    }


def test_one_copy_pays_one_of_two_orders() -> None:
    first, second = order(discount=500), order(discount=500, order_id=command_id(99))
    state = state_of(first, second, wallet(9_999), product(), copy())
    state.apply(decide_untouched(state, PAY).changes)
    again = PayOrder(command_id(5), ANN, second.order_id)
    assert reason_of(state, again) is Reason.COUPON_ALREADY_USED


def test_a_payment_is_not_paid_twice() -> None:
    state = state_of(order(), wallet(9_999), product())
    state.apply(decide_untouched(state, PAY).changes)
    assert reason_of(state, PayOrder(command_id(5), ANN, ORDER_ID)) is Reason.ORDER_ALREADY_PAID
    assert reason_of(state, PAY, Terms(NOW_MS + 10**9)) is Reason.ORDER_ALREADY_PAID


def test_a_preview_is_paid_at_its_prices_after_the_catalog_changed() -> None:
    state = state_of(order(), wallet(1_000), product(price=999_999))
    outcome = decide_untouched(state, PAY).outcome
    assert isinstance(outcome, OrderPaid)
    assert outcome.balance == 0
