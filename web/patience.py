"""Ends waits that take too long: all may last equally long, so one timer does for all of them."""

import asyncio
from typing import Any


class Patience:
    """Futures that may wait for so many seconds. The oldest is always the first to give up."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._future_to_end: dict[asyncio.Future[Any], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, future: asyncio.Future[Any]) -> None:
        """Let a future fail with TimeoutError once its time is over; `end` it in any case."""
        loop = asyncio.get_running_loop()
        end = self._future_to_end[future] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(end, self._look)

    def end(self, future: asyncio.Future[Any]) -> None:
        """Wait for this one no longer."""
        del self._future_to_end[future]

    def lose(self) -> None:
        """Let every wait be over now."""
        for future in self._future_to_end:
            give_up(future)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        for future, end in self._future_to_end.items():
            if end > loop.time():
                self._timer = loop.call_at(end, self._look)
                break
            give_up(future)


def give_up(future: asyncio.Future[Any]) -> None:
    """Let a wait be over now, unless it is over already."""
    if not future.done():
        future.set_exception(TimeoutError())
