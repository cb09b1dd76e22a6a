"""The migrations make the tables of `storage.schema`, once, whoever else is at it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from storage.engine import Database
from storage.migrate import upgrade, upgrade_async
from storage.schema import metadata
from tests.contract.conftest import asyncpg_url, opened, sqlite_url

PROCESSES = 3
MIGRATE = "import sys; from storage.migrate import upgrade; upgrade(sys.argv[1])"


@pytest.fixture(params=["sqlite", "postgres"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "fresh.db")
    new_database: Callable[[], str] = request.getfixturevalue("new_database")
    return asyncpg_url(new_database())


@pytest.fixture
async def fresh(fresh_url: str) -> AsyncIterator[Database]:
    async with opened(fresh_url) as database:
        yield database


def differences(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, metadata))


def checks_in(connection: sa.Connection) -> set[str | None]:
    """Names of the check constraints, which Alembic does not compare."""
    inspector = sa.inspect(connection)
    return {
        check["name"]
        for table in metadata.tables
        for check in inspector.get_check_constraints(table)
    }


def checks_wanted() -> Iterator[str | None]:
    for table in metadata.tables.values():
        for owner in (table, *table.columns):
            for constraint in owner.constraints:
                if isinstance(constraint, sa.CheckConstraint):
                    yield str(constraint.name)


def keys_in(connection: sa.Connection) -> dict[str, list[str]]:
    """Primary keys with the order of their columns, which Alembic does not compare either."""
    inspector = sa.inspect(connection)
    return {
        table: inspector.get_pk_constraint(table)["constrained_columns"]
        for table in metadata.tables
    }


def numbered_in(connection: sa.Connection) -> set[str]:
    """Tables whose numbers SQLite never gives twice; a copy of a table may forget it."""
    made = connection.execute(sa.text("SELECT name, sql FROM sqlite_master")).all()
    return {name for name, sql in made if sql and "AUTOINCREMENT" in sql}


async def assert_up_to_date(database: Database) -> None:
    async with database.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(checks_in) == set(checks_wanted())
        assert await connection.run_sync(keys_in) == {
            name: [column.name for column in table.primary_key]
            for name, table in metadata.tables.items()
        }
        if connection.dialect.name == "sqlite":
            assert await connection.run_sync(numbered_in) == {
                name
                for name, table in metadata.tables.items()
                if table.dialect_options["sqlite"]["autoincrement"]
            }


async def test_migrated_tables_are_those_of_the_schema(fresh: Database, fresh_url: str) -> None:
    await upgrade_async(fresh_url)
    await assert_up_to_date(fresh)


async def test_migrating_again_changes_nothing(fresh: Database, fresh_url: str) -> None:
    await upgrade_async(fresh_url)
    await upgrade_async(fresh_url)
    await assert_up_to_date(fresh)


async def test_processes_may_migrate_at_once(fresh: Database, fresh_url: str) -> None:
    running = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATE, fresh_url)
        for _ in range(PROCESSES)
    ]
    assert [await process.wait() for process in running] == [0] * PROCESSES
    await assert_up_to_date(fresh)


def test_the_sync_entry_runs_without_an_event_loop(fresh_url: str) -> None:
    upgrade(fresh_url)
    upgrade(fresh_url)
