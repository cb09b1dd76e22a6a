"""One database from one URL: PostgreSQL by asyncpg, or an SQLite file by aiosqlite."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

# A statement that takes longer than this is stuck; the batch is better run again.
STATEMENT_SECONDS_MAX = 8
# A worker that was frozen in the middle of a transaction holds the locks of its marks; PostgreSQL
# ends it before the group has given its partitions to another one.
IDLE_SECONDS_MAX = 5
# Other processes write the SQLite file too: a batch commits within milliseconds, so this is long.
SQLITE_BUSY_MS = 10_000

_WRITES = "fairline_writes"


class _SqliteConnection(sqlite3.Connection):
    """Gives its lock back when it is closed, whatever is still open of it."""

    def close(self) -> None:
        # A task that is cancelled leaves a statement open, and SQLite keeps a closed connection,
        # with its transaction and the file's lock, until the last statement is collected.
        if self.in_transaction:
            self.rollback()
        super().close()


class Database:
    """An engine, and the ways into it: `begin` to write, `begin_batch`, `connect` to read."""

    def __init__(self, engine: AsyncEngine, batches: AsyncEngine | None = None) -> None:
        self.engine = engine
        self._batches = batches or engine
        self._writers = engine.execution_options(**{_WRITES: True})
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
        if self.is_sqlite:
            async with self.begin() as connection:
                yield connection
        else:
            async with self._batches.begin() as connection:
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
        if self._batches is not self.engine:
            await self._batches.dispose()


def create_database(url: str, *, connections_max: int = 10) -> Database:
    """Make a database of an SQLAlchemy URL with an async driver. Nothing is opened yet."""
    if sa.make_url(url).get_backend_name() == "sqlite":
        engine = create_async_engine(
            url,
            pool_size=connections_max,
            max_overflow=0,
            connect_args={"factory": _SqliteConnection},
        )
        _prepare_sqlite(engine)
        return Database(engine)
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


def _prepare_sqlite(engine: AsyncEngine) -> None:
    @sa.event.listens_for(engine.sync_engine, "do_connect")
    def try_file(
        _dialect: Any, _record: Any, arguments: list[str], options: dict[str, Any]
    ) -> None:
        # The driver's thread outlives a file that cannot be opened, and fails where the event
        # loop is closed before it: so a file is tried first, without a thread.
        sqlite3.connect(arguments[0], uri=bool(options.get("uri"))).close()

    @sa.event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # We begin transactions ourselves: the driver would begin them late, as readers.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {SQLITE_BUSY_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A reader that turns writer can fail at once with SQLITE_BUSY; so writers say it first.
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
