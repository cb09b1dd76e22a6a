"""What a failed transaction means, seen on the real failures of both databases."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities import Wallet
from domain.ids import CouponId, ProductId, UserId
from domain.state import Rows
from storage import schema
from storage.command_log import CommandKey, save_accepted
from storage.coupons import save_coupons, save_user_coupons
from storage.engine import Database
from storage.errors import Failure, failure_of
from storage.orders import save_orders
from storage.products import save_products
from storage.wallets import save_wallets
from tests.contract.conftest import on_postgresql, opened, sqlite_url, written
from tests.worlds import ANN, BOB, INT64_MAX, TEA, copy, coupon, line, order, product, wallet

Write = Callable[[AsyncConnection], Awaitable[None]]


def added(key: Any, row: Any) -> Rows[Any, Any]:
    rows: Rows[Any, Any] = Rows()
    rows.put(key, row)
    return rows


def add_wallet(row: Wallet) -> Write:
    return lambda connection: written(connection, save_wallets, added(row.user_id, row), [])


def add_product(**fields: Any) -> Write:
    row = replace(product(), **fields)
    return lambda connection: written(connection, save_products, added(row.product_id, row))


def add_coupon(**fields: Any) -> Write:
    row = replace(coupon(), **fields)
    return lambda connection: written(connection, save_coupons, added(row.coupon_code, row))


def add_copy(**fields: Any) -> Write:
    row = replace(copy(), **fields)
    key = row.user_id, row.coupon_id
    return lambda connection: written(connection, save_user_coupons, added(key, row))


def add_order(quantity: int = 1, product_id: ProductId = TEA) -> Write:
    row = order([line(product_id, quantity=quantity)])
    return lambda connection: written(connection, save_orders, added(row.order_id, row))


async def failure_in(database: Database, write: Write) -> Failure | None:
    try:
        async with database.begin() as connection:
            await write(connection)
    except Exception as error:
        return failure_of(error)
    return None


#   stands before            is written                                means
WRITES: list[tuple[list[Write], Write, Failure]] = [
    ([add_wallet(wallet(1))], add_wallet(wallet(2)), Failure.CONFLICT),
    ([add_product()], add_product(name="again"), Failure.CONFLICT),
    ([add_coupon()], add_coupon(coupon_id=CouponId("other")), Failure.CONFLICT),
    ([add_coupon(), add_copy()], add_copy(user_id=BOB), Failure.CONFLICT),
    ([add_product(), add_order()], add_order(), Failure.CONFLICT),
    ([], add_wallet(wallet(-1)), Failure.DATA),
    ([], add_product(stock=-1), Failure.DATA),
    ([], add_product(price=-1), Failure.DATA),
    ([], add_coupon(issued=101), Failure.DATA),
    ([], add_coupon(issued=-1), Failure.DATA),
    ([add_product()], add_order(quantity=0), Failure.DATA),
    ([], add_copy(), Failure.DATA),
    ([], add_order(product_id=ProductId(99)), Failure.DATA),
    ([], add_wallet(Wallet(UserId(INT64_MAX + 1), 0)), Failure.DATA),
    ([], add_product(name="\ud800"), Failure.DATA),
]


@pytest.mark.parametrize(("before", "write", "failure"), WRITES)
async def test_a_refused_write_is_a_conflict_or_bad_data(
    database: Database, before: list[Write], write: Write, failure: Failure
) -> None:
    for each in before:
        assert await failure_in(database, each) is None
    assert await failure_in(database, write) is failure


async def test_a_character_that_postgresql_refuses_is_bad_data(database: Database) -> None:
    expected = None if database.is_sqlite else Failure.DATA
    assert await failure_in(database, add_product(name="a\0b")) is expected


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    async def write(connection: AsyncConnection) -> None:
        await add_wallet(wallet(1))(connection)
        await add_product(stock=-1)(connection)

    assert await failure_in(database, write) is Failure.DATA
    async with database.connect() as connection:
        count = await connection.scalar(sa.select(sa.func.count()).select_from(schema.wallets))
    assert count == 0


async def test_accepting_a_command_twice_at_once_is_no_failure(
    database: Database, other: Database
) -> None:
    key = CommandKey("7", "c1")
    tries = [failure_in(each, lambda c: save_accepted(c, [key])) for each in (database, other) * 5]
    assert set(await asyncio.gather(*tries)) == {None}
    table = schema.accepted_commands
    async with database.connect() as connection:
        count = await connection.scalar(sa.select(sa.func.count()).select_from(table))
    assert count == 1


async def test_a_database_that_cannot_be_reached_is_away(tmp_path: Path) -> None:
    urls = (
        sqlite_url(tmp_path / "no" / "such" / "folder.db"),
        "postgresql+asyncpg://nobody@127.0.0.1:1/none",
    )
    threads = threading.active_count()
    for url in urls:
        async with opened(url) as database:
            assert await failure_in(database, add_wallet(wallet(1))) is Failure.AWAY
            # A thread that is left would fail later, in whatever test runs then.
            assert threading.active_count() <= threads


async def test_a_busy_database_is_away(database: Database, other: Database) -> None:
    impatient = "PRAGMA busy_timeout = 1" if database.is_sqlite else "SET statement_timeout = 300"

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(sa.update(schema.wallets).values(balance=1))

    assert await failure_in(database, add_wallet(wallet(1))) is None
    async with other.connect() as connection:
        await connection.exec_driver_sql(impatient)
        await connection.commit()
    async with database.begin() as holder:
        await write(holder)
        assert await failure_in(other, write) is Failure.AWAY


@on_postgresql  # An SQLite file has no connection that could be lost.
async def test_a_lost_connection_is_away(database: Database, other: Database) -> None:
    async def cut(connection: AsyncConnection) -> None:
        pid = await connection.scalar(sa.select(sa.func.pg_backend_pid()))
        async with other.begin() as killer:
            await killer.execute(sa.select(sa.func.pg_terminate_backend(pid)))
        await add_wallet(wallet(1))(connection)

    assert await failure_in(database, cut) is Failure.AWAY
    assert await failure_in(database, add_wallet(wallet(1))) is None


@on_postgresql  # SQLite has one writer at a time, and so no circle of waiting ones.
async def test_a_deadlock_is_a_conflict_for_one_of_the_two(
    database: Database, other: Database
) -> None:
    for user_id in (ANN, BOB):
        assert await failure_in(database, add_wallet(wallet(1, user_id))) is None
    holding = asyncio.Barrier(2)

    def crossing(*users: UserId) -> Write:
        async def write(connection: AsyncConnection) -> None:
            for user_id in users:
                query = sa.select(schema.wallets).where(schema.wallets.c.user_id == user_id)
                await connection.execute(query.with_for_update())
                if user_id == users[0]:
                    await holding.wait()

        return write

    met = await asyncio.gather(
        failure_in(database, crossing(ANN, BOB)), failure_in(other, crossing(BOB, ANN))
    )
    assert sorted(map(str, met)) == sorted(map(str, (None, Failure.CONFLICT)))


#   an error that is nobody's transaction                        means
OTHERS = [
    (OSError("no route"), Failure.AWAY),
    (TimeoutError(), Failure.AWAY),
    (exc.TimeoutError("pool"), Failure.AWAY),
    (OverflowError(), Failure.DATA),
    (UnicodeEncodeError("utf-8", "x", 0, 1, "no"), Failure.DATA),
    (KeyError("a bug"), Failure.BUG),
    (AssertionError(), Failure.BUG),
    (ValueError("a bug"), Failure.BUG),
]


@pytest.mark.parametrize(("error", "failure"), OTHERS)
def test_errors_outside_the_database(error: Exception, failure: Failure) -> None:
    assert failure_of(error) is failure


async def test_a_wrong_statement_is_a_bug(database: Database) -> None:
    async def write(connection: AsyncConnection) -> None:
        await connection.execute(sa.text("SELECT nothing FROM nowhere"))

    assert await failure_in(database, write) is Failure.BUG
