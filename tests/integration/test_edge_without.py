"""The edge without its worker, its broker, its database or its cache: what it promises then."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp.test_utils import TestClient, make_mocked_request
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.services.ports import free_port
from streams import wire
from tests.edges import Customer, Reply, edge_of, until
from tests.installation import Installation, install
from tests.proxy import Proxy, proxied
from tests.scenario import define_shop, say
from web.backlog import Limits
from web.requests import command_id_of

ANN, BOB = 1, 2


async def records_of(installation: Installation) -> int:
    """Count the commands of users in the log."""
    topic = installation.topics.user_commands
    places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    async with AIOKafkaConsumer(bootstrap_servers=installation.settings.kafka_url) as consumer:
        return sum((await consumer.end_offsets(places)).values())


def is_unavailable(reply: Reply) -> bool:
    return (reply.status, reply.code) == (503, "UNAVAILABLE") and "Retry-After" in reply.headers


async def is_done(customer: Customer, command_id: str) -> bool:
    reply = await customer.command(command_id)
    return reply.status == 200 and reply.body["state"] == "DONE"


async def admitted(ask: Callable[[], Awaitable[Reply]]) -> Reply:
    """Ask until the edge has seen that its line moves again: until then it may answer 429."""
    replies: list[Reply] = []

    async def is_admitted() -> bool:
        replies.append(await ask())
        return replies[-1].status != 429

    await until(is_admitted, "an answer other than 429")
    return replies[-1]


async def test_a_late_outcome_is_promised_and_kept(installation: Installation) -> None:
    async with edge_of(installation, wait_seconds=0.2) as customer:
        late = await customer.charge(ANN, 100, key="k")
        command_id = late.headers["Command-Id"]
        assert (late.status, late.body) == (202, {"commandId": command_id, "state": "PENDING"})
        assert late.headers["Location"] == f"/api/v1/commands/{command_id}"
        pending = {"commandId": command_id, "state": "PENDING", "status": None, "body": None}
        assert (await customer.get(late.headers["Location"])).body == pending
        async with edge_of(installation, edge_number=1) as other:
            assert (await other.command(command_id)).body == pending
            async with installation.worker():
                await until(lambda: is_done(other, command_id), "the outcome")
                again = await admitted(lambda: other.charge(ANN, 100, key="k"))
        assert (again.status, again.body["balance"]) == (200, 100)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert await customer.balance(ANN) == 100


async def test_a_command_on_its_way_is_pending(installation: Installation) -> None:
    async with edge_of(installation, wait_seconds=30, stop_seconds=0.1) as customer:
        request = asyncio.create_task(customer.charge(ANN, 100, key="k"))
        # The client does not know the id yet; whoever makes it of the same key does.
        route = make_mocked_request("POST", "/api/v1/balance/charge")
        command_id = command_id_of(route, str(ANN), "k")

        async def is_pending() -> bool:
            reply = await customer.command(str(command_id))
            return reply.status == 200 and reply.body["state"] == "PENDING"

        await until(is_pending, "the command")
        request.cancel()


async def test_an_edge_that_stops_answers_what_waits_and_takes_nothing_new(
    installation: Installation,
) -> None:
    async with edge_of(installation, wait_seconds=300, stop_seconds=0.5) as customer:
        waiting = [asyncio.create_task(customer.charge(user, 100)) for user in range(1, 6)]

        async def are_sent() -> bool:
            return await records_of(installation) == len(waiting)

        await until(are_sent, "five commands in the log")
        assert isinstance(customer.http, TestClient)
        stopping = asyncio.create_task(customer.http.server.close())
        replies = await asyncio.gather(*waiting)
        await stopping
    assert {reply.status for reply in replies} == {202}
    async with installation.worker(), edge_of(installation) as later:
        for reply in replies:
            command_id = str(reply.body["commandId"])
            await until(lambda c=command_id: is_done(later, c), "the outcome")  # type: ignore[misc]


async def test_too_many_waiting_are_told_when_to_return(installation: Installation) -> None:
    async with installation.worker():
        pass
    limits = Limits(queue_seconds_max=0.001)
    async with edge_of(installation, wait_seconds=0.2, limits=limits) as customer:
        assert (await customer.charge(ANN, 100)).status == 202
        refused = await customer.charge(ANN, 100)
        assert (refused.status, refused.code) == (429, "TOO_MANY_WAITING")
        assert int(refused.headers["Retry-After"]) >= 1
        # Nobody waits where other users' commands go.
        assert (await customer.charge(BOB, 100)).status == 202
        assert await records_of(installation) == 2


async def test_without_a_broker_nothing_is_accepted_and_all_is_readable(
    kafka_url: str, own_database_url: str, tmp_path: Path
) -> None:
    installation = await install(kafka_url, own_database_url, tmp_path)
    nobody = f"127.0.0.1:{free_port()}"
    async with edge_of(installation, is_ready=False, kafka_url=nobody) as customer:
        assert is_unavailable(await customer.charge(ANN, 100))
        assert await customer.balance(ANN) is None
        assert (await customer.get("/api/v1/products")).body == {"products": [], "next": None}
        assert (await customer.get("/livez")).status == 200
        checks = await customer.checks()
        assert (checks["broker"], checks["producer"], checks["results"]) == (False,) * 3


@asynccontextmanager
async def behind_proxy(installation: Installation) -> AsyncIterator[tuple[Installation, Proxy]]:
    """The installation as a process sees it whose database can be taken away."""
    url = urlsplit(installation.settings.database_url)
    assert url.port is not None
    async with proxied(url.port) as proxy:
        user = url.netloc.rpartition("@")[0]
        near = url._replace(netloc=f"{user}@127.0.0.1:{proxy.port}").geturl()
        yield installation.with_settings(database_url=near), proxy


async def test_without_a_database_nothing_is_accepted(installation: Installation) -> None:
    async with behind_proxy(installation) as (near, proxy), edge_of(near) as customer:
        await proxy.shut()

        async def is_noticed() -> bool:
            return not (await customer.checks())["database"]

        await until(is_noticed, "the absence of the database")
        assert is_unavailable(await customer.charge(ANN, 100))
        assert is_unavailable(await customer.get(f"/api/v1/balance?userId={ANN}"))
        assert (await customer.get("/livez")).status == 200
        await proxy.open()
        await customer.until_ready()
        assert await customer.balance(ANN) is None


async def test_a_promise_that_cannot_be_recorded_leaves_the_outcome_unknown(
    installation: Installation,
) -> None:
    async with (
        behind_proxy(installation) as (near, proxy),
        edge_of(near, wait_seconds=1.0) as customer,
    ):
        request = asyncio.create_task(customer.charge(ANN, 100))

        async def is_sent() -> bool:
            return await records_of(near) == 1

        await until(is_sent, "the command in the log")
        await proxy.shut()
        unknown = await request
        assert (unknown.status, unknown.code) == (503, "OUTCOME_UNKNOWN")
        await proxy.open()
    command_id = unknown.body["commandId"]
    assert command_id == unknown.headers["Command-Id"]
    async with installation.worker(), edge_of(installation) as later:
        await until(lambda: is_done(later, command_id), "the outcome")
        assert await later.balance(ANN) == 100


async def _shop_around(customer: Customer, first_user: int) -> list[tuple[int, str]]:
    """Everything that a cache has a part in; what comes of it, without ids and times."""
    users = range(first_user, first_user + 4)
    replies = [await customer.issue(user, "HELLO") for user in users]
    replies.append(await customer.get("/api/v1/products"))
    replies.append(await customer.get("/api/v1/products/top"))
    return [(reply.status, reply.code) for reply in replies]


async def test_without_a_cache_no_answer_changes(
    installation: Installation, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = urlsplit(redis_url)
    assert url.port is not None
    issued, gone = (200, ""), (409, "COUPON_SOLD_OUT")
    async with (
        installation.worker(),
        installation.observed() as (producer, listener),
        proxied(url.port) as proxy,
        edge_of(
            installation,
            redis_url=f"redis://127.0.0.1:{proxy.port}",
            cache_prefix=installation.settings.topic_prefix,
        ) as customer,
    ):
        await define_shop(producer, listener)
        expected = [issued] * 3 + [gone, issued, issued]
        assert await _shop_around(customer, 10) == expected
        assert str(proxy.port) in (await customer.get("/readyz")).body["cache"]
        await proxy.shut()
        expected = [gone] * 4 + [issued, issued]
        with caplog.at_level(logging.WARNING, logger="web.shared_cache"):
            assert await _shop_around(customer, 20) == expected
            assert await _shop_around(customer, 30) == expected
        assert [record.getMessage()[:13] for record in caplog.records] == ["Redis is away"]
        ready = await customer.get("/readyz")
        assert (ready.status, "in-process" in ready.body["cache"]) == (200, True)
        await proxy.open()
        await say(producer, listener, wire.DefineCoupon("HELLO", 4, 1_000))

        async def is_back() -> bool:
            await customer.get("/api/v1/products")
            return "in-process" not in (await customer.get("/readyz")).body["cache"]

        await until(is_back, "the return of the cache")
        assert (await customer.issue(40, "HELLO")).body["number"] == 4
