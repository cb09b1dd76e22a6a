"""The tables of the state as an audit compares them: whole rows, in slices."""

from collections.abc import AsyncIterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit import walk
from storage.schema import metadata

STATE_TABLES = (
    "wallets",
    "balance_entries",
    "products",
    "coupons",
    "user_coupons",
    "orders",
    "order_lines",
)
# A database draws these by itself, also for transactions that it rolled back.
_DRAWN = {"entry_id"}


async def walk_state(
    connection: AsyncConnection, table: str
) -> AsyncIterator[list[tuple[Any, ...]]]:
    """Read every row of a table, without what the database has drawn."""
    columns = _compared(table)
    keys = list(metadata.tables[table].primary_key.columns)
    drawn = [key for key in keys if key.name in _DRAWN]
    async for rows in walk(connection, sa.select(*columns, *drawn), keys):
        yield [tuple(row[: len(columns)]) for row in rows]


def columns_of(table: str) -> str:
    """Name the columns that are compared, as a row of them is shown."""
    return f"({', '.join(column.name for column in _compared(table))})"


def _compared(table: str) -> list[sa.Column[Any]]:
    return [column for column in metadata.tables[table].columns if column.name not in _DRAWN]


async def list_tables(connection: AsyncConnection) -> list[str]:
    """List the tables that a database has, whosever they are."""
    return await connection.run_sync(lambda plain: sa.inspect(plain).get_table_names())
