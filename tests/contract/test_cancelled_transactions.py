"""A task that is cancelled in the middle of a transaction: it ends, and nothing stays locked."""

import asyncio

import sqlalchemy as sa

from storage.engine import Database
from storage.schema import leases
from tests.stepping import Stepped

# A statement stays open while it has more rows.
KEPT = [{"name": name, "holder": "one", "until_ms": 1} for name in ("this", "that")]


async def transaction(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(leases.delete())
        await connection.execute(leases.insert(), KEPT)
        await connection.execute(sa.select(leases))


async def cancelled_at(step: int, database: Database) -> int:
    """Cancel the task that runs a transaction at one of its steps; return how many it took."""
    steps = 0

    def act() -> None:
        nonlocal steps
        steps += 1
        task = asyncio.current_task()
        assert task is not None
        if steps == step:
            task.cancel()

    await Stepped(transaction(database), act)
    return steps


async def test_a_task_that_is_cancelled_at_any_await_ends_and_leaves_nothing_locked(
    database: Database, other: Database
) -> None:
    # Who looks at an error keeps what was on the stack, and the statement that was open there.
    kept: list[BaseException] = []
    steps = None
    while steps is None:
        # Each time with a new connection, which is part of it.
        await database.dispose()
        task = asyncio.create_task(cancelled_at(len(kept) + 1, database))
        try:
            steps = await task
        except asyncio.CancelledError as error:
            kept.append(error)
        await transaction(other)
    assert len(kept) == steps > 10
