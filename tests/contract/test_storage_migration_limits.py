"""A migration may take its time, and waits only briefly for what others hold. PostgreSQL alone."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from storage import engine, migrate
from storage.engine import Database
from storage.migrate import open_unlimited, upgrade_async
from tests.client import SECONDS_MAX, eventually
from tests.contract.conftest import asyncpg_url, opened

OLD = "0003"


@pytest.fixture
def own_url(new_database: Callable[[], str]) -> str:
    return asyncpg_url(new_database())


@pytest.fixture
async def old(own_url: str) -> AsyncIterator[Database]:
    """A database of an earlier version, that somebody works with."""
    await upgrade_async(own_url, OLD)
    async with opened(own_url) as database:
        yield database


def url_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


async def version_of(database: Database) -> str:
    async with database.connect() as connection:
        query = sa.text("SELECT version_num FROM alembic_version")
        return str((await connection.execute(query)).scalar_one())


async def test_no_statement_of_a_migration_has_the_limit_of_a_batch(
    old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What would take longer than a batch may, and a server that limits everybody.
    monkeypatch.setattr(engine, "STATEMENT_SECONDS_MAX", 0.05)
    async with old.begin() as connection:
        name = old.engine.url.database
        await connection.execute(sa.text(f"ALTER DATABASE {name} SET statement_timeout = 50"))
    unlimited = open_unlimited(url_of(old))
    try:
        async with unlimited.begin() as connection:
            await connection.execute(sa.text("SELECT pg_sleep(0.2)"))
            await connection.execute(sa.text("SELECT pg_sleep(0.2)"))
    finally:
        await unlimited.dispose()


async def test_a_table_that_somebody_holds_is_not_waited_for_without_an_end(
    old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_SECONDS_MAX", 0.1)
    async with old.begin() as holder:
        await holder.execute(sa.text("LOCK TABLE accepted_commands IN ROW EXCLUSIVE MODE"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            await asyncio.wait_for(upgrade_async(url_of(old)), SECONDS_MAX)
        assert await version_of(old) == OLD
    await upgrade_async(url_of(old))
    assert await version_of(old) != OLD


async def test_another_migration_is_waited_for_until_it_is_done(
    old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_SECONDS_MAX", 0.1)
    waits = sa.text(
        "SELECT clock_timestamp() - state_change > interval '300 ms' FROM pg_stat_activity WHERE"
        " application_name = 'fairline-migrate' AND wait_event = 'advisory'"
        " AND datname = current_database()"
    )

    async def has_waited_longer_than_for_a_lock() -> bool:
        async with old.connect() as connection:
            return bool((await connection.execute(waits)).scalar())

    async with old.begin() as other:
        await other.execute(sa.select(sa.func.pg_advisory_xact_lock(migrate._ADVISORY_LOCK)))
        waiting = asyncio.create_task(upgrade_async(url_of(old)))
        await eventually(has_waited_longer_than_for_a_lock, "a migration that waits")
    await waiting
    assert await version_of(old) != OLD
