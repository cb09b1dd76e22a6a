"""A migrated database of each kind, for what must hold on both."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.engine import Database, create_database
from storage.migrate import upgrade
from storage.rows import Writes
from storage.schema import metadata

on_postgresql = pytest.mark.parametrize("empty_url", ["postgres"], indirect=True, scope="module")
"""For what only a server of its own can show."""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path_factory.mktemp("database") / "fairline.db")
    new_database: Callable[[], str] = request.getfixturevalue("new_database")
    return asyncpg_url(new_database())


@pytest.fixture(scope="module")
def url(empty_url: str) -> str:
    """A database with its tables."""
    upgrade(empty_url)
    return empty_url


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """The database, and nothing in its tables."""
    async with opened(url) as made:
        async with made.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                await connection.execute(table.delete())
        yield made


@pytest.fixture
async def other(url: str) -> AsyncIterator[Database]:
    """The same database as another process sees it: through connections of its own."""
    async with opened(url) as made:
        yield made


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """A database while the block runs."""
    database = create_database(url, connections_max=3)
    try:
        yield database
    finally:
        await database.dispose()


def sqlite_url(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


def asyncpg_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+asyncpg://")


async def written(connection: AsyncConnection, save: Callable[..., None], *what: Any) -> None:
    """Write what one `save_...` gathers."""
    writes = Writes()
    save(writes, *what)
    await writes.flush(connection)
