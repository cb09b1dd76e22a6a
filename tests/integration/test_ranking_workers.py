"""Ranking workers that are killed, stopped and wiped under payments: the list is what was paid."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import islice
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from app import ranking
from app.node import faust_settings
from domain.leaderboard import Leaderboard
from streams import wire
from tables.app import changelog_topic
from tables.hourly_values import HourlyValues
from tables.top_lists import TopListReader
from tests.client import Producer, eventually, producing
from tests.commands import fairline
from tests.installation import Installation
from tests.integration.test_ranking import (
    edge_side,
    ranking_process,
    selling,
    shows,
    sold_by_sql,
)
from tests.integration.test_ranking_check import ranking_here

PAYMENTS = 20_000
PRODUCTS = 300
USERS = 2_000
SEED = 4


Orders = Iterator[tuple[int, list[wire.OrderItem]]]
"""A user and what the user orders, one after the other."""


def as_in_shops() -> Orders:
    """Draw who orders what: the n-th product is wanted 1/n as much as the first, as in shops."""
    chance = random.Random(SEED)
    wanted = [1 / number for number in range(1, PRODUCTS + 1)]
    while True:
        drawn = set(chance.choices(range(1, PRODUCTS + 1), wanted, k=chance.choice((1, 1, 2))))
        items = [wire.OrderItem(product_id, chance.randint(1, 3)) for product_id in sorted(drawn)]
        yield chance.randint(1, USERS), items


class Shoppers:
    """Appends orders and their payments to the log, without waiting for what becomes of them."""

    def __init__(self, installation: Installation, producer: Producer, orders: Orders) -> None:
        self._installation = installation
        self._producer = producer
        self._orders = orders
        self._ordered: list[tuple[int, str]] = []

    async def open(self) -> None:
        """Define the products, and give everybody money."""
        catalog = [wire.DefineProduct(n, f"p{n}", 10, 10**6) for n in range(1, PRODUCTS + 1)]
        charges = [wire.ChargeBalance(user_id, 100_000) for user_id in range(1, USERS + 1)]
        await self._producer.send_all([*catalog, *charges])
        # Orders are of another topic than products: they must not come before them.
        defined = partial(self._is, "count(*) = $1 FROM products", PRODUCTS)
        await eventually(defined, "the products")

    @property
    def started(self) -> int:
        """How many orders were sent."""
        return len(self._ordered)

    async def order_and_pay(self, payments: int) -> None:
        """Both are commands of one user, so the payment comes after the order in any case."""
        sent = []
        for user_id, items in islice(self._orders, payments):
            order_id = UUID(int=self.started + 1)
            self._ordered.append((user_id, str(order_id)))
            sent.append(await self._producer.start(wire.CreateOrder(user_id, items), order_id))
            sent.append(await self._producer.start(wire.PayOrder(user_id, str(order_id))))
        await asyncio.gather(*sent)

    async def cancel(self, orders: int) -> None:
        """Cancel so many orders at random, whatever has become of their payments."""
        chosen = random.Random(self.started).sample(self._ordered, orders)
        await self._producer.send_all([wire.CancelOrder(*each) for each in chosen])

    async def paid(self, payments: int) -> None:
        """Wait until so many orders have been paid in all, a thousand after the other."""
        condition = "count(*) >= $1 FROM orders WHERE paid_at_ms IS NOT NULL"
        for number in (*range(1_000, payments, 1_000), payments):
            await eventually(partial(self._is, condition, number), f"{number} payments")

    async def _is(self, condition: str, number: int) -> bool:
        return bool((await self._installation.query(f"SELECT {condition}", number))[0][0])


@asynccontextmanager
async def shopping(installation: Installation, orders: Orders) -> AsyncIterator[Shoppers]:
    """An open shop, with a command worker in a process of its own."""
    async with (
        producing(installation.settings.kafka_url, installation.topics) as producer,
        installation.process("worker", port_name="worker_port") as worker,
    ):
        await worker.ready()
        shoppers = Shoppers(installation, producer, orders)
        await shoppers.open()
        yield shoppers


async def shows_what_was_paid(installation: Installation, reader: TopListReader) -> None:
    """Wait until the merged list is SQL's first hundred, each with its quantity."""
    expected = tuple((await sold_by_sql(installation))[:100])
    await eventually(lambda: reader.top(100).entries == expected, "what SQL says on top")


async def changelog_records(installation: Installation) -> int:
    """Count what was ever written to the changelog; compaction moves no offset."""
    group = faust_settings(installation.settings, "ranking", 0).group
    topic = changelog_topic(group, installation.topics)
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    async with AIOKafkaConsumer(bootstrap_servers=installation.settings.kafka_url) as consumer:
        return sum((await consumer.end_offsets(partitions)).values())


async def test_a_worker_killed_three_times_under_20000_payments(
    installation: Installation,
) -> None:
    async with (
        shopping(installation, as_in_shops()) as shoppers,
        edge_side(installation) as reader,
        ranking_process(installation) as steady,
        AsyncExitStack() as stack,
    ):
        killed = await stack.enter_async_context(ranking_process(installation))
        await steady.ready()
        for number in range(1, 5):
            await killed.ready()
            await shoppers.order_and_pay(PAYMENTS // 4)
            if number < 4:
                await shoppers.cancel(100)
                await shoppers.paid(shoppers.started - PAYMENTS // 8)
                killed.child.process.kill()
                await killed.left()
                killed = await stack.enter_async_context(ranking_process(installation))
            await shoppers.paid(shoppers.started)
        await shows_what_was_paid(installation, reader)
        told: list[str] = []
        found = await ranking.check(installation.settings, told.append)
        assert (found.differences, found.partitions) == (0, tuple(range(4))), found.first
        assert found.products == len(await sold_by_sql(installation)) > 200, told
    # A sale is a line of an order, counted once more when it is cancelled. Those that a worker
    # loaded from SQL are in no changelog at all.
    [[sales]] = await installation.query(
        "SELECT sum(CASE status WHEN 'CANCELLED' THEN 2 ELSE 1 END)"
        " FROM order_lines JOIN orders USING (order_id)"
    )
    assert 0 < await changelog_records(installation) <= sales


async def watch(reader: TopListReader, seen: list[int]) -> None:
    """Look at the list again and again: nothing twice, nothing lost, nothing fewer than before."""
    before: dict[int, int] = {}
    while True:
        entries = reader.top(100).entries
        now = {entry.product_id: entry.quantity for entry in entries}
        assert len(now) == len(entries), "a product is there twice"
        fewer = {key: (n, now.get(key, 0)) for key, n in before.items() if now.get(key, 0) < n}
        assert not fewer, f"before and now: {fewer}"
        before = now
        seen.append(sum(now.values()))
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("leaves", [True, False], ids=["one-leaves", "one-joins"])
async def test_a_handover_shows_no_product_twice_and_loses_none(
    installation: Installation, leaves: bool
) -> None:
    # Fewer products than places, so that none leaves the list for others' sake.
    orders = ((n % USERS + 1, [wire.OrderItem(n % 90 + 1, 1)]) for n in range(USERS))
    async with (
        shopping(installation, orders) as shoppers,
        edge_side(installation) as reader,
        AsyncExitStack() as stack,
    ):
        workers = [
            await stack.enter_async_context(ranking_process(installation))
            for _ in range(1 + leaves)
        ]
        await asyncio.gather(*[worker.ready() for worker in workers])
        await shoppers.order_and_pay(180)
        await shoppers.paid(180)
        await shows_what_was_paid(installation, reader)
        seen: list[int] = []
        watching = asyncio.create_task(watch(reader, seen))
        if leaves:
            workers[1].child.ask()
        else:
            workers.append(await stack.enter_async_context(ranking_process(installation)))
        while shoppers.started < 1_500 and not watching.done():
            await shoppers.order_and_pay(60)
            await shoppers.paid(shoppers.started)
        await shows_what_was_paid(installation, reader)
        assert workers[1].child.exit_code() == (0 if leaves else None)
        assert not watching.done(), watching.exception()
        watching.cancel()
        assert seen == sorted(seen)
        assert len(set(seen)) > 3


async def test_a_table_wiped_in_the_middle_is_rebuilt(installation: Installation) -> None:
    async with (
        shopping(installation, as_in_shops()) as shoppers,
        edge_side(installation) as reader,
        ranking_here(installation) as worker,
    ):
        await shoppers.order_and_pay(500)
        await shoppers.paid(250)
        worker.live._table.by_hour = HourlyValues()
        worker.live._boards = {number: Leaderboard() for number in worker.live._boards}
        coming = asyncio.create_task(shoppers.order_and_pay(500))
        rebuilt = await fairline(installation, "ranking", "rebuild", "--no-check")
        assert rebuilt.code == 0, rebuilt
        await coming
        await shoppers.paid(1_000)
        await shows_what_was_paid(installation, reader)
        checked = await fairline(installation, "ranking", "check")
        assert (checked.code, ", 0 differences" in checked.out) == (0, True), checked


async def test_what_a_worker_counted_last_is_shown_though_it_stops(
    installation: Installation,
) -> None:
    async with (
        edge_side(installation) as reader,
        selling(installation) as sales,
        ranking_here(installation) as worker,
    ):
        await sales.sell(1, 5, offset=0)
        await shows(reader, [(1, 5)])
        # Lists are published some tenths of a second apart: this one's turn does not come.
        await sales.sell(1, 3, offset=1)
        await eventually(lambda: worker.live.sums() == {1: 8}, "the second sale")
    async with edge_side(installation) as reader:
        assert reader.top().entries == ((1, 8),)
