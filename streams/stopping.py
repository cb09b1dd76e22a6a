"""Whether a task was told to stop: libraries may put another exception in the place of that."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from streams.records import Partition

log = logging.getLogger(__name__)

# An edge takes a line for stalled after two seconds; by then its gap is closed.
LOOK_SECONDS = 0.7

Look = Callable[[Collection[Partition]], Awaitable[None]]


def check_stopping(error: BaseException) -> None:
    """Raise CancelledError where the task that asks was cancelled, whatever came of it.

    Who catches exceptions and goes on must ask: a cancellation is raised only once, and a
    library that fails on its way out raises that failure instead.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error


async def keep_looking(
    looks: Sequence[Look], assigned: Callable[[], Collection[Partition]]
) -> None:
    """Take looks at the partitions that this worker has, again and again, until cancelled."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        for look in looks:
            try:
                await look(assigned())
            except Exception as error:
                check_stopping(error)
                # Nothing is lost by it, and who cannot do without Kafka or the database says so.
                log.debug("could not look: %r", error)
