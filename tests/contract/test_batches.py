"""What a batch reads at once: nothing older than its locks, and ids older than are remembered."""

import asyncio
from uuid import UUID

import pytest
import sqlalchemy as sa

from storage import schema
from storage.engine import Database
from storage.marks import lock_marks, save_marks
from streams import wire
from streams.codec import encode_command, key_of, partition_of
from streams.records import Record
from tests.client import eventually
from tests.contract.conftest import on_postgresql, written
from tests.letters import USERS, Line
from tests.stateful.log_in_memory import TOPICS

PARTITION = partition_of(b"7", TOPICS.user_commands.partitions)


@pytest.fixture
async def line(database: Database) -> Line:
    """A log that nobody has read."""
    made = Line(database)
    await made.prepare()
    return made


def sent(line: Line, number: int, payload: wire.Shape) -> Record:
    """Append a command with the id of this number."""
    return line.record(key_of(payload), encode_command(UUID(int=number), payload), PARTITION)


def charge(line: Line, number: int, amount: int = 100) -> Record:
    return sent(line, number, wire.ChargeBalance(7, amount))


async def balance_of(database: Database) -> int:
    async with database.connect() as connection:
        query = sa.select(schema.wallets.c.balance)
        return int((await connection.execute(query)).scalar_one())


async def forget(database: Database) -> None:
    """Take out of the log all that was done, as if the idempotency window were over."""
    async with database.begin() as connection:
        for table in (schema.command_ids, schema.command_log):
            await connection.execute(table.delete())


async def waits(database: Database) -> bool:
    """Tell whether a transaction waits for another one's lock."""
    query = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with database.connect() as connection:
        return bool((await connection.execute(query)).scalar_one())


@on_postgresql  # SQLite has one writer at a time, and lets it read when its turn has come.
async def test_a_batch_that_waited_for_another_goes_on_from_what_that_one_wrote(
    line: Line, other: Database
) -> None:
    await line.apply([charge(line, 1)])
    taken, fresh = charge(line, 2), charge(line, 3)
    async with line.database.begin() as connection:
        marks = await lock_marks(connection, USERS, [PARTITION])
        waiting: asyncio.Task[object] = asyncio.create_task(line.apply([taken, fresh], other))
        marks[PARTITION].next_offset += 1
        await written(connection, save_marks, marks.values())
        await connection.execute(sa.update(schema.wallets).values(balance=5_000))
        await eventually(lambda: waits(line.database), "the wait for a lock")
    await waiting
    assert await balance_of(line.database) == 5_100


async def test_an_old_charge_that_is_sent_again_moves_nothing_and_holds_up_nobody(
    line: Line,
) -> None:
    (first,) = await line.apply([charge(line, 1)])
    await forget(line.database)
    rows = await line.apply([charge(line, 2), charge(line, 1), charge(line, 3)])
    assert [row.disposition for row in rows] == ["APPLIED", "REPEATED", "APPLIED"]
    assert rows[1].body == first.body
    assert await balance_of(line.database) == 300


async def test_an_old_order_that_is_sent_again_is_refused_and_holds_up_nobody(
    line: Line,
) -> None:
    async with line.database.begin() as connection:
        tea = {"product_id": 1, "name": "Tea", "price": 100, "stock": 9}
        await connection.execute(schema.products.insert(), tea)
    order = wire.CreateOrder(7, [wire.OrderItem(1, 1)])
    await line.apply([sent(line, 1, order)])
    await forget(line.database)
    rows = await line.apply([charge(line, 2), sent(line, 1, order), sent(line, 3, order)])
    assert [(row.disposition, row.status) for row in rows] == [
        ("APPLIED", 200),
        ("REFUSED", 422),
        ("APPLIED", 200),
    ]


async def test_an_order_is_paid_in_the_batch_that_repeats_its_creation(line: Line) -> None:
    async with line.database.begin() as connection:
        tea = {"product_id": 1, "name": "Tea", "price": 100, "stock": 9}
        await connection.execute(schema.products.insert(), tea)
    order = wire.CreateOrder(7, [wire.OrderItem(1, 1)])
    await line.apply([sent(line, 1, order), charge(line, 2)])
    pay = wire.PayOrder(7, str(UUID(int=1)))
    rows = await line.apply([sent(line, 1, order), sent(line, 3, pay)])
    assert [row.disposition for row in rows] == ["REPEATED", "APPLIED"]
    assert await balance_of(line.database) == 0
