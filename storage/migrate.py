"""Brings a database's tables to this version, by Alembic."""

import asyncio
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from storage.engine import create_database

# Two processes that start together must not both make the tables.
_ADVISORY_LOCK = 0x6661_6972


def upgrade(url: str) -> None:
    """Create or upgrade all tables. Safe to run again, and from two processes at once."""
    asyncio.run(upgrade_async(url))


async def upgrade_async(url: str) -> None:
    """Create or upgrade all tables, from inside an event loop."""
    database = create_database(url)
    try:
        async with database.begin() as connection:
            if not database.is_sqlite:
                lock = sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK))
                await connection.execute(lock)
            await connection.run_sync(_upgrade)
    finally:
        await database.dispose()


def _upgrade(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
