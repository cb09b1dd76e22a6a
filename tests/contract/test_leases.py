"""Leases by the database's clock, on SQLite and on PostgreSQL."""

import asyncio
import time
from dataclasses import replace

import pytest

from storage.clock import load_clock
from storage.engine import Database
from storage.leases import Lease, LeaseLostError, keep_lease, release_lease, take_lease
from tests.client import eventually

ONE = Lease("a-thing", "one", for_ms=60_000)
OTHER = replace(ONE, holder="other")
# It has run out when it is looked at next.
BRIEF = replace(ONE, for_ms=0)


async def takes(database: Database, lease: Lease) -> bool:
    async with database.begin() as connection:
        return await take_lease(connection, lease)


async def keeps(database: Database, lease: Lease) -> None:
    async with database.begin() as connection:
        await keep_lease(connection, lease)


async def releases(database: Database, lease: Lease) -> None:
    async with database.begin() as connection:
        await release_lease(connection, lease)


async def test_the_databases_clock_tells_milliseconds(database: Database) -> None:
    async with database.connect() as connection:
        told_ms = await load_clock(connection)
    assert isinstance(told_ms, int)
    # The services of the tests run on this machine.
    assert abs(told_ms - time.time() * 1000) < 60_000


async def test_the_first_one_has_it_and_the_other_waits(
    database: Database, other: Database
) -> None:
    assert await takes(database, ONE)
    assert not await takes(other, OTHER)
    assert await takes(database, ONE)
    assert await takes(other, replace(OTHER, name="another-thing"))


async def test_of_many_at_once_one_has_it(database: Database, other: Database) -> None:
    wanted = [replace(ONE, holder=str(number)) for number in range(8)]
    taken = await asyncio.gather(
        *[takes((database, other)[number % 2], lease) for number, lease in enumerate(wanted)]
    )
    assert sum(taken) == 1


async def test_it_is_free_once_it_was_released_by_its_holder(
    database: Database, other: Database
) -> None:
    assert await takes(database, ONE)
    await releases(other, OTHER)
    assert not await takes(other, OTHER)
    await releases(database, ONE)
    assert await takes(other, OTHER)


async def test_one_that_ran_out_is_taken_over(database: Database, other: Database) -> None:
    assert await takes(database, replace(ONE, for_ms=300))
    await eventually(lambda: takes(other, OTHER), "a lease that runs out")
    assert not await takes(database, ONE)


async def test_one_that_is_kept_does_not_run_out(database: Database, other: Database) -> None:
    assert await takes(database, BRIEF)
    await keeps(database, ONE)
    assert not await takes(other, OTHER)


async def test_a_late_holder_keeps_what_nobody_took(database: Database) -> None:
    assert await takes(database, BRIEF)
    await keeps(database, BRIEF)
    assert await takes(database, BRIEF)


async def test_a_late_holder_cannot_keep_what_another_took(
    database: Database, other: Database
) -> None:
    assert await takes(database, BRIEF)
    assert await takes(other, OTHER)
    with pytest.raises(LeaseLostError):
        await keeps(database, ONE)
    # Also not where the other one has finished, and let it go.
    await releases(other, OTHER)
    with pytest.raises(LeaseLostError):
        await keeps(database, ONE)
