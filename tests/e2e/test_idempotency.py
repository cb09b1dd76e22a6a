"""One key, one effect, one answer: after a second, a restart or a day, at any edge."""

import asyncio
from collections.abc import Callable

import sqlalchemy as sa

from storage.schema import command_log
from streams import wire
from tests.edges import Reply
from tests.street import Street, Visitor

NewId = Callable[[], int]
DAY_MS = 24 * 60 * 60 * 1000


def told(reply: Reply) -> tuple[int, str, str]:
    return reply.status, str(reply.body), reply.headers["Command-Id"]


async def test_100_parallel_requests_for_the_last_copy_of_a_coupon(
    visitor: Visitor, new_id: NewId
) -> None:
    ann, code = new_id(), f"C-{new_id()}"
    await visitor.define(wire.DefineCoupon(code, 1, 10))
    replies = await asyncio.gather(*[visitor.issue(ann, code, key="one") for _ in range(100)])
    assert {told(reply) for reply in replies} == {told(replies[0])}
    assert replies[0].status == 200
    assert [copy["number"] for copy in await visitor.coupons(ann)] == [1]


async def test_100_parallel_orders_and_payments_with_one_key(
    visitor: Visitor, new_id: NewId
) -> None:
    ann, tea = new_id(), new_id()
    await visitor.define(wire.DefineProduct(tea, "Tea", 100, 9))
    await visitor.charge(ann, 1_000)
    wish = {"userId": ann, "items": [{"productId": tea, "quantity": 2}]}
    orders = await asyncio.gather(*[visitor.post("/orders", wish, "k") for _ in range(100)])
    assert {told(reply) for reply in orders} == {told(orders[0])}
    order_id = orders[0].body["orderId"]
    paid = await asyncio.gather(*[visitor.pay(ann, order_id, "k") for _ in range(100)])
    assert {told(reply) for reply in paid} == {told(paid[0])}
    assert (paid[0].status, await visitor.balance(ann)) == (200, 800)
    cancelled = await asyncio.gather(*[visitor.cancel(ann, order_id, "k") for _ in range(100)])
    assert {told(reply) for reply in cancelled} == {told(cancelled[0])}
    assert (cancelled[0].status, await visitor.balance(ann)) == (200, 1_000)


async def test_a_key_of_255_characters_and_two_users_with_one_key(
    visitor: Visitor, new_id: NewId
) -> None:
    ann, bob, key = new_id(), new_id(), "k" * 255
    first = await visitor.charge(ann, 5, key=key)
    again = await visitor.charge(ann, 5, key=key)
    assert (told(again), again.headers["Idempotent-Replayed"]) == (told(first), "true")
    assert "Idempotent-Replayed" not in (await visitor.charge(bob, 5, key=key)).headers
    assert (await visitor.charge(ann, 5, key=key + "k")).status == 400
    # Keys differ in their last character, and in their case.
    assert (await visitor.charge(ann, 5, key=key[:-1] + "K")).body["balance"] == 10


async def test_a_key_is_known_after_a_restart_and_a_day(street: Street, new_id: NewId) -> None:
    ann, roles = new_id(), [role for role in street.processes if role != "ranking"]
    async with street.visitor() as visitor:
        first = await visitor.charge(ann, 5, key="k")
        refused = await visitor.charge(ann, 10**12, key="no")
        past = command_log.c.accepted_at_ms - DAY_MS
        mine = command_log.c.principal == str(ann)
        await visitor.execute(sa.update(command_log).where(mine).values(accepted_at_ms=past))
    street.stop(*roles)
    street.start(*roles)
    await street.ready()
    async with street.visitor() as visitor:
        for reply, amount, key in ((first, 5, "k"), (refused, 10**12, "no")):
            again = await visitor.charge(ann, amount, key=key)
            assert (told(again), again.headers["Idempotent-Replayed"]) == (told(reply), "true")
            assert (await visitor.charge(ann, amount + 1, key=key)).status == 422
        assert await visitor.balance(ann) == 5
