"""All rows of the tables that an audit reads, in slices: no statement grows with the table.

Each slice begins after the last key of the one before it, so an index leads to it.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities import BalanceEntry, Coupon, Order, Product, UserCoupon, Wallet
from storage.command_log import LogRow
from storage.engine import Database
from storage.orders import load_orders
from storage.schema import (
    balance_entries,
    command_ids,
    command_log,
    coupons,
    dead_letter_closings,
    dead_letters,
    orders,
    products,
    user_coupons,
    wallets,
)
from storage.sets import one_of

ROWS_AT_ONCE = 2_000
# Their entries are sorted by one statement.
WALLETS_AT_ONCE = 200
# Between two statements an audit works on rows; a process that was frozen must not keep the
# database from cleaning up behind its snapshot for ever.
_IDLE_SECONDS_MAX = 60


@asynccontextmanager
async def looking(database: Database) -> AsyncIterator[AsyncConnection]:
    """Open a connection that sees one moment and that the database lets write nothing."""
    async with database.snapshot() as connection:
        if database.is_sqlite:
            await connection.exec_driver_sql("PRAGMA query_only = ON")
        else:
            await connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            limit = f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_SECONDS_MAX}s'"
            await connection.exec_driver_sql(limit)
        try:
            yield connection
        finally:
            if database.is_sqlite:
                await connection.exec_driver_sql("PRAGMA query_only = OFF")


async def walk(
    connection: AsyncConnection,
    query: sa.Select[Any],
    keys: Sequence[sa.Column[Any]],
    rows_at_once: int | None = None,
) -> AsyncIterator[Sequence[Any]]:
    """Read all rows of a query in slices, in the order of unique keys that it selects."""
    rows_at_once = rows_at_once or ROWS_AT_ONCE
    query = query.order_by(*keys).limit(rows_at_once)
    rows = (await connection.execute(query)).all()
    while rows:
        yield rows
        if len(rows) < rows_at_once:
            return
        last = [sa.literal(getattr(rows[-1], key.name), key.type) for key in keys]
        after = keys[0] > last[0] if len(keys) == 1 else sa.tuple_(*keys) > sa.tuple_(*last)
        rows = (await connection.execute(query.where(after))).all()


_wallets = sa.select(*(wallets.c[name] for name in Wallet.__dataclass_fields__))
_entries = sa.select(*(balance_entries.c[name] for name in BalanceEntry.__dataclass_fields__))
_products = sa.select(*(products.c[name] for name in Product.__dataclass_fields__))
_coupons = sa.select(*(coupons.c[name] for name in Coupon.__dataclass_fields__))
_copies = sa.select(*(user_coupons.c[name] for name in UserCoupon.__dataclass_fields__))
_log = sa.select(command_log.c.id, *(command_log.c[n] for n in LogRow._fields))
_claims = sa.select(command_ids)
_letters = sa.select(
    *(dead_letters.c[name] for name in ("epoch", "topic", "partition", "offset", "reason"))
)


class Range(NamedTuple):
    """Users after one, up to another; None for no bound."""

    after: int | None
    end: int | None


async def walk_wallets(
    connection: AsyncConnection,
) -> AsyncIterator[tuple[list[Wallet], Range]]:
    """Read every wallet, with the range of users to which these wallets belong; ranges touch."""
    after: int | None = None
    async for rows in walk(connection, _wallets, [wallets.c.user_id], WALLETS_AT_ONCE):
        yield [Wallet(*row) for row in rows], Range(after, rows[-1].user_id)
        after = rows[-1].user_id
    yield [], Range(after, None)


async def walk_entries(
    connection: AsyncConnection, users: Range
) -> AsyncIterator[list[BalanceEntry]]:
    """Read all entries of a range of users in the order of users, then of the log.

    A user may have a million of them: they come from a cursor of the database's.
    """
    query = _entries.order_by(balance_entries.c.user_id, balance_entries.c.entry_id)
    if users.after is not None:
        query = query.where(balance_entries.c.user_id > users.after)
    if users.end is not None:
        query = query.where(balance_entries.c.user_id <= users.end)
    cursor = query.execution_options(yield_per=ROWS_AT_ONCE)
    async with connection.stream(cursor) as rows:
        async for part in rows.partitions():
            yield [BalanceEntry(*row) for row in part]


async def walk_coupons(connection: AsyncConnection) -> AsyncIterator[list[Coupon]]:
    """Read every coupon."""
    async for rows in walk(connection, _coupons, [coupons.c.coupon_id]):
        yield [Coupon(*row) for row in rows]


async def walk_copies(
    connection: AsyncConnection, coupon_id: str
) -> AsyncIterator[list[UserCoupon]]:
    """Read the copies of one coupon in the order of their numbers."""
    query = _copies.where(user_coupons.c.coupon_id == coupon_id)
    async for rows in walk(connection, query, [user_coupons.c.number]):
        yield [UserCoupon(*row) for row in rows]


async def walk_orders(connection: AsyncConnection) -> AsyncIterator[list[Order]]:
    """Read every order with its lines."""
    async for rows in walk(connection, sa.select(orders.c.order_id), [orders.c.order_id]):
        found = await load_orders(connection, [row.order_id for row in rows])
        yield list(found.loaded.values())


async def walk_products(connection: AsyncConnection) -> AsyncIterator[list[Product]]:
    """Read every product."""
    async for rows in walk(connection, _products, [products.c.product_id]):
        yield [Product(*row) for row in rows]


class Logged(NamedTuple):
    """A row of the command log under its id: the ids are the order in which it was decided."""

    id: int
    row: LogRow


async def walk_log(connection: AsyncConnection) -> AsyncIterator[list[Logged]]:
    """Read the command log in the order of its ids."""
    async for rows in walk(connection, _log, [command_log.c.id]):
        yield [Logged(row[0], LogRow(*row[1:])) for row in rows]


class Claim(NamedTuple):
    """Which record was the first of a command id."""

    command_id: str
    principal: str
    epoch: int
    topic: str
    partition: int
    offset: int


async def walk_claims(connection: AsyncConnection) -> AsyncIterator[list[Claim]]:
    """Read every claim of a command id."""
    keys = [command_ids.c.command_id, command_ids.c.principal]
    async for rows in walk(connection, _claims, keys):
        yield [Claim(*row) for row in rows]


class Letter(NamedTuple):
    """Where a dead letter stood, and why it is one."""

    epoch: int
    topic: str
    partition: int
    offset: int
    reason: str


async def walk_letters(connection: AsyncConnection) -> AsyncIterator[list[Letter]]:
    """Read every dead letter's place and reason."""
    keys = [dead_letters.c[n] for n in ("epoch", "topic", "partition", "offset")]
    async for rows in walk(connection, _letters, keys):
        yield [Letter(*row) for row in rows]


class First(NamedTuple):
    """The first row of a command id."""

    claim: Claim
    id: int
    type: str | None
    disposition: str
    fingerprint: bytes | None
    status: int
    body: str


_places = [command_ids.c[n] == command_log.c[n] for n in ("epoch", "topic", "partition", "offset")]
_firsts = (
    sa.select(
        *command_ids.columns,
        *(
            command_log.c[name]
            for name in ("id", "type", "disposition", "fingerprint", "status", "body")
        ),
    )
    .join_from(command_ids, command_log, sa.and_(*_places))
    .where(one_of(command_ids.c.command_id, "ids"))
)


async def load_firsts(connection: AsyncConnection, ids: Sequence[str]) -> list[First]:
    """Load the first rows of these command ids, of every principal."""
    if not ids:
        return []
    rows = await connection.execute(_firsts, {"ids": list(ids)})
    return [First(Claim(*row[:6]), *row[6:]) for row in rows]


async def load_taken_over(connection: AsyncConnection) -> list[tuple[int, str, int, int]]:
    """Load the places of records by which dead letters were replayed."""
    names = ("by_epoch", "by_topic", "by_partition", "by_offset")
    columns = [dead_letter_closings.c[name] for name in names]
    query = sa.select(*columns).where(columns[0].is_not(None))
    return [(row[0], row[1], row[2], row[3]) for row in await connection.execute(query)]


async def estimate_rows(connection: AsyncConnection, table: sa.Table) -> int:
    """Return about how many rows a table has, at once: for a bar of progress."""
    if connection.dialect.name == "sqlite":
        newest = sa.func.max(sa.literal_column("rowid", sa.BigInteger))
        query = sa.select(newest).select_from(table)
        found: int | None = (await connection.execute(query)).scalar()
    else:
        known = sa.text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)")
        found = (await connection.execute(known, {"name": table.name})).scalar()
    return max(0, found or 0)
