"""Viewers of the live ranking's stream, as a browser is one."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import ClientResponse

from tests.client import SECONDS_MAX
from tests.edges import Customer

STREAM = "/api/v1/products/top/stream"
RESULTS = "/api/v1/commands/stream"


class Seen(NamedTuple):
    """One event: its id, and the best sellers that it tells."""

    id: str
    top: dict[str, Any]

    @property
    def sold(self) -> list[tuple[int, int]]:
        """Product ids and quantities, in their order."""
        return [(place["productId"], place["quantity"]) for place in self.top["products"]]


class Told(NamedTuple):
    """One event of the stream of results: its id, and the command that it tells of."""

    id: str
    command: dict[str, Any]


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

    async def told(self) -> Told:
        """Return the next result, whatever else comes before it."""
        while (block := await self.block()) and not block.startswith(b"event: result"):
            pass
        assert block, "the stream has ended"
        _, event_id, data = (line.partition(": ")[2] for line in block.decode().splitlines()[:3])
        return Told(event_id, json.loads(data))

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


def watching(
    customer: Customer, limit: int | None = None, seen: str | None = None
) -> AbstractAsyncContextManager[Watcher]:
    """A viewer of the ranking; `seen` is the id of the event that it saw last."""
    return reading(customer, STREAM if limit is None else f"{STREAM}?limit={limit}", seen)


def following(
    customer: Customer, user_id: int, seen: str | None = None
) -> AbstractAsyncContextManager[Watcher]:
    """A client that follows a user's results."""
    return reading(customer, f"{RESULTS}?userId={user_id}", seen)


@asynccontextmanager
async def reading(customer: Customer, path: str, seen: str | None) -> AsyncIterator[Watcher]:
    """A client of a stream."""
    headers = {"Last-Event-ID": seen} if seen else {}
    async with customer.http.get(path, headers=headers) as response:
        assert response.status == 200, await response.text()
        yield Watcher(response)
