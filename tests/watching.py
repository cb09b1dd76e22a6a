"""Viewers of the live ranking's stream, as a browser is one."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import ClientResponse

from tests.client import SECONDS_MAX
from tests.edges import Customer

STREAM = "/api/v1/products/top/stream"


class Seen(NamedTuple):
    """One event: its id, and the best sellers that it tells."""

    id: str
    top: dict[str, Any]

    @property
    def sold(self) -> list[tuple[int, int]]:
        """Product ids and quantities, in their order."""
        return [(place["productId"], place["quantity"]) for place in self.top["products"]]


class Watcher:
    """Reads a stream, block by block."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response

    async def block(self) -> bytes:
        """Return the next block; nothing at the end of the stream."""
        async with asyncio.timeout(SECONDS_MAX):
            try:
                return await self.response.content.readuntil(b"\n\n")
            except asyncio.IncompleteReadError as error:
                return error.partial

    async def event(self) -> Seen:
        """Return the next event, whatever else comes before it."""
        while (block := await self.block()) and not block.startswith(b"event:"):
            pass
        return seen_in(block)

    async def sees(self, *sold: tuple[int, int]) -> Seen:
        """Wait for the event that tells of these products and quantities."""
        while (seen := await self.event()).sold != list(sold):
            pass
        return seen


def seen_in(block: bytes) -> Seen:
    """Read the block of an event."""
    name, event_id, data = (line.partition(": ") for line in block.decode().splitlines()[:3])
    assert (name[0], name[2], event_id[0], data[0]) == ("event", "top", "id", "data")
    return Seen(event_id[2], json.loads(data[2]))


@asynccontextmanager
async def watching(
    customer: Customer, limit: int | None = None, seen: str | None = None
) -> AsyncIterator[Watcher]:
    """A viewer; `seen` is the id of the event that it saw last."""
    headers = {"Last-Event-ID": seen} if seen else {}
    path = STREAM if limit is None else f"{STREAM}?limit={limit}"
    async with customer.http.get(path, headers=headers) as response:
        assert response.status == 200, await response.text()
        yield Watcher(response)
