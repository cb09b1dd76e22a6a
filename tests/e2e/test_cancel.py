"""Cancelling an order by HTTP, through real processes: what it gives back, refuses and tells."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import pytest_asyncio

from streams import wire
from tests.edges import Reply
from tests.street import Visitor

NewId = Callable[[], int]


class Sold(NamedTuple):
    """An order of two pieces of tea with a coupon, paid from 10,000 won: 1,700 in all."""

    visitor: Visitor
    user_id: int
    tea: int
    order_id: str

    async def cancel(self, key: str | None = None) -> Reply:
        return await self.visitor.cancel(self.user_id, self.order_id, key)

    async def order(self) -> dict[str, Any]:
        reply = await self.visitor.read_order(self.user_id, self.order_id)
        assert reply.status == 200
        shown: dict[str, Any] = reply.body
        return shown

    async def left(self) -> tuple[int | None, int, str]:
        """The balance, the stock, and the state of the coupon."""
        stock = (await self.visitor.product(self.tea))["stock"]
        [copy] = await self.visitor.coupons(self.user_id)
        return await self.visitor.balance(self.user_id), stock, copy["state"]


@pytest_asyncio.fixture
async def sold(visitor: Visitor, new_id: NewId) -> Sold:
    ann, tea, code = new_id(), new_id(), f"C-{new_id()}"
    await visitor.define(
        wire.DefineProduct(tea, "Tea", 1_000, 10), wire.DefineCoupon(code, 2, 300)
    )
    await visitor.charge(ann, 10_000)
    coupon_id = (await visitor.issue(ann, code)).body["couponId"]
    order_id = (await visitor.order(ann, [(tea, 2)], coupon_id)).body["orderId"]
    assert (await visitor.pay(ann, order_id)).body["balance"] == 8_300
    return Sold(visitor, ann, tea, order_id)


def is_moment(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None


async def test_a_paid_order_is_cancelled_and_shown_so(sold: Sold) -> None:
    assert await sold.left() == (8_300, 8, "USED")
    before = await sold.order()
    assert (before["status"], before["cancelledAt"]) == ("PAID", None)
    reply = await sold.cancel()
    cancelled_at = reply.body["cancelledAt"]
    assert is_moment(cancelled_at)
    assert (reply.status, reply.body) == (
        200,
        {
            "orderId": sold.order_id,
            "userId": sold.user_id,
            "status": "CANCELLED",
            "refundedAmount": 1_700,
            "balance": 10_000,
            "cancelledAt": cancelled_at,
        },
    )
    assert await sold.left() == (10_000, 10, "ISSUED")
    shown = {"status": "CANCELLED", "cancelledAt": cancelled_at}
    assert await sold.order() == {**before, **shown}


async def test_refusals_of_a_cancellation(sold: Sold, new_id: NewId) -> None:
    visitor, ann = sold.visitor, sold.user_id
    for user_id, order_id in (
        (new_id(), sold.order_id),
        (ann, "none"),
        (ann, sold.order_id + "0"),
    ):
        reply = await visitor.cancel(user_id, order_id)
        assert (reply.status, reply.code) == (404, "ORDER_NOT_FOUND")
    late = (await visitor.order(ann, [(sold.tea, 1)])).body["orderId"]
    await visitor.expire(late)
    # A paid order is not late, whenever its time to be paid was.
    await visitor.expire(sold.order_id)
    for order_id, status, code in (
        (late, 409, "ORDER_EXPIRED"),
        (sold.order_id, 200, ""),
        (sold.order_id, 409, "ORDER_ALREADY_CANCELLED"),
    ):
        reply = await visitor.cancel(ann, order_id)
        assert (reply.status, reply.code, reply.body["orderId"]) == (status, code, order_id)
    paying = await visitor.pay(ann, sold.order_id)
    assert (paying.status, paying.code) == (409, "ORDER_CANCELLED")
    assert await sold.left() == (10_000, 10, "ISSUED")


async def test_an_order_that_waits_is_cancelled_for_nothing(sold: Sold) -> None:
    waiting = (await sold.visitor.order(sold.user_id, [(sold.tea, 3)])).body["orderId"]
    reply = await sold.visitor.cancel(sold.user_id, waiting)
    assert (reply.body["refundedAmount"], reply.body["balance"]) == (0, 8_300)
    assert (await sold.visitor.pay(sold.user_id, waiting)).code == "ORDER_CANCELLED"
    assert await sold.left() == (8_300, 8, "USED")


async def test_a_cancellation_with_a_key_is_one(sold: Sold) -> None:
    first, again = await sold.cancel(key="key"), await sold.cancel(key="key")
    assert (again.status, again.body) == (first.status, first.body) == (200, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    conflict = await sold.visitor.cancel(sold.user_id, "another", key="key")
    assert (conflict.status, conflict.code) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_refund_passes_the_maximum_of_a_balance(sold: Sold) -> None:
    visitor, ann = sold.visitor, sold.user_id
    assert (await visitor.charge(ann, 10_000_000 - 8_300)).status == 200
    assert (await sold.cancel()).body["balance"] == 10_001_700
    assert (await visitor.charge(ann, 1)).code == "BALANCE_LIMIT_EXCEEDED"
    assert await visitor.balance(ann) == 10_001_700


async def test_20_parallel_cancellations_of_one_order(sold: Sold) -> None:
    replies = await asyncio.gather(*[sold.cancel() for _ in range(20)])
    told = Counter((reply.status, reply.code) for reply in replies)
    assert told == {(200, ""): 1, (409, "ORDER_ALREADY_CANCELLED"): 19}
    assert await sold.left() == (10_000, 10, "ISSUED")


async def test_payments_and_cancellations_that_race(sold: Sold) -> None:
    """Each order ends cancelled; whether it was paid before is told by one payment, or none."""
    visitor, ann = sold.visitor, sold.user_id
    for _ in range(5):
        order_id = (await visitor.order(ann, [(sold.tea, 1)])).body["orderId"]
        asked = [visitor.pay(ann, order_id), visitor.cancel(ann, order_id)]
        asked += [visitor.cancel(ann, order_id), visitor.pay(ann, order_id)]
        replies = await asyncio.gather(*asked)
        done = Counter(reply.body["status"] for reply in replies if reply.status == 200)
        refunded = sum(reply.body.get("refundedAmount", 0) for reply in replies)
        assert (done["CANCELLED"], refunded) == (1, 1_000 * done["PAID"])
    assert await sold.left() == (8_300, 8, "USED")
