"""The peer of the benchmark keeps the rules that it is compared by, in every style and policy."""

import argparse
import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.peer import tables
from benchmarks.peer.server import STYLES, build

RICH, POOR = 1, 2
PLENTY, FEW = 1, 2
"""Products: one of which there are many pieces, one of which there are three."""


@dataclass(frozen=True)
class Peer:
    """A lock policy of a server that runs."""

    client: TestClient[Any, Any]
    policy: str

    async def post(self, path: str, **body: object) -> tuple[int, dict[str, Any]]:
        """Ask until it is decided: on a busy machine a lock may be waited for in vain."""
        status = 429
        while status == 429:
            answer = await self.client.post(f"/{self.policy}/api/v1/{path}", json=body)
            status = answer.status
        return status, await answer.json()

    async def order(self, user: int, product: int) -> dict[str, Any]:
        items = [{"productId": product, "quantity": 1}]
        status, preview = await self.post("orders", userId=user, items=items)
        assert (status, preview["status"]) == (200, "PENDING")
        return {"userId": user, "orderId": preview["orderId"]}


@pytest.fixture
def fresh_url(new_database: Callable[[], str]) -> str:
    """A database for each test."""
    return new_database()


@pytest.fixture(params=[(style, policy) for style in STYLES for policy in ("wait", "rows")])
async def peer(
    request: pytest.FixtureRequest, fresh_url: str, redis_url: str
) -> AsyncIterator[Peer]:
    """A server of each style, and each policy that waits."""
    style, policy = request.param
    driven = fresh_url.replace("postgresql://", "postgresql+asyncpg://", 1)
    await open_shop(fresh_url, driven)
    how = {"database": driven, "redis": redis_url, "style": style, "pool": 8, "pause_ms": 5.0}
    async with TestClient(TestServer(build(argparse.Namespace(**how)))) as client:
        yield Peer(client, policy)


async def open_shop(url: str, driven: str) -> None:
    engine = create_async_engine(driven)
    async with engine.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
    await engine.dispose()
    connection = await asyncpg.connect(url)
    await connection.execute(f"INSERT INTO wallets VALUES ({RICH}, 10000), ({POOR}, 99)")
    await connection.execute(f"""
        INSERT INTO products VALUES ({PLENTY}, 'Mug', 100, 1000), ({FEW}, 'Cup', 100, 3)
    """)
    await connection.execute("INSERT INTO coupons (coupon_code, total, issued) VALUES ('C', 5, 0)")
    await connection.close()


async def test_a_payment_moves_the_balance_and_is_made_once(peer: Peer) -> None:
    order = await peer.order(RICH, PLENTY)
    status, payment = await peer.post("orders/pay", **order)
    assert (status, payment["paidAmount"], payment["balance"]) == (200, 100, 9900)
    assert (await peer.post("orders/pay", **order))[0] == 409
    assert (await peer.post("orders/pay", **{**order, "userId": POOR}))[0] == 404
    assert (await peer.post("balance/charge", userId=RICH, amount=7))[1]["balance"] == 9907


async def test_a_balance_that_is_too_low_pays_nothing(peer: Peer) -> None:
    order = await peer.order(POOR, PLENTY)
    assert (await peer.post("orders/pay", **order))[0] == 402
    assert (await peer.post("balance/charge", userId=POOR, amount=1))[1]["balance"] == 100
    assert (await peer.post("orders/pay", **order))[0] == 200


async def test_payments_at_once_take_no_more_than_there_is(peer: Peer) -> None:
    orders = [await peer.order(RICH, FEW) for _ in range(6)]
    paid = await asyncio.gather(*(peer.post("orders/pay", **order) for order in orders))
    assert Counter(status for status, _ in paid) == {200: 3, 409: 3}
    assert (await peer.post("balance/charge", userId=RICH, amount=1))[1]["balance"] == 9701
    few = [{"productId": FEW, "quantity": 1}]
    assert (await peer.post("orders", userId=RICH, items=few))[0] == 409


async def test_a_coupon_is_numbered_without_a_gap_and_given_once_to_each(peer: Peer) -> None:
    users = [1, 1, 2, 3, 4, 5, 6, 7]
    issues = (peer.post("coupons/issue", userId=user, couponCode="C") for user in users)
    answers = await asyncio.gather(*issues)
    given = [(body["number"], body["userId"]) for status, body in answers if status == 200]
    assert sorted(number for number, _ in given) == [1, 2, 3, 4, 5]
    assert len({user for _, user in given}) == 5
    assert Counter(status for status, _ in answers) == {200: 5, 409: 3}
