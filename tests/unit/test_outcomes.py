"""What a sender is told: the status of every reason, and the body of every success."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import events
from domain.entities import OrderStatus
from domain.events import Reason, Refusal
from streams.outcomes import STATUS_BY_REASON, answer, conflict, epoch_ms, moment, order_at
from tests.worlds import ANN, CODE, COUPON_ID, NOW_MS, ORDER_ID, TEA, copy, coupon, order, product

NOW = "2027-01-15T08:00:00Z"
EXPIRES = "2027-01-15T08:01:00Z"

#   reason                              status, as the interface promises it
PROMISED = {
    Reason.BALANCE_LIMIT_EXCEEDED: 400,
    Reason.INSUFFICIENT_BALANCE: 402,
    Reason.COUPON_NOT_FOUND: 404,
    Reason.PRODUCT_NOT_FOUND: 404,
    Reason.ORDER_NOT_FOUND: 404,
    Reason.COUPON_ALREADY_ISSUED: 409,
    Reason.COUPON_SOLD_OUT: 409,
    Reason.COUPON_NOT_VALID_NOW: 409,
    Reason.COUPON_PAUSED: 409,
    Reason.COUPON_NOT_HELD: 409,
    Reason.COUPON_ALREADY_USED: 409,
    Reason.COUPON_TOTAL_BELOW_ISSUED: 409,
    Reason.OUT_OF_STOCK: 409,
    Reason.STOCK_LIMIT_EXCEEDED: 409,
    Reason.ORDER_ALREADY_PAID: 409,
    Reason.ORDER_CANCELLED: 409,
    Reason.ORDER_ALREADY_CANCELLED: 409,
    Reason.ORDER_EXPIRED: 409,
}


def test_every_reason_has_a_status() -> None:
    conflicts = {Reason.ORDER_EXISTS, Reason.CHARGE_EXISTS}
    assert PROMISED.keys() | conflicts == set(Reason) == STATUS_BY_REASON.keys()


@pytest.mark.parametrize(("reason", "status"), PROMISED.items())
def test_a_refusal_is_a_problem_with_a_stable_code(reason: Reason, status: int) -> None:
    told = answer(Refusal(reason, "No.", {"productId": 1}))
    assert told.status == status
    assert json.loads(told.body) == {
        "type": "urn:fairline:problem:" + reason.value.lower().replace("_", "-"),
        "title": json.loads(told.body)["title"],
        "status": status,
        "code": reason.value,
        "detail": "No.",
        "productId": 1,
    }


def test_an_order_that_exists_is_an_id_used_before() -> None:
    told = answer(Refusal(Reason.ORDER_EXISTS, "An order with this id exists already."))
    assert told == answer(Refusal(Reason.CHARGE_EXISTS, "Another movement has this id."))
    assert told == conflict()
    assert (told.status, json.loads(told.body)["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


ITEM = {"productId": TEA, "unitPrice": 1_000, "quantity": 1, "amount": 1_000}
PAID = replace(order(discount=400), status=OrderStatus.PAID, paid_at_ms=NOW_MS)
CANCELLED = replace(PAID, status=OrderStatus.CANCELLED, cancelled_at_ms=NOW_MS)
#   outcome                                       body
SUCCESSES: list[tuple[events.Outcome, dict[str, Any]]] = [
    (
        events.BalanceCharged(ANN, 5, 12),
        {"userId": ANN, "chargedAmount": 5, "balance": 12},
    ),
    (
        events.CouponIssued(replace(copy(), issued_at_ms=NOW_MS)),
        {
            "userCouponId": copy().user_coupon_id,
            "userId": ANN,
            "couponId": COUPON_ID,
            "couponCode": CODE,
            "number": 1,
            "discountAmount": 500,
            "issuedAt": NOW,
            "total": None,
            "receipt": None,
        },
    ),
    (
        events.CouponIssued(
            replace(
                copy(),
                issued_at_ms=NOW_MS,
                total=9,
                log_epoch=1,
                log_partition=2,
                log_offset=3,
            )
        ),
        {
            "userCouponId": copy().user_coupon_id,
            "userId": ANN,
            "couponId": COUPON_ID,
            "couponCode": CODE,
            "number": 1,
            "discountAmount": 500,
            "issuedAt": NOW,
            "total": 9,
            "receipt": {"logEpoch": 1, "partition": 2, "offset": 3, "acceptedAt": NOW},
        },
    ),
    (
        events.OrderCreated(order(discount=400, created_at_ms=NOW_MS)),
        {
            "orderId": ORDER_ID,
            "userId": ANN,
            "items": [ITEM],
            "totalAmount": 1_000,
            "discountAmount": 400,
            "payableAmount": 600,
            "status": "PENDING",
            "couponId": COUPON_ID,
            "createdAt": NOW,
            "expiresAt": EXPIRES,
            "paidAt": None,
            "cancelledAt": None,
        },
    ),
    (
        events.OrderPaid(PAID, 7),
        {
            "orderId": ORDER_ID,
            "userId": ANN,
            "status": "PAID",
            "paidAmount": 600,
            "balance": 7,
            "paidAt": NOW,
        },
    ),
    (
        events.OrderCancelled(CANCELLED, 600, 607),
        {
            "orderId": ORDER_ID,
            "userId": ANN,
            "status": "CANCELLED",
            "refundedAmount": 600,
            "balance": 607,
            "cancelledAt": NOW,
        },
    ),
    (
        events.ProductSaved(product()),
        {"productId": TEA, "name": "Product 1", "price": 1_000, "stock": 10},
    ),
    (
        events.CouponDefined(coupon(issued=3, valid_until_ms=NOW_MS)),
        {
            "couponId": COUPON_ID,
            "couponCode": CODE,
            "total": 100,
            "issued": 3,
            "discountAmount": 5_000,
            "validFrom": None,
            "validUntil": NOW,
        },
    ),
]


@pytest.mark.parametrize(("outcome", "body"), SUCCESSES)
def test_a_success_is_told_whole(outcome: events.Outcome, body: dict[str, Any]) -> None:
    told = answer(outcome)
    assert (told.status, json.loads(told.body)) == (200, body)


def test_an_order_is_shown_as_it_stands_at_a_time() -> None:
    waiting = order()
    assert order_at(waiting, waiting.expires_at_ms - 1).status == "PENDING"
    assert order_at(waiting, waiting.expires_at_ms).status == "EXPIRED"
    assert order_at(PAID, waiting.expires_at_ms).status == "PAID"
    shown = order_at(CANCELLED, waiting.expires_at_ms)
    assert shown.status == "CANCELLED"
    assert shown.paid_at == shown.cancelled_at == moment(NOW_MS)


FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999


@given(st.integers(FIRST_MS, LAST_MS))
def test_a_moment_is_shown_to_the_millisecond(at_ms: int) -> None:
    shown = moment(at_ms)
    assert shown.utcoffset() == timedelta(0)
    assert epoch_ms(shown) == at_ms


@given(
    st.datetimes().filter(lambda at: 1 < at.year < 9999),
    st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_a_time_in_any_zone_is_rounded_down(naive: datetime, zone: timezone) -> None:
    at = naive.replace(tzinfo=zone)
    assert timedelta(0) <= at - moment(epoch_ms(at)) < timedelta(milliseconds=1)
    assert epoch_ms(at) == epoch_ms(at.astimezone(UTC))
