"""Marks fence, snapshots see one moment, and log epochs are remembered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ids import ProductId
from storage import schema
from storage.engine import Database
from storage.marks import (
    LogEpoch,
    Mark,
    delete_marks,
    find_log_epoch,
    insert_log_epoch,
    insert_marks,
    load_marks,
    lock_marks,
    move_mark,
    raise_published,
    save_marks,
)
from storage.products import load_products
from tests.client import SECONDS_MAX
from tests.contract.conftest import on_postgresql, written
from tests.worlds import ANN, NOW_MS, TEA, line, order

TOPIC = "user-commands"
WAIT_SECONDS = 0.3


def mark(partition: int, next_offset: int = 0) -> Mark:
    return Mark(TOPIC, partition, 1, next_offset, NOW_MS)


@pytest.fixture
async def marked(database: Database) -> Database:
    async with database.begin() as connection:
        await insert_marks(connection, [mark(0), mark(1), Mark("other", 0, 1, 5, 0)])
    return database


@asynccontextmanager
async def still_waiting(task: asyncio.Task[object]) -> AsyncIterator[None]:
    """See that a task cannot go on before the block has run, and does after it."""
    await asyncio.wait({task}, timeout=WAIT_SECONDS)
    assert not task.done()
    yield
    await asyncio.wait_for(task, SECONDS_MAX)


async def published_of(database: Database, offset: int, at: Mark) -> int:
    """Raise what is published of the first partition, as one who saw the mark there."""
    async with database.begin() as connection:
        await raise_published(connection, at, offset)
        return (await load_marks(connection))[TOPIC, 0].published_offset


async def test_what_is_published_is_raised_up_to_the_mark_and_never_goes_back(
    marked: Database,
) -> None:
    async with marked.begin() as connection:
        await written(connection, save_marks, [mark(0, 9)])
    seen = mark(0, 5)
    assert await published_of(marked, 7, seen) == 7
    assert await published_of(marked, 4, seen) == 7
    assert await published_of(marked, 10, seen) == 7
    assert await published_of(marked, 9, Mark(TOPIC, 0, 2, 9, NOW_MS)) == 7
    assert await published_of(marked, 9, seen) == 9


async def move(database: Database, partition: int) -> int:
    """Do what a worker does: lock, see where the mark is, move it by one. Tells where it was."""
    async with database.begin() as connection:
        locked = (await lock_marks(connection, TOPIC, [partition]))[partition]
        was = locked.next_offset
        locked.next_offset += 1
        await written(connection, save_marks, [locked])
    return was


async def test_marks_are_locked_moved_and_loaded(marked: Database) -> None:
    async with marked.begin() as connection:
        locked = await lock_marks(connection, TOPIC, [1, 0, 1, 7])
        assert locked == {0: mark(0), 1: mark(1)}
        await written(connection, save_marks, [Mark(TOPIC, 1, 2, 2**62, NOW_MS + 1)])
    async with marked.connect() as connection:
        assert await load_marks(connection) == {
            (TOPIC, 0): mark(0),
            (TOPIC, 1): Mark(TOPIC, 1, 2, 2**62, NOW_MS + 1),
            ("other", 0): Mark("other", 0, 1, 5, 0),
        }


async def test_a_second_worker_waits_and_finds_the_mark_moved(
    marked: Database, other: Database
) -> None:
    async with marked.begin() as connection:
        locked = await lock_marks(connection, TOPIC, [0])
        second: asyncio.Task[object] = asyncio.create_task(move(other, 0))
        async with still_waiting(second):
            await written(connection, save_marks, [mark(0, locked[0].next_offset + 10)])
            await connection.commit()
    assert second.result() == 10


async def test_workers_that_race_never_read_the_same_mark(
    marked: Database, other: Database
) -> None:
    seen = await asyncio.gather(*(move(each, 0) for each in (marked, other) * 10))
    assert sorted(seen) == list(range(20))


async def test_a_worker_that_fails_leaves_the_mark(marked: Database, other: Database) -> None:
    async def fail() -> None:
        async with marked.begin() as connection:
            await lock_marks(connection, TOPIC, [0])
            await written(connection, save_marks, [mark(0, 99)])
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await move(other, 0) == 0


@on_postgresql  # SQLite has one writer at a time, whatever it writes.
async def test_another_partitions_worker_does_not_wait(marked: Database, other: Database) -> None:
    async with marked.begin() as connection:
        await lock_marks(connection, TOPIC, [0])
        assert await asyncio.wait_for(move(other, 1), SECONDS_MAX) == 0


async def test_a_snapshot_sees_one_moment(marked: Database, other: Database) -> None:
    wallets = schema.wallets
    async with marked.begin() as connection:
        await connection.execute(wallets.insert(), {"user_id": ANN, "balance": 1})
    async with marked.snapshot() as seen:
        assert await seen.scalar(sa.select(wallets.c.balance)) == 1
        async with other.begin() as connection:
            await connection.execute(sa.update(wallets).values(balance=2))
            await written(connection, save_marks, [mark(0, 7)])
        assert await seen.scalar(sa.select(wallets.c.balance)) == 1
        assert (await load_marks(seen))[TOPIC, 0] == mark(0)
    async with marked.snapshot() as seen:
        assert await seen.scalar(sa.select(wallets.c.balance)) == 2
        assert (await load_marks(seen))[TOPIC, 0] == mark(0, 7)


async def test_a_snapshot_after_another_kind_of_transaction(marked: Database) -> None:
    """The isolation level of one use of a connection must not stay for the next."""
    for _ in range(4):
        async with marked.snapshot() as seen:
            await load_marks(seen)
        assert await move(marked, 0) >= 0


async def add_product(connection: AsyncConnection) -> None:
    row = {"product_id": TEA, "name": "Tea", "price": 1, "stock": 1}
    await connection.execute(schema.products.insert(), row)


async def test_writers_of_a_product_wait_for_each_other(
    database: Database, other: Database
) -> None:
    async def lock_too() -> int:
        async with other.begin() as connection:
            rows = await load_products(connection, [TEA], to_write=True)
            return next(row.stock for row in rows.loaded.values())

    async with database.begin() as connection:
        await add_product(connection)
    async with database.begin() as connection:
        await load_products(connection, [TEA], to_write=True)
        second: asyncio.Task[object] = asyncio.create_task(lock_too())
        async with still_waiting(second):
            await connection.execute(sa.update(schema.products).values(stock=42))
            await connection.commit()
    assert second.result() == 42


@on_postgresql  # SQLite has one writer at a time, whatever it writes.
async def test_an_order_of_a_locked_product_does_not_wait(
    database: Database, other: Database
) -> None:
    """A new order's lines refer to products; that must not wait for those who sell them."""
    head = {
        **dict.fromkeys(("total_amount", "discount_amount", "payable_amount"), 1),
        **dict.fromkeys(("created_at_ms", "expires_at_ms"), NOW_MS),
        "order_id": order().order_id,
        "user_id": ANN,
        "status": "PENDING",
    }
    body = {"order_id": order().order_id, "product_id": TEA, "position": 0}

    async def add_order() -> None:
        async with other.begin() as connection:
            await connection.execute(schema.orders.insert(), head)
            lines = schema.order_lines.insert()
            await connection.execute(
                lines, {**body, "unit_price": line().unit_price, "quantity": 1}
            )

    async with database.begin() as connection:
        await add_product(connection)
    async with database.begin() as connection:
        await load_products(connection, [ProductId(TEA)], to_write=True)
        await asyncio.wait_for(add_order(), SECONDS_MAX)


async def test_the_newest_log_epoch_counts(database: Database) -> None:
    async with database.begin() as connection:
        assert await find_log_epoch(connection) is None
        for number in (1, 3, 2):
            await insert_log_epoch(connection, LogEpoch(number, f"cluster{number}", NOW_MS))
        assert await find_log_epoch(connection) == LogEpoch(3, "cluster3", NOW_MS)


async def test_marks_are_forgotten_for_a_new_epoch(marked: Database) -> None:
    async with marked.begin() as connection:
        await delete_marks(connection)
        assert await load_marks(connection) == {}


@pytest.mark.parametrize(
    ("span", "epoch", "ends_at"),
    [((5, 9), 1, 9), ((4, 9), 1, 5), ((6, 9), 1, 5), ((5, 9), 2, 5)],
)
async def test_a_mark_moves_only_from_where_it_is_expected(
    marked: Database, span: tuple[int, int], epoch: int, ends_at: int
) -> None:
    async with marked.begin() as connection:
        await move_mark(connection, ("other", 0), span, epoch)
    async with marked.connect() as connection:
        marks = await load_marks(connection)
    assert marks["other", 0].next_offset == ends_at
    assert {marks[TOPIC, number].next_offset for number in (0, 1)} == {0}
