"""What a side of the comparison is: something that serves both works and can be counted."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp
import asyncpg

from app.services.child import Child
from app.services.errors import StartError
from app.services.service import last_words
from benchmarks.services import with_path

COUPON_TOTAL = 1_000_000_000
"""A hot coupon's total: no run comes near it, so nobody is refused for want of coupons."""
READY_SECONDS = 90.0
PROBE_USER = 9_000_000_000
"""The one who is charged to see whether a side is ready; no load reaches this number."""


@dataclass(frozen=True)
class Applied:
    """What a database holds of one work, and whether its figures agree with each other."""

    count: int
    agrees: bool
    transactions: int = 0
    """What the database has committed since it was made."""


# Both sides call these tables alike, except the one of the charges.
CHARGES = """
SELECT count(*), coalesce(sum(amount), 0) = (SELECT coalesce(sum(balance), 0) FROM wallets)
FROM {charges}
"""
ISSUES = """
SELECT count(*), count(*) = coalesce(max(c.issued), 0) AND count(DISTINCT u.number) = count(*)
    AND coalesce(max(u.number), 0) = count(*) AND count(DISTINCT u.user_id) = count(*)
FROM user_coupons u JOIN coupons c USING (coupon_id) WHERE c.coupon_code = $1
"""
TRANSACTIONS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True)
class Ledger:
    """Where a side's work is counted, and its figures held against each other."""

    database_url: str
    charges: str
    """The table that has a row per charge."""

    async def applied(self, work: str, code: str) -> Applied:
        """Count what has been committed."""
        connection = await asyncpg.connect(self.database_url)
        try:
            if work == "charge":
                row = await connection.fetchrow(CHARGES.format(charges=self.charges))
            else:
                row = await connection.fetchrow(ISSUES, code)
            transactions = await connection.fetchval(TRANSACTIONS)
        finally:
            await connection.close()
        assert row is not None
        return Applied(int(row[0]), bool(row[1]), int(transactions))


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
    def ledger(self) -> Ledger:
        """Where its work is counted."""

    async def open_coupon(self, code: str) -> None:
        """Make a coupon that lasts for a whole run; return when it can be issued."""


@asynccontextmanager
async def temporary_database(server_url: str, name: str) -> AsyncIterator[str]:
    """An empty database; dropped afterwards, because the server may be lent to us."""
    unique = f"{name}_{uuid.uuid4().hex[:8]}"
    await _tell_server(server_url, f'CREATE DATABASE "{unique}"')
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
