"""Edges for tests: the real application on a port of its own, and a client of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from aiohttp import ClientResponse, ClientSession
from aiohttp.test_utils import TestClient, TestServer

from domain.ranking import TopEntry, Window, live_window
from storage.engine import create_database
from storage.schema import products
from tests.client import SECONDS_MAX
from tests.installation import Installation
from tests.worlds import NOW_MS
from web.app import EdgeSettings, create_edge
from web.identity import Identifier
from web.protocol import EdgeRunner
from web.top_lists import LiveTop


@dataclass(frozen=True)
class FixedTop:
    """A ranking that stays as it is."""

    entries: tuple[TopEntry, ...] = (TopEntry(2, 9), TopEntry(1, 4))
    as_of_ms: int = NOW_MS
    window: Window = field(default_factory=lambda: live_window(NOW_MS))

    ready: bool = True

    def top(self, limit: int) -> "FixedTop":
        return replace(self, entries=self.entries[:limit])

    def next_change(self) -> asyncio.Event:
        return asyncio.Event()


class MovingTop:
    """A ranking that a test moves."""

    def __init__(self) -> None:
        self.ready = True
        self.asked = 0
        self.now = FixedTop()
        self._changed = asyncio.Event()

    def top(self, limit: int) -> FixedTop:
        self.asked += 1
        return self.now.top(limit)

    def next_change(self) -> asyncio.Event:
        return self._changed

    def show(self, *entries: tuple[int, int], **changes: Any) -> None:
        """Let it be so from now on."""
        listed = tuple(TopEntry(*each) for each in entries)
        self.now = replace(self.now, entries=listed, **changes)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


async def add_products(installation: Installation, names: dict[int, str]) -> None:
    """Put products into the catalog, behind everybody's back."""
    rows = [
        {"product_id": each, "name": name, "price": 10, "stock": 1} for each, name in names.items()
    ]
    await execute(installation, products.insert(), rows)


async def execute(
    installation: Installation, statement: sa.Executable, rows: list[dict[str, Any]] | None = None
) -> None:
    """Reach into the database."""
    database = create_database(installation.settings.sqlalchemy_url)
    async with database.begin() as connection:
        await connection.execute(statement, rows)
    await database.dispose()


async def until(is_so: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask again and again until it is so."""
    deadline = time.monotonic() + SECONDS_MAX
    while not await is_so():
        assert time.monotonic() < deadline, f"waited {SECONDS_MAX:.0f} s in vain for {what}"
        await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Reply:
    """What an edge answered."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        """The problem's code; empty for a success."""
        return str(self.body.get("code", ""))


class Customer:
    """A client of one edge."""

    def __init__(self, client: TestClient[Any, Any] | ClientSession) -> None:
        self.http = client

    async def get(self, path: str) -> Reply:
        async with self.http.get(path) as response:
            return await _reply(response)

    async def post(
        self, path: str, body: Any, key: str | None = None, prefer: str | None = None
    ) -> Reply:
        headers = {"Idempotency-Key": key} if key else {}
        headers |= {"Prefer": prefer} if prefer else {}
        async with self.http.post(f"/api/v1{path}", json=body, headers=headers) as response:
            return await _reply(response)

    async def post_raw(self, path: str, data: bytes) -> Reply:
        headers = {"Content-Type": "application/json"}
        async with self.http.post(f"/api/v1{path}", data=data, headers=headers) as response:
            return await _reply(response)

    async def charge(self, user_id: int, amount: int, key: str | None = None) -> Reply:
        return await self.post("/balance/charge", {"userId": user_id, "amount": amount}, key)

    async def issue(self, user_id: int, code: str, key: str | None = None) -> Reply:
        return await self.post("/coupons/issue", {"userId": user_id, "couponCode": code}, key)

    async def balance(self, user_id: int) -> int | None:
        reply = await self.get(f"/api/v1/balance?userId={user_id}")
        assert (reply.status, reply.body["userId"]) == (200, user_id), reply
        balance: int | None = reply.body["balance"]
        return balance

    async def command(self, command_id: str, wait_seconds: int = 0) -> Reply:
        wait = f"?wait={wait_seconds}" if wait_seconds else ""
        return await self.get(f"/api/v1/commands/{command_id}{wait}")

    async def checks(self) -> dict[str, bool]:
        checks: dict[str, bool] = (await self.get("/readyz")).body["checks"]
        return checks

    async def until_ready(self) -> None:
        async def is_ready() -> bool:
            return (await self.get("/readyz")).status == 200

        await until(is_ready, "a ready edge")


async def _reply(response: ClientResponse) -> Reply:
    body = await response.json(content_type=None)
    kind = "application/json" if response.status < 400 else "application/problem+json"
    # The health of an edge that is not ready is no problem of the request's.
    assert response.content_type == kind or response.url.path == "/readyz"
    return Reply(response.status, dict(response.headers), body)


class Server(TestServer):
    """As edges are served: aiohttp's own test server cancels handlers whose client has left."""

    async def _make_runner(self, **kwargs: Any) -> EdgeRunner:
        return EdgeRunner(self.app, **{**kwargs, "handler_cancellation": False})


@asynccontextmanager
async def edge_of(
    installation: Installation,
    *,
    is_ready: bool = True,
    top_lists: LiveTop | None = None,
    identifier: Identifier | None = None,
    **changes: Any,
) -> AsyncIterator[Customer]:
    """An edge of the installation; `changes` are settings of the edge."""
    settings = installation.settings
    database = create_database(settings.sqlalchemy_url)
    told = EdgeSettings(
        **{"topics": installation.topics, "kafka_url": settings.kafka_url, **changes}
    )
    app = create_edge(told, database, top_lists=top_lists or FixedTop(), identifier=identifier)
    try:
        async with TestClient(Server(app)) as client:
            customer = Customer(client)
            if is_ready:
                await customer.until_ready()
            yield customer
    finally:
        await asyncio.shield(database.dispose())
