"""Several edges of one installation: each hears its own results, and one may be killed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest_asyncio
from aiohttp import ClientError

from client import charge_balance
from streams import wire
from tests.edges import Reply
from tests.street import Street, Visitor

NewId = Callable[[], int]


@pytest_asyncio.fixture
async def elsewhere(real_street: Street) -> AsyncIterator[Visitor]:
    """A visitor at a second edge."""
    async with real_street.another_edge(1) as edge, real_street.visitor(edge) as visitor:
        yield visitor


async def test_one_key_at_two_edges_at_once_has_one_effect(
    real: Visitor, elsewhere: Visitor, new_id: NewId
) -> None:
    ann = new_id()
    replies = await asyncio.gather(
        *[visitor.charge(ann, 10, key="one") for visitor in (real, elsewhere) for _ in range(20)]
    )
    told = Counter((reply.status, reply.headers.get("Idempotent-Replayed")) for reply in replies)
    assert told == {(200, None): 1, (200, "true"): 39}
    mixed = await asyncio.gather(
        *[real.charge(ann, 1, key="two") for _ in range(10)],
        *[elsewhere.charge(ann, 2, key="two") for _ in range(10)],
    )
    # Whichever was first, the other content is told of the conflict, and never of its success.
    told = Counter((reply.status, reply.code) for reply in mixed)
    assert told == {(200, ""): 10, (422, "IDEMPOTENCY_KEY_REUSED"): 10}
    charged = {reply.body["chargedAmount"] for reply in mixed if reply.status == 200}
    assert len(charged) == 1
    for visitor in (real, elsewhere):
        assert await visitor.balance(ann) == 10 + sum(charged)


async def test_what_one_edge_has_answered_every_edge_shows(
    real: Visitor, elsewhere: Visitor, new_id: NewId
) -> None:
    ann, tea, code = new_id(), new_id(), f"C-{new_id()}"
    await real.define(wire.DefineProduct(tea, "Tea", 100, 50), wire.DefineCoupon(code, 9, 10))
    await elsewhere.sees({"productId": tea, "name": "Tea", "price": 100, "stock": 50})
    edges = (real, elsewhere)
    for left in range(49, 39, -1):
        here, there = edges if left % 2 else edges[::-1]
        charged = await here.charge(ann, 1_000)
        assert await there.balance(ann) == charged.body["balance"]
        order = await there.order(ann, [(tea, 1)])
        assert (await here.read_order(ann, order.body["orderId"])).body == order.body
        assert (await here.pay(ann, order.body["orderId"])).status == 200
        assert (await there.product(tea))["stock"] == left
    copy = await elsewhere.issue(ann, code)
    assert [held["number"] for held in await real.coupons(ann)] == [copy.body["number"]]


async def test_an_edge_killed_with_requests_on_their_way(
    real: Visitor, real_street: Street, new_id: NewId
) -> None:
    users = [new_id() for _ in range(60)]
    async with real_street.another_edge(2) as edge, real_street.visitor(edge) as visitor:

        async def charge(user_id: int) -> Reply | None:
            try:
                return await visitor.charge(user_id, 7, key="key")
            except (ClientError, OSError):
                return None

        sending = [asyncio.create_task(charge(user_id)) for user_id in users]
        await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
        edge.child.process.kill()
        first = await asyncio.gather(*sending)
    # Its clients ask again, elsewhere, with their keys: whatever was done is done once.
    async with real_street.fairline() as fairline:
        asking = [fairline.do(charge_balance(user_id, 7), key="key") for user_id in users]
        second = await asyncio.gather(*asking)
    assert {again.balance for again in second} == {7}
    for told, again in zip(first, second, strict=True):
        assert told is None or told.body["balance"] == again.balance
    for user_id in users:
        assert await real.balance(user_id) == 7
