"""The live ranking on real Kafka and PostgreSQL: what the orders say, whatever happens to it."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import aiohttp
import msgspec
import pytest
import sqlalchemy as sa
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.node import faust_settings
from app.services.ports import free_port
from domain.ranking import HOUR_MS, TopEntry, hour_of
from storage.engine import create_database
from storage.marks import Mark, insert_marks
from storage.schema import order_lines, orders, products
from streams import wire
from streams.codec import partition_of
from streams.faust_watch import LookLimits
from streams.outcomes import epoch_ms, moment
from tables.top_lists import TopListReader
from tables.worker import RankingWorker
from tests.client import Listener, Producer, Sent, eventually
from tests.installation import Installation, Process

Top = list[tuple[int, int]]


def now() -> int:
    """The time in epoch ms, for what a clock judges: the hour may have turned since NOW."""
    return time.time_ns() // 1_000_000


NOW = now()


@asynccontextmanager
async def ranking(
    installation: Installation, port: int = 0, looks: LookLimits | None = None
) -> AsyncIterator[RankingWorker]:
    """A ranking worker in this process."""
    settings = installation.settings
    database = create_database(settings.sqlalchemy_url)
    faust = faust_settings(settings, "ranking", port or free_port())
    worker = RankingWorker(
        faust,
        database,
        installation.topics,
        settings.zone,
        hours=settings.ranking_hours,
        looks=looks,
    )
    try:
        await worker.start()
        yield worker
    finally:
        await worker.stop()
        await database.dispose()


@asynccontextmanager
async def edge_side(installation: Installation) -> AsyncIterator[TopListReader]:
    """What an edge knows of the ranking."""
    settings = installation.settings
    reader = TopListReader(settings.kafka_url, installation.topics, settings.ranking_hours)
    await reader.start()
    try:
        await eventually(lambda: reader.ready, "the top lists of before")
        yield reader
    finally:
        await reader.stop()


async def shows(reader: TopListReader, top: Top) -> None:
    expected = tuple(TopEntry(*each) for each in top)
    await eventually(lambda: reader.top(100).entries == expected, f"{top} on top")


async def sold_by_sql(installation: Installation) -> Top:
    """What the orders say."""
    statement = (
        "SELECT product_id, sum(quantity)::bigint FROM order_lines JOIN orders USING (order_id)"
        " WHERE status = 'PAID' GROUP BY product_id ORDER BY 2 DESC, 1"
    )
    return [(row[0], row[1]) for row in await installation.query(statement)]


class Sales:
    """Appends to `product-sales`, as the command worker's publisher does, and otherwise."""

    def __init__(self, producer: Any, installation: Installation) -> None:
        self._producer = producer
        self._topics = installation.topics

    async def sell(self, product_id: int, quantity: int, offset: int, at: int = NOW) -> None:
        source = {
            "epoch": 1,
            "topic": self._topics.user_commands.name,
            "partition": 0,
            "offset": offset,
        }
        event = {
            "eventId": "x:1",
            "type": "SaleRecorded",
            "orderId": "x",
            "productId": product_id,
            "quantity": quantity,
            "soldAt": moment(at).isoformat(),
            "source": source,
        }
        await self.append(str(product_id).encode(), json.dumps(event).encode())

    async def append(self, key: bytes, value: bytes | None) -> None:
        topic = self._topics.product_sales.name
        await self._producer.send_and_wait(topic, value, key=key)


@asynccontextmanager
async def selling(installation: Installation) -> AsyncIterator[Sales]:
    """A producer of sales, without a command worker."""
    url = installation.settings.kafka_url
    async with AIOKafkaProducer(bootstrap_servers=url, enable_idempotence=True) as producer:
        yield Sales(producer, installation)


async def pay_by_sql(
    installation: Installation, name: str, quantities: dict[int, int], at: int = NOW
) -> None:
    """An order as if it had been paid."""
    row = {
        "order_id": name,
        "user_id": 1,
        "status": "PAID",
        "total_amount": 1,
        "discount_amount": 0,
        "payable_amount": 1,
        "created_at_ms": at,
        "expires_at_ms": at,
        "paid_at_ms": at,
    }
    lines = [
        {"order_id": name, "product_id": each, "position": 0, "unit_price": 1, "quantity": n}
        for each, n in quantities.items()
    ]
    catalog = [
        {"product_id": each, "name": f"product {each}", "price": 1, "stock": 1}
        for each in quantities
    ]
    database = create_database(installation.settings.sqlalchemy_url)
    async with database.begin() as connection:
        known = set((await connection.scalars(sa.select(products.c.product_id))).all())
        new = [each for each in catalog if each["product_id"] not in known]
        if new:
            await connection.execute(products.insert(), new)
        await connection.execute(orders.insert(), row)
        await connection.execute(order_lines.insert(), lines)
    await database.dispose()


async def set_mark(installation: Installation, next_offset: int) -> None:
    database = create_database(installation.settings.sqlalchemy_url)
    topic = installation.topics.user_commands.name
    async with database.begin() as connection:
        await insert_marks(connection, [Mark(topic, 0, 1, next_offset, 0)])
    await database.dispose()


async def test_where_nothing_was_sold_the_list_is_empty(installation: Installation) -> None:
    async with edge_side(installation) as reader:
        assert reader.top().entries == ()
        async with ranking(installation):
            assert reader.top().entries == ()


async def test_sales_count_once_and_in_their_own_hour(installation: Installation) -> None:
    await pay_by_sql(installation, "paid", {1: 5})
    await set_mark(installation, 10)
    port = free_port()
    async with (
        edge_side(installation) as reader,
        selling(installation) as sales,
        ranking(installation, port),
    ):
        await shows(reader, [(1, 5)])
        await sales.sell(1, 5, offset=9)  # It is in the sums.
        for offset in (10, 11, 10, 11):
            await sales.sell(1, 2, offset)
        await sales.sell(1, 4, offset=12, at=NOW - 5 * HOUR_MS)
        await sales.sell(1, 100, offset=13, at=NOW - 80 * HOUR_MS)
        await sales.sell(1, -1, offset=14)
        await sales.sell(2, 20, offset=14)
        await shows(reader, [(2, 20), (1, 12)])
        url = f"http://127.0.0.1:{port}"
        assert await hours_at(f"{url}/ranking/products/1") == {
            hour_of(NOW - 5 * HOUR_MS): 4,
            hour_of(NOW): 8,
        }
        for path in ("/livez", "/readyz", "/ranking/top", "/ranking/table"):
            assert await status_at(url + path) == 200
        for path in ("/table", "/table/", "/router", "/router/", "/ranking/products/x"):
            assert await status_at(url + path) in {400, 404}


#   hours ago      5    4           1        0
#   ----------*----)[---*-----------*--------*---)
#          ignored    the window of 5 hours
async def test_the_window_is_as_long_as_the_setting_says(installation: Installation) -> None:
    settings = installation.settings.model_copy(update={"ranking_hours": 5})
    shorter = replace(installation, settings=settings)
    hour = hour_of(now())
    await pay_by_sql(shorter, "before", {1: 50}, at=hour - 4 * HOUR_MS - 1)
    await pay_by_sql(shorter, "first", {1: 5}, at=hour - 4 * HOUR_MS)
    async with edge_side(shorter) as reader, selling(shorter) as sales, ranking(shorter):
        await shows(reader, [(1, 5)])
        await sales.sell(1, 50, offset=0, at=hour - 4 * HOUR_MS - 1)
        await sales.sell(1, 2, offset=1, at=hour - HOUR_MS)
        await shows(reader, [(1, 7)])
        window = reader.top().window
        assert window.end_ms - window.start_ms == 5 * HOUR_MS


async def hours_at(url: str) -> dict[int, int]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        body = await response.json()
    assert body["quantity"] == sum(each["quantity"] for each in body["hours"])
    return {
        epoch_ms(datetime.fromisoformat(each["hour"])): each["quantity"] for each in body["hours"]
    }


async def status_at(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status


async def test_records_that_are_no_sales_become_dead_letters(installation: Installation) -> None:
    key = b"1"
    bad: list[tuple[bytes, bytes | None, str]] = [
        (key, b"\x00junk", "UNDECODABLE"),
        (key, None, "UNDECODABLE"),
        (key, b'{"type": "SaleRecorded"}', "UNDECODABLE"),
    ]
    async with (
        selling(installation) as sales,
        edge_side(installation) as reader,
        ranking(installation),
    ):
        for bad_key, value, _ in bad:
            await sales.append(bad_key, value)
        await sales.sell(1, 1, offset=0, at=now() + HOUR_MS // 2)
        await sales.sell(1, 7, offset=1)
        await shows(reader, [(1, 7)])
    letters = await dead_letters(installation)
    assert [(letter.key, letter.value, letter.reason) for letter in letters[:3]] == bad
    assert letters[3].reason == "FUTURE_DATE"
    assert {letter.topic for letter in letters} == {installation.topics.product_sales.name}
    assert {letter.partition for letter in letters} == {partition_of(key, 4)}


async def dead_letters(installation: Installation) -> list[wire.DeadLetter]:
    """Every dead letter; all of one key, so they are in order."""
    topic = installation.topics.dead_letters
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    async with AIOKafkaConsumer(
        bootstrap_servers=installation.settings.kafka_url, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign(partitions)
        waiting = sum((await consumer.end_offsets(partitions)).values())
        return [
            msgspec.json.decode((await consumer.getone()).value, type=wire.DeadLetter)
            for _ in range(waiting)
        ]


async def test_the_list_stays_while_no_worker_is_there_and_is_right_again_after(
    installation: Installation,
) -> None:
    await pay_by_sql(installation, "before", {1: 5})
    async with edge_side(installation) as reader, selling(installation) as sales:
        async with ranking(installation):
            await sales.sell(2, 9, offset=0)
            await shows(reader, [(2, 9), (1, 5)])
        # The database is the truth: it never heard of what offset 0 sold.
        await pay_by_sql(installation, "meanwhile", {3: 7, 2: 1})
        await set_mark(installation, 3)
        for offset in (0, 1, 2):
            await sales.sell(3, 100, offset)
        assert reader.top().entries == ((2, 9), (1, 5))
        async with ranking(installation):
            await shows(reader, [(3, 7), (1, 5), (2, 1)])
            await sales.sell(2, 8, offset=3)
            await shows(reader, [(2, 9), (3, 7), (1, 5)])
    async with edge_side(installation) as later_reader:
        assert later_reader.top().entries == ((2, 9), (3, 7), (1, 5))


async def test_a_missed_midnight_is_made_up_for_once(installation: Installation) -> None:
    await pay_by_sql(installation, "yesterday", {1: 5, 2: 6}, at=now() - 24 * HOUR_MS)

    async def is_stored() -> bool:
        return bool(await installation.query("SELECT date FROM ranking_runs"))

    for name in ("late", "later"):
        async with ranking(installation):
            await eventually(is_stored, "the stored ranking")
        await pay_by_sql(installation, name, {1: 50}, at=now() - 24 * HOUR_MS)
    assert len(await installation.query("SELECT date FROM ranking_runs")) == 1
    ranked = await installation.query(
        "SELECT rank, product_id, name, quantity FROM daily_ranking ORDER BY rank"
    )
    assert ranked == [(1, 2, "product 2", 6), (2, 1, "product 1", 5)]


async def prepare_orders(producer: Producer, listener: Listener, users: range) -> list[Sent]:
    """A catalog, and an order of two products for each user, ready to be paid."""
    catalog = [wire.DefineProduct(each, f"p{each}", 10, 100_000) for each in range(1, 13)]
    charges = [wire.ChargeBalance(user_id, 100_000) for user_id in users]
    await listener.results_of(await producer.send_all([*catalog, *charges]))
    wanted = [
        wire.CreateOrder(
            user_id,
            [wire.OrderItem(user_id % 12 + 1, 1), wire.OrderItem(user_id * 7 % 5 + 1, 2)],
        )
        for user_id in users
    ]
    created = await producer.send_all(wanted)
    results = await listener.results_of(created)
    assert {result.status for result in results} == {200}
    return created


@pytest.mark.timeout(180)
async def test_workers_killed_under_payments_leave_the_ranking_right(
    installation: Installation,
) -> None:
    users = range(1, 301)
    async with (
        installation.observed() as (producer, listener),
        installation.worker(),
        edge_side(installation) as reader,
    ):
        created = await prepare_orders(producer, listener, users)
        pays = [
            wire.PayOrder(user_id, sent.command_id)
            for user_id, sent in zip(users, created, strict=True)
        ]
        async with (
            ranking_process(installation) as first,
            ranking_process(installation) as second,
        ):
            await first.ready()
            await second.ready()
            paid = await producer.send_all(pays[:100])
            first.child.process.kill()
            paid += await producer.send_all(pays[100:200])
            async with ranking_process(installation) as third:
                await third.ready()
                second.child.process.kill()
                paid += await producer.send_all(pays[200:])
                await listener.results_of(paid)
                await shows(reader, await sold_by_sql(installation))
                assert len(reader.top(100).entries) == 12


def ranking_process(installation: Installation) -> AbstractAsyncContextManager[Process]:
    return installation.process("worker", "--kind", "ranking", port_name="ranking_port")
