"""Quotas that edges share in Redis, and that each keeps for itself where Redis is away."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from app.services.ports import free_port
from web.quotas import Quota
from web.rate_limit import RateLimit
from web.shared_cache import RedisCache

QUOTA = Quota(20, 3_600)
# A machine that is busy with much else takes long to answer; that is another test's matter.
PATIENT = 20.0


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def limit_at(stack: AsyncExitStack, url: str, prefix: str, quota: Quota = QUOTA) -> RateLimit:
    """The quota as one edge asks for it."""
    cache = RedisCache(url, prefix, seconds_max=PATIENT)
    stack.push_async_callback(cache.close)
    return RateLimit(quota, cache)


async def test_edges_give_out_one_quota_together(redis_url: str, stack: AsyncExitStack) -> None:
    prefix = secrets.token_hex(4)
    edges = [limit_at(stack, redis_url, prefix) for _ in range(2)]
    grants = await asyncio.gather(*[edges[n % 2].ask("ann") for n in range(50)])
    assert sum(grant.is_allowed for grant in grants) == 20
    assert sorted(g.remaining for g in grants if g.is_allowed) == list(range(20))
    refused = next(grant for grant in grants if not grant.is_allowed)
    assert (refused.remaining, 1 <= refused.retry_seconds <= 180) == (0, True)
    assert 3_590 <= refused.full_seconds <= 3_600
    assert (await edges[0].ask("bob")).remaining == 19


async def test_what_is_spent_comes_back_by_the_clock_of_redis(
    redis_url: str, stack: AsyncExitStack
) -> None:
    limit = limit_at(stack, redis_url, secrets.token_hex(4), Quota(2, 1))
    grants = [await limit.ask("ann") for _ in range(200)]
    # However long these took: two at once, and two more in each second.
    allowed = sum(grant.is_allowed for grant in grants)
    assert 2 <= allowed < 200
    deadline = asyncio.get_running_loop().time() + PATIENT
    while not (await limit.ask("ann")).is_allowed:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)


async def test_without_redis_an_edge_holds_to_the_quota_by_itself(
    stack: AsyncExitStack,
) -> None:
    limit = limit_at(stack, f"redis://127.0.0.1:{free_port()}/0", "")
    grants = [await limit.ask("ann") for _ in range(25)]
    assert [grant.is_allowed for grant in grants] == [True] * 20 + [False] * 5


async def test_one_question_is_one_round_trip(redis_url: str, stack: AsyncExitStack) -> None:
    limit = limit_at(stack, redis_url, secrets.token_hex(4))
    await limit.ask("ann")
    asked = 0
    ask_once = limit._cache._redis.connection_pool  # type: ignore[attr-defined]
    taken = ask_once.get_connection

    async def count(*words: object, **named: object) -> object:
        nonlocal asked
        asked += 1
        return await taken(*words, **named)

    ask_once.get_connection = count
    await limit.ask("ann")
    assert asked == 1


@pytest.mark.parametrize("quota", [Quota(1, 1), Quota(3, 7), Quota(1_000, 60)])
async def test_redis_and_the_process_count_alike(
    redis_url: str, stack: AsyncExitStack, quota: Quota
) -> None:
    shared = limit_at(stack, redis_url, secrets.token_hex(4), quota)
    alone = limit_at(stack, f"redis://127.0.0.1:{free_port()}/0", "", quota)
    for limit in (shared, alone):
        first = await limit.ask("ann")
        assert (first.is_allowed, first.remaining) == (True, quota.requests - 1)
        assert first.full_seconds == max(1, -(-quota.span_seconds // quota.requests))
