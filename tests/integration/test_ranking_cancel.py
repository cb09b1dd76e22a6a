"""A cancelled order leaves the live ranking, in the hour in which it was sold, for good."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from app.services.ports import free_port
from domain.ranking import HOUR_MS, hour_of
from streams import wire
from tables.top_lists import TopListReader
from tests.client import Listener, Producer
from tests.installation import Installation
from tests.integration.test_ranking import Top, edge_side, hours_at, ranking, shows, sold_by_sql
from tests.scenario import say

ANN = 1
TEA, CUP = 1, 2
AGO_MS = 5 * HOUR_MS


class Shop(NamedTuple):
    """A command worker that runs, and somebody who tells it what to do."""

    installation: Installation
    producer: Producer
    listener: Listener

    async def do(self, payload: wire.Shape) -> str:
        return (await say(self.producer, self.listener, payload)).command_id

    async def sell(self, *items: tuple[int, int]) -> str:
        """An order of so many pieces of each product, paid now."""
        listed = [wire.OrderItem(product_id, quantity) for product_id, quantity in items]
        order_id = await self.do(wire.CreateOrder(ANN, listed))
        await self.do(wire.PayOrder(ANN, order_id))
        return order_id

    async def sell_earlier(self, *items: tuple[int, int]) -> str:
        """An order as if it had been paid some hours ago; while no ranking worker runs."""
        order_id = await self.sell(*items)
        earlier = f"UPDATE orders SET paid_at_ms = paid_at_ms - {AGO_MS} WHERE order_id = $1"
        await self.installation.query(earlier, order_id)
        return order_id

    async def hour_of(self, order_id: str) -> int:
        """The hour in which an order was paid."""
        [[paid_at_ms]] = await self.installation.query(
            "SELECT paid_at_ms FROM orders WHERE order_id = $1", order_id
        )
        return hour_of(paid_at_ms)

    async def cancel(self, order_id: str) -> None:
        await self.do(wire.CancelOrder(ANN, order_id))


@asynccontextmanager
async def selling(installation: Installation) -> AsyncIterator[Shop]:
    async with installation.observed() as (producer, listener), installation.worker():
        shop = Shop(installation, producer, listener)
        for product_id in (TEA, CUP):
            await shop.do(wire.DefineProduct(product_id, f"product {product_id}", 10, 1_000))
        await shop.do(wire.ChargeBalance(ANN, 100_000))
        yield shop


@asynccontextmanager
async def watching(installation: Installation) -> AsyncIterator["Watch"]:
    """A ranking worker that runs, and what is seen of it."""
    port = free_port()
    async with edge_side(installation) as reader, ranking(installation, port):
        yield Watch(installation, reader, f"http://127.0.0.1:{port}/ranking/products")


class Watch(NamedTuple):
    """The list at the edge, the hours in the table, and the sums in the database."""

    installation: Installation
    reader: TopListReader
    url: str

    async def sees(self, top: Top, hours: dict[int, int]) -> None:
        """Wait for a list; see that SQL says the same, and of which hours the tea's sales are."""
        await shows(self.reader, top)
        assert await sold_by_sql(self.installation) == top
        assert await hours_at(f"{self.url}/{TEA}") == hours


#      five hours ago                    now
#   [ tea 7, cup 2     ]   ...   [ tea 3          ]      sold
#   [ tea -7, cup -2   ]         [ *              ]      the first order, cancelled now
#   [                  ]   ...   [ tea 3          ]      left
async def test_a_sale_is_taken_back_in_the_hour_it_was_made(installation: Installation) -> None:
    async with selling(installation) as shop:
        first = await shop.sell_earlier((TEA, 7), (CUP, 2))
        async with watching(installation) as watch:
            second = await shop.sell((TEA, 3))
            earlier, now = await shop.hour_of(first), await shop.hour_of(second)
            await watch.sees([(TEA, 10), (CUP, 2)], {earlier: 7, now: 3})
            await shop.cancel(first)
            await watch.sees([(TEA, 3)], {now: 3})
        async with watching(installation) as again:
            await again.sees([(TEA, 3)], {now: 3})


async def test_a_sale_and_its_cancellation_while_no_worker_counts(
    installation: Installation,
) -> None:
    """What lies below the marks is in the sums already, on either side."""
    async with selling(installation) as shop:
        async with watching(installation) as watch:
            first = await shop.sell((TEA, 7))
            await watch.sees([(TEA, 7)], {await shop.hour_of(first): 7})
        second = await shop.sell((TEA, 5), (CUP, 1))
        third = await shop.sell((CUP, 4))
        await shop.cancel(first)
        await shop.cancel(third)
        async with watching(installation) as again:
            await again.sees([(TEA, 5), (CUP, 1)], {await shop.hour_of(second): 5})
            await shop.cancel(second)
            await again.sees([], {})
            last = await shop.sell((TEA, 1))
            await again.sees([(TEA, 1)], {await shop.hour_of(last): 1})
