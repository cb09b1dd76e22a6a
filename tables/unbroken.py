"""Lets a transaction come to its end in a task that is cancelled meanwhile."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def unbroken(work: Coroutine[Any, Any, T]) -> T:
    """Do a short piece of work to its end, and only then be cancelled.

    A transaction that is left in the middle may keep SQLite locked until others give up, and
    what the driver raises instead of the cancellation looks like any other failure.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # Its failure is nobody's business any more.
        await asyncio.gather(task, return_exceptions=True)
        raise
