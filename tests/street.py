"""A whole Fairline in processes of its own, and a customer of it: for tests from end to end."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from aiohttp import ClientSession, TCPConnector

from client import Fairline
from storage.engine import create_database
from storage.schema import orders
from streams import wire
from tests.client import eventually, producing
from tests.edges import Customer, Reply
from tests.installation import Installation, Process
from web.catalog import CURSORS

ROLES = {
    "edge": (("edge",), "http_port"),
    "edge with worker": (("edge", "--with-worker"), "http_port"),
    "worker": (("worker",), "worker_port"),
    "ranking": (("worker", "--kind", "ranking"), "ranking_port"),
}


@dataclass
class Street:
    """An installation, and which of its processes run, by role."""

    installation: Installation
    processes: dict[str, Process] = field(default_factory=dict)

    def start(self, *roles: str) -> None:
        """Start processes; they may not be ready yet."""
        for role in roles:
            words, port_name = ROLES[role]
            self.processes[role] = self.installation.start(*words, port_name=port_name)

    async def ready(self) -> None:
        """Wait until each process is ready."""
        await asyncio.gather(*[process.ready() for process in self.processes.values()])

    def stop(self, *roles: str) -> None:
        """Stop processes, and wait until they have left."""
        stopping = [self.processes.pop(role) for role in roles]
        for process in stopping:
            process.child.ask()
        for process in stopping:
            process.child.stop(15)

    @asynccontextmanager
    async def visitor(self, edge: Process | None = None) -> AsyncIterator["Visitor"]:
        """Somebody who buys over HTTP, at this edge or at the street's own."""
        url = (edge or self._edge).url
        # As many connections as a test asks for at once.
        async with ClientSession(url, connector=TCPConnector(limit=0)) as session:
            yield Visitor(session, self.installation)

    def fairline(self) -> Fairline:
        """The street's edge, as the client has it, which asks again by itself."""
        return Fairline(self._edge.url)

    @property
    def _edge(self) -> Process:
        return self.processes.get("edge") or self.processes["edge with worker"]

    @asynccontextmanager
    async def another_edge(self, number: int) -> AsyncIterator[Process]:
        """One more edge, with a number of its own."""
        numbered = self.installation.with_settings(edge_number=number)
        async with numbered.process("edge", port_name="http_port") as edge:
            await edge.ready()
            yield edge


@contextmanager
def opened(installation: Installation, *roles: str) -> Iterator[Street]:
    """A street whose processes are ready; they are stopped at the end."""
    street = Street(installation)
    try:
        street.start(*roles)
        asyncio.run(street.ready())
        yield street
    finally:
        street.stop(*list(street.processes))


class Visitor(Customer):
    """A customer who can look behind the counter."""

    def __init__(self, session: ClientSession, installation: Installation) -> None:
        super().__init__(session)
        self.installation = installation

    async def define(self, *payloads: wire.Shape) -> None:
        """Define products and coupons through the log, and wait until they are there."""
        settings = self.installation.settings
        async with producing(settings.kafka_url, self.installation.topics) as producer:
            sent = await producer.send_all(payloads)
        for one in sent:
            done = await self.done(one.command_id)
            assert done.body["status"] == 200, done

    async def done(self, command_id: str) -> Reply:
        """Wait until a command is done."""

        async def look() -> Reply | None:
            reply = await self.command(command_id)
            return reply if reply.body.get("state") == "DONE" else None

        return await eventually(look, f"the outcome of {command_id}")

    async def order(
        self, user_id: int, items: Sequence[tuple[int, int]], coupon_id: str | None = None
    ) -> Reply:
        """Ask for an order of so many pieces of each product."""
        lines = [{"productId": product_id, "quantity": many} for product_id, many in items]
        wish: dict[str, Any] = {"userId": user_id, "items": lines}
        return await self.post("/orders", {**wish, "couponId": coupon_id} if coupon_id else wish)

    async def pay(self, user_id: int, order_id: str, key: str | None = None) -> Reply:
        return await self.post("/orders/pay", {"userId": user_id, "orderId": order_id}, key)

    async def cancel(self, user_id: int, order_id: str, key: str | None = None) -> Reply:
        return await self.post("/orders/cancel", {"userId": user_id, "orderId": order_id}, key)

    async def read_order(self, user_id: int, order_id: str) -> Reply:
        return await self.get(f"/api/v1/orders/{order_id}?userId={user_id}")

    async def coupons(self, user_id: int) -> list[dict[str, Any]]:
        reply = await self.get(f"/api/v1/coupons?userId={user_id}")
        assert (reply.status, reply.body["userId"]) == (200, user_id)
        coupons: list[dict[str, Any]] = reply.body["coupons"]
        return coupons

    async def product(self, product_id: int) -> dict[str, Any]:
        reply = await self.get(
            f"/api/v1/products?limit=1&cursor={CURSORS.write((product_id - 1,))}"
        )
        assert reply.status == 200
        listed = [p for p in reply.body["products"] if p["productId"] == product_id]
        return listed[0] if listed else {}

    async def sees(self, product: dict[str, Any]) -> None:
        """Wait until the catalog shows a product so; what the log said shows within a second."""

        async def look() -> bool:
            return await self.product(product["productId"]) == product

        await eventually(look, f"the product {product}")

    async def top(self) -> list[tuple[int, int]]:
        """Ask for the best sellers: product ids and quantities, in their order."""
        reply = await self.get("/api/v1/products/top")
        assert reply.status == 200
        return [(place["productId"], place["quantity"]) for place in reply.body["products"]]

    async def execute(self, statement: sa.Executable) -> Any:
        """Reach into the database, as an operator can."""
        database = create_database(self.installation.settings.sqlalchemy_url)
        try:
            async with database.begin() as connection:
                done = await connection.execute(statement)
                return done.all() if done.returns_rows else None
        finally:
            await database.dispose()

    async def expire(self, order_id: str) -> None:
        """Let an order's time run out."""
        past = int(time.time() * 1000) - 60_000
        chosen = sa.update(orders).where(orders.c.order_id == order_id)
        await self.execute(chosen.values(expires_at_ms=past))
