"""Parts that are away for a while: what was accepted is done later, and no answer is wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from app.services.ports import free_port
from app.services.service import wait_until_answering
from app.services.valkey import Valkey
from client import charge_balance
from streams import wire
from streams.log_reader import LogReader
from tests.client import eventually, producing
from tests.edges import Reply
from tests.installation import Installation, install
from tests.street import Street, Visitor, opened

NewId = Callable[[], int]


class Cache:
    """A Redis of our own, to be stopped."""

    def __init__(self, folder: Path) -> None:
        self.server = Valkey(folder, free_port())
        self.server.prepare()
        self.start()

    def start(self) -> None:
        self.child = self.server.launch()
        wait_until_answering(self.server, self.child)

    def stop(self) -> None:
        self.child.stop(5)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    """It runs at first."""
    cache = Cache(tmp_path_factory.mktemp("cache"))
    yield cache
    cache.stop()


@pytest.fixture(scope="module")
def street(
    kafka_url: str,
    cache: Cache,
    new_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Street]:
    """A street that no other file's tests walk; its edge does not wait long."""
    folder = tmp_path_factory.mktemp("outages")
    # Kafka lets a worker of this name go on where it left, without a wait.
    given = {"redis_url": cache.server.url, "wait_seconds": 1, "worker_name": "one"}
    made = install(kafka_url, new_database(), folder, **given)
    with opened(asyncio.run(made), "edge", "worker", "ranking") as street:
        yield street


@pytest_asyncio.fixture
async def visitor(street: Street) -> AsyncIterator[Visitor]:
    async with street.visitor() as visitor:
        yield visitor


async def test_without_a_worker_commands_are_accepted_and_done_later(
    street: Street, visitor: Visitor, new_id: NewId
) -> None:
    users = [new_id() for _ in range(8)]
    street.stop("worker")
    replies = await asyncio.gather(*[visitor.charge(user_id, 10, key="k") for user_id in users])
    for reply in replies:
        assert reply.status == 202
        assert reply.body["state"] == "PENDING"
        command_id = reply.body["commandId"]
        assert reply.headers["Location"] == f"/api/v1/commands/{command_id}"
        assert (await visitor.command(command_id)).body["state"] == "PENDING"
    assert await visitor.balance(users[0]) is None
    await assert_back_pressure(visitor, users[0])
    street.start("worker")
    for user_id, reply in zip(users, replies, strict=True):
        done = (await visitor.done(reply.body["commandId"])).body
        assert done["status"] == 200
        assert done["body"] == {"userId": user_id, "chargedAmount": 10, "balance": 10}
        assert await visitor.balance(user_id) == 10
    # The line moves again, and so it lets commands in again.
    async with street.fairline() as fairline:
        for user_id in users:
            assert (await fairline.do(charge_balance(user_id, 10), key="k")).balance == 10
            assert await visitor.balance(user_id) == 10


async def assert_back_pressure(visitor: Visitor, user_id: int) -> None:
    """A line that stands still lets nobody in after a while, and says when to come back."""

    async def look() -> Reply | None:
        # The same command again: however often it is let in, it is applied once.
        reply = await visitor.charge(user_id, 10, key="k")
        assert reply.status in {202, 503}
        return reply if reply.status == 503 else None

    refused = await eventually(look, "a refusal")
    assert refused.code == "UNAVAILABLE"
    assert int(refused.headers["Retry-After"]) >= 1


async def test_a_transaction_of_a_direct_producer_holds_nobody_up(
    street: Street, visitor: Visitor, new_id: NewId
) -> None:
    installation = street.installation
    settings = installation.settings
    ann = new_id()
    async with producing(
        settings.kafka_url, installation.topics, settings.topic_prefix
    ) as producer:
        for commit in (True, False):
            async with producer.transaction(commit=commit):
                await producer.send(wire.ChargeBalance(ann, 10))

            async def is_applied() -> bool:
                return await visitor.balance(ann) == 10

            await eventually(is_applied, "the committed charge")
    # Markers stay behind the last record; an edge takes a line for stalled after two seconds.
    await eventually(lambda: has_no_gap(installation), "marks at the ends of the log")
    assert (await visitor.charge(ann, 1)).body["balance"] == 11


async def has_no_gap(installation: Installation) -> bool:
    """Whether every mark stands where its partition ends."""
    found = await installation.query("SELECT topic, partition, next_offset FROM partition_marks")
    marks = {(topic, number): next_offset for topic, number, next_offset in found}
    reader = LogReader(installation.settings.kafka_url)
    await reader.start()
    try:
        held = await reader.bounds(marks)
    finally:
        await reader.stop()
    return marks == {partition: bounds.stop for partition, bounds in held.items()}


async def test_the_top_stays_while_nobody_counts_and_is_right_again_after(
    street: Street, visitor: Visitor, new_id: NewId
) -> None:
    ann, tea, cake = new_id(), new_id(), new_id()
    await visitor.define(
        wire.DefineProduct(tea, "Tea", 0, 1_000), wire.DefineProduct(cake, "Cake", 0, 1_000)
    )
    await buy(visitor, ann, tea, 2)
    await shows(visitor, [(tea, 2)])
    street.stop("ranking")
    await buy(visitor, ann, cake, 5)
    await buy(visitor, ann, tea, 1)
    assert await visitor.top() == [(tea, 2)]
    street.start("ranking")
    await shows(visitor, [(cake, 5), (tea, 3)])


async def buy(visitor: Visitor, user_id: int, product_id: int, quantity: int) -> None:
    order = await visitor.order(user_id, [(product_id, quantity)])
    assert (await visitor.pay(user_id, order.body["orderId"])).status == 200


async def shows(visitor: Visitor, expected: list[tuple[int, int]]) -> None:
    """Wait until the best sellers are these."""

    async def look() -> bool:
        return await visitor.top() == expected

    await eventually(look, f"the best sellers {expected}")


async def test_no_answer_changes_when_redis_goes_away(
    cache: Cache, visitor: Visitor, new_id: NewId
) -> None:
    users, code, tea = [new_id() for _ in range(40)], f"C-{new_id()}", new_id()
    await visitor.define(wire.DefineCoupon(code, 15, 1), wire.DefineProduct(tea, "Tea", 0, 100))
    for number, user_id in enumerate(users):
        if number == 10:
            cache.stop()
        if number == 30:
            cache.start()
        issued = await visitor.issue(user_id, code)
        expected = (200, "") if number < 15 else (409, "COUPON_SOLD_OUT")
        assert (issued.status, issued.code) == expected, number
        if number < 15:
            assert issued.body["number"] == number + 1
        await buy(visitor, user_id, tea, 1)
        assert (await visitor.product(tea))["stock"] == 99 - number
        assert (await visitor.charge(user_id, 5, key="k")).status == 200
        assert await visitor.balance(user_id) == 5
        assert await visitor.top()
        assert (await visitor.get("/readyz")).status == 200
