"""Brings a database's tables to this version, by Alembic.

A statement may take as long as a large table needs: the limits of `storage.engine` are for
batches. But it does not wait long behind others' locks, for all who come later wait behind it.
"""

import asyncio
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from storage.engine import Database, create_database

# Two processes that start together must not both make the tables.
_ADVISORY_LOCK = 0x6661_6972
# Longer than any batch holds a table. Who reads one for longer, a backup for one, is worth being
# told of, where a wait without an end would stop every worker meanwhile.
LOCK_SECONDS_MAX = 10


def upgrade(url: str) -> None:
    """Create or upgrade all tables. Safe to run again, and from two processes at once."""
    asyncio.run(upgrade_async(url))


async def upgrade_async(url: str, revision: str = "head") -> None:
    """Create or upgrade all tables, to the newest version by default."""
    database = open_unlimited(url)
    try:
        async with database.begin() as connection:
            if not database.is_sqlite:
                await _wait_for_turn(connection)
            await connection.run_sync(_upgrade, revision)
    finally:
        await database.dispose()


def open_unlimited(url: str) -> Database:
    """Make a database whose statements may take their time, for one who changes tables."""
    if sa.make_url(url).get_backend_name() == "sqlite":
        database = create_database(url)
        sa.event.listen(database.engine.sync_engine, "connect", _let_tables_be_rebuilt)
        return database
    # Said, and not left out: a server may have limits of its own for all who say nothing.
    limits = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
    named = {"application_name": "fairline-migrate", **limits}
    connect = {"timeout": 5, "server_settings": named}
    return Database(create_async_engine(url, pool_size=1, connect_args=connect))


async def _wait_for_turn(connection: AsyncConnection) -> None:
    # Another one that migrates is waited for without a limit: it is doing this one's work.
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
    limit = sa.func.set_config("lock_timeout", f"{LOCK_SECONDS_MAX}s", sa.true())
    await connection.execute(sa.select(limit))


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
