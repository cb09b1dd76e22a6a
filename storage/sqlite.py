"""The embedded database: how its connections are made, and how a batch uses one.

Most go by aiosqlite, whose thread keeps long reads away from the event loop. It is asked four
times for each statement, though, which for those of a batch takes longer than SQLite does: so a
batch's statements run in the event loop itself, and only its commit, which waits for the disk,
does not.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_

# Other processes write the file too: a batch commits within milliseconds, so this is long.
BUSY_MS = 10_000
BUSY_AGAIN_SECONDS = 0.005

_WRITES = "fairline_writes"
WRITES = {_WRITES: True}
"""The execution option of those who begin in order to write."""


class _Connection(sqlite3.Connection):
    """Gives its lock back when it is closed, whatever is still open of it."""

    def close(self) -> None:
        # A task that is cancelled leaves a statement open, and SQLite keeps a closed connection,
        # with its transaction and the file's lock, until the last statement is collected.
        if self.in_transaction:
            self.rollback()
        super().close()


class _InlineCursor(sqlite3.Cursor):
    """What SQLAlchemy asks of a cursor that is awaited."""

    async def _async_soft_close(self) -> None:
        """Stay open: what was found is not fetched yet."""


class _InlineConnection(_Connection):
    """A connection of a dialect that runs statements itself."""

    def cursor(self, factory: Any = _InlineCursor) -> Any:
        return super().cursor(factory)


class _InlineDialect(SQLiteDialect_pysqlite):
    """Python's own driver where SQLAlchemy awaits one, see `_execute` and `_commit`."""

    driver = "inline"
    is_async = True
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, _url: sa.URL) -> type[sa.Pool]:
        return sa.AsyncAdaptedQueuePool

    def do_execute(
        self, cursor: Any, statement: str, parameters: Any, context: Any = None
    ) -> None:
        await_(_execute(cursor.execute, statement, parameters))

    def do_executemany(
        self, cursor: Any, statement: str, parameters: Any, context: Any = None
    ) -> None:
        await_(_execute(cursor.executemany, statement, parameters))

    def do_commit(self, dbapi_connection: Any) -> None:
        await_(_commit(dbapi_connection))


registry.register("sqlite.inline", __name__, _InlineDialect.__name__)


async def _execute(execute: Callable[[str, Any], Any], statement: str, parameters: Any) -> None:
    """Run a statement here and now. While another process writes, others here go on."""
    deadline = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            execute(statement, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        else:
            return
        await asyncio.sleep(BUSY_AGAIN_SECONDS)


async def _commit(connection: sqlite3.Connection) -> None:
    """Commit in a thread. Whoever is cancelled meanwhile waits until it is decided.

    The connection is closed or used again then, which two threads must not do at once.
    """
    committing = asyncio.get_running_loop().run_in_executor(None, connection.commit)
    try:
        await asyncio.shield(committing)
    except asyncio.CancelledError:
        await asyncio.wait([committing])
        raise


def create_engines(url: str, connections_max: int) -> tuple[AsyncEngine, AsyncEngine]:
    """Make the engine of a file, and one for its batches, of which one is written at a time."""
    engine = create_async_engine(
        url,
        pool_size=connections_max,
        max_overflow=0,
        connect_args={"factory": _Connection},
    )
    batches = create_async_engine(
        sa.make_url(url).set(drivername="sqlite+inline"),
        pool_size=1,
        max_overflow=0,
        connect_args={"factory": _InlineConnection, "check_same_thread": False},
    )
    sa.event.listen(engine.sync_engine, "do_connect", _try_file)
    _prepare(engine, BUSY_MS)
    _prepare(batches, 0)
    return engine, batches


def _try_file(_dialect: Any, _record: Any, arguments: list[str], options: dict[str, Any]) -> None:
    # The driver's thread outlives a file that cannot be opened, and fails where the event loop
    # is closed before it: so a file is tried first, without a thread.
    sqlite3.connect(arguments[0], uri=bool(options.get("uri"))).close()


def _prepare(engine: AsyncEngine, busy_ms: int) -> None:
    @sa.event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # We begin transactions ourselves: the driver would begin them late, as readers.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {BUSY_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {busy_ms}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A reader that turns writer can fail at once with SQLITE_BUSY; so writers say it first.
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
