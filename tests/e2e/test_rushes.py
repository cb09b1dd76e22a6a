"""Everybody at once: coupons, one order, one idempotency key. Through real processes."""

import asyncio
from collections import Counter
from collections.abc import Callable

from streams import wire
from tests.street import Visitor

NewId = Callable[[], int]


async def test_500_users_at_once_for_a_coupon_of_100(visitor: Visitor, new_id: NewId) -> None:
    code, users = f"RUSH-{new_id()}", [new_id() for _ in range(500)]
    await visitor.define(wire.DefineCoupon(code, 100, 5_000))
    replies = await asyncio.gather(*[visitor.issue(user_id, code) for user_id in users])
    told = Counter((reply.status, reply.code) for reply in replies)
    assert told == {(200, ""): 100, (409, "COUPON_SOLD_OUT"): 400}
    issued = [reply.body for reply in replies if reply.status == 200]
    assert sorted(copy["number"] for copy in issued) == list(range(1, 101))
    assert len({copy["userCouponId"] for copy in issued}) == 100
    for user_id, reply in zip(users[::25], replies[::25], strict=True):
        held = [copy["number"] for copy in await visitor.coupons(user_id)]
        assert held == ([reply.body["number"]] if reply.status == 200 else [])


async def test_50_parallel_payments_of_one_order(visitor: Visitor, new_id: NewId) -> None:
    ann, tea = new_id(), new_id()
    await visitor.define(wire.DefineProduct(tea, "Tea", 1_000, 100))
    await visitor.charge(ann, 100_000)
    order_id = (await visitor.order(ann, [(tea, 2)])).body["orderId"]
    replies = await asyncio.gather(*[visitor.pay(ann, order_id) for _ in range(50)])
    told = Counter((reply.status, reply.code) for reply in replies)
    assert told == {(200, ""): 1, (409, "ORDER_ALREADY_PAID"): 49}
    assert await visitor.balance(ann) == 98_000
    assert (await visitor.product(tea))["stock"] == 98


async def test_100_parallel_requests_with_one_key(visitor: Visitor, new_id: NewId) -> None:
    ann = new_id()
    replies = await asyncio.gather(*[visitor.charge(ann, 10, key="one") for _ in range(100)])
    assert {reply.status for reply in replies} == {200}
    assert {str(reply.body) for reply in replies} == {str(replies[0].body)}
    assert {reply.headers["Command-Id"] for reply in replies} == {replies[0].headers["Command-Id"]}
    replayed = [reply.headers.get("Idempotent-Replayed") for reply in replies]
    assert Counter(replayed) == {None: 1, "true": 99}
    assert await visitor.balance(ann) == 10


async def test_the_last_pieces_are_sold_once(visitor: Visitor, new_id: NewId) -> None:
    tea, users = new_id(), [new_id() for _ in range(20)]
    await visitor.define(wire.DefineProduct(tea, "Tea", 100, 7))
    await asyncio.gather(*[visitor.charge(user_id, 1_000) for user_id in users])
    ordered = await asyncio.gather(*[visitor.order(user_id, [(tea, 1)]) for user_id in users])
    replies = await asyncio.gather(
        *[
            visitor.pay(user_id, order.body["orderId"])
            for user_id, order in zip(users, ordered, strict=True)
        ]
    )
    told = Counter((reply.status, reply.code) for reply in replies)
    assert told == {(200, ""): 7, (409, "OUT_OF_STOCK"): 13}
    assert (await visitor.product(tea))["stock"] == 0


async def test_keys_on_every_write(visitor: Visitor, new_id: NewId) -> None:
    ann, tea, code = new_id(), new_id(), f"C-{new_id()}"
    await visitor.define(wire.DefineProduct(tea, "Tea", 100, 9), wire.DefineCoupon(code, 5, 1))
    await visitor.charge(ann, 1_000)
    wish = {"userId": ann, "items": [{"productId": tea, "quantity": 1}]}
    order = await visitor.post("/orders", wish, key="key")
    pay = {"userId": ann, "orderId": order.body["orderId"]}
    other = {"userId": ann, "items": [{"productId": tea, "quantity": 2}]}
    for path, body, changed in (
        ("/orders", wish, other),
        ("/orders/pay", pay, {**pay, "orderId": "another"}),
        (
            "/coupons/issue",
            {"userId": ann, "couponCode": code},
            {"userId": ann, "couponCode": "X"},
        ),
        ("/balance/charge", {"userId": ann, "amount": 5}, {"userId": ann, "amount": 6}),
    ):
        first = await visitor.post(path, body, key="key")
        again = await visitor.post(path, body, key="key")
        assert (again.status, again.body) == (first.status, first.body) == (200, first.body)
        assert again.headers["Idempotent-Replayed"] == "true"
        conflict = await visitor.post(path, changed, key="key")
        assert (conflict.status, conflict.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await visitor.balance(ann) == 905
    assert (await visitor.product(tea))["stock"] == 8
    assert len(await visitor.coupons(ann)) == 1


async def test_a_refusal_is_kept_for_its_key_too(visitor: Visitor, new_id: NewId) -> None:
    ann, code = new_id(), f"C-{new_id()}"
    first = await visitor.issue(ann, code, key="key")
    assert first.code == "COUPON_NOT_FOUND"
    await visitor.define(wire.DefineCoupon(code, 1, 1))
    again = await visitor.issue(ann, code, key="key")
    assert (again.status, again.body) == (first.status, first.body)
    assert (await visitor.issue(ann, code, key="new")).status == 200
