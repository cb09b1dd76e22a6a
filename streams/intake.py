"""Between an agent's stream and the batch: take what is there, apply, publish, acknowledge.

A batch ends when nothing more has come. While one batch commits, the next one gathers by itself;
while one is published, the next is applied.
A lone command does not wait for company; where commands come in company, a moment more gathers
more of them, for a batch costs much and one more command in it little.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from streams.applying import PersistentApplier
from streams.health import WorkerHealth
from streams.published import Ends, ends_of
from streams.publisher import Publisher, Sending
from streams.records import LOG_APPEND_TIME, Place, Record
from streams.stopping import check_stopping

log = logging.getLogger(__name__)

# Measured on two cores with 64 clients: without gathering half as much was applied in a second.
GATHER_SECONDS = 0.002
GATHERS_MAX = 2

# What is put in the queue where a record that waited there is not coming after all.
LOOK_AGAIN = object()
LOOK_SECONDS = 0.05


class Intake:
    """What every command agent does with its stream. No exception leaves `process`."""

    def __init__(
        self,
        applier: PersistentApplier,
        publisher: Publisher,
        health: WorkerHealth,
        *,
        batch_max: int,
        leave: Callable[[str], NoReturn],
    ) -> None:
        self._applier = applier
        self._publisher = publisher
        self._health = health
        self._batch_max = batch_max
        self._leave = leave

    async def process(self, stream: Any) -> None:
        """Apply a Faust stream of raw records until the worker stops.

        Acknowledgements are ours alone: Faust would acknowledge what an exception left undone.
        """
        stream.enable_acks = False
        try:
            await self._process(stream)
        except BaseException as error:
            self._end(error, "applied")

    async def _process(self, stream: Any) -> None:
        waiting = stream.channel.queue
        batch: list[Any] = []
        was_alone, gathers = True, 0
        settling: asyncio.Task[None] | None = None
        looking = asyncio.create_task(_keep_looking(batch, waiting))
        try:
            async for _ in stream:
                if stream.current_event is not None:
                    batch.append(stream.current_event)
                if waiting.empty() and not was_alone and gathers < GATHERS_MAX:
                    gathers += 1
                    await asyncio.sleep(GATHER_SECONDS)
                if batch and (waiting.empty() or len(batch) >= self._batch_max):
                    taken, batch[:] = batch[:], []
                    settling = await self._apply(taken, settling)
                    was_alone, gathers = len(taken) == 1, 0
        finally:
            looking.cancel()
            if settling is not None:
                # Whoever ends here acknowledges nothing more; what is open comes again.
                settling.cancel()

    async def _apply(
        self, batch: Sequence[Any], before: asyncio.Task[None] | None
    ) -> asyncio.Task[None]:
        """Apply a batch and hand over what is published; return the task that settles it.

        While the broker takes a batch's records, the next one is applied already; but nothing
        of it is sent before all of this one has arrived, so the order stays as it was stored.
        """
        rows = await self._applier.apply([self._record_of(event) for event in batch])
        if before is not None:
            await before
        sent = await self._publisher.hand_over(rows)
        return asyncio.create_task(self._settle(batch, ends_of(rows), sent))

    async def _settle(self, batch: Sequence[Any], ends: Ends, sent: Sequence[Sending]) -> None:
        """Acknowledge a batch once all that it published has arrived."""
        try:
            await asyncio.gather(*sent)
            self._applier.published.arrive(ends)
            for event in batch:
                event.ack()
        except BaseException as error:
            self._end(error, "published")

    def _end(self, error: BaseException, what: str) -> None:
        """Stop where that was asked for, else leave the process.

        In both cases nothing more is acknowledged, so the batch comes again. An agent that ended
        otherwise would stand still without a word.
        """
        if isinstance(error, GeneratorExit):
            # The event loop is gone already.
            raise error
        check_stopping(error)
        self._leave(f"a batch could not be {what}: {error!r}")

    def _record_of(self, event: Any) -> Record:
        message = event.message
        if message.timestamp_type != LOG_APPEND_TIME:
            # The producer's clock would decide about expiry and validity.
            self._health.log_append_time = False
        return Record(
            Place(message.topic, message.partition, message.offset),
            message.key,
            message.value,
            message.headers or (),
            int(message.timestamp * 1000 + 0.5),
            message.timestamp_type,
        )


async def _keep_looking(batch: Sequence[Any], waiting: Any) -> None:
    """Let no batch wait for a record that was taken back.

    When partitions move, Faust empties the queue and then waits until all that was handed out is
    acknowledged. A batch that had seen one more record in the queue would wait for it meanwhile:
    each for the other, for ever, while the group goes on without this worker.
    """
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if batch and waiting.empty():
            waiting.force_put_nowait(LOOK_AGAIN)
