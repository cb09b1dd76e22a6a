"""Lets a transaction come to its end in a task that is cancelled meanwhile."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def unbroken(work: Coroutine[Any, Any, T]) -> T:
    """Do a short piece of work to its end, and only then be cancelled.

    Who takes something in a transaction must know whether it has it, to give it back. (For the
    transaction alone this is not needed: one that is cancelled is rolled back at once.)
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # Its failure is nobody's business any more.
        await asyncio.gather(task, return_exceptions=True)
        raise
