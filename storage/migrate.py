"""Brings a database's tables to this version, by Alembic."""

import asyncio
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from storage.engine import create_database

# Two processes that start together must not both make the tables.
_ADVISORY_LOCK = 0x6661_6972


def upgrade(url: str) -> None:
    """Create or upgrade all tables. Safe to run again, and from two processes at once."""
    asyncio.run(upgrade_async(url))


async def upgrade_async(url: str, revision: str = "head") -> None:
    """Create or upgrade all tables, to the newest version by default."""
    database = create_database(url)
    if database.is_sqlite:
        sa.event.listen(database.engine.sync_engine, "connect", _let_tables_be_rebuilt)
    try:
        async with database.begin() as connection:
            if not database.is_sqlite:
                lock = sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK))
                await connection.execute(lock)
            await connection.run_sync(_upgrade, revision)
    finally:
        await database.dispose()


def _let_tables_be_rebuilt(connection: Any, _record: Any) -> None:
    # SQLite changes a column by making its table anew, which rows that refer to it would forbid;
    # and it hears this outside of a transaction only. `_check_references` makes up for it.
    connection.execute("PRAGMA foreign_keys = OFF")


def _upgrade(connection: sa.Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    if connection.dialect.name == "sqlite":
        _check_references(connection)


def _check_references(connection: sa.Connection) -> None:
    astray = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if astray:
        message = f"rows that refer to nothing (table, row, parent, key): {astray[:5]}"
        raise RuntimeError(message)
