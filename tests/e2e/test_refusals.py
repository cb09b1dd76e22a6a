"""Every refusal by HTTP, in its order of precedence: where two hold, the first is told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest_asyncio

from streams import wire
from tests.edges import Reply
from tests.street import Visitor

NewId = Callable[[], int]


def assert_refused(reply: Reply, status: int, code: str, **members: Any) -> None:
    """It is a problem of RFC 9457 with this code, and says these things."""
    assert (reply.status, reply.code) == (status, code)
    assert reply.body["status"] == status
    assert {"type", "title", "detail"} <= set(reply.body)
    assert {name: reply.body.get(name) for name in members} == members


async def test_a_charge_over_the_maximum(visitor: Visitor, new_id: NewId) -> None:
    ann = new_id()
    first = await visitor.charge(ann, 10_000_001)
    assert_refused(first, 400, "BALANCE_LIMIT_EXCEEDED", balanceMax=10_000_000, balance=0)
    assert await visitor.balance(ann) is None
    assert (await visitor.charge(ann, 10_000_000)).status == 200
    for amount in (1, 2**63 - 1):
        assert_refused(
            await visitor.charge(ann, amount), 400, "BALANCE_LIMIT_EXCEEDED", balance=10_000_000
        )
    assert await visitor.balance(ann) == 10_000_000


async def test_coupon_refusals_in_their_order(visitor: Visitor, new_id: NewId) -> None:
    ann, bob, code = new_id(), new_id(), f"C-{new_id()}"
    assert_refused(await visitor.issue(ann, code), 404, "COUPON_NOT_FOUND", couponCode=code)
    await visitor.define(wire.DefineCoupon(code, 1, 500))
    assert (await visitor.issue(ann, code)).status == 200
    # It is sold out too, but who holds a copy is told that.
    assert_refused(await visitor.issue(ann, code), 409, "COUPON_ALREADY_ISSUED")
    assert_refused(await visitor.issue(bob, code), 409, "COUPON_SOLD_OUT")
    now = datetime.now(UTC)
    for window in ((None, now - timedelta(hours=1)), (now + timedelta(hours=1), None)):
        await visitor.define(wire.DefineCoupon(code, 1, 500, *window))
        for user_id in (ann, bob):
            assert_refused(await visitor.issue(user_id, code), 409, "COUPON_NOT_VALID_NOW")
    assert len(await visitor.coupons(ann)) == 1
    assert await visitor.coupons(bob) == []


class Shelf(NamedTuple):
    """A user with money, and products and a coupon that nobody else uses."""

    user_id: int
    tea: int
    cake: int
    coupon_id: str


@pytest_asyncio.fixture
async def shelf(visitor: Visitor, new_id: NewId) -> Shelf:
    """Two products, ten of each, at 1,000 won; a coupon of 300 won; 5,000 won to spend."""
    ann, tea, cake, code = new_id(), new_id(), new_id(), f"C-{new_id()}"
    await visitor.define(
        wire.DefineProduct(tea, "Tea", 1_000, 10),
        wire.DefineProduct(cake, "Cake", 1_000, 10),
        wire.DefineCoupon(code, 2, 300),
    )
    await visitor.charge(ann, 5_000)
    return Shelf(ann, tea, cake, (await visitor.issue(ann, code)).body["couponId"])


async def test_order_refusals_in_their_order(
    visitor: Visitor, shelf: Shelf, new_id: NewId
) -> None:
    ann, tea, cake, coupon_id = shelf
    nobody, unknown = new_id(), new_id()
    both = [(tea, 11), (unknown, 1)]
    assert_refused(
        await visitor.order(nobody, both, coupon_id), 404, "PRODUCT_NOT_FOUND", productId=unknown
    )
    # Lines of one product are one line: 6 and 5 are more than 10.
    for items in ([(cake, 1), (tea, 11)], [(tea, 6), (cake, 1), (tea, 5)]):
        assert_refused(
            await visitor.order(nobody, items, coupon_id),
            409,
            "OUT_OF_STOCK",
            productId=tea,
            requested=11,
            stock=10,
        )
    assert_refused(await visitor.order(nobody, [(tea, 1)], coupon_id), 409, "COUPON_NOT_HELD")
    assert_refused(await visitor.order(ann, [(tea, 1)], "no-coupon"), 409, "COUPON_NOT_HELD")
    order = await visitor.order(ann, [(tea, 1)], coupon_id)
    assert (await visitor.pay(ann, order.body["orderId"])).status == 200
    assert_refused(await visitor.order(ann, [(tea, 1)], coupon_id), 409, "COUPON_ALREADY_USED")


async def test_payment_refusals_in_their_order(
    visitor: Visitor, shelf: Shelf, new_id: NewId
) -> None:
    ann, tea, cake, coupon_id = shelf
    order_ids = [
        (await visitor.order(ann, items, coupon_id)).body["orderId"]
        for items in ([(tea, 1)], [(cake, 10)], [(tea, 10)], [(tea, 1)])
    ]
    paid, dear, spent, expired = order_ids
    assert_refused(await visitor.pay(ann, "no-such-order"), 404, "ORDER_NOT_FOUND")
    assert_refused(await visitor.pay(new_id(), paid), 404, "ORDER_NOT_FOUND")
    assert (await visitor.pay(ann, paid)).status == 200
    for order_id in (paid, expired):
        await visitor.expire(order_id)
    assert_refused(await visitor.pay(ann, paid), 409, "ORDER_ALREADY_PAID", orderId=paid)
    assert_refused(await visitor.pay(ann, expired), 409, "ORDER_EXPIRED", orderId=expired)
    assert (await visitor.read_order(ann, expired)).body["status"] == "EXPIRED"
    # 9,700 won are asked for and 4,300 are there; the coupon is spent too.
    assert_refused(
        await visitor.pay(ann, dear),
        402,
        "INSUFFICIENT_BALANCE",
        balance=4_300,
        payableAmount=9_700,
    )
    await visitor.charge(ann, 100_000)
    # Its coupon is spent, and nine pieces are left of ten.
    assert_refused(await visitor.pay(ann, spent), 409, "COUPON_ALREADY_USED")
    assert await visitor.balance(ann) == 104_300
    assert (await visitor.product(tea))["stock"] == 9
    assert (await visitor.product(cake))["stock"] == 10
    assert (await visitor.read_order(ann, spent)).body["status"] == "PENDING"


async def test_stock_that_is_gone_when_it_is_paid_for(
    visitor: Visitor, shelf: Shelf, new_id: NewId
) -> None:
    ann, tea, cake, coupon_id = shelf
    bob = new_id()
    await visitor.charge(bob, 100_000)
    orders = [
        (await visitor.order(user, [(cake, 1), (tea, 10)])).body["orderId"] for user in (ann, bob)
    ]
    await visitor.charge(ann, 100_000)
    last = (await visitor.order(ann, [(tea, 1)], coupon_id)).body["orderId"]
    assert (await visitor.pay(bob, orders[1])).status == 200
    for order_id in (orders[0], last):
        assert_refused(await visitor.pay(ann, order_id), 409, "OUT_OF_STOCK", productId=tea)
    assert await visitor.balance(ann) == 105_000
    assert (await visitor.product(cake))["stock"] == 9
    assert (await visitor.coupons(ann))[0]["state"] == "ISSUED"
    await visitor.define(wire.RestockProduct(tea, 10))
    assert (await visitor.pay(ann, orders[0])).body["balance"] == 94_000


async def test_another_users_order_is_not_shown(visitor: Visitor, shelf: Shelf) -> None:
    order_id = (await visitor.order(shelf.user_id, [(shelf.tea, 1)])).body["orderId"]
    assert (await visitor.read_order(shelf.user_id, order_id)).status == 200
    assert_refused(await visitor.read_order(shelf.user_id + 1, order_id), 404, "ORDER_NOT_FOUND")
