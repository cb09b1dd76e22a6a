"""Loads that come together are one load: while one runs, the next keys gather."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Gathering(Generic[K, V]):
    """Answers many single questions with few queries.

    A load begins after all its keys were asked for, so each answer is as fresh as one of its own.
    """

    def __init__(self, load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._load = load
        self._next: dict[K, asyncio.Future[V | None]] = {}
        self._running: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """Return what the load has for this key, None where it has nothing."""
        future = self._next.get(key)
        if future is None:
            future = self._next[key] = asyncio.get_running_loop().create_future()
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await asyncio.shield(future)

    async def _run(self) -> None:
        try:
            while self._next:
                gathered, self._next = self._next, {}
                await self._answer(gathered)
        finally:
            self._running = None

    async def _answer(self, gathered: dict[K, asyncio.Future[V | None]]) -> None:
        try:
            found = await self._load(list(gathered))
        except Exception as error:
            for future in gathered.values():
                future.set_exception(error)
                future.exception()
        else:
            for key, future in gathered.items():
                future.set_result(found.get(key))
