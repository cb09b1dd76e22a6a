"""A task that is cancelled in the middle of a transaction: it ends, and nothing stays locked."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from operator import methodcaller

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.engine import Database
from storage.schema import leases
from tests.stepping import Stepped

# A statement stays open while it has more rows.
KEPT = [{"name": name, "holder": "one", "until_ms": 1} for name in ("this", "that")]


Begin = Callable[[Database], AbstractAsyncContextManager[AsyncConnection]]
in_any_way = pytest.mark.parametrize(
    "begin", [methodcaller("begin"), methodcaller("begin_batch")], ids=["begin", "begin_batch"]
)


async def transaction(database: Database, begin: Begin) -> None:
    async with begin(database) as connection:
        await connection.execute(leases.delete())
        await connection.execute(leases.insert(), KEPT)
        await connection.execute(sa.select(leases))


async def cancelled_at(step: int, database: Database, begin: Begin) -> int:
    """Cancel the task that runs a transaction at one of its steps; return how many it took."""
    steps = 0

    def act() -> None:
        nonlocal steps
        steps += 1
        task = asyncio.current_task()
        assert task is not None
        if steps == step:
            task.cancel()

    await Stepped(transaction(database, begin), act)
    return steps


@in_any_way
async def test_a_task_that_is_cancelled_at_any_await_ends_and_leaves_nothing_locked(
    database: Database, other: Database, begin: Begin
) -> None:
    # Who looks at an error keeps what was on the stack, and the statement that was open there.
    kept: list[BaseException] = []
    steps = None
    while steps is None:
        # Each time with a new connection, which is part of it.
        await database.dispose()
        task = asyncio.create_task(cancelled_at(len(kept) + 1, database, begin))
        try:
            steps = await task
        except asyncio.CancelledError as error:
            kept.append(error)
        await transaction(other, begin)
    # The first connection of an engine takes more of them. What SQLite does at once is nowhere to
    # be cancelled; its commit is.
    assert len(kept) >= steps >= 1


async def lost_at(step: int, database: Database, begin: Begin) -> bool:
    """Lose the answer at one step of a transaction; return whether there was such a step."""
    steps = itertools.count(1)

    def lose() -> BaseException | None:
        return OSError("the answer is lost") if next(steps) == step else None

    with contextlib.suppress(OSError, sa.exc.StatementError):
        await Stepped(transaction(database, begin), lose)
    return next(steps) > step


@in_any_way
async def test_after_an_answer_that_was_lost_at_any_await_a_commit_commits(
    database: Database, other: Database, begin: Begin
) -> None:
    for step in itertools.count(1):
        was_lost = await lost_at(step, database, begin)
        await transaction(database, begin)
        async with begin(database) as connection:
            await connection.execute(leases.update().values(until_ms=step + 1))
        async with other.connect() as connection:
            kept = await connection.scalars(sa.select(leases.c.until_ms))
            assert set(kept) == {step + 1}
        if not was_lost:
            assert step > 2
            return
