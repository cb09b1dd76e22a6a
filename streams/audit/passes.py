"""An audit from end to end: each table is read once, in slices, at one moment."""

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit import estimate_rows, walk_log
from storage.schema import metadata
from streams.audit import state
from streams.audit.books import Books, Watch, load_horizon
from streams.audit.log import LogPass

_TABLES = (
    "command_log",
    "command_ids",
    "dead_letters",
    "balance_entries",
    "user_coupons",
    "orders",
    "products",
)


async def audit(connection: AsyncConnection, watch: Watch) -> Books:
    """Hold all that is stored against all invariants; the connection must see one moment."""
    books = Books(await load_horizon(connection), watch)
    for name in _TABLES:
        books.expected[name] = await estimate_rows(connection, metadata.tables[name])
    await _read_log(connection, books)
    await state.read_claims(connection, books)
    await state.read_letters(connection, books)
    await state.read_purses(connection, books)
    await state.read_coupons(connection, books)
    await state.read_orders(connection, books)
    # The stock is what the log put in less what the orders hold: so products come last.
    await state.read_products(connection, books)
    books.accounts.close(books.findings)
    return books


async def _read_log(connection: AsyncConnection, books: Books) -> None:
    log = LogPass(books)
    async for rows in walk_log(connection):
        await log.read(connection, rows)
        books.advance("command_log", len(rows))
    log.close()
