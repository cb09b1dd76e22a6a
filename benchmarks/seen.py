"""How long until viewers of the live ranking see a payment.

`python -m benchmarks.seen http://127.0.0.1:8080` pays 50 orders, one after the other, at an edge
that runs already and has a product with stock, and measures the time from sending each payment
until the event that counts it has come. It leaves a paying user and the orders behind.
"""

import argparse
import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
from aiohttp import ClientResponse, ClientSession, ClientTimeout, TCPConnector

STREAM = "/api/v1/products/top/stream?limit=100"
CHARGE_WON = 1_000_000
# Payments in step with the publisher's pause would all wait equally long.
PAUSE_SECONDS_MAX = 1.0
SEEN_SECONDS_MAX = 30.0


class Buyer:
    """A user who buys one piece of a product again and again."""

    def __init__(self, session: ClientSession, product: dict[str, Any]) -> None:
        self._session = session
        self._product_id = product["productId"]
        self._user_id = random.randint(1_000_000, 2**53)

    async def charge(self) -> None:
        """Put money into the balance."""
        await self._post("/balance/charge", {"amount": CHARGE_WON})

    async def order(self) -> str:
        """Order one piece; return the order's id."""
        items = [{"productId": self._product_id, "quantity": 1}]
        return str((await self._post("/orders", {"items": items}))["orderId"])

    async def pay(self, order_id: str) -> None:
        """Pay an order."""
        await self._post("/orders/pay", {"orderId": order_id})

    async def _post(self, path: str, fields: dict[str, Any]) -> dict[str, Any]:
        body = {"userId": self._user_id, **fields}
        async with self._session.post(f"/api/v1{path}", json=body) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            assert response.status == 200, answer
            return answer


class Viewer:
    """A stream of events."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response

    async def sold(self) -> dict[int, int]:
        """Return what each product sold, when the next event comes."""
        while not (line := await self._response.content.readline()).startswith(b"data: "):
            assert line, "the stream has ended"
        products = msgspec.json.decode(line[6:])["products"]
        return {each["productId"]: each["quantity"] for each in products}

    async def sees(self, product_id: int, quantity: int) -> float:
        """Return the time at which so many pieces, or more, are seen to be sold."""
        async with asyncio.timeout(SEEN_SECONDS_MAX):
            while (await self.sold()).get(product_id, 0) < quantity:
                pass
        return time.perf_counter()


@asynccontextmanager
async def viewers(session: ClientSession, many: int) -> AsyncIterator[list[Viewer]]:
    """So many streams at once."""
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(session.get(STREAM)) for _ in range(many)]
        yield [Viewer(response) for response in opened]


async def measure(url: str, payments: int, many: int) -> list[float]:
    """Return for each payment the seconds until the last of the viewers has seen it."""
    seconds: list[float] = []
    session = ClientSession(
        url, connector=TCPConnector(limit=0), timeout=ClientTimeout(total=None)
    )
    async with session, viewers(session, many) as watching:
        product = await a_product(session, payments)
        buyer, product_id = Buyer(session, product), int(product["productId"])
        await buyer.charge()
        quantity = (await asyncio.gather(*[each.sold() for each in watching]))[0].get(
            product_id, 0
        )
        for number in range(1, payments + 1):
            order_id = await buyer.order()
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS_MAX))
            started = time.perf_counter()
            wanted = quantity + number
            seeing = asyncio.gather(*[each.sees(product_id, wanted) for each in watching])
            await buyer.pay(order_id)
            seconds.append(max(await seeing) - started)
    return seconds


async def a_product(session: ClientSession, pieces: int) -> dict[str, Any]:
    """Choose the cheapest product of which there are enough pieces."""
    async with session.get("/api/v1/products") as response:
        listed = (await response.json())["products"]
    enough = [each for each in listed if each["stock"] >= pieces]
    return dict(min(enough, key=lambda each: each["price"]))


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seen", description=__doc__)
    parser.add_argument("url", help="an edge")
    parser.add_argument("--payments", type=int, default=50)
    parser.add_argument("--viewers", type=int, default=1, help="all must have seen it")
    told = parser.parse_args()
    load = os.getloadavg()[0]
    found = sorted(asyncio.run(measure(told.url, told.payments, told.viewers)))
    p50, p99 = (found[int(len(found) * part)] for part in (0.5, 0.99))
    print(
        f"{len(found)} payments, {told.viewers} viewers: seen after {p50 * 1000:.0f} ms (p50), "
        f"{p99 * 1000:.0f} ms (p99), {found[-1] * 1000:.0f} ms at most; "
        f"load average before {load:.1f}"
    )


if __name__ == "__main__":
    main()
