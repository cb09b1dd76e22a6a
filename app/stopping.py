"""The wish to stop, heard from a signal, and an end that comes whatever still hangs.

A process that is asked to stop finishes what it has in hand. What it needs for that may be away,
and a thread may wait for what never comes; so a clock runs from the first signal on, in a thread
that waits for nothing, and a second signal does not wait for the clock.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from streams.loop_watch import leave_soon

log = logging.getLogger("fairline")

# Whoever asks a process to stop and kills it if it does not, waits longer than this: 20 s are
# promised. It is longer than a send or a statement may take, so that work in hand is finished
# unless something is away; what is not finished then comes again from the log.
STOP_SECONDS_MAX = 15.0

T = TypeVar("T")


class StopAskedError(Exception):
    """A stop was asked for before the process was ready: what had begun is given up."""


class Stop:
    """Whether this process was asked to stop, and what its stop waits for."""

    def __init__(
        self,
        leave: Callable[[str], None] = leave_soon,
        seconds_max: float = STOP_SECONDS_MAX,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked = asyncio.Event()
        self._leave = leave
        self._seconds_max = seconds_max
        self._was_heard = False
        self._clock: threading.Timer | None = None
        self._waits_for: list[str] = []

    def hear(self, *_signal: object) -> None:
        """Take a signal: the first one asks for the stop, the next one ends the process."""
        if self._was_heard:
            _after(0, self._end, "asked to stop a second time")
            return
        self._was_heard = True
        self.begin()
        self._loop.call_soon_threadsafe(self._asked.set)

    def begin(self) -> None:
        """Start the clock, once: whether it was asked for or not, the process is ending."""
        if self._clock is None:
            late = f"the stop took more than {self._seconds_max:.0f} s"
            self._clock = _after(self._seconds_max, self._end, late)

    def _end(self, why: str) -> None:
        self._leave(f"{why}; waited for {', in there for '.join(self._waits_for) or 'nothing'}")

    @contextmanager
    def waiting_for(self, what: str) -> Iterator[None]:
        """Name what the block waits for, for the log of a stop that takes too long."""
        self._waits_for.append(what)
        try:
            yield
        finally:
            self._waits_for.remove(what)

    @property
    def is_asked(self) -> bool:
        """Tell whether a stop was asked for."""
        return self._asked.is_set()

    async def wait(self) -> None:
        """Wait until a stop is asked for."""
        await self._asked.wait()

    async def unless_asked(self, work: Coroutine[Any, Any, T]) -> T:
        """Do a part of the start. Raises StopAskedError where a stop is asked for meanwhile."""
        doing, asked = asyncio.create_task(work), asyncio.create_task(self._asked.wait())
        try:
            await asyncio.wait({doing, asked}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            raise StopAskedError
        finally:
            for task in (doing, asked):
                task.cancel()
            await asyncio.wait({doing, asked})


def _after(seconds: float, work: Callable[[Any], object], argument: Any) -> threading.Timer:
    """Do it later, on a thread of its own: the main one may be what hangs, or write to the log."""
    clock = threading.Timer(seconds, work, [argument])
    clock.daemon = True
    clock.start()
    return clock


@asynccontextmanager
async def stopping() -> AsyncIterator[Stop]:
    """Hear signals from the very start, and see that the block ends in time after the first."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Not the loop's own handlers: a loop that is held up would not hear the second signal.
        signal.signal(number, stop.hear)
    try:
        with stop.waiting_for("the parts of the process to end"):
            yield stop
    except StopAskedError:
        log.info("stopped before it was ready")
