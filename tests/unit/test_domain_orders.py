"""The rules of an order's preview. Its payment has a file of its own."""

import pytest

from domain.catalog import PRICE_MAX
from domain.commands import CreateOrder, LineRequest
from domain.entities import Order, OrderLine, OrderStatus
from domain.events import OrderCreated, Reason
from domain.ids import CouponId, OrderId, ProductId
from domain.state import Decision, State, Terms
from streams.kinds import merge_items
from streams.wire import OrderItem
from tests.worlds import (
    ANN,
    BOB,
    COUPON_ID,
    CUP,
    INT64_MAX,
    NOW_MS,
    TEA,
    command_id,
    copy,
    decide_untouched,
    order,
    product,
    refusal_of,
    state_of,
)

ID = command_id(3)


def wish(*lines: tuple[ProductId, int], coupon_id: CouponId | None = None) -> CreateOrder:
    listed = tuple(LineRequest(product_id, quantity) for product_id, quantity in lines)
    return CreateOrder(ID, ANN, listed or (LineRequest(TEA, 1),), coupon_id)


def created(state: State, command: CreateOrder) -> Order:
    outcome = decide_untouched(state, command).outcome
    assert isinstance(outcome, OrderCreated), outcome
    return outcome.order


def test_a_preview_is_priced_as_the_catalog_stands_and_reserves_nothing() -> None:
    state = state_of(product(TEA, price=300), product(CUP, price=50), copy(discount=500))
    priced = Order(
        order_id=OrderId(ID),
        user_id=ANN,
        lines=(OrderLine(CUP, 50, 4), OrderLine(TEA, 300, 2)),
        status=OrderStatus.PENDING,
        total_amount=800,
        discount_amount=500,
        payable_amount=300,
        coupon_id=COUPON_ID,
        created_at_ms=NOW_MS,
        expires_at_ms=NOW_MS + 1_000,
    )
    decision = decide_untouched(
        state, wish((CUP, 4), (TEA, 2), coupon_id=COUPON_ID), Terms(NOW_MS, order_expiry_ms=1_000)
    )
    assert decision == Decision(OrderCreated(priced), (priced,))


#   discount   total   taken off   to pay
DISCOUNTS = [
    (1, 1_000, 1, 999),
    (999, 1_000, 999, 1),
    (1_000, 1_000, 1_000, 0),
    (1_001, 1_000, 1_000, 0),
    (INT64_MAX, 1_000, 1_000, 0),
    (500, 0, 0, 0),
]


@pytest.mark.parametrize(("discount", "total", "off", "payable"), DISCOUNTS)
def test_a_coupon_takes_off_no_more_than_the_total(
    discount: int, total: int, off: int, payable: int
) -> None:
    state = state_of(product(price=total), copy(discount=discount))
    priced = created(state, wish((TEA, 1), coupon_id=COUPON_ID))
    assert (priced.total_amount, priced.discount_amount, priced.payable_amount) == (
        total,
        off,
        payable,
    )


def test_an_unnamed_coupon_is_not_used() -> None:
    priced = created(state_of(product(), copy()), wish((TEA, 1)))
    assert (priced.discount_amount, priced.coupon_id) == (0, None)


#   what stands against it                                   refused for
PRECEDENCE = [
    ("exists, unknown, short, not held", Reason.ORDER_EXISTS),
    ("exists", Reason.ORDER_EXISTS),
    ("unknown, short, not held", Reason.PRODUCT_NOT_FOUND),
    ("unknown, short, spent", Reason.PRODUCT_NOT_FOUND),
    ("unknown", Reason.PRODUCT_NOT_FOUND),
    ("short, not held", Reason.OUT_OF_STOCK),
    ("short, spent", Reason.OUT_OF_STOCK),
    ("short", Reason.OUT_OF_STOCK),
    ("not held", Reason.COUPON_NOT_HELD),
    ("spent", Reason.COUPON_ALREADY_USED),
]
DETAILS = {
    Reason.ORDER_EXISTS: {"orderId": ID},
    Reason.PRODUCT_NOT_FOUND: {"productId": CUP},
    Reason.OUT_OF_STOCK: {"productId": TEA, "requested": 3, "stock": 2},
    Reason.COUPON_NOT_HELD: {"couponId": COUPON_ID},
    Reason.COUPON_ALREADY_USED: {"couponId": COUPON_ID},
}


@pytest.mark.parametrize(("stands", "reason"), PRECEDENCE)
def test_refusals_of_a_preview_have_this_order(stands: str, reason: Reason) -> None:
    state = state_of(
        order(order_id=ID, user_id=BOB) if "exists" in stands else None,
        product(TEA, stock=2 if "short" in stands else 3),
        None if "unknown" in stands else product(CUP),
        copy(used_at_ms=NOW_MS - 1 if "spent" in stands else None)
        if "not" not in stands
        else None,
        copy(user_id=BOB),
    )
    refusal = refusal_of(state, wish((TEA, 3), (CUP, 1), coupon_id=COUPON_ID))
    assert (refusal.reason, refusal.details) == (reason, DETAILS[reason])


def test_the_first_unknown_product_is_named_in_the_order_of_the_lines() -> None:
    refusal = refusal_of(state_of(product(stock=0)), wish((TEA, 1), (ProductId(9), 1), (CUP, 1)))
    assert refusal.details == {"productId": 9}


@pytest.mark.parametrize(("stock", "enough"), [(2, False), (3, True), (4, True)])
def test_the_last_piece_can_be_ordered(stock: int, enough: bool) -> None:
    outcome = decide_untouched(state_of(product(stock=stock)), wish((TEA, 3))).outcome
    assert isinstance(outcome, OrderCreated) is enough


def test_the_largest_order_is_priced_without_loss() -> None:
    wanted = [(ProductId(number), 10_000) for number in range(1, 101)]
    shelf = [product(product_id, PRICE_MAX, 10_000) for product_id, _ in wanted]
    priced = created(state_of(*shelf), wish(*wanted))
    assert priced.payable_amount == 100 * 10_000 * PRICE_MAX <= INT64_MAX


#   at                  status a reader sees
STATUSES = [
    (NOW_MS, OrderStatus.PENDING),
    (NOW_MS + 59_999, OrderStatus.PENDING),
    (NOW_MS + 60_000, OrderStatus.EXPIRED),
    (NOW_MS + 60_001, OrderStatus.EXPIRED),
]


@pytest.mark.parametrize(("at_ms", "status"), STATUSES)
def test_a_waiting_order_expires_at_its_millisecond_and_no_other_one_does(
    at_ms: int, status: OrderStatus
) -> None:
    assert order().status_at(at_ms) is status
    for final in (OrderStatus.PAID, OrderStatus.CANCELLED):
        assert order(status=final).status_at(at_ms) is final


def test_lines_of_one_product_merge_in_order_of_first_mention() -> None:
    items = [OrderItem(2, 1), OrderItem(1, 5), OrderItem(2, 9_999)]
    assert list(merge_items(items).items()) == [(2, 10_000), (1, 5)]


def test_merged_lines_are_bounded_like_one() -> None:
    with pytest.raises(ValueError, match="at most 10000 pieces of product 2"):
        merge_items([OrderItem(2, 1), OrderItem(2, 10_000)])
