"""A database that was filled by formulas: an audit finds nothing, and it is whole again."""

from collections.abc import Callable

import asyncpg
import pytest

from app.settings import Settings
from benchmarks.growth.keys import find_keys
from benchmarks.growth.ledger import LaterLedger
from benchmarks.growth.seeder import TABLES, fill
from benchmarks.growth.size import Size
from storage.audit import looking
from storage.engine import create_database
from storage.marks import LogEpoch, insert_log_epoch
from storage.migrate import upgrade_async
from streams.audit.books import Books
from streams.audit.passes import audit

SIZE = Size(users=40, products=9, coupons=5, commands=800)


@pytest.fixture
def empty_url(new_database: Callable[[], str]) -> str:
    """A database without tables."""
    return new_database()


@pytest.fixture
async def filled_url(empty_url: str) -> str:
    """A database that was migrated and filled, and in which a worker has begun its epoch."""
    url = empty_url
    await upgrade_async(Settings(database_url=url).sqlalchemy_url)
    before = await keys_of(url)
    await fill(url, SIZE, lambda _line: None)
    assert await keys_of(url) == before
    database = create_database(Settings(database_url=url).sqlalchemy_url)
    async with database.begin() as connection:
        await insert_log_epoch(connection, LogEpoch(1, "cluster", 0))
    await database.dispose()
    return url


async def keys_of(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [key.make for key in await find_keys(connection, TABLES)]
    finally:
        await connection.close()


async def audited(url: str) -> Books:
    database = create_database(Settings(database_url=url).sqlalchemy_url)
    try:
        async with looking(database) as connection:
            return await audit(connection, lambda *_: None)
    finally:
        await database.dispose()


async def test_an_audit_finds_nothing_in_a_shop_that_was_filled(filled_url: str) -> None:
    books = await audited(filled_url)
    told = [told for finding in books.findings.all for told in finding.first]
    assert told == []
    checked = {each.invariant.name: each.checked for each in books.findings.all}
    assert checked["balances"] == SIZE.users
    assert checked["entries"] == SIZE.charges + SIZE.orders
    assert checked["issued-copies"] == SIZE.issues
    assert checked["stock"] == SIZE.products


async def test_there_are_as_many_rows_as_was_said_and_ids_go_on_behind_them(
    filled_url: str,
) -> None:
    connection = await asyncpg.connect(filled_url)
    try:
        rows = {
            table: await connection.fetchval(f"SELECT count(*) FROM {table}")
            for table in SIZE.rows()
        }
        following = "SELECT nextval(pg_get_serial_sequence('command_log', 'id'))"
        assert await connection.fetchval(following) == SIZE.records + 1
        assert not await connection.fetchval("SELECT to_regnamespace('seeding')")
    finally:
        await connection.close()
    assert rows == SIZE.rows()


async def test_only_what_comes_after_the_filling_is_counted(filled_url: str) -> None:
    ledger = await LaterLedger(filled_url).begun()
    connection = await asyncpg.connect(filled_url)
    try:
        assert (await ledger.applied("charge", "-")).count == 0
        await connection.execute(
            "INSERT INTO balance_entries (user_id, command_id, kind, amount, balance_after,"
            " recorded_at_ms) VALUES (1, 'new', 'CHARGE', 7, 1, 1)"
        )
        later = await ledger.applied("charge", "-")
        assert (later.count, later.agrees) == (1, False)
        await connection.execute("UPDATE wallets SET balance = 1 WHERE user_id = 1")
        assert (await ledger.applied("charge", "-")).agrees
    finally:
        await connection.close()
