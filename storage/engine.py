"""One database from one URL: PostgreSQL by asyncpg, or an SQLite file (storage.sqlite)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage import sqlite

# A statement that takes longer than this is stuck; the batch is better run again.
STATEMENT_SECONDS_MAX = 8
# A worker that was frozen in the middle of a transaction holds the locks of its marks; PostgreSQL
# ends it before the group has given its partitions to another one.
IDLE_SECONDS_MAX = 5


class Database:
    """An engine, and the ways into it: `begin` to write, `begin_batch`, `connect` to read."""

    def __init__(self, engine: AsyncEngine, batches: AsyncEngine | None = None) -> None:
        self.engine = engine
        self._writers = engine.execution_options(**sqlite.WRITES)
        self._batches = (batches or engine).execution_options(**sqlite.WRITES)
        self._snapshots = engine
        if self.is_sqlite:
            # SQLite has one writer at a time; waiting here is cheaper than in its busy loop.
            self._turn: asyncio.Lock | None = asyncio.Lock()
        else:
            self._turn = None
            self._snapshots = engine.execution_options(isolation_level="REPEATABLE READ")

    @property
    def is_sqlite(self) -> bool:
        """Tell whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    @property
    def name(self) -> str:
        """The database as people may see it: its URL without the password."""
        return self.engine.url.render_as_string(hide_password=True)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction, READ COMMITTED; it commits at the end, or rolls back."""
        async with self._turn or nullcontext(), self._writers.begin() as connection:
            yield connection

    @asynccontextmanager
    async def begin_batch(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction whose statements look rows up by their keys, and only so.

        Their plans are made once and kept, by settings that are wrong for all others.
        """
        async with self._turn or nullcontext(), self._batches.begin() as connection:
            yield connection

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for reads."""
        async with self.engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection whose reads all see one moment (REPEATABLE READ)."""
        async with self._snapshots.connect() as connection, connection.begin():
            yield connection

    async def dispose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
        await self._batches.dispose()


def create_database(url: str, *, connections_max: int = 10) -> Database:
    """Make a database of an SQLAlchemy URL with an async driver. Nothing is opened yet."""
    if sa.make_url(url).get_backend_name() == "sqlite":
        return Database(*sqlite.create_engines(url, connections_max))
    # A plan that was made for empty tables reads all of them once they are full.
    engine = _create_engine(url, connections_max, {"plan_cache_mode": "force_custom_plan"})
    # That of a batch cannot: it has no joins, and an index for each of its keys. To plan it each
    # time costs the server as much again as to carry it out.
    kept = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}
    return Database(engine, _create_engine(url, connections_max, kept))


def _create_engine(url: str, connections_max: int, plans: dict[str, str]) -> AsyncEngine:
    limits = {
        "statement_timeout": str(STATEMENT_SECONDS_MAX * 1000),
        "idle_in_transaction_session_timeout": str(IDLE_SECONDS_MAX * 1000),
    }
    engine = create_async_engine(
        url,
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=STATEMENT_SECONDS_MAX,
        connect_args={
            "timeout": 5,
            "command_timeout": STATEMENT_SECONDS_MAX + 2,
            "server_settings": {"application_name": "fairline", "jit": "off", **limits, **plans},
        },
    )
    sa.event.listen(engine.sync_engine, "checkout", _refuse_half_begun)
    return engine


def _refuse_half_begun(connection: Any, _record: Any, _proxy: Any) -> None:
    """Take no connection on which a transaction has begun that nobody has ended.

    Where the answer to a BEGIN is lost, the driver takes the next one for a part of it: a
    savepoint, whose commit commits nothing.
    """
    driver = connection.driver_connection
    if driver.is_in_transaction() or driver._top_xact is not None:
        message = "a transaction was left open on this connection"
        raise sa.exc.DisconnectionError(message)
