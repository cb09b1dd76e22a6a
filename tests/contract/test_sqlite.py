"""How a batch is written to an SQLite file while others use the file, or the event loop."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage import sqlite
from storage.engine import Database
from storage.errors import Failure, failure_of
from storage.migrate import upgrade_async
from storage.schema import leases
from tests.contract.conftest import opened, sqlite_url

KEPT = {"name": "this", "holder": "one", "until_ms": 1}


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    found = tmp_path / "shop.db"
    await upgrade_async(sqlite_url(found))
    return found


@pytest.fixture
async def shop(file: Path) -> AsyncIterator[Database]:
    async with opened(sqlite_url(file)) as database:
        yield database


async def write(database: Database) -> None:
    async with database.begin_batch() as connection:
        await connection.execute(leases.insert(), KEPT)


async def count(database: Database) -> int | None:
    async with database.connect() as connection:
        found: int | None = await connection.scalar(sa.select(sa.func.count()).select_from(leases))
    return found


async def test_while_another_process_writes_a_batch_waits_and_the_loop_goes_on(
    shop: Database, file: Path
) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(write(shop))
        # Were the loop held up, nobody would give the file back.
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert not writing.done()
        other.execute("COMMIT")
        await writing
    assert await count(shop) == 1


async def test_a_file_that_stays_busy_is_away(
    shop: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(shop)
    monkeypatch.setattr(sqlite, "BUSY_MS", 30)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sa.exc.OperationalError, match="locked") as refused:
            await write(shop)
    assert failure_of(refused.value) is Failure.AWAY


async def test_while_a_batch_commits_the_loop_goes_on_and_nobody_uses_its_connection(
    shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, commit = threading.Event(), sqlite3.Connection.commit

    def commit_slowly(connection: sqlite3.Connection) -> None:
        disk.wait(10)
        commit(connection)

    monkeypatch.setattr(sqlite._InlineConnection, "commit", commit_slowly, raising=False)
    writing = asyncio.create_task(write(shop))
    await asyncio.sleep(0.05)
    writing.cancel()
    await asyncio.sleep(0.05)
    # Whether it is committed is not decided yet.
    assert not writing.done()
    disk.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await count(shop) == 1
    async with shop.begin_batch() as connection:
        await connection.execute(leases.delete())
    assert await count(shop) == 0
