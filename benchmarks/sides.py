"""What a side of the comparison is: something that serves requests and can be counted."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiohttp
import asyncpg

from app.services.child import Child
from app.services.errors import StartError
from app.services.service import last_words
from benchmarks.ledger import Applied
from benchmarks.services import with_path

COUPON_TOTAL = 1_000_000_000
"""A hot coupon's total: no run comes near it, so nobody is refused for want of coupons."""
PRICE = 100
"""Of every product, in won."""
BUDGET = 5_000_000
"""What every user begins with, in won: half of what a balance may be."""
READY_SECONDS = 90.0
PROBE_USER = 9_000_000_000
"""The one who is charged to see whether a side is ready; no load reaches this number."""


class Counting(Protocol):
    """Counts what has been applied."""

    async def applied(self, work: str, code: str) -> Applied:
        """What is held of a work, and whether it agrees."""


class Side(Protocol):
    """One system under load."""

    @property
    def name(self) -> str:
        """As the table calls it."""

    @property
    def url(self) -> str:
        """Where it listens."""

    @property
    def works(self) -> tuple[str, ...]:
        """What it is asked to do."""

    @property
    def part_to_pid(self) -> Mapping[str, int]:
        """The processes that do it, as far as they are ours."""

    @property
    def ledger(self) -> Counting:
        """Where its work is counted."""

    async def open_coupon(self, code: str) -> None:
        """Make a coupon that lasts for a whole run; return when it can be issued."""

    async def open_shop(self) -> None:
        """Give every user money, and make the products; return when orders can be made."""


@asynccontextmanager
async def temporary_database(
    server_url: str, name: str, template: str = "template1"
) -> AsyncIterator[str]:
    """A copy of a database, by default an empty one that nobody is connected to.

    It is dropped afterwards, because the server may be lent to us.
    """
    unique = f"{name}_{uuid.uuid4().hex[:8]}"
    await _tell_server(server_url, f'CREATE DATABASE "{unique}" TEMPLATE "{template}"')
    try:
        yield with_path(server_url, unique)
    finally:
        await _tell_server(server_url, f'DROP DATABASE "{unique}" WITH (FORCE)')


async def _tell_server(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def wait_until(
    holds: Callable[[], Awaitable[bool]], what: str, seconds_max: float = READY_SECONDS
) -> None:
    """Ask again and again; TimeoutError says what did not come."""
    deadline = time.monotonic() + seconds_max
    while not await holds():
        if time.monotonic() > deadline:
            message = f"{what}: not within {seconds_max:.0f} s"
            raise TimeoutError(message)
        await asyncio.sleep(0.2)


async def charges_while_alive(url: str, log_to_child: Mapping[Path, Child]) -> bool:
    """Whether the whole path of a charge works; StartError when one of its processes has left."""
    for log, child in log_to_child.items():
        if (code := child.exit_code()) is not None:
            message = f"{log.stem} left with {code}: {last_words(log)}"
            raise StartError(message)
    body = {"userId": PROBE_USER, "amount": 7}
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/api/v1/balance/charge", json=body) as answer,
        ):
            return answer.status == 200
    except aiohttp.ClientError:
        return False
