"""A task that is cancelled in the middle of a transaction: it ends, and nothing stays locked."""

import asyncio
import contextlib
import itertools

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


async def lost_at(step: int, database: Database) -> bool:
    """Lose the answer at one step of a transaction; return whether there was such a step."""
    steps = itertools.count(1)

    def lose() -> BaseException | None:
        return OSError("the answer is lost") if next(steps) == step else None

    with contextlib.suppress(OSError, sa.exc.StatementError):
        await Stepped(transaction(database), lose)
    return next(steps) > step


async def test_after_an_answer_that_was_lost_at_any_await_a_commit_commits(
    database: Database, other: Database
) -> None:
    for step in itertools.count(1):
        was_lost = await lost_at(step, database)
        await transaction(database)
        async with database.begin() as connection:
            await connection.execute(leases.update().values(until_ms=step + 1))
        async with other.connect() as connection:
            kept = await connection.scalars(sa.select(leases.c.until_ms))
            assert set(kept) == {step + 1}
        if not was_lost:
            assert step > 5
            return
