"""The proxy before the database does harm at the moment that was asked for, and not before."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from storage.engine import Database, create_database
from tests.chaos.cluster import through
from tests.chaos.proxies import BEGIN, COMMIT, FaultProxy

CREATE = sa.text("CREATE TABLE seen (number integer)")
DROP = sa.text("DROP TABLE IF EXISTS seen")
INSERT = sa.text("INSERT INTO seen VALUES (:number)")


@asynccontextmanager
async def behind_a_proxy(database_url: str) -> AsyncIterator[tuple[FaultProxy, Database]]:
    proxy = FaultProxy(urlsplit(database_url).port or 0)
    await proxy.open()
    url = through(database_url, proxy.port).replace("postgresql:", "postgresql+asyncpg:")
    database = create_database(url)
    try:
        async with database.begin() as connection:
            await connection.execute(DROP)
            await connection.execute(CREATE)
        yield proxy, database
    finally:
        await database.dispose()
        await proxy.shut()


async def insert(database: Database, number: int) -> None:
    async with database.begin() as connection:
        await connection.execute(INSERT, {"number": number})


async def seen(database: Database) -> list[int]:
    async with database.connect() as connection:
        return list(await connection.scalars(sa.text("SELECT number FROM seen ORDER BY 1")))


async def test_a_commit_is_cut_after_it_was_done_and_before_anybody_knows(
    database_url: str,
) -> None:
    async with behind_a_proxy(database_url) as (proxy, database):
        cut = proxy.cut_after_next_commit()
        with pytest.raises(DBAPIError):
            await insert(database, 1)
        await asyncio.wait_for(cut.wait(), 10)
        await insert(database, 2)
        assert await seen(database) == [1, 2]


@pytest.mark.parametrize("statement", [BEGIN, COMMIT])
async def test_a_statement_is_held_until_it_is_let_go(
    database_url: str, statement: re.Pattern[bytes]
) -> None:
    async with behind_a_proxy(database_url) as (proxy, database):
        caught = proxy.hold_next(statement)
        inserting = asyncio.create_task(insert(database, 1))
        await asyncio.wait_for(caught.wait(), 10)
        assert await seen(database) == []
        proxy.release()
        await inserting
        assert await seen(database) == [1]
