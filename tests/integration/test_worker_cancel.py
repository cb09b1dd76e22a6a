"""Cancelling on real Kafka and PostgreSQL: all that was paid returns, once, and is told."""

import asyncio
from collections import Counter
from datetime import datetime
from random import Random
from typing import Any

from streams import wire
from tests.client import Listener, Producer, Sent, body_of, eventually
from tests.installation import Installation
from tests.scenario import buy, define_shop, say

ANN = 1


async def bought(producer: Producer, listener: Listener) -> str:
    """An order of Ann's that is paid, with a coupon: two coffees and a cake."""
    await define_shop(producer, listener)
    _, _, order, _ = await buy(producer, listener, ANN)
    return order.command_id


async def told(listener: Listener, sent: Sent) -> tuple[int, Any]:
    result = await listener.result_at(sent.place)
    return result.status, body_of(result)


async def shelf(installation: Installation) -> dict[int, int]:
    rows = await installation.query("SELECT product_id, stock FROM products")
    return {row[0]: row[1] for row in rows}


async def test_a_cancelled_order_gives_back_all_that_it_took(installation: Installation) -> None:
    async with installation.observed() as (producer, listener), installation.worker():
        order_id = await bought(producer, listener)
        assert await shelf(installation) == {1: 98, 2: 9}
        status, body = await told(listener, await producer.send(wire.CancelOrder(ANN, order_id)))
        assert datetime.fromisoformat(body.pop("cancelledAt")).tzinfo is not None
        assert (status, body) == (
            200,
            {
                "orderId": order_id,
                "userId": ANN,
                "status": "CANCELLED",
                "refundedAmount": 14_000,
                "balance": 50_000,
            },
        )
        await eventually(lambda: len(listener.sales) == 4, "two sales, and both taken back")
    assert await shelf(installation) == {1: 100, 2: 10}
    assert await installation.query("SELECT balance FROM wallets") == [(50_000,)]
    moved = "SELECT kind, amount, balance_after FROM balance_entries ORDER BY entry_id"
    assert await installation.query(moved) == [
        ("CHARGE", 50_000, 50_000),
        ("PAYMENT", -14_000, 36_000),
        ("REFUND", 14_000, 50_000),
    ]
    copies = "SELECT used_at_ms, order_id, number FROM user_coupons"
    assert await installation.query(copies) == [(None, None, 1)]


async def test_a_cancellation_is_published_with_its_sales_taken_back(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener), installation.worker():
        order_id = await bought(producer, listener)
        cancel = await producer.send(wire.CancelOrder(ANN, order_id))
        await eventually(lambda: len(listener.sales) == 4, "two sales, and both taken back")
        await eventually(lambda: listener.cancellations, "the cancellation")
        [paid], [event] = listener.payments, listener.cancellations
    assert (event.event_id, event.type) == (f"{cancel.command_id}:0", "OrderCancelled")
    assert (event.order_id, event.user_id, event.coupon_id) == (order_id, ANN, paid.coupon_id)
    assert (event.items, event.total_amount, event.discount_amount) == (
        paid.items,
        paid.total_amount,
        paid.discount_amount,
    )
    assert (event.refunded_amount, event.paid_at) == (paid.paid_amount, paid.paid_at)
    assert tuple(getattr(event.source, name) for name in cancel.place._fields) == cancel.place
    assert event.cancelled_at >= paid.paid_at
    pieces = Counter[tuple[int, datetime]]()
    for sale in listener.sales:
        pieces[sale.product_id, sale.sold_at] += sale.quantity
    assert pieces == {(1, paid.paid_at): 0, (2, paid.paid_at): 0}


async def test_a_cancellation_that_comes_again_changes_nothing(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener):
        async with installation.worker():
            order_id = await bought(producer, listener)
            cancel = await producer.send(wire.CancelOrder(ANN, order_id))
            await listener.result_at(cancel.place)
        before = await installation.state()
        await installation.move_group(dict.fromkeys(installation.command_partitions, 0))
        async with installation.worker():
            again = await listener.result_at(cancel.place, nth=2)
            await eventually(lambda: len(listener.cancellations) == 2, "the event again")
    assert await installation.state() == before
    assert again == listener.results_at(cancel.place)[0]
    assert listener.cancellations[0] == listener.cancellations[1]


async def test_of_20_cancellations_at_once_one_succeeds(installation: Installation) -> None:
    async with installation.observed() as (producer, listener), installation.worker():
        order_id = await bought(producer, listener)
        cancels = [producer.send(wire.CancelOrder(ANN, order_id)) for _ in range(20)]
        results = await listener.results_of(await asyncio.gather(*cancels))
        codes = Counter((each.status, body_of(each).get("code")) for each in results)
        assert codes == {(200, None): 1, (409, "ORDER_ALREADY_CANCELLED"): 19}
    assert await installation.query("SELECT balance FROM wallets") == [(50_000,)]
    assert await shelf(installation) == {1: 100, 2: 10}


async def test_payments_and_cancellations_that_race_leave_all_as_it_was(
    installation: Installation,
) -> None:
    """Whichever comes first: each order ends cancelled, and was paid once before or never."""
    async with installation.observed() as (producer, listener), installation.worker():
        await define_shop(producer, listener)
        await say(producer, listener, wire.ChargeBalance(ANN, 10_000))
        for seed in range(10):
            wish = wire.CreateOrder(ANN, [wire.OrderItem(1, 1)])
            order_id = (await say(producer, listener, wish)).command_id
            racing = [kind(ANN, order_id) for kind in (wire.PayOrder, wire.CancelOrder) * 5]
            Random(seed).shuffle(racing)
            sent = await asyncio.gather(*[producer.send(each) for each in racing])
            results = await listener.results_of(sent)
            done = Counter(body_of(each).get("status") for each in results if each.status == 200)
            assert done["CANCELLED"] == 1
            assert done["PAID"] <= 1
    assert await installation.query("SELECT balance FROM wallets") == [(10_000,)]
    assert await shelf(installation) == {1: 100, 2: 10}
    orders = "SELECT status, paid_at_ms IS NULL, count(*) FROM orders GROUP BY 1, 2"
    found = await installation.query(orders)
    assert sum(count for _, _, count in found) == 10
    assert {status for status, _, _ in found} == {"CANCELLED"}
