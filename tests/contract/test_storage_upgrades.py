"""Upgrades from each earlier version with rows in place: nothing is lost, and the new works."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from domain.entities import Order, OrderStatus
from domain.state import Rows
from storage.engine import Database
from storage.migrate import upgrade_async
from storage.orders import load_orders, save_orders
from tests.contract.conftest import asyncpg_url, opened, sqlite_url, written
from tests.worlds import ANN, CUP, NOW_MS, ORDER_ID, TEA, line, order

PAID = order([line(TEA, quantity=2), line(CUP)], status=OrderStatus.PAID, paid_at_ms=NOW_MS)
MOST = 2**63 - 1
HEADS = (
    "order_id user_id status total_amount discount_amount payable_amount created_at_ms"
    " expires_at_ms paid_at_ms"
)
#   table           columns                                 rows, as version 0001 has them
ROWS: list[tuple[str, str, list[tuple[Any, ...]]]] = [
    ("products", "product_id name price stock", [(TEA, "Tea", 1, 5), (CUP, "Cup", 0, MOST)]),
    (
        "orders",
        HEADS,
        [
            (ORDER_ID, ANN, "PAID", 3_000, 0, 3_000, NOW_MS - 60_000, NOW_MS + 60_000, NOW_MS),
            ("waiting", MOST, "PENDING", 0, 0, 0, 1, 2, None),
        ],
    ),
    (
        "order_lines",
        "order_id product_id position unit_price quantity",
        [(ORDER_ID, TEA, 0, 1_000, 2), (ORDER_ID, CUP, 1, 1_000, 1), ("waiting", CUP, 0, 0, 1)],
    ),
    ("coupons", "coupon_id coupon_code total issued discount_amount", [("c", "RUSH", 9, 2, 1)]),
    (
        "user_coupons",
        "user_id coupon_id user_coupon_id coupon_code number discount_amount issued_at_ms",
        [(ANN, "c", "kept", "RUSH", 1, 1, 1), (MOST, "c", "pruned", "RUSH", 2, 1, 1)],
    ),
    (
        "command_log",
        'epoch topic partition "offset" command_id type disposition status body accepted_at_ms',
        [(3, "coupon-commands", 5, 7, "kept", "IssueCoupon", "APPLIED", 200, "{}", 1)],
    ),
    (
        "command_ids",
        'principal command_id epoch topic partition "offset"',
        [("1", "kept", 3, "coupon-commands", 5, 7)],
    ),
]


@pytest.fixture(params=["sqlite", "postgres"])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "old.db")
    new_database: Callable[[], str] = request.getfixturevalue("new_database")
    return asyncpg_url(new_database())


@pytest.fixture
async def upgraded(old_url: str) -> AsyncIterator[Database]:
    """A database that was filled at version 0001 and is of this version now."""
    await upgrade_async(old_url, "0001")
    async with opened(old_url) as database, database.begin() as connection:
        for table, columns, rows in ROWS:
            names = columns.split()
            marks = [name.strip('"') for name in names]
            values = ", ".join(f":{mark}" for mark in marks)
            into = sa.text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})")
            await connection.execute(into, [dict(zip(marks, row, strict=True)) for row in rows])
    await upgrade_async(old_url)
    async with opened(old_url) as database:
        yield database


async def rows_of(database: Database, table: str, columns: str) -> list[tuple[Any, ...]]:
    async with database.connect() as connection:
        query = sa.text(f"SELECT {', '.join(columns.split())} FROM {table}")
        return [tuple(row) for row in await connection.execute(query)]


async def test_every_row_is_there_after_an_upgrade(upgraded: Database) -> None:
    for table, columns, rows in ROWS:
        assert sorted(await rows_of(upgraded, table, columns), key=repr) == sorted(rows, key=repr)
    async with upgraded.connect() as connection:
        found = await load_orders(connection, [ORDER_ID])
    assert found.get(ORDER_ID) == PAID


async def test_copies_of_before_get_the_place_that_the_log_still_tells(
    upgraded: Database,
) -> None:
    columns = "user_coupon_id total log_epoch log_partition log_offset"
    assert sorted(await rows_of(upgraded, "user_coupons", columns)) == [
        ("kept", 9, 3, 5, 7),
        ("pruned", 9, None, None, None),
    ]


async def test_an_order_of_before_can_be_cancelled_after(upgraded: Database) -> None:
    cancelled = replace(PAID, status=OrderStatus.CANCELLED, cancelled_at_ms=NOW_MS + 1)
    rows: Rows[Any, Order] = Rows({ORDER_ID: PAID})
    rows.put(ORDER_ID, cancelled)
    async with upgraded.begin() as connection:
        await written(connection, save_orders, rows)
        found = await load_orders(connection, [ORDER_ID])
    assert found.get(ORDER_ID) == cancelled


async def test_references_are_kept_by_an_upgrade(upgraded: Database) -> None:
    for table in ("orders", "products"):
        with pytest.raises(IntegrityError):
            async with upgraded.begin() as connection:
                await connection.execute(sa.text(f"DELETE FROM {table}"))


async def test_an_upgrade_that_would_leave_rows_astray_changes_nothing(tmp_path: Path) -> None:
    """SQLite's references are not enforced while tables are made anew; so they are checked."""
    url = sqlite_url(tmp_path / "astray.db")
    await upgrade_async(url, "0001")
    async with opened(url) as database:
        async with database.connect() as connection:
            await connection.exec_driver_sql("COMMIT")
            await connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            await connection.exec_driver_sql("INSERT INTO order_lines VALUES ('none', 1, 0, 1, 1)")
        with pytest.raises(RuntimeError, match="refer to nothing"):
            await upgrade_async(url)
        assert await rows_of(database, "alembic_version", "version_num") == [("0001",)]
        assert "cancelled_at_ms" not in str(await rows_of(database, "sqlite_schema", "sql"))
