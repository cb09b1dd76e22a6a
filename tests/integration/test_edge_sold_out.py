"""A coupon that is sold out is refused at every edge without the log, and never by mistake."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from streams import wire
from tests.client import Listener, Producer
from tests.edges import Customer, Reply, edge_of, until
from tests.installation import Installation
from tests.scenario import say
from web.shared_cache import create_cache

ANN, BOB, CAROL, DAVE = 1, 2, 3, 4
CODE = "LAST"


@dataclass(frozen=True)
class Door:
    """Two edges of one shop, and its people at the log."""

    here: Customer
    there: Customer
    producer: Producer
    listener: Listener

    async def until_refused_at_the_edge(self) -> None:
        """Let one edge hear it from the log, and the other one hear it from that edge."""

        async def is_refused() -> bool:
            heard = await self.here.issue(BOB, CODE)
            return heard.code == "COUPON_SOLD_OUT" and is_from_the_edge(
                await self.there.issue(CAROL, CODE)
            )

        await until(is_refused, "a refusal without the log")


def is_from_the_edge(reply: Reply) -> bool:
    """Tell whether a refusal came without the log; a machine that is slow may refuse otherwise."""
    return reply.code == "COUPON_SOLD_OUT" and "Command-Id" not in reply.headers


@pytest_asyncio.fixture(params=["shared", "alone"])
async def door(
    installation: Installation, redis_url: str, request: pytest.FixtureRequest
) -> AsyncIterator[Door]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(installation.worker())
        producer, listener = await stack.enter_async_context(installation.observed())
        await say(producer, listener, wire.DefineCoupon(CODE, 1, 100))
        shared = request.param == "shared"
        prefix = f"{installation.settings.topic_prefix}fairline:"
        here, there = [
            await stack.enter_async_context(
                edge_of(
                    installation,
                    edge_number=number,
                    redis_url=redis_url if shared else "",
                    cache_prefix=prefix,
                )
            )
            for number in range(2)
        ]
        yield Door(here, there, producer, listener)


@pytest.mark.parametrize("door", ["shared"], indirect=True)
async def test_what_one_edge_hears_the_other_one_knows(door: Door) -> None:
    first = await door.here.issue(ANN, CODE, key="mine")
    assert first.status == 200
    await door.until_refused_at_the_edge()
    # The stored command and the user's own copy come first, whatever the flag says.
    again = await door.there.issue(ANN, CODE, key="mine")
    assert (again.status, again.body) == (200, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await door.there.issue(ANN, CODE)).code == "COUPON_ALREADY_ISSUED"


@pytest.mark.parametrize("door", ["shared"], indirect=True)
async def test_an_edge_tells_the_others_and_believes_them(
    door: Door, installation: Installation, redis_url: str
) -> None:
    shared = create_cache(redis_url, f"{installation.settings.topic_prefix}fairline:")
    assert (await door.here.issue(ANN, CODE)).status == 200

    async def is_told() -> bool:
        await door.here.issue(BOB, CODE)
        return (await shared.get(f"sold-out:{CODE}")) != [None]

    await until(is_told, "the flag that others see")
    # As if an edge had just said so, however slow this machine is.
    await shared.put(f"sold-out:{CODE}", b"1", 60.0)
    assert is_from_the_edge(await door.there.issue(CAROL, CODE))
    await shared.close()


@pytest.mark.parametrize("door", ["shared"], indirect=True)
async def test_more_copies_are_had_at_once_though_the_flag_still_stands(door: Door) -> None:
    assert (await door.here.issue(ANN, CODE)).status == 200
    await door.until_refused_at_the_edge()
    await say(door.producer, door.listener, wire.DefineCoupon(CODE, 2, 100))
    assert (await door.there.issue(DAVE, CODE)).body["number"] == 2


@pytest.mark.parametrize("door", ["alone"], indirect=True)
async def test_without_redis_every_edge_finds_out_for_itself(door: Door) -> None:
    assert (await door.here.issue(ANN, CODE)).status == 200

    async def both_know() -> bool:
        return all(
            [is_from_the_edge(await edge.issue(BOB, CODE)) for edge in (door.here, door.there)]
        )

    await until(both_know, "a refusal without the log at each edge")
